"""Conversations and conferences of a process that has died go on in this one, with whoever else is in them,
callers wait on in their queues, who was in a menu hears its last node once more, and who was in a mailbox or
entered a PIN begins anew there; all other calls are ended at their phones.

Invariant: a call that is taken over is in every table as if it had begun here; of one that is not, its phones
hear a BYE, and its legs in the workers are released. Phones that rang ring no more: whoever waits is offered
anew. What cannot be read is told, and stops nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from acd.restart import StillWaiting
from media import messages as m
from softswitch.call.call import Call, Stage
from softswitch.call.desk import Desk
from softswitch.call.events import CallKept, Media
from softswitch.call.kept import (
    KeptAnew,
    KeptCall,
    KeptCourse,
    KeptGuest,
    KeptLeg,
    KeptMember,
    KeptRing,
    KeptTalk,
)
from softswitch.call.leg import Leg
from softswitch.call.resuming import is_readable, resume_leg, resume_ring, resume_unanswered
from softswitch.call.settings import Target
from softswitch.call.story import Story
from softswitch.call.tape import Taping
from softswitch.call.voicemail_script import FIRST_RECORDING
from softswitch.errors import LocalError, PeerError

CAUSE = 'SIP;cause=503;text="the switch was restarted"'
FREE_S = 1.0
"""How long a phone may take to stop ringing, before it is called again."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """What is left of it: `calls` as they were kept, of which those that are `alive` (`going_on`) go on by
    what is `present` on each media worker that was taken over. `at` is the last sign of life (epoch
    seconds)."""

    calls: tuple[KeptCall, ...] = ()
    alive: Collection[str] = ()
    present: Mapping[int, m.Rejoined] = field(default_factory=dict)
    at: float = 0.0

    @property
    def going_on(self) -> list[KeptCall]:
        """The calls that go on."""
        return [one for one in self.calls if one.id in self.alive]


class TakingOver:
    """Once, at the start."""

    def __init__(
        self, desk: Desk, last: LastRun, defect: Callable[[Exception, Leg | None, float], None]
    ) -> None:
        """`defect` ends the call in which a mistake of ours shows."""
        self.desk = desk
        self._defect = defect
        self.hub = desk.hub
        self.last = last
        self._legs: set[int] = set()
        """Those that go on."""
        self._tapes: set[int] = set()
        self._waiting: list[StillWaiting] = []
        self._led_on: list[tuple[Call, Callable[[float], None]]] = []

    def run(self, now: float) -> None:
        """All but what `lead_on` does."""
        last = self.last
        if last.calls or last.present:
            self._skip_numbers(now)
        for one in sorted(last.calls, key=_turn):
            with self._guarded(one.id, now):
                if one.id in last.alive and one.course is not None:
                    self._go_on(one, one.course, now)
                else:
                    self._end(one, now)
            for ring in one.ringing:
                with self._guarded(one.id, now):
                    self._ring_no_more(one, ring, now)
        self.desk.queueing.wait_on(self._waiting, now)
        self.desk.conferences.resumed()
        for worker, found in last.present.items():
            stopped = [m.StopRecord(number) for number in found.recordings if number not in self._tapes]
            self.hub.emit([Media(worker, command) for command in stopped])
            released = [m.Release(leg) for leg in found.legs if leg not in self._legs]
            self.hub.emit([Media(worker, command) for command in released])

    def lead_on(self, now: float) -> None:
        """When all else is back, messages too: menus and mailboxes go on, which may lead further at once."""
        for call, go in self._led_on:
            self.hub.terminating.when_spoken(call.leg, partial(self._lead, call, go), now)
        self._led_on.clear()

    def _lead(self, call: Call, go: Callable[[float], None], now: float) -> None:
        if call.stage is not Stage.OVER:
            with self._guarded(call.id, now):
                self.hub.keep(call)
                self.hub.emit(self.hub.plane.silence(call.leg))
                go(now)

    @contextlib.contextmanager
    def _guarded(self, call_id: str, now: float) -> Iterator[None]:
        """What is wrong with one call costs no other."""
        try:
            yield
        except LocalError as error:
            self.hub.warn("a call of the last run cannot be read", call=call_id, reason=str(error))
            self.hub.emit([CallKept(call_id, None)])
        except Exception as error:  # noqa: BLE001 - see Switch._defect
            call = self.hub.calls.get(call_id)
            self._defect(error, call.leg if call is not None else None, now)

    def _skip_numbers(self, now: float) -> None:
        """What the last run has begun keeps its numbers, and what is still told of it must not be taken for
        ours, which come after them."""
        present, kept = self.last.present.values(), self.last.calls
        legs = [leg for found in present for leg in found.legs]
        legs += [ring.id for one in kept for ring in one.ringing]
        legs += [leg.id for one in kept for leg in one.legs]
        legs += [one.unanswered.id for one in kept if one.unanswered is not None]
        self.hub.ua.ep.skip_leg_ids(max(legs, default=0))
        tapes = [number for found in present for number in found.recordings if number < FIRST_RECORDING]
        tapes += [one.talk.taping.number for one in kept if one.talk and one.talk.taping]
        tapes += [one.member.recording for one in kept if one.member]
        self.desk.recordings.skip_numbers(max(tapes, default=0))
        # The others are not kept. Nobody opens a room a second, or begins so much else a millisecond: so the
        # time is beyond all their numbers.
        self.hub.plane.skip_numbers(int(now * 1000), int(now))
        self.desk.menu.skip_numbers(int(now * 1000))
        self.desk.voicemail.scripts.skip_numbers(int(now * 1000))

    # ----- a call that is over

    def _end(self, kept: KeptCall, now: float) -> None:
        """Its record is closed already: only its phones must hear of it."""
        for one in kept.legs:
            leg = resume_leg(self.hub, one, kept.id)
            leg.gone = True
            self.hub.do(self.hub.ua.hang_up(leg, now, CAUSE))
        if kept.unanswered is not None:
            leg = resume_unanswered(self.hub, kept.unanswered, kept.id)
            leg.gone = True
            self.hub.do(self.hub.ua.refuse(leg, PeerError(503, "The Switch Was Restarted"), now))
        self.hub.emit([CallKept(kept.id, None)])

    def _ring_no_more(self, kept: KeptCall, ring: KeptRing, now: float) -> None:
        """Its agent is offered nothing until his phone has had the time to obey: it would be busy."""
        self.hub.do(self.hub.ua.hang_up(resume_ring(self.hub, ring, kept.id), now, CAUSE))
        self.desk.queueing.phone_busy(ring.phone, now)
        self.hub.at(now + FREE_S, lambda at: self.desk.queueing.phone_state(ring.phone, at))

    # ----- a call that goes on

    def _go_on(self, kept: KeptCall, course: KeptCourse, now: float) -> None:
        hub = self.hub
        found = self.last.present
        live = [(resume_leg(hub, one, kept.id, found[one.worker]), one.record) for one in kept.legs]
        for (leg, _), one in zip(live, kept.legs, strict=True):
            hub.plane.resume(leg)
            if one.front is not None:
                hub.terminating.resume(leg, one.front, now)
        story = Story.resumed(course.record, course.identity, course.since_of, live, self.last.at)
        call = self._call(kept, course, live[0][0], story)
        hub.calls[call.id] = call
        hub.kept.add(call.id)
        if kept.menu is None and kept.anew is None:  # else it is as it was until `lead_on`
            hub.keep(call)  # nobody rings for it any more
        for name in course.channels:
            if name in hub.settings.peers:
                self.desk.channels.taken[name] = self.desk.channels.taken.get(name, 0) + 1
                call.channels.append(name)
        for agent, part in course.own_call_of.items():
            self.desk.own_calls.begin(call, agent, part.direction, before_s=part.before_s)
        if kept.talk is not None:
            self._talk_on(call, kept.talk, live[1][0], now)
        elif kept.menu is not None:
            call.stage = Stage.MENU
            self._led_on.append((call, partial(self.desk.menu.resume, call, kept.menu)))
        elif kept.anew is not None:
            call.stage = kept.anew.stage
            self._led_on.append((call, partial(self._begin_anew, call, kept.anew)))
        elif kept.wait is not None:
            call.stage = Stage.QUEUE
            self.desk.hearing.begin(call, now)
            self._waiting.append(kept.wait)
        elif kept.member is not None:
            call.stage = Stage.ROOM
            self.desk.conferences.resume(call, kept.member)
            self._room_tape(call, kept.member)
            if (link := kept.member.link) is not None:
                self._legs.update((link.near, link.far))
        elif kept.guest is not None:
            call.stage = Stage.ROOM
            self._visit_on(call, kept.guest, now)
        if kept.talk is None and not call.leg.flow.reliable:  # a connection need not come back at once
            hub.do(hub.ua.probe(call.leg, now))  # he may have hung up while nobody listened
        self._legs.update(number for one in kept.legs for number in (one.id, one.facing))

    def _call(self, kept: KeptCall, course: KeptCourse, leg: Leg, story: Story) -> Call:
        """What it was, whatever it does."""
        call = Call(kept.id, leg, course.identity, _target(course.target), story, since=course.since)
        call.status = self.hub.settings.statuses.of(course.identity.number)
        call.language, call.client = course.language, course.client
        call.priority, call.hops, call.digits = course.priority, course.hops, course.digits
        call.overflowed, call.waited_since = course.overflowed, course.waited_since
        call.fallback = _target(course.fallback) if course.fallback else None
        call.agent_wait_s, call.came_from = course.agent_wait_s, course.came_from
        call.then = tuple(map(_target, course.then))
        call.record, call.carried = course.recorded, dict(course.carried)
        return call

    def _talk_on(self, call: Call, talk: KeptTalk, partner: Leg, now: float) -> None:
        call.stage = Stage.TALK
        call.partner, call.agent, call.held = partner, talk.agent, set(talk.held)
        call.partner_phone, call.partner_peer = talk.phone, talk.peer
        self.desk.talking.resume(call)
        self._tape(call, talk, now)

    def _visit_on(self, call: Call, guest: KeptGuest, now: float) -> None:
        host = self.hub.calls.get(guest.host)
        if host is None:  # a defect has ended it
            self.desk.end(call, None, "the talk is over", "system", now)
        elif guest.mode:
            self.desk.supervision.resume(call, host, guest.mode, guest)
        elif guest.who is not None:
            self.desk.third_parties.resume(call, host, guest.who, guest)

    def _begin_anew(self, call: Call, anew: KeptAnew, now: float) -> None:
        if anew.left is not None:
            self.desk.questions.begin(call, "", now, anew.left)
        elif anew.target is not None:
            self.desk.go(call, anew.target, now)

    def _room_tape(self, call: Call, member: KeptMember) -> None:
        """The tape of his conference runs on; it is told of in the log of who opened it, if he is there."""
        worker, number = self.desk.conferences.worker(member.conference), member.recording
        recordings = self.desk.recordings
        if member.tape is None or worker is None or (recordings.runs(number) and call.id != member.tape.call):
            return
        self._tapes.add(number)
        recordings.resume(call, number, member.tape)
        if number not in self.last.present[worker].recordings:
            recordings.room_lost(number)

    def _tape(self, call: Call, talk: KeptTalk, now: float) -> None:
        kept, audio = talk.taping, call.leg.audio
        if kept is None or audio is None:
            return
        self._tapes.add(kept.number)
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
            if kept.number not in self.last.present[audio.worker].recordings:
                self.desk.recordings.lost(call)
        self.desk.recordings.announce_again(call, now)


def _turn(kept: KeptCall) -> tuple[bool, float]:
    """Members of a conference come as they came in, and so do guests when their hosts are there."""
    place = kept.guest or kept.member
    return kept.guest is not None, place.since if place is not None else 0.0


def _target(text: str) -> Target:
    try:
        return Target.parse(text)
    except LocalError:  # a feature code: nothing asks for it any more
        return Target("hangup")


def going_on(calls: Iterable[KeptCall], present: Mapping[int, m.Rejoined]) -> Mapping[str, frozenset[str]]:
    """Those of the calls that go on by what was found on the workers, each with the names of the guests who
    stay in its talk."""
    found = [one for one in calls if _goes_on(one, present)]
    talks = {one.id for one in found if one.talk is not None}
    staying = [one for one in found if one.guest is None or one.guest.host in talks]
    guests = {one.id: frozenset[str]() for one in staying}
    for one in staying:
        if one.guest is not None:
            guests[one.guest.host] |= {one.guest.name}
    return guests


def _goes_on(kept: KeptCall, present: Mapping[int, m.Rejoined]) -> bool:
    """Whether all legs of a call that could go on can be read and are on a worker that was found, those of
    its link too."""
    if kept.course is None or not all(_is_found(leg, present.get(leg.worker)) for leg in kept.legs):
        return False
    link = kept.member.link if kept.member is not None else None
    if link is None:
        return True
    near, far = present[kept.legs[0].worker], present.get(link.worker)
    return link.near in near.legs and far is not None and link.far in far.legs


def _is_found(leg: KeptLeg, found: m.Rejoined | None) -> bool:
    """With what only its worker knows."""
    if found is None or not {leg.id, leg.facing} <= set(found.legs) or not is_readable(leg):
        return False
    browser = leg.agreed is not None and leg.agreed.browser is not None
    return (not leg.encrypted or leg.facing in found.keys) and (not browser or leg.id in found.ice)
