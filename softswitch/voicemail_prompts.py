"""What mailboxes say: to those who leave a message, and to those who listen.

Invariant: as in `softswitch.waiting_prompts`: every language has every sentence, and numbers and keys stand
after a colon, so that the sentence is right for each of them. What differs from message to message is put
together of pieces that were spoken ahead: nothing is spoken while somebody listens.
"""

# ruff: noqa: RUF001 - the letters of four languages look like one another

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ivr.saying import LANGUAGES, Kind, spoken

MAX_COUNT = 20
"""The highest number of messages that is said; of more, `more than`."""

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "vm-greeting": "Nobody can take your call now. Please leave a message after the tone. "
        "When you have finished, hang up or press the hash key.",
        "vm-saved": "Thank you. Your message is saved. Goodbye.",
        "vm-too-short": "The message was too short and is not saved. Goodbye.",
        "vm-full": "This mailbox is full. Please try again later.",
        "vm-failed": "The message cannot be saved now. Please try again later.",
        "vm-new": "New messages: {n}.",
        "vm-heard": "Messages that you have heard: {n}.",
        "vm-new-more": "You have more than {n} new messages.",
        "vm-heard-more": "You have heard more than {n} messages.",
        "vm-none": "There are no messages.",
        "vm-message-new": "New message.",
        "vm-message-heard": "Message.",
        "vm-from": "From:",
        "vm-from-unknown": "From an unknown number.",
        "vm-today": "Today.",
        "vm-yesterday": "Yesterday.",
        "vm-end": "That was the last message.",
        "vm-deleted": "Deleted.",
        "vm-kept": "Saved.",
        "vm-menu": "To hear the messages, press 1. To change your greeting, press 9. For help, press 0. "
        "To end, press the hash key.",
        "vm-keys": "Next message: 1. Again: 2. Delete: 3. Save: 4. Your greeting: 9. Help: 0. "
        "To end, press the hash key.",
        "vm-record-greeting": "Record your greeting after the tone, then press the hash key.",
        "vm-greeting-keys": "To use this greeting, press 1. To hear it, press 2. To record it again, "
        "press 3. To go back to the standard greeting, press 4. To change nothing, press the star key.",
        "vm-greeting-saved": "Your greeting is saved.",
        "vm-greeting-standard": "Callers hear the standard greeting.",
        "vm-goodbye": "Goodbye.",
    },
    "ru": {
        "vm-greeting": "Сейчас никто не может ответить на ваш звонок. Оставьте сообщение после сигнала. "
        "Закончив, положите трубку или нажмите решётку.",
        "vm-saved": "Спасибо. Ваше сообщение сохранено. До свидания.",
        "vm-too-short": "Сообщение слишком короткое и не сохранено. До свидания.",
        "vm-full": "Почтовый ящик переполнен. Пожалуйста, перезвоните позже.",
        "vm-failed": "Сейчас сообщение нельзя сохранить. Пожалуйста, перезвоните позже.",
        "vm-new": "Новых сообщений: {n}.",
        "vm-heard": "Прослушанных сообщений: {n}.",
        "vm-new-more": "Новых сообщений больше, чем {n}.",
        "vm-heard-more": "Прослушанных сообщений больше, чем {n}.",
        "vm-none": "Сообщений нет.",
        "vm-message-new": "Новое сообщение.",
        "vm-message-heard": "Сообщение.",
        "vm-from": "С номера:",
        "vm-from-unknown": "С неизвестного номера.",
        "vm-today": "Сегодня.",
        "vm-yesterday": "Вчера.",
        "vm-end": "Это было последнее сообщение.",
        "vm-deleted": "Удалено.",
        "vm-kept": "Сохранено.",
        "vm-menu": "Чтобы прослушать сообщения, нажмите: 1. Чтобы изменить приветствие, нажмите: 9. "
        "Подсказка: 0. Чтобы закончить, нажмите решётку.",
        "vm-keys": "Следующее сообщение: 1. Повторить: 2. Удалить: 3. Сохранить: 4. Приветствие: 9. "
        "Подсказка: 0. Чтобы закончить, нажмите решётку.",
        "vm-record-greeting": "Запишите приветствие после сигнала, затем нажмите решётку.",
        "vm-greeting-keys": "Чтобы принять это приветствие, нажмите: 1. Прослушать: 2. Записать снова: 3. "
        "Вернуть обычное приветствие: 4. Чтобы ничего не менять, нажмите звёздочку.",
        "vm-greeting-saved": "Приветствие сохранено.",
        "vm-greeting-standard": "Звонящие слышат обычное приветствие.",
        "vm-goodbye": "До свидания.",
    },
    "tr": {
        "vm-greeting": "Şu anda aramanıza yanıt verilemiyor. Lütfen sinyal sesinden sonra mesajınızı "
        "bırakın. Bitirdiğinizde telefonu kapatın veya kare tuşuna basın.",
        "vm-saved": "Teşekkür ederiz. Mesajınız kaydedildi. Hoşça kalın.",
        "vm-too-short": "Mesaj çok kısa olduğu için kaydedilmedi. Hoşça kalın.",
        "vm-full": "Bu mesaj kutusu dolu. Lütfen daha sonra tekrar arayın.",
        "vm-failed": "Mesaj şu anda kaydedilemiyor. Lütfen daha sonra tekrar arayın.",
        "vm-new": "Yeni mesaj sayısı: {n}.",
        "vm-heard": "Dinlenmiş mesaj sayısı: {n}.",
        "vm-new-more": "Yeni mesaj sayısı şundan fazla: {n}.",
        "vm-heard-more": "Dinlenmiş mesaj sayısı şundan fazla: {n}.",
        "vm-none": "Mesaj yok.",
        "vm-message-new": "Yeni mesaj.",
        "vm-message-heard": "Mesaj.",
        "vm-from": "Arayan numara:",
        "vm-from-unknown": "Arayan numara bilinmiyor.",
        "vm-today": "Bugün.",
        "vm-yesterday": "Dün.",
        "vm-end": "Bu son mesajdı.",
        "vm-deleted": "Silindi.",
        "vm-kept": "Saklandı.",
        "vm-menu": "Mesajları dinlemek için şu tuşa basın: 1. Karşılama mesajınızı değiştirmek için: 9. "
        "Yardım için: 0. Bitirmek için kare tuşuna basın.",
        "vm-keys": "Sonraki mesaj: 1. Tekrar: 2. Sil: 3. Sakla: 4. Karşılama mesajı: 9. Yardım: 0. "
        "Bitirmek için kare tuşuna basın.",
        "vm-record-greeting": "Sinyal sesinden sonra karşılama mesajınızı kaydedin, sonra kare tuşuna basın.",
        "vm-greeting-keys": "Bu karşılama mesajını kullanmak için şu tuşa basın: 1. Dinlemek için: 2. "
        "Yeniden kaydetmek için: 3. Standart karşılamaya dönmek için: 4. "
        "Değiştirmemek için yıldız tuşuna basın.",
        "vm-greeting-saved": "Karşılama mesajınız kaydedildi.",
        "vm-greeting-standard": "Arayanlar standart karşılamayı duyuyor.",
        "vm-goodbye": "Hoşça kalın.",
    },
    "ro": {
        "vm-greeting": "Nimeni nu poate răspunde acum. Vă rugăm să lăsați un mesaj după semnalul sonor. "
        "La sfârșit, închideți sau apăsați tasta diez.",
        "vm-saved": "Vă mulțumim. Mesajul a fost salvat. La revedere.",
        "vm-too-short": "Mesajul a fost prea scurt și nu este salvat. La revedere.",
        "vm-full": "Căsuța vocală este plină. Vă rugăm să sunați mai târziu.",
        "vm-failed": "Mesajul nu poate fi salvat acum. Vă rugăm să sunați mai târziu.",
        "vm-new": "Mesaje noi: {n}.",
        "vm-heard": "Mesaje ascultate: {n}.",
        "vm-new-more": "Numărul mesajelor noi este mai mare de: {n}.",
        "vm-heard-more": "Numărul mesajelor ascultate este mai mare de: {n}.",
        "vm-none": "Nu există mesaje.",
        "vm-message-new": "Mesaj nou.",
        "vm-message-heard": "Mesaj.",
        "vm-from": "De la:",
        "vm-from-unknown": "De la un număr necunoscut.",
        "vm-today": "Astăzi.",
        "vm-yesterday": "Ieri.",
        "vm-end": "Acesta a fost ultimul mesaj.",
        "vm-deleted": "Șters.",
        "vm-kept": "Salvat.",
        "vm-menu": "Pentru a asculta mesajele, apăsați tasta: 1. Pentru a schimba întâmpinarea: 9. "
        "Pentru ajutor: 0. Pentru a încheia, apăsați diez.",
        "vm-keys": "Mesajul următor: 1. Din nou: 2. Ștergere: 3. Salvare: 4. Întâmpinarea: 9. Ajutor: 0. "
        "Pentru a încheia, apăsați diez.",
        "vm-record-greeting": "Înregistrați întâmpinarea după semnalul sonor, apoi apăsați diez.",
        "vm-greeting-keys": "Pentru a folosi această întâmpinare, apăsați tasta: 1. Pentru a o asculta: 2. "
        "Pentru a o înregistra din nou: 3. Pentru întâmpinarea standard: 4. "
        "Pentru a nu schimba nimic, apăsați steluța.",
        "vm-greeting-saved": "Întâmpinarea a fost salvată.",
        "vm-greeting-standard": "Cei care sună aud întâmpinarea standard.",
        "vm-goodbye": "La revedere.",
    },
}

