"""Listening to a mailbox by phone: PIN, how many messages there are, then menu keys.

Keys: 1 the messages, and the next one; 2 again; 3 delete; 4 save; 9 the greeting; 0 help; # the end. A
message counts as heard when it was heard to its end, or a key was pressed while it was heard.

Invariant: the keys are in no log. After TRIES wrong PINs in a row no PIN of the mailbox is taken for
LOCKED_S.
"""

from __future__ import annotations

import hmac
from collections.abc import Generator
from datetime import UTC, date, datetime, timedelta

from ivr.messages import Prompt
from softswitch.call.record import Disposition
from softswitch.call.voicemail_box import Message
from softswitch.call.voicemail_leave import TONE, Room
from softswitch.call.voicemail_script import Hear, Script, Take, Taken, Words
from softswitch.voicemail_prompts import counted, date_text, time_text
from softswitch.waiting_prompts import spell

TRIES = 3
LOCKED_S = 60.0
ENTER_S = 15.0
MAX_PIN = 16
KEY_S = 10.0
MOST_SILENCES = 3
"""How often the menu is said to somebody who presses nothing."""
MOST_KEYS = 2000
"""So many keys in one call are enough; whoever presses more is sent away."""
GREETING_MAX_S = 120.0
DIGITS = "0123456789"

Talk = Generator[Hear | Take, str | Taken, str]


class Locks:
    """Which mailboxes take no PIN now, and how many wrong ones each had in a row."""

    def __init__(self) -> None:
        self._wrong: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def is_locked(self, box: str, now: float) -> bool:
        """Whether no PIN is taken."""
        return self._until.get(box, 0.0) > now

    def right(self, box: str) -> None:
        """The PIN was right."""
        self._wrong.pop(box, None)

    def wrong(self, box: str, now: float) -> bool:
        """The PIN was wrong; True: the mailbox is locked by that."""
        self._wrong[box] = self._wrong.get(box, 0) + 1
        if self._wrong[box] < TRIES:
            return False
        del self._wrong[box]
        self._until[box] = now + LOCKED_S
        return True


def listen(room: Room, locks: Locks) -> Script:
    """The whole conversation."""
    call = room.call
    call.story.disposition = Disposition.REFUSED
    if room.box.pin and (refusal := (yield from _prove(room, locks))) is not None:
        return refusal
    call.story.disposition = Disposition.SELF_SERVICE
    yield from _menu(room)
    return room.say("vm-goodbye")


# ----- the PIN


def _prove(room: Room, locks: Locks) -> Generator[Hear | Take, str | Taken, Words | None]:
    """The last words to who is not let in; None: he is."""
    box = room.box
    lead: Words = ()
    while not locks.is_locked(box.name, room.clock()):
        typed = yield from _pin((*lead, *room.say("enter-pin")))
        if not typed:
            room.call.story.cause = "no PIN was entered"
            return room.say("not-possible")
        if hmac.compare_digest(typed.encode(), box.pin.encode()):
            locks.right(box.name)
            return None
        lead = room.say("wrong-pin")
        if locks.wrong(box.name, room.clock()):
            phone = room.call.identity.name
            room.hub.warn("wrong PINs in a row; the mailbox is locked", mailbox=box.name, phone=phone)
            room.call.story.cause = f"mailbox {box.name}: wrong PIN"
            return lead
    room.call.story.cause = f"mailbox {box.name}: too many wrong PINs"
    return room.say("not-possible")


def _pin(clips: tuple[str, ...]) -> Talk:
    """What is typed until # or ENTER_S of silence."""
    typed = ""
    key = yield Hear(clips, keys=DIGITS + "#", wait_s=ENTER_S)
    while key and key != "#":
        typed = (typed + str(key))[: MAX_PIN + 1]
        key = yield Hear(keys=DIGITS + "#", wait_s=ENTER_S)
    return typed


# ----- the messages


def _menu(room: Room) -> Generator[Hear | Take, str | Taken, None]:
    """Where somebody is before, and after, the messages."""
    new, heard = room.messages.counts(room.box.name)
    lead: tuple[str, ...] = ()
    if new:
        lead += room.say(counted("vm-new", new))
    if heard:
        lead += room.say(counted("vm-heard", heard))
    lead = lead or room.say("vm-none")
    silences = keys = 0
    while silences < MOST_SILENCES and keys < MOST_KEYS:
        key = yield Hear((*lead, *room.say("vm-menu")), keys="190#", wait_s=KEY_S)
        lead = ()
        if key == "#":
            return
        keys, silences = keys + 1, 0 if key else silences + 1
        if key == "1":
            lead, ended = yield from _messages(room)
            if ended:
                return
        elif key == "9":
            lead = yield from _change_greeting(room)


