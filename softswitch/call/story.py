"""What the record will tell of a call, collected while it lives.

Invariant: at most one of menu, wait, talk and hold runs at any time, so the durations never overlap; `ring`
runs inside the wait. `close` makes the record once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self, get_args

from msgspec.structs import replace

from media.messages import Quality
from softswitch.call.identity import Identity
from softswitch.call.leg import Leg
from softswitch.call.record import (
    CallRecord,
    Disposition,
    EndedBy,
    LegRecord,
    loss_percent,
    mos_of,
)
from softswitch.call.text import printable
from softswitch.sdp.offer_answer import Negotiated
from softswitch.sip.message import Request
from softswitch.sip.uri import host_port

Stretch = Literal["menu", "wait", "talk", "hold", "ring"]
Role = Literal["caller", "agent", "extension", "peer"]

MAX_PATH = 100
MAX_LEGS = 50


class _LegNotes:
    """What is known of one leg; its quality comes last."""

    __slots__ = ("answered_at", "ended_at", "leg", "party", "role", "started_at", "status")

    def __init__(self, leg: Leg, role: Role, party: str, now: float) -> None:
        self.leg = leg
        self.role = role
        self.party = party
        self.started_at = now
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.status = 0

    @classmethod
    def resumed(cls, leg: Leg, record: LegRecord) -> Self:
        notes = cls(leg, record.role, record.party, record.started_at)
        notes.answered_at, notes.status = record.answered_at, record.sip_status
        return notes

    def record(self) -> LegRecord:
        leg = self.leg
        audio = leg.audio
        agreed = audio.agreed if audio is not None else None
        return LegRecord(
            role=self.role,
            party=self.party,
            address=f"{leg.flow.transport}:{host_port(*leg.flow.remote)}",
            user_agent=printable(leg.invite.headers.get("User-Agent") or "") if leg.direction == "in" else "",
            codec=agreed.codec if agreed is not None else "",
            srtp=_encryption(agreed) if agreed is not None else "",
            sip_call_id=printable(leg.invite.call_id),
            sip_status=self.status,
            started_at=self.started_at,
            answered_at=self.answered_at,
            ended_at=self.ended_at,
            quality=audio.quality if audio is not None else None,
        )


class Story:
    """The growing record of one call."""

    def __init__(self, record: CallRecord, identity: Identity) -> None:
        """To be continued after what the record tells, but for its legs."""
        self.call = record.id
        self.identity = identity
        self.started_at = record.started_at
        self.from_number = record.from_number
        self.from_name = record.from_name
        self.to_number = record.to_number
        self.transport = record.transport
        self.direction = record.direction
        self.call_type = record.call_type
        self.status = record.caller_status
        self.callback_of = record.callback_of
        self.client = record.client
        self.greeting = record.greeting
        self.queue = record.queue
        self.agent = record.agent
        self.path = list(record.path)
        self.recording = record.recording
        self.answered_at = record.answered_at
        self.ended_at = record.ended_at
        self.disposition = record.disposition
        self.cause = record.cause
        self.ended_by = record.ended_by
        self.sip_status = record.sip_status
        self._since: dict[Stretch, float] = {}
        told: dict[Stretch, float | None] = {
            stretch: getattr(record, f"{stretch}_s") for stretch in get_args(Stretch)
        }
        self._total = {stretch: seconds for stretch, seconds in told.items() if seconds is not None}
        self._legs: dict[int, _LegNotes] = {}
        self._past: tuple[LegRecord, ...] = ()
        """Legs that were over when the call was taken over."""
        self._talked: int = 0

    @classmethod
    def begun(cls, call: str, request: Request, transport: str, identity: Identity, now: float) -> Self:
        """The story of a call that begins with this INVITE."""
        record = CallRecord(
            id=call,
            started_at=now,
            from_number=identity.number,
            from_name=identity.display,
            to_number=printable(request.uri.user or ""),
            transport=transport,
            direction="internal" if identity.kind == "extension" else "inbound",
        )
        return cls(record, identity)

    @classmethod
    def resumed(
        cls,
        record: CallRecord,
        identity: Identity,
        running: Mapping[Stretch, float],
        legs: Sequence[tuple[Leg, LegRecord]],
        died_at: float,
    ) -> Self:
        """The story of a call of another process so far, which was last heard of at `died_at`; `legs` are
        those that live, with what the record tells of them: the caller's, and whom he talks with."""
        story = cls(record, identity)
        story._since = dict(running)
        story.stop("ring", max(died_at, running.get("ring", died_at)))
        live = [one for _, one in legs]
        past = (one for one in record.legs if one not in live)
        story._past = tuple(
            one if one.ended_at is not None else replace(one, ended_at=max(died_at, one.started_at))
            for one in past
        )
        story._legs = {leg.id: _LegNotes.resumed(leg, one) for leg, one in legs}
        story._talked = legs[-1][0].id if len(legs) > 1 else 0
        return story

    # ----- what happens

    def begin(self, stretch: Stretch, now: float) -> None:
        """A stretch starts; any other but `ring` ends."""
        if stretch == "ring":
            self._since.setdefault("ring", now)
            return
        self.end(now)
        self._since[stretch] = now

    def end(self, now: float) -> None:
        """Whatever runs ends."""
        for stretch in list(self._since):
            self.stop(stretch, now)

    def stop(self, stretch: Stretch, now: float) -> float:
        """One stretch ends; how long it was."""
        since = self._since.pop(stretch, None)
        if since is None:
            return 0.0
        self._total[stretch] = self._total.get(stretch, 0.0) + now - since
        return now - since

    def total(self, stretch: Stretch) -> float:
        """Seconds of a stretch so far, without one that runs."""
        return self._total.get(stretch, 0.0)

    def node(self, flow: str, node: str) -> None:
        """The caller reached a menu node."""
        if len(self.path) < MAX_PATH:
            self.path.append(f"{flow}.{node}")

    def leg(self, leg: Leg, role: Role, party: str, now: float) -> None:
        """A leg was added."""
        if len(self._legs) < MAX_LEGS:
            self._legs[leg.id] = _LegNotes(leg, role, party, now)

    def leg_answered(self, leg: Leg, now: float) -> None:
        """A leg was answered."""
        if (notes := self._legs.get(leg.id)) is not None:
            notes.answered_at = now
            notes.status = 200

    def leg_ended(self, leg: Leg, status: int, now: float) -> None:
        """A leg is over; `status` as SIP says it, 0 where it ended without one."""
        notes = self._legs.get(leg.id)
        if notes is not None and notes.ended_at is None:
            notes.ended_at = now
            notes.status = notes.status or status

    def connected(self, leg: Leg, agent: str, now: float) -> None:
        """The caller talks with whoever is on `leg`."""
        self.agent = agent
        self._talked = leg.id
        if self.answered_at is None:
            self.answered_at = now
        self.begin("talk", now)

    def finish(self, disposition: Disposition, cause: str, by: EndedBy, now: float) -> None:
        """The call is over."""
        self.end(now)
        self.ended_at = now
        self.disposition = disposition
        self.cause = printable(cause)
        self.ended_by = by
        for notes in self._legs.values():
            if notes.ended_at is None:
                notes.ended_at = now

    # ----- what it gives

    @property
    def running(self) -> dict[Stretch, float]:
        """When the stretches began that run now."""
        return dict(self._since)

    def record_of(self, leg: Leg) -> LegRecord | None:
        """What is told of one leg so far."""
        notes = self._legs.get(leg.id)
        return notes.record() if notes is not None else None

    def record(self) -> CallRecord:
        """The record as of now."""
        caller = next((notes for notes in self._legs.values() if notes.role == "caller"), None)
        theirs = _quality(caller)
        agents = _quality(self._legs.get(self._talked))
        return CallRecord(
            id=self.call,
            started_at=self.started_at,
            answered_at=self.answered_at,
            ended_at=self.ended_at,
            from_number=self.from_number,
            from_name=self.from_name,
            to_number=self.to_number,
            direction=self.direction,
            transport=self.transport,
            caller_status=self.status,
            callback_of=self.callback_of,
            client=self.client,
            greeting=self.greeting,
            call_type=self.call_type,
            path=tuple(self.path),
            queue=self.queue,
            agent=self.agent,
            disposition=self.disposition,
            cause=self.cause,
            sip_status=self.sip_status,
            ended_by=self.ended_by,
            menu_s=self._total.get("menu"),
            wait_s=self._total.get("wait"),
            ring_s=self._total.get("ring"),
            talk_s=self._total.get("talk"),
            hold_s=self._total.get("hold"),
            recording=self.recording,
            caller_loss_percent=loss_percent(theirs) if theirs is not None else None,
            caller_jitter_ms=theirs.jitter_ms if theirs is not None else None,
            agent_loss_percent=loss_percent(agents) if agents is not None else None,
            agent_jitter_ms=agents.jitter_ms if agents is not None else None,
            caller_mos=mos_of(theirs) if theirs is not None else None,
            agent_mos=mos_of(agents) if agents is not None else None,
            legs=(*self._past, *(notes.record() for notes in self._legs.values())),
        )


def _encryption(agreed: Negotiated) -> str:
    if agreed.browser is not None:
        return "DTLS-SRTP"
    return agreed.srtp.suite if agreed.srtp is not None else ""


def _quality(notes: _LegNotes | None) -> Quality | None:
    return notes.leg.audio.quality if notes is not None and notes.leg.audio is not None else None
