"""Third parties: somebody is called and joins a talk, and each of the three may leave the two others to talk
on.

A third party has a call of his own, like a supervisor (`supervision`). When the agent leaves, the third party
takes his place in the caller's call; when the caller leaves, his call ends, and agent and third party go on
in that of the third party. Whoever is still there then is bridged as in any talk.

Invariants: every call has one record, whoever leaves first; a leg belongs to one call at any time.
"""

from __future__ import annotations

from dataclasses import dataclass

from acd import messages as acd
from acd.events import Kind, LogEvent
from softswitch.call.call import Call, Stage
from softswitch.call.channels import Channels
from softswitch.call.events import Append
from softswitch.call.hub import Hub
from softswitch.call.identity import Identity
from softswitch.call.kept import KeptGuest
from softswitch.call.leg import Leg
from softswitch.call.own_calls import OwnCalls
from softswitch.call.record import Disposition
from softswitch.call.router import route
from softswitch.call.settings import Target
from softswitch.call.steps import Steps
from softswitch.call.summoning import Summoning, Summons
from softswitch.call.supervision import Supervision
from softswitch.errors import LocalError, PeerError

MAX_PARTIES = 3
"""Added to one talk."""
KEYS_WITHIN_S = 5.0
"""Keys further apart than this are not of one number."""
LONGEST_KEYS = 32


@dataclass(slots=True, eq=False)
class Party:
    """One who is added to the talk of `host`. `since`: None until he has answered."""

    call: Call
    host: Call
    who: Target
    by: str
    since: float | None = None

    @property
    def name(self) -> str:
        """What people call him."""
        return self.who.number or self.who.name


