"""Supervisors in the talks of others: they listen, whisper to the agent, or talk with both (barge).

A supervisor has a call of his own, whose leg is in a room with the two that talk. The two are bridged in that
room as before; only who hears the supervisor, and he himself, gets a mix (`media.rooms`). He changes between
the three by keys, by dialling again, or an administrator does it for him.

Invariants: the caller never hears a supervisor who listens or whispers; a supervisor leaves with the talk,
and the talk does not notice when he leaves; the log has who was in which talk, how, from when and how long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from acd.events import Kind, LogEvent
from softswitch.call.call import Call, Stage
from softswitch.call.events import Append
from softswitch.call.hub import Hub
from softswitch.call.kept import KeptGuest
from softswitch.call.leg import Leg
from softswitch.call.record import Disposition
from softswitch.call.settings import EVERY_QUEUE, Target
from softswitch.call.steps import Steps
from softswitch.call.summoning import Summoning, Summons
from softswitch.errors import LocalError

Mode = Literal["listen", "whisper", "barge"]
MODES: tuple[Mode, ...] = ("listen", "whisper", "barge")
KEYS: dict[str, Mode] = {"4": "listen", "5": "whisper", "6": "barge"}
"""What the supervisor's own keys do."""
MAX_SUPERVISORS = 8
"""In one talk."""


@dataclass(slots=True, eq=False)
class Watch:
    """A supervisor and the talk that he is in, or is called for. `since`: None until he is there."""

    call: Call
    host: Call
    mode: Mode
    extension: str
    by: str
    since: float | None = None


