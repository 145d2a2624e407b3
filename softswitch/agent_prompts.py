"""What the switch says to agents beyond the confirmations of feature codes.

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
    },
    "ru": {
        "accept": "Чтобы принять звонок, нажмите: 1.",
        "enter-pin": "Введите пин-код и нажмите решётку.",
        "wrong-pin": "Неверный пин-код.",
        "wrapup-extended": "Время на обработку звонка продлено.",
    },
    "tr": {
        "accept": "Çağrıyı almak için şu tuşa basın: 1.",
        "enter-pin": "Lütfen PIN kodunuzu girin, ardından kare tuşuna basın.",
        "wrong-pin": "PIN kodu yanlış.",
        "wrapup-extended": "Çağrı sonrası süreniz uzatıldı.",
    },
    "ro": {
        "accept": "Pentru a prelua apelul, apăsați tasta: 1.",
        "enter-pin": "Introduceți codul PIN, apoi apăsați tasta diez.",
        "wrong-pin": "Codul PIN este greșit.",
        "wrapup-extended": "Timpul dumneavoastră după apel a fost prelungit.",
    },
}
