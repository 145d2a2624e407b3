"""ICE, the lite side (RFC 8445 2.5): checks of one leg are answered, and the path that its browser has chosen
is followed. STUN messages are those of aioice.

A lite agent is at an address that browsers can reach, and checks nothing itself. A browser that nominates a
path which it has checked before has chosen it, for its own reasons: Chromium does that again within the first
second, for a path of lower priority too. One that nominates each path with its first check, before it can
know that it works (Firefox), has not chosen yet: of those the priority decides. Invariants: nothing counts
that is not signed with the leg's own password; the chosen path is one that such a check has come by.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from aioice import stun

from media.messages import IceCredentials

SETTLING_S = 2.0
"""So long after its first check, a browser that nominates every path unseen (RFC 5245 8.1.1.2) is taken at
the priorities it gives them; afterwards, whoever nominates another path means it."""
MAX_PATHS = 16
"""Candidate pairs of one browser that are known."""
MAX_USERNAME_BYTES = 513
"""RFC 8489 14.3."""
MAX_ATTRIBUTES = 32
"""Of a check; browsers send about ten, each once."""
_HEADER_BYTES = 20
_BINDING_REQUEST = b"\x00\x01"
_USERNAME = 0x0006

Address = tuple[str, int]


def user_of(datagram: bytes) -> str:
    """The fragment that a check is meant for: ours is the first of the two (RFC 8445 7.2.2). "" for all that
    is no check, or has more attributes than one; to be asked before anything else is read, as it costs
    little whatever the datagram is made of."""
    user, seen, at = "", set[int](), _HEADER_BYTES
    if datagram[:2] != _BINDING_REQUEST:
        return user
    while at + 4 <= len(datagram):
        kind, size = struct.unpack_from("!HH", datagram, at)
        if kind in seen or len(seen) == MAX_ATTRIBUTES:
            return ""
        seen.add(kind)
        if kind == _USERNAME and size <= MAX_USERNAME_BYTES:
            user = datagram[at + 4 : at + 4 + size].partition(b":")[0].decode(errors="replace")
        at += 4 + (size + 3) // 4 * 4
    return user


def read_check(datagram: bytes) -> stun.Message | None:
    """A binding request with a user name; None for everything else that comes as STUN."""
    try:
        message = stun.parse_message(datagram)
    except (ValueError, struct.error):
        return None
    name = message.attributes.get("USERNAME", "")
    if message.message_method != stun.Method.BINDING or message.message_class != stun.Class.REQUEST:
        return None
    return message if 0 < len(name) <= MAX_USERNAME_BYTES else None


@dataclass(slots=True)
class _Chosen:
    path: int
    priority: int


class IceLite:
    """One leg. Paths are those of `media.path`; `address_of` tells the remote address of one."""

    def __init__(self, credentials: IceCredentials, address_of: Callable[[int], Address]) -> None:
        self._credentials = [credentials]
        self._address_of = address_of
        self._chosen: _Chosen | None = None
        self._settled_at = float("inf")
        self._unseen: dict[int, bool] = {}
        """Of each path, the oldest first: whether its first check nominated it."""

    @property
    def credentials(self) -> IceCredentials:
        """Ours, those that count from now on."""
        return self._credentials[0]

    @property
    def users(self) -> list[str]:
        """The fragments by which its checks are known: the current one, and that before a restart."""
        return [one.ufrag for one in self._credentials]

    @property
    def path(self) -> int | None:
        """Where its browser wants to be."""
        return self._chosen.path if self._chosen is not None else None

    def restart(self, credentials: IceCredentials) -> bool:
        """These count from now on (RFC 8445 2.4); checks by those before are answered until a path is chosen
        anew. The same again change nothing: False."""
        if credentials == self._credentials[0]:
            return False
        self._credentials = [credentials, self._credentials[0]]
        self._settled_at = float("inf")
        return True

    def check(self, check: stun.Message, path: int, now: float) -> bytes | None:
        """Answer a check that came by `path`; None when it is not signed as it should be."""
        user = str(check.attributes["USERNAME"]).partition(":")[0]
        mine = next((one for one in self._credentials if one.ufrag == user), None)
        if mine is None or not check.check_message_integrity(mine.password.encode()):
            return None
        if self._settled_at == float("inf") and mine is self._credentials[0]:
            self._settled_at = now + SETTLING_S
            del self._credentials[1:]
            self._unseen.clear()
            if self._chosen is not None:  # what was chosen before a restart stays until there is better
                self._chosen.priority = -1
        nominated = "USE-CANDIDATE" in check.attributes
        unseen = self._unseen.setdefault(path, nominated)
        if len(self._unseen) > MAX_PATHS:
            del self._unseen[next(iter(self._unseen))]
        if nominated:
            self._nominate(path, int(check.attributes.get("PRIORITY", 0)), unseen and now < self._settled_at)
        return _answer(check, self._address_of(path), mine.password.encode())

    def _nominate(self, path: int, priority: int, by_priority: bool) -> None:
        if by_priority and self._chosen is not None and priority < self._chosen.priority:
            return
        self._chosen = _Chosen(path, priority)


def _answer(check: stun.Message, remote: Address, password: bytes) -> bytes:
    """The success response (RFC 8445 7.3): where the check came from, signed with our password."""
    answer = stun.Message(
        stun.Method.BINDING, stun.Class.RESPONSE, check.transaction_id, {"XOR-MAPPED-ADDRESS": remote}
    )
    answer.add_message_integrity(password)
    return bytes(answer)
