"""Rooms of the running switch: `softswitch.api.rooms.Rooms` for administrators."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from softswitch.api.rooms import ConferenceStatus, MemberStatus, Mode
from softswitch.call.conferences import Conference, Member
from softswitch.call.events import Effect
from softswitch.call.settings import ConferenceCare
from softswitch.call.switch import Switch

Give = Callable[[Callable[[float], list[Effect]]], None]


class RoomControl:
    """Over one switch; `give` runs the core and raises what it refuses."""

    def __init__(self, switch: Switch, give: Give) -> None:
        self._switch = switch
        self._give = give

    def supervise(self, call: str, mode: Mode, extension: str, by: str) -> None:
        """Let whoever is at the extension listen to a call, whisper to its agent, or talk with both."""
        self._give(lambda now: self._switch.supervise(call, mode, extension, by, now))

    def add(self, call: str, number: str, by: str) -> None:
        """Call a number and let whoever answers join a talk."""
        self._give(lambda now: self._switch.add_party(call, number, by, now))

    def conferences(self) -> Sequence[ConferenceStatus]:
        """All conferences: those of the configuration, and those that a reload has taken away while somebody
        is in."""
        conferences = self._switch.conferences
        live, known = conferences.open, conferences.configured
        cares = {**{name: one.care for name, one in live.items()}, **known}
        taped = {name for name, one in live.items() if conferences.is_recorded(one)}
        return [_status(name, care, live.get(name), name in taped) for name, care in cares.items()]

    def mute(self, name: str, call: str, muted: bool, by: str) -> None:
        """Let nobody hear a member, or everybody again."""
        self._order(lambda now: self._switch.conferences.mute(name, call, muted, by, now))

    def gain(self, name: str, call: str, gain_db: float, by: str) -> None:
        """Have a member heard louder than he speaks, or softer (below 0)."""
        self._order(lambda now: self._switch.conferences.gain(name, call, gain_db, by, now))

    def kick(self, name: str, call: str, by: str) -> None:
        """Put a member out."""
        self._order(lambda now: self._switch.conferences.kick(name, call, by, now))

    def end(self, name: str, by: str) -> None:
        """Put everybody out."""
        self._order(lambda now: self._switch.conferences.end(name, by, now))

    def lock(self, name: str, locked: bool, by: str) -> None:
        """Let nobody in any more, or again."""
        self._order(lambda now: self._switch.conferences.lock(name, locked, by, now))

    def _order(self, order: Callable[[float], None]) -> None:
        self._give(lambda now: self._switch.carry_out(order, now))


def _status(name: str, care: ConferenceCare, live: Conference | None, recorded: bool) -> ConferenceStatus:
    if live is None:
        return ConferenceStatus(name=name, max_members=care.max_members)
    return ConferenceStatus(
        name=name,
        max_members=care.max_members,
        since=live.since,
        locked=live.locked,
        recording=recorded,
        members=tuple(_member(member) for member in live.members.values()),
    )


def _member(member: Member) -> MemberStatus:
    call = member.call
    return MemberStatus(
        call=call.id,
        number=call.identity.number,
        name=call.identity.display,
        since=member.since,
        moderator=member.moderator,
        muted=member.silent,
        muted_by=member.muted_by or ("phone" if member.muted else ""),
        gain_db=member.gain_db,
    )
