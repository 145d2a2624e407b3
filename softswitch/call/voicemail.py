"""Mailboxes and calls: who leaves a message, who listens, and what nodes of menus have recorded.

Invariant: a caller who is here has a script that runs (`voicemail_script`), in stage MAILBOX, or, for a node
of his menu, in stage MENU.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

from acd.events import Kind
from ivr.nodes.record import RecordSpeech
from media import messages as m
from softswitch.call.call import Call, Stage
from softswitch.call.hub import Hub
from softswitch.call.menu import Menu
from softswitch.call.mwi import Mwi
from softswitch.call.record import Disposition
from softswitch.call.settings import Settings
from softswitch.call.steps import Steps
from softswitch.call.voicemail_box import Box, FileGone, Message
from softswitch.call.voicemail_leave import TONE, Room, leave
from softswitch.call.voicemail_listen import Locks, listen
from softswitch.call.voicemail_messages import Messages
from softswitch.call.voicemail_script import Hear, Script, Scripts, Take, Taken, Words

if TYPE_CHECKING:
    from ivr.messages import Request


class Voicemail:
    """All of it."""

    def __init__(self, hub: Hub, menu: Menu, steps: Steps) -> None:
        self.hub = hub
        self.menu = menu
        self.steps = steps
        self.scripts = Scripts(hub)
        self.mwi = Mwi(hub, self._counts)
        self.messages = Messages(hub, self.scripts, self.mwi.changed)
        self._locks = Locks()
        menu.answerers[RecordSpeech] = self._record
        menu.stoppers[RecordSpeech] = lambda call, ask, now: self.scripts.stop(call, now)

    def restore(self, messages: Iterable[Message]) -> None:
        """Once, at the start."""
        self.messages.restore(messages)

    def reconfigured(self, before: Settings, now: float) -> None:
        """The settings are others than `before`."""
        self.messages.reconfigured(before)
        self.mwi.reconfigured(before, now)

    # ----- for the desk

    def leave(self, call: Call, name: str, now: float) -> None:
        """The caller, who is answered, is to leave a message."""
        self._enter(call, self.hub.settings.mailboxes[name], now)

    def listen(self, call: Call, name: str, now: float) -> None:
        """The caller dialled the code; `name` is the mailbox that he wants ("": his own)."""
        box = self._box_of(call, name)
        if box is None:
            call.story.disposition = Disposition.REFUSED
            cause = f"extension {call.identity.name} has no mailbox {name}".rstrip()
            self.steps.farewell(call, self.hub.settings.say("not-possible", call.language), cause, now)
            return
        self._enter(call, box, now, listening=True)

    def runs(self, call: Call) -> bool:
        """Whether the caller's keys, and the ends of what he hears, are for a script."""
        return self.scripts.runs(call)

    def over(self, call: Call, now: float) -> None:
        """The call ends: what it has said so far is kept or dropped."""
        self.scripts.over(call, now)

    def recorded(self, event: m.Recorded | m.RecordFailed, now: float) -> bool:
        """A recording is complete. False: it is none of these."""
        return self.scripts.recorded(event, now)

    @property
    def is_settled(self) -> bool:
        """Whether every message is complete."""
        return self.scripts.is_settled

    # ----- inside

    def _counts(self, box: str) -> tuple[int, int]:
        return self.messages.counts(box)

    def _enter(self, call: Call, box: Box, now: float, *, listening: bool = False) -> None:
        if call.stage is not Stage.MAILBOX:  # else he was here in a process that has died
            call.story.node("voicemail", box.name)
        call.enter(Stage.MAILBOX, now)
        self.hub.keep(call)
        call.story.begin("menu", now)
        call.story.cause = ""
        room = Room(self.hub, self.messages, call, box, lambda: self.scripts.now)
        script = listen(room, self._locks) if listening else leave(room)
        self.scripts.begin(call, script, partial(self._done, call, box.name), now)

    def _done(self, call: Call, box: str, words: Words, now: float) -> None:
        self.steps.farewell(call, words, call.story.cause or f"voicemail {box}", now)

    def _box_of(self, call: Call, name: str) -> Box | None:
        """The mailbox that this phone may listen to: the named one, or its own, or else its first."""
        settings, number = self.hub.settings, call.identity.name
        allowed = [box for box in settings.mailboxes.values() if number in box.extensions]
        phone = settings.phones.get(number)
        wanted = name or (phone.voicemail if phone is not None else "")
        named = next((box for box in allowed if box.name == wanted), None)
        return named if name or named is not None else next(iter(allowed), None)

    # ----- for the node `record`

    def _record(self, call: Call, ask: int, request: Request, now: float) -> None:
        assert isinstance(request, RecordSpeech)
        name = request.file or str(PurePath(self.hub.settings.recordings, "spoken", f"{call.id}-{ask}.wav"))
        self.scripts.begin(call, self._spoken(call, ask, request, name), lambda words, at: None, now)

    def _spoken(self, call: Call, ask: int, request: RecordSpeech, file: str) -> Script:
        if request.tone:
            yield Hear(TONE)
        taken = yield Take(file, request.most_s, request.silence_s, request.keys)
        assert isinstance(taken, Taken)
        now = self.scripts.now
        if taken.by == "failed":
            self.menu.answered(ask, {}, f"{file} cannot be recorded", now)
        elif taken.length_s < request.least_s:
            gone = [FileGone(file)]
            if not self.scripts.when_complete(taken.number, lambda at, event: self.hub.emit(gone)):
                self.hub.emit(gone)
            self.menu.answered(ask, {"by": taken.by}, "", now)
        else:
            length_ms = round(1000 * taken.length_s)
            self.hub.log(now, Kind.RECORDING, call, path=file, duration_ms=length_ms)
            values = {"file": file, "length_s": f"{taken.length_s:.1f}", "by": taken.by}
            self.menu.answered(ask, values, "", now)
        return ()
