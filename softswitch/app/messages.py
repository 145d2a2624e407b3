"""What the core asks its shell to do with messages: rows, files, mails, texts to be spoken; and what a start
makes of what the last run left.

Invariant: nothing here waits inside the loop: rows go to the writer, mails and texts to tasks; to remove a
file is one call of the system.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ivr.messages import Prompt
from softswitch.app.mailer import Mailer
from softswitch.call.voicemail_box import (
    FileGone,
    Message,
    MessageGone,
    MessageKept,
    MessageReady,
    Speak,
)
from softswitch.config import Config
from softswitch.errors import LocalError
from softswitch.log import logger
from softswitch.prompts import Speaker
from softswitch.store import Writer
from softswitch.store.mailboxes import adopt, forget_statement, keep_statement

MAX_UNSPOKEN = 5000
log = logger("voicemail")


class MessageShell:
    """Carries out the effects of mailboxes. `config` gives the configuration as it is now."""

    def __init__(self, config: Callable[[], Config], store: Writer, clock: Callable[[], float]) -> None:
        self._config = config
        self._store = store
        self.mailer = Mailer(config, store, clock)
        self._unspoken: asyncio.Queue[tuple[Prompt, ...]] = asyncio.Queue(MAX_UNSPOKEN)
        self.effects: dict[type, Callable[[Any], None]] = {
            MessageKept: lambda effect: store.put(keep_statement(effect.message)),
            MessageGone: lambda effect: self._gone(effect.message),
            MessageReady: lambda effect: self.mailer.add(effect.message),
            FileGone: lambda effect: _remove(effect.file),
            Speak: lambda effect: self._speak(effect.prompts),
        }

    async def adopt(self) -> tuple[Message, ...]:
        """Once, at the start: what mailboxes hold, after what a crash left is put right, and told."""
        directory = self._config().voicemail.directory
        found = await asyncio.to_thread(adopt, self._store.messages, directory)
        for statement in found.statements:
            self._store.put(statement)
        for text in found.told:
            log.warning(text)
        self.mailer.restore(self._store.mails, found.messages)
        for message in found.untold:
            self.mailer.add(message)
        return found.messages

    async def speak(self) -> None:
        """Speak what is wanted, for ever; a text that cannot be spoken is left out when it is its turn."""
        while True:
            prompts = await self._unspoken.get()
            try:
                await Speaker(self._config().catalogue).build(prompts)
            except LocalError as error:
                log.warning("an announcement cannot be spoken; it is left out", reason=str(error))
            except Exception:
                log.exception("an announcement could not be spoken; please report it")

    def _speak(self, prompts: tuple[Prompt, ...]) -> None:
        if not self._unspoken.full():
            self._unspoken.put_nowait(prompts)

    def _gone(self, message: Message) -> None:
        self._store.put(forget_statement(message.id))
        self.mailer.cancel(message.id)
        _remove(message.file)


def _remove(file: str) -> None:
    try:
        Path(file).unlink(missing_ok=True)
    except OSError as error:
        log.warning("a sound file cannot be removed; remove it by hand", file=file, reason=str(error))