class ThirdParties:
    """All of them."""

    def __init__(
        self,
        hub: Hub,
        summoning: Summoning,
        supervision: Supervision,
        own_calls: OwnCalls,
        channels: Channels,
        steps: Steps,
    ) -> None:
        self.hub = hub
        self.summoning = summoning
        self.supervision = supervision
        self.own_calls = own_calls
        self.channels = channels
        self.steps = steps
        self._parties: dict[str, Party] = {}
        """By the call of the third party."""
        self._pressed: dict[int, tuple[str, float]] = {}
        """What of a number has been pressed on a leg, and when."""

    def of(self, host: Call) -> list[Party]:
        """Who was added to this talk, or is called for it."""
        return [party for party in self._parties.values() if party.host is host]

    def runs(self, call: Call) -> bool:
        """Whether this is the call of a third party."""
        return call.id in self._parties

    # ----- what another process would need

    def kept(self, call: Call) -> KeptGuest | None:
        """A third party who is there."""
        party = self._parties.get(call.id)
        if party is None or party.since is None:
            return None
        return KeptGuest(party.host.id, party.name, party.by, party.since, who=party.who)

    def resume(self, call: Call, host: Call, who: Target, kept: KeptGuest) -> None:
        """A third party of an earlier process, in a talk that goes on."""
        self._parties[call.id] = Party(call, host, who, kept.by, kept.since)
        self.supervision.bring(host, call.leg, keys=True)

    # ----- adding

    def add(self, host: Call, number: str, by: str, now: float) -> None:
        """Call this number, as an extension dials it, and let whoever answers join. Raises LocalError."""
        audio = host.leg.audio
        if host.stage is not Stage.TALK or host.partner is None or audio is None:
            raise LocalError(f"call {host.id} is no conversation: nobody can be added to it")
        if len(self.of(host)) >= MAX_PARTIES:
            raise LocalError(f"{MAX_PARTIES} parties were added to call {host.id}; nobody else can be")
        who = self._target(host, number)
        summons = Summons(host.story.agent or host.identity.display, self._arrived)
        shown = host.identity.number if who.kind == "extension" else host.story.to_number
        call = self.summoning.summon(who, audio.worker, shown, summons, now)
        self._parties[call.id] = Party(call, host, who, by)

    def _target(self, host: Call, number: str) -> Target:
        """Where the number leads for an extension of ours. Raises LocalError unless it is a phone."""
        if number in self.hub.settings.phones:
            return Target("extension", number)
        inside = Identity("extension", host.partner_phone or host.identity.name, host.partner_phone, "")
        try:
            found = route(self.hub.settings, number, inside).target
        except PeerError:
            found = Target("hangup")
        if found.kind == "peer":
            return Target("peer", found.name, found.number or number)
        if found.kind == "extension":
            return found
        raise LocalError(
            f"{number!r} leads to no phone; name an extension, or a number that a route sends to a peer"
        )

    def key(self, host: Call, leg: Leg, digit: str, now: float) -> None:
        """A key was pressed in a talk: it may be part of the code, the number, and the hash key."""
        code, taping = self.hub.settings.add_code, host.taping
        if not code or taping is None or leg.id not in taping.steered_by:
            return
        before, at = self._pressed.get(leg.id, ("", now))
        pressed = ((before if now - at <= KEYS_WITHIN_S else "") + digit)[-LONGEST_KEYS:]
        if digit != "#":
            self._pressed[leg.id] = pressed, now
            return
        self._pressed.pop(leg.id, None)
        _, found, number = pressed[:-1].rpartition(code)
        if not found or not number or not leg.orders.take(now):
            return
        try:
            self.add(host, number, f"key of {host.story.agent or host.identity.number}", now)
        except LocalError as error:
            self.hub.warn("nobody could be added by keys", call=host.id, reason=str(error))
            self.hub.emit(self.hub.plane.play(leg, ("tone:congestion",)))

    def _arrived(self, call: Call, now: float) -> None:
        """He has answered."""
        self._begin(self._parties[call.id], now)

    def _begin(self, party: Party, now: float) -> None:
        """He is there."""
        call, host = party.call, party.host
        if host.stage is not Stage.TALK or host.partner is None:
            self.steps.end(call, None, "the talk is over", "system", now)
            return
        call.enter(Stage.ROOM, now)
        call.story.disposition = Disposition.ANSWERED
        call.story.agent = host.story.agent
        call.story.begin("talk", now)
        party.since = now
        self.hub.keep(call)
        self.supervision.bring(host, call.leg, keys=True)
        self._log(party, Kind.PARTY_ADDED, now)

    def talk_began(self, host: Call) -> None:
        """Other legs than before are bridged: whoever was added joins them."""
        for party in self.of(host):
            if party.since is not None:
                self.supervision.bring(host, party.call.leg, keys=True)

    def held(self, call: Call) -> None:
        """A third party has put the talk on hold, or takes it back: nobody hears the music of his phone."""
        party = self._parties.get(call.id)
        if party is not None and party.since is not None:
            self.supervision.bring(party.host, call.leg, keys=True)

    # ----- leaving

    def over(self, call: Call, now: float) -> None:
        """A call has ended: for those who were added to it, the talk is over; one of them has left."""
        for party in self.of(call):
            self.steps.end(party.call, None, "the talk is over", "system", now)
        for leg in filter(None, (call.leg, call.partner)):
            self._pressed.pop(leg.id, None)
        self._left(self._parties.get(call.id), now)

    def agent_left(self, host: Call, cause: str, now: float) -> bool:
        """The one with whom the caller talks has hung up; True if a third party takes his place."""
        party = next((one for one in self.of(host) if one.since is not None), None)
        gone = host.partner
        if party is None or gone is None:
            return False
        if host.agent:
            self.hub.post(acd.Ended(host.id, "agent", cause))
        self.hub.let_go(gone, now)
        self._pressed.pop(gone.id, None)
        host.story.end(now)
        if party.who.kind == "extension":
            agent, before_s = self.hub.acd.agent_of_phone(party.who.name), host.story.total("talk")
            self.own_calls.begin(host, agent, "inbound", before_s=before_s)
        for name in _partners_channel(host):
            host.channels.remove(name)
            self.channels.give(name)
        host.channels += party.call.channels  # before his call ends, which would give them back
        party.call.channels.clear()
        leg = self._leave_his_call(party, f"goes on in call {host.id}", now)
        leg.call = host.id
        host.story.leg(leg, "extension" if party.who.kind == "extension" else "peer", party.name, now)
        host.story.leg_answered(leg, now)
        self.steps.talk(host, leg, party.name, "", now)
        host.partner_phone = party.who.name if party.who.kind == "extension" else ""
        host.partner_peer = party.who.name if party.who.kind == "peer" else ""
        return True

    def caller_left(self, host: Call, now: float) -> None:
        """The caller has hung up, and his call is about to end: agent and third party talk on, if there is
        one."""
        party = next((one for one in self.of(host) if one.since is not None), None)
        agent_leg = host.partner
        if party is None or agent_leg is None:
            return
        call, name, agent = party.call, host.story.agent, host.agent
        host.partner = None
        for channel in _partners_channel(host):  # before his call ends, which would give it back
            host.channels.remove(channel)
            call.channels.append(channel)
        agent_leg.call = call.id
        self._left(party, now)
        for other in self.of(host):
            self._move(other, call, now)
        call.story.leg(agent_leg, "agent" if agent else "extension", name, now)
        call.story.leg_answered(agent_leg, now)
        self.steps.talk(call, agent_leg, name, "", now)
        call.partner_phone, call.partner_peer = host.partner_phone, host.partner_peer
        self.own_calls.begin(call, agent or None, "outbound", before_s=call.story.total("talk"))

    def _move(self, party: Party, host: Call, now: float) -> None:
        """He is in the talk of another call, or is called for it."""
        if party.since is not None:
            self._log(party, Kind.PARTY_LEFT, now, joined_s=round(now - party.since, 3))
            party.since = now
        party.host = host
        if party.since is not None:
            self._log(party, Kind.PARTY_ADDED, now)
        self.hub.keep(party.call)

    def _leave_his_call(self, party: Party, cause: str, now: float) -> Leg:
        """His call ends, but not his leg."""
        call, leg = party.call, party.call.leg
        self._left(party, now)
        call.leg = self.summoning.stand_in(call)
        self.steps.end(call, Disposition.ANSWERED, cause, "system", now)
        return leg

    def _left(self, party: Party | None, now: float) -> None:
        if party is None or self._parties.pop(party.call.id, None) is None or party.since is None:
            return
        self._log(party, Kind.PARTY_LEFT, now, joined_s=round(now - party.since, 3))

    def _log(self, party: Party, kind: Kind, now: float, **data: float) -> None:
        host = party.host
        known = {"party": party.name, "by": party.by}
        event = LogEvent(now, kind, host.id, host.story.queue, host.agent, known | data)
        self.hub.emit([Append(event)])


def _partners_channel(host: Call) -> list[str]:
    """The channel that the one whom he talks with takes of a peer, if any; the caller may have one of the
    same peer."""
    name = host.partner_peer
    his_own = host.identity.kind == "peer" and host.identity.name == name
    return [name] if host.channels.count(name) > his_own else []