def _in_order(room: Room) -> list[Message]:
    """The new ones first, each the oldest first."""
    found = room.messages.of(room.box.name)
    return sorted(found, key=lambda one: (one.state != "new", one.at))


def _messages(room: Room) -> Generator[Hear | Take, str | Taken, tuple[tuple[str, ...], bool]]:
    """One after the other: what is said next, and whether he wants to end."""
    messages = _in_order(room)
    place = keys = silences = 0
    lead: tuple[str, ...] = ()
    is_told = False
    while place < len(messages) and keys < MOST_KEYS and silences < MOST_SILENCES:
        message = messages[place]
        if is_told:
            clips: tuple[str, ...] = room.say("vm-keys")
        else:
            clips = (*lead, *_introduction(room, message), message.file)
        lead = ()
        key = yield Hear(clips, keys="123490#", wait_s=0.0 if not is_told else KEY_S)
        if not is_told:
            room.messages.mark(message, "heard", room.clock())
        keys, silences = keys + 1, silences if key or not is_told else silences + 1
        is_told = key in ("", "0", "9")
        if key == "#":
            return (), True
        if key == "3":
            room.messages.delete(message, room.call.identity.name, room.clock())
            lead = room.say("vm-deleted")
        elif key == "4":
            lead = room.say("vm-kept")
        elif key == "9":
            lead = yield from _change_greeting(room)
        if key in ("1", "3", "4"):
            place += 1
    return (*lead, *room.say("vm-end" if messages else "vm-none")), False


def _introduction(room: Room, message: Message) -> tuple[str, ...]:
    """Whether it is new, from whom, and when it came."""
    settings = room.hub.settings
    digits = spell(message.number)
    said = room.say("vm-message-new" if message.state == "new" else "vm-message-heard")
    said += room.say("vm-from", *digits) if digits else room.say("vm-from-unknown")
    moment, today = _local(room, message.at), _local(room, room.clock()).date()
    language = room.box.language or settings.language
    texts = [time_text(moment, language)]
    if (near := _near(moment.date(), today)) is not None:
        said += room.say(near)
    else:
        texts.insert(0, date_text(moment, language))
    return said + tuple(settings.clip(Prompt(text=text, language=language)) for text in texts if text)


def _near(day: date, today: date) -> str | None:
    if day == today:
        return "vm-today"
    return "vm-yesterday" if day == today - timedelta(days=1) else None


def _local(room: Room, at: float) -> datetime:
    return datetime.fromtimestamp(at + room.hub.settings.utc_offset_s(at), UTC)


# ----- the greeting


def _change_greeting(room: Room) -> Generator[Hear | Take, str | Taken, tuple[str, ...]]:
    """Record what callers hear; what is said of it."""
    messages, box = room.messages, room.box
    while True:
        yield Hear(room.say("vm-record-greeting"), keys="#")
        yield Hear(TONE)
        draft = messages.open(box, room.call, room.clock(), greeting=True)
        taken = yield Take(draft.file, GREETING_MAX_S)
        assert isinstance(taken, Taken)
        if taken.by in ("hangup", "failed"):
            messages.drop(draft, taken, greeting=True)
            return room.say("vm-failed")
        key = ""
        try:
            key = yield from _judge(draft.file, room)
        finally:  # also when he hangs up instead
            if key != "1":
                messages.drop(draft, taken, greeting=True)
        if key == "1":
            messages.set_greeting(box.name, draft)
            return room.say("vm-greeting-saved")
        if key == "4":
            messages.remove_greeting(box.name)
            return room.say("vm-greeting-standard")
        if key != "3":
            return ()


def _judge(file: str, room: Room) -> Talk:
    """Let him hear it, as often as he likes (2); the key that says what becomes of it."""
    key = "2"
    for _ in range(MOST_SILENCES + 2):
        if key != "2":
            break
        key = yield from _decide((file,), room)
    return key


def _decide(clips: tuple[str, ...], room: Room) -> Talk:
    key = yield Hear((*clips, *room.say("vm-greeting-keys")), keys="1234*", wait_s=KEY_S)
    return str(key)
