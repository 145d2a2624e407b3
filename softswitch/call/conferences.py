"""Conference rooms: who may come in, who is in, who is heard.

A caller is let in after his PIN, if the room has one, and after he has heard that it is recorded, if it is.
He leaves by hanging up, is put out, or the conference ends. `1` mutes him and makes him heard again; a
moderator (who has come in by the moderator's PIN) locks and unlocks the room by `9`.

Invariants: a caller of a conference has a call with one record, like any other; a conference is open while
somebody is in it, all on one media worker; a PIN is in no log and no answer.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from acd.events import Kind
from softswitch.call.call import Call, Heard, Stage
from softswitch.call.hub import Hub
from softswitch.call.kept import KeptMember
from softswitch.call.links import Links
from softswitch.call.pins import Pins
from softswitch.call.record import Disposition
from softswitch.call.recording import Recordings
from softswitch.call.settings import ConferenceCare
from softswitch.call.steps import Steps
from softswitch.errors import LocalError

MUTE_KEY, LOCK_KEY = "1", "9"
BEEP = ("tone:beep",)
MAX_GAIN_DB = 24.0
"""Nobody is made louder, or softer, than by this."""
WRONG_PINS = 10
"""So many in a row, whoever enters them, and no PIN of the room is taken for a while."""


@dataclass(slots=True, eq=False)
class Member:
    """Somebody who is in. He is heard unless he has muted himself or somebody else has."""

    call: Call
    since: float
    moderator: bool = False
    muted: bool = False
    muted_by: str = ""
    gain_db: float = 0.0
    """So much louder is he heard than he speaks."""
    held: bool = False
    """He has put us on hold: his phone may send music."""

    @property
    def silent(self) -> bool:
        """Whether nobody hears him."""
        return self.muted or bool(self.muted_by) or self.held


@dataclass(slots=True, eq=False)
class Conference:
    """One that is open: `room` as the worker knows it. `recording`: the number of its tape, 0 for none."""

    name: str
    care: ConferenceCare
    room: int
    worker: int
    since: float
    members: dict[str, Member] = field(default_factory=dict)
    locked: bool = False
    recording: int = 0


@dataclass(slots=True, eq=False)
class Entering:
    """Somebody who is about to come in. `told`: he has heard that the conference is recorded."""

    name: str
    moderator: bool
    told: bool = False


class Conferences:
    """All of them."""

    def __init__(self, hub: Hub, pins: Pins, recordings: Recordings, links: Links, steps: Steps) -> None:
        self.hub = hub
        self.pins = pins
        self.recordings = recordings
        self.links = links
        self.steps = steps
        self._open: dict[str, Conference] = {}
        self._of: dict[str, Conference] = {}
        """By the calls of those who are in."""
        self._entering: dict[str, Entering] = {}
        """By call."""

    @property
    def open(self) -> Mapping[str, Conference]:
        """Those in which somebody is, by name."""
        return self._open

    @property
    def configured(self) -> Mapping[str, ConferenceCare]:
        """All that there are, by name."""
        return self.hub.settings.conferences

    def of(self, call: Call) -> Conference | None:
        """The conference that he is in."""
        return self._of.get(call.id)

    def runs(self, call: Call) -> bool:
        """Whether he is in a conference, or about to be."""
        return call.id in self._of or call.id in self._entering

    def worker(self, name: str) -> int | None:
        """Where those are who are in; None: nobody is."""
        conference = self._open.get(name)
        return conference.worker if conference is not None else None

    def is_recorded(self, conference: Conference) -> bool:
        """Whether its tape runs."""
        return self.recordings.runs(conference.recording)

    # ----- another process

    def kept(self, call: Call) -> KeptMember | None:
        """What another process would need of him; None: he is in no conference."""
        conference = self._of.get(call.id)
        if conference is None:
            return None
        member, tape = conference.members[call.id], self.recordings.tape(conference.recording)
        return KeptMember(
            conference.name,
            conference.room,
            conference.since,
            conference.locked,
            member.since,
            member.moderator,
            member.muted,
            member.muted_by,
            member.gain_db,
            conference.recording if tape is not None else 0,
            tape,
            self.links.kept(call),
        )

    def resume(self, call: Call, kept: KeptMember) -> None:
        """A member of a conference of an earlier process, which is on its worker still."""
        if kept.link is not None:
            self.links.resume(call, kept.link)
        audio, there = call.leg.audio, self.links.leg(call).audio
        assert audio is not None and there is not None
        conference = self._open.get(kept.conference)
        if conference is None:
            care = self.hub.settings.conferences[kept.conference]
            conference = Conference(kept.conference, care, kept.room, there.worker, kept.began)
            conference.locked, conference.recording = kept.locked, kept.recording
            self._open[kept.conference] = conference
        member = Member(call, kept.since, kept.moderator, kept.muted, kept.muted_by, kept.gain_db, audio.held)
        conference.members[call.id] = member
        self._of[call.id] = conference
        self._place(conference, member)

    def resumed(self) -> None:
        """All who go on are in; others may have gone."""
        for conference in self._open.values():
            self._alone(conference)

    def recorded(self, number: int) -> None:
        """A tape has come to its end."""
        for conference in self._open.values():
            if conference.recording == number:
                self._keep(conference)

    def _keep(self, conference: Conference) -> None:
        for member in conference.members.values():
            self.hub.keep(member.call)

    # ----- coming in

    def enter(self, call: Call, name: str, now: float) -> None:
        """He wants to come in."""
        care = self.hub.settings.conferences[name]
        if self._refused(call, name, care, bool(care.moderator_pin), now):  # his PIN will show who he is
            return
        if not care.pin and not care.moderator_pin:
            self._admit(call, name, False, now)
            return

        def check(typed: str) -> bool:
            return (
                self._fits(care.pin, typed)
                or self._fits(care.moderator_pin, typed)
                or self._free(care, typed)
            )

        self.pins.begin(
            call, f"conference {name}", check, partial(self._proved, care, name), now, limit=WRONG_PINS
        )

    def _proved(self, care: ConferenceCare, name: str, call: Call, typed: str, now: float) -> None:
        self._admit(call, name, self._fits(care.moderator_pin, typed), now)

    @staticmethod
    def _fits(pin: str, typed: str) -> bool:
        return bool(pin) and hmac.compare_digest(pin.encode(), typed.encode())

    @staticmethod
    def _free(care: ConferenceCare, typed: str) -> bool:
        """Without a PIN for members, they press the hash key alone."""
        return not care.pin and not typed

    def _refused(self, call: Call, name: str, care: ConferenceCare, moderator: bool, now: float) -> bool:
        """Whether there is no room for him; then he is told so. A moderator may open what is locked."""
        conference, phrase, why = self._open.get(name), "", ""
        if conference is None:
            return False
        if conference.locked and not moderator:
            phrase, why = "conference-locked", f"conference {name} is locked"
        elif len(conference.members) >= care.max_members:
            phrase, why = "conference-full", f"conference {name} is full"
        if why:
            call.story.disposition = Disposition.REFUSED
            self.steps.farewell(call, self._say(call, phrase), why, now)
        return bool(why)

    def _admit(self, call: Call, name: str, moderator: bool, now: float) -> None:
        """He may come in, as soon as he has been told what he must be told."""
        call.enter(Stage.ROOM, now)
        self.hub.keep(call)
        call.heard = Heard.NOTHING
        self._entering[call.id] = Entering(name, moderator)
        self.hub.emit(self.hub.plane.stop(call.leg))  # he may come from a queue, with its music
        self._join(call, now)

    def noticed(self, call: Call, failed: bool, now: float) -> None:
        """He has heard the announcement, or it could not be played."""
        entering = self._entering.get(call.id)
        if entering is None:
            return
        if failed:  # nobody is recorded who does not know it
            del self._entering[call.id]
            why = f"conference {entering.name}: its announcement cannot be played"
            self.steps.farewell(call, self._say(call, "not-possible"), why, now)
            return
        entering.told = True
        self._join(call, now)

    def _join(self, call: Call, now: float) -> None:
        entering = self._entering.pop(call.id)
        name = entering.name
        care = self.hub.settings.conferences.get(name)
        if care is None:  # a reload has taken the room away
            self.steps.farewell(call, self._say(call, "not-possible"), f"no conference {name}", now)
            return
        if self._refused(call, name, care, entering.moderator, now):  # it has filled meanwhile
            return
        conference = self._open.get(name)
        if conference is not None:  # it goes on as it began: what a reload says is for the next one
            care = conference.care
        clips = self.recordings.announcement(call) if care.record and not entering.told else ()
        if clips:
            self._entering[call.id] = entering
            call.heard = Heard.NOTICE
            self.hub.emit(self.hub.plane.play(call.leg, clips))
            return
        if conference is not None and self._links(call, conference):
            self._entering[call.id] = entering
            return
        if conference is None:
            there = self.links.leg(call).audio
            assert there is not None
            conference = Conference(name, care, self.hub.plane.open_room(), there.worker, now)
            self._open[name] = conference
        others = list(conference.members.values())
        member = conference.members[call.id] = Member(call, now, entering.moderator)
        self._of[call.id] = conference
        call.story.begin("talk", now)
        call.story.cause = f"conference {name}"
        self._place(conference, member)
        data = {"conference": name, "members": len(others) + 1, "moderator": entering.moderator}
        self.hub.log(now, Kind.CONFERENCE_JOIN, call, **data)
        if care.record and not conference.recording:
            number = self.recordings.begin_room(call, name, conference.room, conference.worker, now)
            conference.recording = number
        if len(others) == 1:
            self.hub.emit(self.hub.plane.stop(others[0].call.leg))
        if care.beep:
            self._beep(conference)
        self._alone(conference)

    def _links(self, call: Call, conference: Conference) -> bool:
        """Whether he must be linked to the worker of the conference first; then that has begun."""
        own, there = call.leg.audio, self.links.leg(call).audio
        assert own is not None and there is not None
        if there.worker == conference.worker:
            return False
        self.links.drop(call)  # it was made for one that is over
        if own.worker == conference.worker:
            return False
        self.links.make(call, conference.worker, partial(self._join, call))
        return True

    # ----- keys and orders

    def digit(self, call: Call, digit: str, now: float) -> None:
        """A member has pressed a key. Who has pressed too many can still mute himself, and lock, but not undo
        it: so the rows of the log are bounded, and nobody is heard who thinks that he is not."""
        conference = self._of.get(call.id)
        member = conference.members.get(call.id) if conference is not None else None
        if conference is None or member is None:
            return
        if digit == MUTE_KEY and (not member.muted or call.leg.orders.take(now)):
            member.muted = not member.muted
            self._muted(conference, member, "phone", now)
        elif digit == LOCK_KEY and member.moderator and (not conference.locked or call.leg.orders.take(now)):
            self.lock(conference.name, not conference.locked, "phone", now)
            self._tell(call, "conference-locked" if conference.locked else "conference-unlocked")

    def mute(self, name: str, call_id: str, muted: bool, by: str, now: float) -> None:
        """Let nobody hear a member ("": all but the moderators), or everybody again. Raises LocalError."""
        conference = self._conference(name)
        for member in self._members(conference, call_id):
            if call_id or not (muted and member.moderator):
                member.muted_by = by if muted else ""
                member.muted = member.muted and muted
                self._muted(conference, member, by, now)

    def gain(self, name: str, call_id: str, gain_db: float, by: str, now: float) -> None:
        """Have a member heard louder than he speaks, or softer (below 0). Raises LocalError."""
        if not -MAX_GAIN_DB <= gain_db <= MAX_GAIN_DB:
            raise LocalError(f"{gain_db:g} dB is too much; give -{MAX_GAIN_DB:g} to {MAX_GAIN_DB:g}")
        conference = self._conference(name)
        for member in self._members(conference, call_id):
            member.gain_db = gain_db
            self._place(conference, member)
            self.hub.log(now, Kind.CONFERENCE_GAIN, member.call, conference=name, gain_db=gain_db, by=by)

    def kick(self, name: str, call_id: str, by: str, now: float) -> None:
        """Put a member out. Raises LocalError."""
        for member in self._members(self._conference(name), call_id):
            self._put_out(member.call, f"put out by {by}", now)

    def end(self, name: str, by: str, now: float) -> None:
        """Put everybody out. Raises LocalError."""
        for member in self._members(self._conference(name), ""):
            self._put_out(member.call, f"the conference was ended by {by}", now)

    def lock(self, name: str, locked: bool, by: str, now: float) -> None:
        """Let nobody in any more, or again. Raises LocalError."""
        conference = self._conference(name)
        if conference.locked != locked:
            conference.locked = locked
            self._keep(conference)
            first = next(iter(conference.members.values())).call
            self.hub.log(now, Kind.CONFERENCE_LOCK, first, conference=name, locked=locked, by=by)

    def _conference(self, name: str) -> Conference:
        conference = self._open.get(name)
        if conference is None:
            raise LocalError(f"nobody is in conference {name!r}; `cc conferences list` shows who is where")
        return conference

    def _members(self, conference: Conference, call_id: str) -> list[Member]:
        if not call_id:
            return list(conference.members.values())
        if call_id not in conference.members:
            raise LocalError(
                f"call {call_id!r} is not in conference {conference.name}; "
                f"`cc conferences show {conference.name}` shows who is"
            )
        return [conference.members[call_id]]

    def held(self, call: Call) -> None:
        """A caller has put us on hold, or takes us back."""
        conference = self._of.get(call.id)
        member = conference.members.get(call.id) if conference is not None else None
        if conference is None or member is None or call.leg.audio is None:
            return
        if member.held != call.leg.audio.held:
            member.held = call.leg.audio.held
            self._place(conference, member)

    # ----- going out

    def over(self, call: Call, now: float) -> None:
        """He has left, however."""
        self._entering.pop(call.id, None)
        conference = self._of.pop(call.id, None)
        if conference is None:
            self.links.drop(call)
            return
        member = conference.members.pop(call.id)
        call.story.stop("talk", now)
        self.hub.emit(self.hub.plane.leave(self.links.leg(call)))
        self.links.drop(call)
        self.hub.log(
            now,
            Kind.CONFERENCE_LEAVE,
            call,
            conference=conference.name,
            members=len(conference.members),
            joined_s=round(now - member.since, 3),
        )
        if not conference.members:
            del self._open[conference.name]
            self.recordings.end_room(conference.recording, conference.worker)
            return
        if conference.care.beep:
            self._beep(conference)
        self._alone(conference)

    def _put_out(self, call: Call, cause: str, now: float) -> None:
        self.over(call, now)
        call.story.disposition = Disposition.CONFERENCE
        self.steps.farewell(call, self._say(call, "conference-left"), cause, now)

    # ----- what they hear

    def _place(self, conference: Conference, member: Member) -> None:
        self.hub.keep(member.call)
        leg = self.links.leg(member.call)
        joined = self.hub.plane.join(leg, conference.room, muted=member.silent, gain_db=member.gain_db)
        self.hub.emit(joined)

    def _muted(self, conference: Conference, member: Member, by: str, now: float) -> None:
        self._place(conference, member)
        self._tell(member.call, "conference-muted" if member.silent else "conference-unmuted")
        self.hub.log(
            now, Kind.CONFERENCE_MUTE, member.call, conference=conference.name, muted=member.silent, by=by
        )

    def _beep(self, conference: Conference) -> None:
        for member in conference.members.values():
            self.hub.emit(self.hub.plane.play(member.call.leg, BEEP))

    def _alone(self, conference: Conference) -> None:
        """Who is alone has music."""
        if len(conference.members) == 1 and conference.care.music:
            [member] = conference.members.values()
            music = conference.care.music
            self.hub.emit(self.hub.plane.play(member.call.leg, music, loop=True, resume=True))

    def _tell(self, call: Call, phrase: str) -> None:
        conference = self._of.get(call.id)
        clips = self._say(call, phrase)
        if clips and conference is not None and len(conference.members) > 1:
            self.hub.emit(self.hub.plane.play(call.leg, clips))

    def _say(self, call: Call, phrase: str) -> tuple[str, ...]:
        return self.hub.settings.say(phrase, call.language)
