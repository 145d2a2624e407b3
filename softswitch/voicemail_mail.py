"""The mail that tells of a message: who called, when, how long it is, and the recording.

Invariant: pure; what a stranger has sent (his number, his name) can make no header of its own.
"""

# ruff: noqa: RUF001 - the letters of four languages look like one another

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from softswitch.call.text import printable
from softswitch.call.voicemail_box import Message

MAX_ATTACHED_BYTES = 20 << 20
"""Mail servers take no larger ones."""

# Subject, then the lines of the text; `{...}` as in `compose`.
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "subject": "Message from {caller} ({length}) for {mailbox}",
        "from": "From",
        "when": "Received",
        "length": "Length",
        "queue": "Queue",
        "attached": "The recording is attached.",
        "kept": "The recording is in the mailbox.",
        "unknown": "unknown number",
    },
    "ru": {
        "subject": "Сообщение от {caller} ({length}) для {mailbox}",
        "from": "От",
        "when": "Получено",
        "length": "Длительность",
        "queue": "Очередь",
        "attached": "Запись приложена.",
        "kept": "Запись находится в почтовом ящике.",
        "unknown": "неизвестный номер",
    },
    "tr": {
        "subject": "{mailbox} için mesaj: {caller} ({length})",
        "from": "Arayan",
        "when": "Alındı",
        "length": "Süre",
        "queue": "Kuyruk",
        "attached": "Kayıt ektedir.",
        "kept": "Kayıt mesaj kutusundadır.",
        "unknown": "bilinmeyen numara",
    },
    "ro": {
        "subject": "Mesaj de la {caller} ({length}) pentru {mailbox}",
        "from": "De la",
        "when": "Primit",
        "length": "Durata",
        "queue": "Coada",
        "attached": "Înregistrarea este atașată.",
        "kept": "Înregistrarea este în căsuța vocală.",
        "unknown": "număr necunoscut",
    },
}


def compose(
    message: Message, *, sender: str, to: Sequence[str], moment: datetime, language: str, sound: bytes | None
) -> EmailMessage:
    """The mail. `moment` is when the message came, in local time; `sound` its WAV file, None if it does not
    go along. The Message-ID is the same at every attempt, so that a mail that was sent twice is seen once."""
    words = _WORDS.get(language.partition("-")[0], _WORDS["en"])
    caller = printable(" ".join(filter(None, (message.name, message.number)))) or words["unknown"]
    minutes, seconds = divmod(round(message.length_s), 60)
    length = f"{minutes}:{seconds:02}"
    mail = EmailMessage()
    mail["Subject"] = words["subject"].format(caller=caller, length=length, mailbox=message.mailbox)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = format_datetime(moment)
    mail["Message-ID"] = f"<{message.id}@{sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note is to answer it
    rows = [("from", caller), ("when", f"{moment:%Y-%m-%d %H:%M}"), ("length", length)]
    if message.queue:
        rows.append(("queue", message.queue))
    lines = [f"{words[key]}: {value}" for key, value in rows]
    lines += ["", words["attached" if sound is not None else "kept"]]
    mail.set_content("\n".join(lines) + "\n")
    if sound is not None:
        name = f"{message.mailbox}-{moment:%Y%m%d-%H%M%S}.wav"
        mail.add_attachment(sound, maintype="audio", subtype="wav", filename=name)
    return mail
