"""Mailboxes: who listens to them exists, mail can be sent, sounds are there.

Invariant: as in `checks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from softswitch.config.check_calls import no_such, target_fault
from softswitch.config.check_waiting import no_language
from softswitch.config.draft import Draft, Fault
from softswitch.system_prompts import LANGUAGES


def check_voicemail(draft: Draft) -> Iterator[Fault]:
    """Everything about messages."""
    config = draft.config
    for number, extension in config.extensions.items():
        if extension.voicemail and extension.voicemail not in draft.names("mailboxes"):
            yield ("extensions", number, "voicemail"), no_such(draft, "mailbox", extension.voicemail)
    for name, box in config.mailboxes.items():
        where: tuple[str, ...] = ("mailboxes", name)
        for index, number in enumerate(box.extensions):
            if number not in draft.names("extensions"):
                yield (*where, "extensions", index), no_such(draft, "extension", number)
        if box.language and box.language.partition("-")[0] not in LANGUAGES:
            yield (*where, "language"), no_language(box.language)
        if box.min_message_s >= box.max_message_s:
            yield (*where, "min_message_s"), f"must be below max_message_s ({box.max_message_s:g})"
        if box.email and not config.mail.host and "mail" not in draft.raw:
            yield (*where, "email"), "no mail can be sent; give mail.host and mail.sender"
        for prompt in box.greeting:
            file = Path(config.prompts.directory, prompt.file)
            if prompt.file and not file.is_file():
                message = f"the sound file {file} does not exist; put it there, or write a text"
                yield (*where, "greeting"), message
    yield from _mail(draft)
    for name, queue in config.queues.items():
        path = ("queues", name, "overflow_then")
        for index, target in enumerate(queue.overflow_then):
            if message := target_fault(draft, target):
                yield (*path, index), message
        overflows = (queue.overflow, queue.overflow_timeout, queue.overflow_full, queue.overflow_empty)
        if queue.overflow_then and not any((*overflows, queue.overflow_closed)):
            yield path, "there is no overflow before it; give overflow too"


def _mail(draft: Draft) -> Iterator[Fault]:
    mail = draft.config.mail
    if mail.host and not mail.sender:
        yield ("mail",), "mails need a sender; give mail.sender"
    if mail.user and mail.security == "none":
        yield ("mail", "user"), "a password would be sent in the clear; use starttls or tls, or no user"
