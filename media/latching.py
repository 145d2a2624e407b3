"""Where each leg's packets come from: demultiplexing keys, latching (symmetric RTP), and late packets of
dead legs.

A leg is expected at its signalled address. Until the first valid packet it is unlatched; that packet, from
the signalled address or, when it is the only unlatched leg on its port, from anywhere (NAT), fixes the
source: from then on every other source is dropped, and we send to where it came from. Invariant: a leg has
at most one key in the table, and it is the latched source or the signalled address; a browser has those of
the other paths that it may send by, too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from media.demux import NOBODY, KeyTable
from media.legs import Legs
from media.packet import U64, Bools, Index
from media.path import local_ports, path_of, remote_of
from media.ports import PortPool

STALE_SOURCE_S = 5.0
MOVED_SOURCE_S = 1.0
FEW_STALE_SOURCES, MAX_STALE_SOURCES = 256, 8192


class Latching:
    """Ties legs, ports and keys together. `now` in seconds."""

    def __init__(self, legs: Legs, ports: PortPool) -> None:
        self._legs = legs
        self._ports = ports
        self._keys = KeyTable()
        self._key_of: dict[int, int] = {}
        self._wanted: dict[int, list[int]] = {}  # key -> slots that signalled it while another leg had it
        self._stale: dict[int, float] = {}  # key of a released leg -> until when its packets are ghosts
        self._stale_room = FEW_STALE_SOURCES  # when so many are there, those that are over are forgotten

    def allocate(self, slot: int, address: int, port: int) -> int:
        """A local port for the slot. Raises PortsExhaustedError."""
        local = self._ports.allocate(slot, address, port)
        self._legs.local_port[slot] = local
        return local

    def allocate_for_browser(self, slot: int) -> int:
        """The local port of all browsers. Raises PortsExhaustedError."""
        local = self._ports.allocate_for_browser(slot)
        self._legs.local_port[slot] = local
        return local

    @property
    def browsers_port(self) -> int:
        """It; 0 while there was no browser."""
        return self._ports.browsers

    def follow(self, slot: int, path: int) -> bool:
        """The browser is here from now on. False, and no change, when another leg is."""
        if self._keys.owner(path) not in (NOBODY, slot):
            return False
        self._drop_key(slot)
        self._take_key(slot, path)
        self._legs.latched[slot] = True
        self._legs.send_to(slot, *remote_of(path))
        return True

    def admit(self, slot: int, path: int) -> None:
        """What comes from here is the browser's, too, which is followed; not when another leg is here."""
        self._keys.add(path, slot)

    def expel(self, slot: int, path: int) -> None:
        """No longer, unless it is where the browser is followed."""
        if self._key_of.get(slot) != path:
            self._keys.remove(path, slot)

    def halt(self, slot: int) -> None:
        """Nothing is sent to the browser before it is followed again."""
        self._legs.send_to(slot, 0, 0)

    def signal(self, slot: int, address: int, port: int, now: float) -> None:
        """Offer/answer named the leg's address (0: none). A changed one unlatches the leg."""
        legs = self._legs
        if address == 0 or port == 0:  # hold of RFC 2543, or a name that is not an address: nothing to expect
            return
        if legs.signalled_address[slot] == address and legs.signalled_port[slot] == port:
            return
        legs.signalled_address[slot] = address
        legs.signalled_port[slot] = port
        legs.latched[slot] = False
        legs.send_to(slot, address, port)
        self._ports.expect(slot, address, port)
        old = self._key_of.get(slot)
        self._drop_key(slot)
        if old is not None:  # what is still under way from the old source must not latch again
            self._ignore(old, now, MOVED_SOURCE_S)
        self._take_key(slot, path_of(int(legs.local_port[slot]), address, port))

    def _take_key(self, slot: int, key: int) -> None:
        if self._keys.add(key, slot):
            self._key_of[slot] = key
            self._stale.pop(key, None)
        else:
            self._wanted.setdefault(key, []).append(slot)

    def _drop_key(self, slot: int) -> None:
        key = self._key_of.pop(slot, None)
        if key is None:
            for waiting in self._wanted.values():
                if slot in waiting:
                    waiting.remove(slot)
            return
        self._keys.remove(key, slot)
        for heir in self._wanted.pop(key, []):
            self._take_key(heir, key)

    def look_up(self, paths: U64) -> tuple[Index, Bools]:
        """The slots of n packets' paths, intp[n], and bool[n]: there is such a leg (else the slot means
        nothing)."""
        return self._keys.look_up(paths)

    def expecting(self, port: int) -> int | None:
        """The leg that would latch onto a stranger who sends to this local port."""
        slot = self._ports.unlatched(port)
        return slot if slot is not None and self._legs.configured[slot] else None

    def welcomes(self, port: int) -> bool:
        """Whether somebody of whom nothing is known yet may matter who sends to this local port: a leg might
        latch onto him, or he is a browser that tells who he is."""
        return port == self._ports.browsers or self.expecting(port) is not None

    def addresses(self) -> set[int]:
        """Those of which late packets are still ignored."""
        return {remote_of(key)[0] for key in self._stale}

    def adopt(
        self, paths: U64, unknown: Bools, is_ours: Callable[[int, Index], Bools], now: float
    ) -> list[int]:
        """Latch unlatched legs onto unknown sources. The slots that latched: if any, look up again.

        paths: uint64[n]; unknown: bool[n], valid packets without a leg. `is_ours(slot, rows)` says which of
        these rows carry a payload type that the slot expects.
        """
        found: list[int] = []
        rows = np.flatnonzero(unknown)
        ports = local_ports(paths[rows])
        for port in np.unique(ports).tolist():  # open local ports: a handful, whatever is sent to them
            slot = self.expecting(port)
            if slot is None:
                continue
            candidates = rows[ports == port]
            fitting = candidates[is_ours(slot, candidates)]
            for row in fitting[:16].tolist():
                key = int(paths[row])
                if self._stale.get(key, 0.0) <= now:
                    self._drop_key(slot)
                    self._take_key(slot, key)
                    self._fix(slot, key)
                    found.append(slot)
                    break
        return found

    def latch(self, slot: int) -> None:
        """A valid packet came from the leg's expected address."""
        self._fix(slot, self._key_of[slot])

    def _fix(self, slot: int, key: int) -> None:
        address, port = remote_of(key)
        legs = self._legs
        legs.latched[slot] = True
        legs.send_to(slot, address, port)
        self._ports.latched(slot, address, port)

    def release(self, slot: int, now: float) -> None:
        """The leg is over. What still arrives from its source cannot be taken for another leg for a while."""
        key = self._key_of.get(slot)
        self._drop_key(slot)
        if key is not None and self._keys.owner(key) == NOBODY:
            self._ignore(key, now, STALE_SOURCE_S)
        self._ports.release(slot)

    def _ignore(self, key: int, now: float, for_s: float) -> None:
        if len(self._stale) >= self._stale_room:
            self._stale = {key: until for key, until in self._stale.items() if until > now}
            self._stale_room = min(max(FEW_STALE_SOURCES, 2 * len(self._stale)), MAX_STALE_SOURCES)
        if len(self._stale) < MAX_STALE_SOURCES:
            self._stale[key] = now + for_s