class Supervision:
    """All supervisors."""

    def __init__(self, hub: Hub, summoning: Summoning, steps: Steps) -> None:
        self.hub = hub
        self.summoning = summoning
        self.steps = steps
        self._watches: dict[str, Watch] = {}
        """By the supervisor's call."""
        self._rooms: dict[str, int] = {}
        """By the call whose talk it is."""

    def of(self, host: Call) -> list[Watch]:
        """Who is in this talk, or is called for it."""
        return [watch for watch in self._watches.values() if watch.host is host]

    def runs(self, call: Call) -> bool:
        """Whether this is the call of a supervisor."""
        return call.id in self._watches

    # ----- what another process would need

    def kept(self, call: Call) -> KeptGuest | None:
        """A supervisor who is there."""
        watch = self._watches.get(call.id)
        if watch is None or watch.since is None:
            return None
        return KeptGuest(watch.host.id, watch.extension, watch.by, watch.since, watch.mode)

    def resume(self, call: Call, host: Call, mode: Mode, kept: KeptGuest) -> None:
        """A supervisor of an earlier process, in a talk that goes on."""
        self._watches[call.id] = watch = Watch(call, host, mode, kept.name, kept.by, kept.since)
        self._join(watch)

    # ----- orders

    def order(self, host: Call, mode: Mode, extension: str, by: str, now: float) -> None:
        """Let whoever is at this extension listen, whisper or barge; his phone rings, unless he is there.
        Raises LocalError."""
        watch = next((one for one in self.of(host) if one.extension == extension), None)
        if watch is not None:
            self._change(watch, mode, by, now)
            return
        if extension not in self.hub.settings.phones:
            raise LocalError(f"there is no extension {extension!r} to be called; name one of [extensions]")
        leg = self._check(host)
        if extension in self._parties(host):
            raise LocalError(f"extension {extension} is in this talk itself; name another one")
        if len(self.of(host)) >= MAX_SUPERVISORS:
            raise LocalError(f"{MAX_SUPERVISORS} supervisors are in call {host.id}; nobody else can be added")
        assert leg.audio is not None
        shown = f"{mode}: {host.story.agent or host.identity.number}"
        summons = Summons(shown, self._arrived)
        call = self.summoning.summon(
            Target("extension", extension), leg.audio.worker, host.identity.number, summons, now
        )
        self._watches[call.id] = Watch(call, host, mode, extension, by)

    def dialled(self, call: Call, mode: Mode, extension: str, now: float) -> None:
        """A supervisor has dialled the code of a mode, and the extension that he wants to hear."""
        host = self.host(extension)
        refusal = ""
        if host is None:
            refusal = f"nobody talks at {extension}"
        elif not self._may(call, host):
            refusal = f"extension {call.identity.name} may not supervise this talk (supervises)"
        elif host.leg.audio is None or call.leg.audio is None or len(self.of(host)) >= MAX_SUPERVISORS:
            refusal = f"nobody else can be in the talk at {extension}"
        elif host.leg.audio.worker != call.leg.audio.worker:
            refusal = f"the talk at {extension} began while the code was dialled"
        if host is None or refusal:
            call.story.disposition = Disposition.REFUSED
            self.steps.farewell(call, self.hub.settings.say("not-possible"), refusal, now)
            return
        watch = Watch(call, host, mode, call.identity.name, "phone")
        self._watches[call.id] = watch
        self._begin(watch, now)

    def digit(self, call: Call, digit: str, now: float) -> None:
        """A supervisor has pressed a key."""
        watch = self._watches.get(call.id)
        if watch is not None and digit in KEYS and call.leg.orders.take(now):
            self._change(watch, KEYS[digit], "phone", now)
            self.hub.emit(self.hub.plane.play(call.leg, ("tone:beep",)))

    def host(self, extension: str) -> Call | None:
        """Who talks at this extension."""
        calls = self.hub.calls.values()
        return next((call for call in calls if extension in self._parties(call) and _talks(call)), None)

    # ----- what happens to talks and supervisors

    def talk_began(self, host: Call) -> None:
        """Other legs than before are bridged: whoever was in the room joins them there."""
        for watch in self.of(host):
            if watch.since is not None:
                self._join(watch)

    def over(self, call: Call, now: float) -> None:
        """A call has ended: the talk of others is over for its supervisors, a supervisor has left."""
        for watch in self.of(call):
            self.steps.end(watch.call, None, "the talk is over", "system", now)
        self._rooms.pop(call.id, None)
        watch_of_his = self._watches.pop(call.id, None)
        if watch_of_his is not None and watch_of_his.since is not None:
            listened_s = round(now - watch_of_his.since, 3)
            self._log(watch_of_his, Kind.SUPERVISION_END, now, listened_s=listened_s)

    # ----- inside

    def _arrived(self, call: Call, now: float) -> None:
        """The supervisor's phone is answered."""
        self._begin(self._watches[call.id], now)

    def _begin(self, watch: Watch, now: float) -> None:
        """The supervisor is there."""
        call = watch.call
        if not _talks(watch.host):
            self.steps.end(call, None, "the talk is over", "system", now)
            return
        call.enter(Stage.ROOM, now)
        call.story.begin("talk", now)
        call.story.cause = f"{watch.mode}: call {watch.host.id}"
        watch.since = now
        self.hub.keep(call)
        self._join(watch)
        self._log(watch, Kind.SUPERVISION, now)

    def _change(self, watch: Watch, mode: Mode, by: str, now: float) -> None:
        if watch.mode == mode:
            return
        watch.mode, watch.by = mode, by
        if watch.since is not None:
            self.hub.keep(watch.call)
            self._join(watch)
            self._log(watch, Kind.SUPERVISION, now)

    def _join(self, watch: Watch) -> None:
        to_agent = (self._agent_leg(watch.host).id,)
        heard_by = {"listen": (), "whisper": to_agent, "barge": None}[watch.mode]
        self.bring(watch.host, watch.call.leg, heard_by)  # his keys are orders to us

    def bring(
        self, host: Call, leg: Leg, heard_by: tuple[int, ...] | None = None, keys: bool = False
    ) -> None:
        """Let the leg be in the room of a talk, heard by all (None) or by some, and with its keys or not."""
        if host.id not in self._rooms:
            self._rooms[host.id] = self.hub.plane.open_room()
        self._held(host)
        room, muted = self._rooms[host.id], leg.audio is not None and leg.audio.held
        self.hub.emit(self.hub.plane.join(leg, room, heard_by=heard_by, muted=muted, keys=keys))

    def held(self, call: Call) -> None:
        """Somebody who talks, or a supervisor, is on hold, or no longer: nobody hears the music of his
        phone."""
        watch = self._watches.get(call.id)
        if watch is not None and watch.since is not None:
            self._join(watch)
        self._held(call)

    def _held(self, host: Call) -> None:
        room = self._rooms.get(host.id)
        if room is None or host.partner is None:
            return
        for leg in (host.leg, host.partner):
            self.hub.emit(self.hub.plane.join(leg, room, muted=leg.id in host.held, keys=True))

    def _agent_leg(self, host: Call) -> Leg:
        """Whom a whisper is for: the agent; of a call without one, our own extension, the called one
        first."""
        assert host.partner is not None
        ours = host.agent or host.story.agent in self.hub.settings.phones or host.identity.kind != "extension"
        return host.partner if ours else host.leg

    def _parties(self, call: Call) -> set[str]:
        """The extensions at which somebody talks in this call."""
        phones = {call.identity.name} if call.identity.kind == "extension" else set()
        return phones | ({call.partner_phone} if call.partner_phone else set())

    def _check(self, host: Call) -> Leg:
        if not _talks(host) or host.leg.audio is None:
            raise LocalError(f"call {host.id} is no conversation: there is nobody to listen to")
        return host.leg

    def _may(self, call: Call, host: Call) -> bool:
        phone = self.hub.settings.phones.get(call.identity.name)
        if phone is None or call.identity.kind != "extension":
            return False
        queue = host.story.queue if host.agent else ""
        return EVERY_QUEUE in phone.supervises or (bool(queue) and queue in phone.supervises)

    def _log(self, watch: Watch, kind: Kind, now: float, **data: float) -> None:
        host = watch.host
        known = {"supervisor": watch.extension, "mode": watch.mode, "by": watch.by}
        event = LogEvent(now, kind, host.id, host.story.queue, host.agent, known | data)
        self.hub.emit([Append(event)])


def _talks(call: Call) -> bool:
    return call.stage is Stage.TALK and call.partner is not None