_COUNTED = ("vm-new", "vm-heard")


def voicemail_texts(language: str) -> dict[str, str]:
    """Name -> text: `vm-greeting`, `vm-menu`, `vm-new-0` to `vm-new-20` ..."""
    sentences = SENTENCES[language]
    texts = {name: text.format(n=MAX_COUNT) for name, text in sentences.items() if name not in _COUNTED}
    for name in _COUNTED:
        for n in range(MAX_COUNT + 1):
            texts[f"{name}-{n}"] = sentences[name].format(n=n)
    return texts


def counted(name: str, n: int) -> str:
    """The name of the prompt that says how many there are."""
    return f"{name}-{n}" if n <= MAX_COUNT else f"{name}-more"


def date_text(moment: datetime, language: str) -> str:
    """The date in words; empty in a language that has no grammar here."""
    return _said("date", moment, language, "short")


def time_text(moment: datetime, language: str) -> str:
    """The time of the day in words; empty as above."""
    return _said("time", moment, language, "")


def announcement(moment: datetime, language: str) -> tuple[str, ...]:
    """What may be said of a message that came at this moment (in local time) and is not spoken ahead yet."""
    return tuple(filter(None, (date_text(moment, language), time_text(moment, language))))


def _said(kind: Kind, moment: datetime, language: str, form: str) -> str:
    if language.partition("-")[0] not in LANGUAGES:
        return ""
    value = f"{moment:%Y-%m-%d}" if kind == "date" else f"{moment:%H:%M}"
    text = spoken(kind, value, language, form=form).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
