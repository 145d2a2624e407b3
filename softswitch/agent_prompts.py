"""What the switch says to agents beyond the confirmations of feature codes, and in conferences.

Invariant: every language has every sentence; keys stand after a colon, as in `softswitch.waiting_prompts`.
"""

# ruff: noqa: RUF001 - the letters of four languages look like one another

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "accept": "To take the call, press 1.",
        "enter-pin": "Please enter your PIN, then press the hash key.",
        "wrong-pin": "This PIN is wrong.",
        "wrapup-extended": "You have more time for wrap-up.",
        "conference-muted": "You are muted.",
        "conference-unmuted": "You can be heard again.",
        "conference-locked": "The conference is locked.",
        "conference-unlocked": "The conference is open.",
        "conference-full": "The conference is full.",
        "conference-left": "You have left the conference.",
    },
    "ru": {
        "accept": "Чтобы принять звонок, нажмите: 1.",
        "enter-pin": "Введите пин-код и нажмите решётку.",
        "wrong-pin": "Неверный пин-код.",
        "wrapup-extended": "Время на обработку звонка продлено.",
        "conference-muted": "Ваш микрофон выключен.",
        "conference-unmuted": "Вас снова слышно.",
        "conference-locked": "Конференция закрыта для входа.",
        "conference-unlocked": "Конференция открыта.",
        "conference-full": "В конференции нет свободных мест.",
        "conference-left": "Вы покинули конференцию.",
    },
    "tr": {
        "accept": "Çağrıyı almak için şu tuşa basın: 1.",
        "enter-pin": "Lütfen PIN kodunuzu girin, ardından kare tuşuna basın.",
        "wrong-pin": "PIN kodu yanlış.",
        "wrapup-extended": "Çağrı sonrası süreniz uzatıldı.",
        "conference-muted": "Mikrofonunuz kapatıldı.",
        "conference-unmuted": "Sesiniz yeniden duyuluyor.",
        "conference-locked": "Konferans kilitli.",
        "conference-unlocked": "Konferans açık.",
        "conference-full": "Konferans dolu.",
        "conference-left": "Konferanstan ayrıldınız.",
    },
    "ro": {
        "accept": "Pentru a prelua apelul, apăsați tasta: 1.",
        "enter-pin": "Introduceți codul PIN, apoi apăsați tasta diez.",
        "wrong-pin": "Codul PIN este greșit.",
        "wrapup-extended": "Timpul dumneavoastră după apel a fost prelungit.",
        "conference-muted": "Microfonul dumneavoastră este oprit.",
        "conference-unmuted": "Sunteți auzit din nou.",
        "conference-locked": "Conferința este blocată.",
        "conference-unlocked": "Conferința este deschisă.",
        "conference-full": "Conferința este plină.",
        "conference-left": "Ați părăsit conferința.",
    },
}
