"""Leaving a message: greeting, tone, recording until he hangs up, presses #, says nothing any more, or the
time is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from acd.events import Kind
from softswitch.call.call import Call
from softswitch.call.hub import Hub
from softswitch.call.record import Disposition
from softswitch.call.voicemail_box import Box, Message
from softswitch.call.voicemail_messages import Messages
from softswitch.call.voicemail_script import Hear, Script, Take, Taken

TONE = ("tone:beep",)


@dataclass(frozen=True, slots=True)
class Room:
    """What a conversation about a mailbox needs. `clock` is the time of what is being handled."""

    hub: Hub
    messages: Messages
    call: Call
    box: Box
    clock: Callable[[], float]

    def say(self, *phrases: str) -> tuple[str, ...]:
        """Phrases of ours in the language of the mailbox, else of the caller."""
        language = self.box.language or self.call.language
        return tuple(clip for phrase in phrases for clip in self.hub.settings.say(phrase, language))


def leave(room: Room) -> Script:
    """The conversation. A message that is kept makes the call one with the disposition `voicemail`."""
    call, box, messages = room.call, room.box, room.messages
    if any(one.call == call.id for one in messages.of(box.name)):  # a restart has cut it off
        call.story.disposition = Disposition.VOICEMAIL
    if messages.is_full(box):
        room.hub.log(room.clock(), Kind.VOICEMAIL_REFUSED, call, mailbox=box.name, reason="full")
        call.story.cause = f"mailbox {box.name} is full"
        return room.say("vm-full")
    yield Hear(_greeting(room), keys="#")
    yield Hear(TONE)
    message = messages.open(box, call, room.clock())
    taken = yield Take(message.file, box.max_s, box.silence_s)
    assert isinstance(taken, Taken)
    return room.say(_settle(room, message, taken))


def _greeting(room: Room) -> tuple[str, ...]:
    own = room.messages.greeting(room.box.name)
    if own is not None:
        return (own.file,)
    clips = tuple(room.hub.settings.clip(prompt) for prompt in room.box.greeting)
    return clips or room.say("vm-greeting")


def _settle(room: Room, message: Message, taken: Taken) -> str:
    """Keep the message or drop it; what the caller is told."""
    if taken.by != "failed" and taken.length_s >= room.box.min_s:
        room.call.story.disposition = Disposition.VOICEMAIL
        room.messages.keep(message, taken, room.call, room.clock())
        return "vm-saved"
    room.messages.drop(message, taken)
    reason = "failed" if taken.by == "failed" else "short"
    room.hub.log(room.clock(), Kind.VOICEMAIL_REFUSED, room.call, mailbox=room.box.name, reason=reason)
    return "vm-failed" if taken.by == "failed" else "vm-too-short"
