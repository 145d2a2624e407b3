"""The messages of all mailboxes, in memory, and every change of them as effects.

Invariant: what is here is what the database has, or will have as soon as the effects are carried out. A
message that is being recorded is not listed; it has its row all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import PurePath

from msgspec.structs import replace

from acd.events import Kind
from ivr.messages import Prompt
from media import messages as m
from softswitch.call.call import Call
from softswitch.call.hub import Hub
from softswitch.call.settings import Settings
from softswitch.call.voicemail_box import (
    Box,
    FileGone,
    Message,
    MessageGone,
    MessageKept,
    MessageReady,
    MessageState,
    Speak,
)
from softswitch.call.voicemail_script import Scripts, Taken
from softswitch.voicemail_prompts import announcement

Told = Callable[[str, float], None]


class Messages:
    """All of them. `changed` is called with the mailbox whenever its counts may be others."""

    def __init__(self, hub: Hub, scripts: Scripts, changed: Told) -> None:
        self.hub = hub
        self.scripts = scripts
        self.changed = changed
        self._by_box: dict[str, dict[str, Message]] = {}
        self._recording: dict[str, int] = {}

    # ----- looking

    def of(self, box: str) -> tuple[Message, ...]:
        """The messages of a mailbox, the oldest first."""
        found = self._by_box.get(box, {}).values()
        return tuple(one for one in found if one.state in ("new", "heard"))

    def greeting(self, box: str) -> Message | None:
        """What the owner has recorded for his callers."""
        return next((one for one in self._by_box.get(box, {}).values() if one.state == "greeting"), None)

    def counts(self, box: str) -> tuple[int, int]:
        """(new, heard)."""
        found = self.of(box)
        new = sum(one.state == "new" for one in found)
        return new, len(found) - new

    def find(self, box: str, name: str) -> Message | None:
        """One message."""
        found = self._by_box.get(box, {}).get(name)
        return found if found is not None and found.state in ("new", "heard") else None

    def is_full(self, box: Box) -> bool:
        """Whether nothing more fits in, with what is being recorded for it now."""
        return len(self.of(box.name)) + self._recording.get(box.name, 0) >= box.max_messages

    # ----- changing

    def reconfigured(self, before: Settings) -> None:
        """The settings are others: what is to be spoken in another voice or language, or by another clock."""
        for name, box in self._by_box.items():
            if _said(before, name, 0.0) != _said(self.hub.settings, name, 0.0):
                for message in box.values():
                    if message.state != "greeting":
                        self._speak(message)

    def restore(self, messages: Iterable[Message]) -> None:
        """Once, at the start: what the last run left."""
        for message in sorted(messages, key=lambda one: one.at):
            self._by_box.setdefault(message.mailbox, {})[message.id] = message
            if message.state != "greeting":
                self._speak(message)

    def open(self, box: Box, call: Call, now: float, *, greeting: bool = False) -> Message:
        """One is about to be recorded."""
        name = self.hub.token()
        directory = self.hub.settings.voicemail.directory
        message = Message(
            id=name,
            mailbox=box.name,
            state="draft" if greeting else "recording",
            at=now,
            file=str(PurePath(directory, box.name, f"{name}.wav")),
            number=call.identity.number,
            name=call.identity.display,
            queue=call.story.queue,
            call=call.id,
        )
        if not greeting:
            self._recording[box.name] = self._recording.get(box.name, 0) + 1
        self.hub.emit([MessageKept(message)])
        return message

    def drop(self, message: Message, taken: Taken, *, greeting: bool = False) -> None:
        """What was recorded is not to be kept."""
        if not greeting:
            self._recorded(message)
        self.hub.emit([MessageGone(message)])
        # The worker may make the file only after this.
        self.scripts.when_complete(taken.number, lambda at, event: self.hub.emit([FileGone(message.file)]))

    def keep(self, message: Message, taken: Taken, call: Call, now: float) -> None:
        """It is in the mailbox from now on; its owner is told when the file is complete."""
        self._recorded(message)
        message = replace(message, state="new", length_s=taken.length_s)
        self._put(message)
        data = {"mailbox": message.mailbox, "message": message.id, "length_s": round(taken.length_s, 1)}
        self.hub.log(now, Kind.VOICEMAIL, call, **data)
        if not self.scripts.when_complete(taken.number, lambda at, event: self._complete(message, event, at)):
            self._ready(message, now)

    def set_greeting(self, box: str, message: Message) -> None:
        """Callers hear this from now on."""
        self.remove_greeting(box)
        self._put(replace(message, state="greeting"))

    def remove_greeting(self, box: str) -> bool:
        """Callers hear what the configuration says again. False: they do already."""
        old = self.greeting(box)
        if old is not None:
            del self._by_box[box][old.id]
            self.hub.emit([MessageGone(old)])
        return old is not None

    def mark(self, message: Message, state: MessageState, now: float) -> None:
        """It was heard, or is to be new again."""
        current = self.find(message.mailbox, message.id)
        if current is not None and current.state != state:
            self._put(replace(current, state=state))
            self.changed(message.mailbox, now)

    def delete(self, message: Message, by: str, now: float) -> None:
        """It is no more."""
        if self._by_box.get(message.mailbox, {}).pop(message.id, None) is None:
            return
        self.hub.emit([MessageGone(message)])
        self.hub.log(now, Kind.VOICEMAIL_DELETED, mailbox=message.mailbox, message=message.id, by=by)
        self.changed(message.mailbox, now)

    # ----- inside

    def _recorded(self, message: Message) -> None:
        self._recording[message.mailbox] = max(0, self._recording.get(message.mailbox, 0) - 1)

    def _put(self, message: Message) -> None:
        self._by_box.setdefault(message.mailbox, {})[message.id] = message
        self.hub.emit([MessageKept(message)])

    def _complete(self, message: Message, event: m.Recorded | None, now: float) -> None:
        """The worker has closed the file, or could not write it."""
        current = self.find(message.mailbox, message.id)
        if current is None:
            self.hub.emit([FileGone(message.file)])  # deleted meanwhile, and the worker wrote on
        elif event is None:
            self.delete(current, "system", now)
        else:
            self._ready(current, now)

    def _ready(self, message: Message, now: float) -> None:
        self._speak(message)
        self.hub.emit([MessageReady(message)])
        self.changed(message.mailbox, now)

    def _speak(self, message: Message) -> None:
        """When it came is spoken ahead, so that nothing has to be spoken while its owner listens."""
        prompts = _announced(self.hub.settings, message.mailbox, message.at)
        if prompts:
            self.hub.emit([Speak(prompts)])


def _announced(settings: Settings, name: str, at: float) -> tuple[Prompt, ...]:
    """When a message came, in the language of its mailbox."""
    box = settings.mailboxes.get(name)
    language = (box.language if box is not None else "") or settings.language
    moment = datetime.fromtimestamp(at + settings.utc_offset_s(at), UTC)
    return tuple(Prompt(text=text, language=language) for text in announcement(moment, language))


def _said(settings: Settings, name: str, at: float) -> list[str]:
    """The clips of that."""
    return [settings.clip(prompt) for prompt in _announced(settings, name, at)]
