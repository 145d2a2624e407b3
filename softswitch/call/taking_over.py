"""Conversations of a process that has died go on in this one; all other calls that it had are ended at their
phones.

Invariant: a call that is taken over is in every table as if it had begun here; of one that is not, its phones
hear a BYE, and its legs in the workers are released. What cannot be read is told, and stops nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from media import messages as m
from softswitch.call.call import Call, Stage
from softswitch.call.desk import Desk
from softswitch.call.events import CallKept, Media
from softswitch.call.kept import KeptCall, KeptLeg, KeptTalk, resume_leg
from softswitch.call.settings import Target
from softswitch.call.story import Story
from softswitch.call.tape import Taping
from softswitch.errors import LocalError

CAUSE = 'SIP;cause=503;text="the switch was restarted"'


class TakingOver:
    """Once, at the start."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.hub = desk.hub

    def calls(
        self, kept: Iterable[KeptCall], alive: Collection[str], present: Mapping[int, m.Rejoined], now: float
    ) -> None:
        """`alive` are the calls that go on, `present` is what is on each worker that was taken over."""
        kept = tuple(kept)
        if kept or present:
            self._skip_numbers(kept, present, now)
        known: set[int] = set()
        tapes: set[int] = set()
        for one in kept:
            try:
                if one.id in alive and one.talk is not None:
                    known |= self._go_on(one, one.talk, present[one.caller.worker], now)
                    tapes.add(one.talk.taping.number if one.talk.taping is not None else 0)
                else:
                    self._end(one, now)
            except LocalError as error:
                self.hub.warn("a call of the last run cannot be read", call=one.id, reason=str(error))
                self.hub.emit([CallKept(one.id, None)])
        for worker, found in present.items():
            stopped = [m.StopRecord(number) for number in found.recordings if number not in tapes]
            self.hub.emit([Media(worker, command) for command in stopped])
            released = [m.Release(leg) for leg in found.legs if leg not in known]
            self.hub.emit([Media(worker, command) for command in released])

    def _skip_numbers(self, kept: Iterable[KeptCall], present: Mapping[int, m.Rejoined], now: float) -> None:
        """Legs, playbacks and recordings of the last run keep their numbers: ours come after them."""
        legs = [leg for found in present.values() for leg in found.legs]
        all_legs = [leg for one in kept for leg in _legs(one)]
        recordings = [number for found in present.values() for number in found.recordings]
        self.hub.ua.ep.skip_leg_ids(max([*legs, *(leg.id for leg in all_legs)], default=0))
        # Rooms are not kept; since there is never one a second, they are not more than the seconds.
        self.hub.plane.skip_numbers(max((leg.play for leg in all_legs), default=0), int(now))
        self.desk.recordings.skip_numbers(max(recordings, default=0))

    # ----- a call that is over

    def _end(self, kept: KeptCall, now: float) -> None:
        """Its record is closed already: only its phones must hear of it."""
        for one in _legs(kept):
            leg = resume_leg(self.hub, one, kept.id)
            leg.gone = True
            self.hub.do(self.hub.ua.hang_up(leg, now, CAUSE))
        self.hub.emit([CallKept(kept.id, None)])

    # ----- a call that goes on

    def _go_on(self, kept: KeptCall, talk: KeptTalk, found: m.Rejoined, now: float) -> set[int]:
        hub = self.hub
        leg, partner = resume_leg(hub, kept.caller, kept.id), resume_leg(hub, talk.partner, kept.id)
        live = ((leg, kept.caller.record), (partner, talk.partner.record))
        story = Story.resumed(talk.record, talk.identity, talk.since_of, live)
        call = Call(kept.id, leg, talk.identity, _target(talk.target), story, Stage.TALK)
        call.partner, call.agent, call.since = partner, talk.agent, talk.since
        call.partner_phone, call.partner_peer, call.held = talk.phone, talk.peer, set(talk.held)
        call.language, call.client = talk.language, talk.client
        hub.calls[call.id] = call
        hub.kept.add(call.id)
        for each in (leg, partner):
            hub.plane.resume(each)
        for name in talk.channels:
            if name in hub.settings.peers:
                self.desk.channels.taken[name] = self.desk.channels.taken.get(name, 0) + 1
                call.channels.append(name)
        for agent in talk.own_call_of:
            outbound = talk.identity.kind == "extension"
            self.desk.own_calls.begin(call, agent, "outbound" if outbound else "inbound")
        self.desk.talking.resume(call)
        self._tape(call, talk, found, now)
        return {leg.id, partner.id}

    def _tape(self, call: Call, talk: KeptTalk, found: m.Rejoined, now: float) -> None:
        kept = talk.taping
        if kept is None:
            return
        call.taping = Taping(
            kept.mode,
            kept.number,
            {kept.number} if kept.number else set(),
            kept.count,
            kept.paused,
            kept.announced,
            steered_by=kept.steered_by,
        )
        if kept.tape is not None:
            self.desk.recordings.resume(call, kept.number, kept.tape)
            if kept.number not in found.recordings:
                self.desk.recordings.lost(call)
        self.desk.recordings.announce_again(call, now)


def _legs(kept: KeptCall) -> tuple[KeptLeg, ...]:
    return (kept.caller,) if kept.talk is None else (kept.caller, kept.talk.partner)


def _target(text: str) -> Target:
    try:
        return Target.parse(text)
    except LocalError:  # a feature code: nothing asks for it any more
        return Target("hangup")


def goes_on(kept: KeptCall, present: Mapping[int, m.Rejoined]) -> bool:
    """Whether both legs of a conversation are on a worker that was found."""
    if kept.talk is None:
        return False
    found = present.get(kept.caller.worker)
    if found is None or kept.talk.partner.worker != kept.caller.worker:
        return False
    return {kept.caller.id, kept.talk.partner.id} <= set(found.legs)
