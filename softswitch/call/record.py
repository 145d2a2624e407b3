"""The record of one call: what the database keeps of it, one row whatever happened.

Invariant: a call has exactly one record and, once it is over, exactly one `Disposition`. Durations are whole
stretches of the call that do not overlap: menu, wait (in queues), ring (at agents, inside the wait), talk,
hold, wrap-up. Packet figures are those of RFC 3550 section 6.4.1.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from media.messages import Quality

Direction = Literal["inbound", "outbound", "internal"]
EndedBy = Literal["", "caller", "agent", "system"]


class Disposition(StrEnum):
    """How a call ended. The first that applies, in this order, is the one; `OPEN` is only for a call that
    lives.
    """

    OPEN = "open"
    """It is not over."""
    RESTART = "restart"
    """The switch died during the call; the record was closed when it started again."""
    MEDIA_FAILURE = "media-failure"
    """The sound failed: a media worker died, no port was left, or nothing was heard from the caller."""
    ANSWERED = "answered"
    """The caller talked with an agent or an extension."""
    CONFERENCE = "conference"
    """The caller was in a conference, or as a supervisor in the talk of others, and talked with no agent
    before."""
    SHORT_ABANDON = "short-abandon"
    """The caller left a queue before its `short_abandon_s` had passed."""
    ABANDONED = "abandoned"
    """The caller hung up while he waited in a queue."""
    VOICEMAIL = "voicemail"
    """The caller left a message in a mailbox, and talked with nobody."""
    OVERFLOW = "overflow"
    """A queue sent the caller away (waited too long, full, empty, closed), and nobody talked with him
    after.
    """
    MENU_ABANDONED = "menu-abandoned"
    """The caller hung up inside a menu."""
    SELF_SERVICE = "self-service"
    """A menu served the caller to its end, without an agent."""
    BUSY = "busy"
    """The called extension or peer was busy."""
    NO_ANSWER = "no-answer"
    """The called extension or peer rang and nobody answered, or could not be reached."""
    CANCELED = "canceled"
    """The caller hung up while an extension or a peer rang."""
    REFUSED = "refused"
    """The switch took no call: no such number, not allowed, blocked, no channel left, or a feature code that
    could not be obeyed.
    """
    FAILED = "failed"
    """Anything else went wrong; `cause` says what."""


class LegRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One leg of a call, for those who look into a bad one."""

    role: Literal["caller", "agent", "extension", "peer"]
    party: str = ""
    """The agent, extension, peer or caller number at the other end."""
    address: str = ""
    """Where its signalling came from or went to, `udp:192.0.2.7:5060`."""
    user_agent: str = ""
    codec: str = ""
    srtp: str = ""
    """The suite that its audio was encrypted with, as RFC 4568 names it; `DTLS-SRTP` of a browser; empty: it
    was plain."""
    sip_call_id: str = ""
    sip_status: int = 0
    started_at: float = 0.0
    answered_at: float | None = None
    ended_at: float | None = None
    quality: Quality | None = None


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call. Times are epoch seconds, durations seconds, `None` where it never came to that."""

    id: str
    started_at: float
    answered_at: float | None = None
    """When the caller was first connected with an agent or an extension (a menu that answers does not
    count).
    """
    ended_at: float | None = None
    from_number: str = ""
    from_name: str = ""
    to_number: str = ""
    direction: Direction = "inbound"
    transport: str = ""
    caller_status: str = ""
    """What the caller's number is to us: a list of [callers], such as `vip`; empty for an ordinary one."""
    callback_of: str = ""
    """For a call that calls somebody back: the call in which he asked for it."""
    client: str = ""
    """Whom the caller called, a client of [clients]; empty where that is ourselves."""
    greeting: str = ""
    """What the last agent whose phone rang was shown to say."""
    call_type: str = ""
    """What the menu found out, the choice that travels to the agent."""
    path: tuple[str, ...] = ()
    """The menu nodes that the caller walked, `flow.node`, in order."""
    queue: str = ""
    """The last queue that he entered."""
    agent: str = ""
    """The last agent (or extension) that he talked with."""
    disposition: Disposition = Disposition.OPEN
    cause: str = ""
    sip_status: int = 0
    """The final status that the caller's INVITE was given, 0 where it was given none."""
    ended_by: EndedBy = ""
    menu_s: float | None = None
    wait_s: float | None = None
    ring_s: float | None = None
    talk_s: float | None = None
    """Connected time without hold."""
    hold_s: float | None = None
    wrapup_s: float | None = None
    """The agents' work after it. The store fills it in from the log's WRAPUP_END; a value given here is
    ignored.
    """
    recording: str = ""
    """The recording's file; empty where there is none."""
    caller_loss_percent: float | None = None
    caller_jitter_ms: float | None = None
    agent_loss_percent: float | None = None
    agent_jitter_ms: float | None = None
    caller_mos: float | None = None
    """How what came from the caller would be judged, 1 to 4.5 (E-model, G.107)."""
    agent_mos: float | None = None
    legs: tuple[LegRecord, ...] = ()

    @property
    def open(self) -> bool:
        """Whether the call is not over."""
        return self.ended_at is None


def mos_of(quality: Quality) -> float | None:
    """How what came from a leg would be judged; None where nothing came."""
    return quality.mos if quality.mos >= 1.0 else None


def loss_percent(quality: Quality) -> float | None:
    """What share of the packets that a leg sent us was lost, 0 to 100; None where it sent nothing."""
    expected = quality.packets_received + quality.packets_lost
    if expected <= 0:
        return None
    return min(100.0, max(0.0, 100.0 * quality.packets_lost / expected))
