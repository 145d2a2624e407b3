"""Any history of what the kernel is told and tells: legs, routes, packets and notes, without a kernel."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from media.forwarding import BUDGET, NO_ROUTE, Route
from media.forwarding_memory import LOOPBACK, ROOM
from media.path import remote_of
from tests.support.forwarding import CAPACITY, LOCAL, Kernel, host, path

SLOTS = st.sets(st.integers(0, CAPACITY - 1))
ROUTES = [Route(LOCAL, 2), Route(LOCAL, 3), Route(LOCAL + 1, 2), Route(LOCAL, LOOPBACK), NO_ROUTE]


class History(RuleBasedStateMachine):
    """Legs come, go and change places, routes change, the program loses ways and leaves notes."""

    @initialize(start=st.sampled_from([0, ROOM - 5, (1 << 32) - 5]))
    def begin(self, start: int) -> None:
        self.kernel = Kernel()
        self.kernel.start_at(start)
        self.laid: set[int] = set()
        self.known: dict[int, Route] = dict(self.kernel.routes.routes)
        """The routes as they were when the kernel was last told of them."""
        self.written: list[int] = []
        self.missing: list[int] = []
        self.forwarded = 0
        self.turn = 0

    @rule(slots=SLOTS, order=st.permutations(range(CAPACITY)), parted=st.booleans())
    def lay(self, slots: set[int], order: list[int], parted: bool) -> None:
        """Legs `slots` are at the places that `order` says,
        and hear one another in pairs; `parted`: all the first."""
        kernel = self.kernel
        kernel.sources[:] = [path(place) for place in order]
        kernel.steady["path"] = [path(order[0 if parted else slot ^ 1]) for slot in range(CAPACITY)]
        self._lay(slots, anew=False)

    @rule()
    def lay_the_same(self) -> None:
        """A stream has begun, or so."""
        kernel = self.kernel
        kernel.keys.calls.clear()
        kernel.routes.asked.clear()
        self._lay(self.laid, anew=False)
        assert kernel.keys.calls == []
        assert not kernel.routes.asked or len(kernel.keys) < len(self.laid), "those without a way ask again"

    def _lay(self, slots: set[int], anew: bool) -> None:
        if anew:
            self.known = dict(self.kernel.routes.routes)
        self.kernel.lay(*slots, anew=anew)
        self.laid, self.turn = slots, self.turn + 1
        assert not self.kernel.ways["on"].any()

    @rule(slot=st.integers(0, CAPACITY - 1), route=st.sampled_from(ROUTES))
    def reroute(self, slot: int, route: Route) -> None:
        """And what has the same path as before has the same key."""
        kernel = self.kernel
        kernel.routes.routes[host(slot)] = route
        kernel.routes.other = True
        before, ways = dict(kernel.keys), kernel.ways.copy()
        told = kernel.forwarding.rerouted()
        kernel.keys.calls.clear()
        self._lay(self.laid, anew=True)
        moved = [key for _, keys in kernel.keys.calls for key in keys]
        assert set(moved) == before.keys() ^ kernel.keys.keys() and len(set(moved)) == len(moved)
        routed = [
            name
            for name in ("local", "source", "arrives", "leaves")
            if (ways[name] != kernel.ways[name]).any()
        ]
        assert told == bool(moved or routed)

    @rule()
    def resume(self) -> None:
        self.kernel.resume()
        assert self.kernel.on() == sorted(self.kernel.keys.values())

    @rule()
    def tick(self) -> None:
        self.kernel.forwarding.tick()
        assert self.kernel.ways["budget"].tolist() == [BUDGET] * CAPACITY

    @precondition(lambda self: self.kernel.on())
    @rule(data=st.data(), finished=st.booleans(), odd=st.booleans())
    def packet(self, data: st.DataObject, finished: bool, odd: bool) -> None:
        """As the program does."""
        kernel = self.kernel
        slot = data.draw(st.sampled_from(kernel.on()))
        if odd or not kernel.ways["budget"][slot]:
            kernel.ways["on"][slot] = 0
            return
        kernel.ways["budget"][slot] -= 1
        head = int(kernel.control["head"][0])
        kernel.write(slot, missing=() if finished else (head,))
        self.written.append(slot)
        self.forwarded += 1
        if not finished:
            self.missing.append(head)

    @precondition(lambda self: self.missing)
    @rule()
    def finish(self) -> None:
        self.kernel.stamp(self.missing.pop(0))

    @rule()
    def read(self) -> None:
        kernel = self.kernel
        head = int(kernel.control["head"][0])
        ready = len(self.written) - (head - self.missing[0] if self.missing else 0)
        assert kernel.read() == self.written[:ready]
        del self.written[:ready]
        assert kernel.forwarding.forwarded() == self.forwarded
        self.forwarded = 0

    @invariant()
    def keys_lead_to_their_legs(self) -> None:
        """And each way says what the routes said."""
        kernel, ways = self.kernel, self.kernel.ways
        assert kernel.control["turn"][0] == self.turn
        for key, slot in kernel.keys.items():
            assert int(kernel.sources[slot]) == key
            comes, goes = (self.known[remote_of(int(one[slot]))[0]] for one in (kernel.sources, self._to()))
            assert (ways["arrives"][slot], ways["leaves"][slot]) == (comes.interface, goes.interface)
            assert ways["local"][slot].tobytes() == comes.source.to_bytes(4, "big")
            assert ways["source"][slot].tobytes() == goes.source.to_bytes(4, "big")
            assert int(ways["destination"][slot]) == int(self._to()[slot]) >> 32

    @invariant()
    def all_go_that_can(self) -> None:
        """Those laid that have a route at both ends, and do not come from elsewhere to stay here."""
        able = set()
        for slot in self.laid:
            comes, goes = (
                self.known[remote_of(int(one[slot]))[0]] for one in (self.kernel.sources, self._to())
            )
            stays = goes.interface == LOOPBACK
            if NO_ROUTE not in (comes, goes) and (not stays or comes.interface == LOOPBACK):
                able.add(slot)
        assert set(self.kernel.keys.values()) == able
        assert set(self.kernel.on()) <= able

    def _to(self) -> np.ndarray:
        return self.kernel.steady["path"]


TestHistory = History.TestCase
