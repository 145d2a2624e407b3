"""What a call has come to, and what its caller's phone is told of it: pure functions."""

from __future__ import annotations

from softswitch.call.call import Call, Stage
from softswitch.call.record import Disposition, EndedBy
from softswitch.call.text import printable
from softswitch.errors import PeerError

_BY_STAGE = {
    Stage.SETUP: Disposition.CANCELED,
    Stage.ANSWERED: Disposition.FAILED,
    Stage.MENU: Disposition.MENU_ABANDONED,
    Stage.PIN: Disposition.MENU_ABANDONED,
    Stage.MAILBOX: Disposition.MENU_ABANDONED,
    Stage.QUEUE: Disposition.ABANDONED,
    Stage.RINGING: Disposition.CANCELED,
    Stage.TALK: Disposition.ANSWERED,
    Stage.ROOM: Disposition.CONFERENCE,
    Stage.FAREWELL: Disposition.SELF_SERVICE,
}
# What a call ends with that was not ended by its caller, nor talked, nor came to its own end.
_NEVER_BY_SYSTEM = frozenset((Disposition.CANCELED, Disposition.MENU_ABANDONED, Disposition.ABANDONED))
# An overflow outranks these (see Disposition): the queue failed him, whatever he heard afterwards.
_BELOW_OVERFLOW = frozenset(list(Disposition)[list(Disposition).index(Disposition.OVERFLOW) :])
# What a called phone may say to a caller's phone as it is; all else is between that phone and us.
_PASSED_ON = frozenset((403, 404, 406, 408, 410, 480, 482, 483, 484, 486, 488, 504, 600, 603, 604, 606, 607))


def outcome(call: Call, stage: Stage, by: EndedBy, short_abandon_s: float, now: float) -> Disposition:
    """By what the call was doing and who ended it: the first that applies (see Disposition)."""
    found = call.story.disposition
    if found is Disposition.OPEN:
        found = _BY_STAGE[stage]
    if by != "caller" and found in _NEVER_BY_SYSTEM:
        found = Disposition.FAILED
    if found is Disposition.ABANDONED and now - call.since < short_abandon_s:
        found = Disposition.SHORT_ABANDON
    return Disposition.OVERFLOW if call.overflowed and found in _BELOW_OVERFLOW else found


def passed_on(status: int, reason: str) -> PeerError:
    """What the caller's phone is told when the called one answered so. A redirection that nobody follows, a
    challenge that only we could meet, or a 503 (which would be ours, RFC 3261 16.7) must not reach it."""
    if status in _PASSED_ON:
        return PeerError(status, printable(reason))
    if status < 400 or status in (487, 503):
        return PeerError(480, "Temporarily Unavailable")
    return PeerError(502, "Bad Gateway")
