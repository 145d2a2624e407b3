"""Sharing of local ports: the two rules of the demultiplexing key hold in every history."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from media.errors import DescriptorsExhaustedError, PortsExhaustedError
from media.ports import KEEP_IDLE, PortPool
from tests.support.rtp import NoSockets

ADDRESSES = st.integers(1, 3)
REMOTE_PORTS = st.integers(1, 3)


class Sharing(RuleBasedStateMachine):
    """Legs come (with what is known of their remote), latch and go."""

    def __init__(self) -> None:
        super().__init__()
        self.binder = NoSockets(taken={40004, 40010})
        self.pool = PortPool(40000, 40059, self.binder)
        self.next_slot = 0
        self.port: dict[int, int] = {}
        self.hint: dict[int, tuple[int, int]] = {}
        self.latched: dict[int, tuple[int, int]] = {}

    @rule(address=st.integers(0, 3), port=st.integers(0, 3))
    def allocate(self, address: int, port: int) -> None:
        if not address:
            port = 0
        try:
            got = self.pool.allocate(self.next_slot, address, port)
        except PortsExhaustedError:
            return
        assert got % 2 == 0 and got in self.binder.opened
        others = [slot for slot, theirs in self.port.items() if theirs == got]
        assert all(slot in self.latched for slot in others)
        if address and port:
            assert (address, port) not in [self.latched[slot] for slot in others]
        elif address:
            assert address not in [self.latched[slot][0] for slot in others]
        else:
            assert not others
        self.port[self.next_slot] = got
        self.hint[self.next_slot] = (address, port)
        self.next_slot += 1

    @precondition(lambda self: len(self.port) > len(self.latched))
    @rule(data=st.data(), address=ADDRESSES, port=REMOTE_PORTS)
    def latch(self, data: st.DataObject, address: int, port: int) -> None:
        slot = data.draw(st.sampled_from(sorted(set(self.port) - set(self.latched))))
        waiting = [
            other for other, at in self.port.items() if at == self.port[slot] and other not in self.latched
        ]
        assert self.pool.unlatched(self.port[slot]) == (slot if len(waiting) == 1 else None)
        known_address, known_port = self.hint[slot]
        remote = (known_address or address, known_port or port)
        self.pool.latched(slot, *remote)
        self.latched[slot] = remote

    @precondition(lambda self: bool(self.port))
    @rule(data=st.data(), address=ADDRESSES, port=REMOTE_PORTS)
    def signalled_anew(self, data: st.DataObject, address: int, port: int) -> None:
        """A re-INVITE may name any remote, even that of another leg on the port."""
        slot = data.draw(st.sampled_from(sorted(self.port)))
        self.pool.expect(slot, address, port)
        self.hint[slot] = (address, port)
        self.latched.pop(slot, None)

    @precondition(lambda self: bool(self.port))
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.port)))
        self.pool.release(slot)
        del self.port[slot]
        self.latched.pop(slot, None)

    @invariant()
    def few_sockets_idle(self) -> None:
        assert len(self.binder.opened) == len(self.pool)
        assert len(self.binder.opened) <= len(set(self.port.values())) + KEEP_IDLE


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_exhaustion_names_the_range_and_ends_when_a_leg_does() -> None:
    pool = PortPool(40000, 40005, NoSockets(taken={40002}))
    pool.allocate(1)
    pool.allocate(2)
    with pytest.raises(PortsExhaustedError, match=r"40000-40005.*2 are in use, 1 are taken"):
        pool.allocate(3)
    pool.release(1)
    assert pool.allocate(3) in (40000, 40004)


def test_a_port_ahead_is_the_first_leg_s_and_shows_what_cannot_serve() -> None:
    binder = NoSockets(taken={40000})
    pool = PortPool(40000, 40005, binder)
    pool.prepare()
    pool.prepare()
    assert binder.opened == {40002} and pool.allocate(1) == 40002
    with pytest.raises(PortsExhaustedError, match="0 are in use, 3 are taken by other programs"):
        PortPool(40000, 40005, NoSockets(taken={40000, 40002, 40004})).prepare()


def test_a_range_is_checked() -> None:
    for first, last in ((80, 90), (40000, 40000), (40000, 70000)):
        with pytest.raises(ValueError, match="port range"):
            PortPool(first, last, NoSockets())


def test_an_odd_first_port_is_left_out() -> None:
    binder = NoSockets()
    pool = PortPool(40001, 40005, binder)
    assert {pool.allocate(1), pool.allocate(2)} == {40002, 40004}


class NoDescriptors(NoSockets):
    """A PortBinder with so many sockets and no more."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def open(self, port: int) -> bool:
        if len(self.opened) >= self.limit:
            raise DescriptorsExhaustedError("raise the limit of open files")
        return super().open(port)


def test_want_of_descriptors_is_told_at_once_and_costs_no_port() -> None:
    pool = PortPool(40000, 40199, NoDescriptors(2))
    pool.allocate(1)
    pool.allocate(2)
    for _ in range(3):
        with pytest.raises(DescriptorsExhaustedError, match="limit of open files"):
            pool.allocate(3)
    pool.release(1)
    assert pool.allocate(3) == 40000


def test_many_legs_of_one_remote_are_each_on_a_port_of_its_own_and_share_with_others() -> None:
    """SIPp sends all its calls' media from one port."""
    pool = PortPool(40000, 41999, NoSockets())
    ports = []
    for slot in range(400):
        ports.append(pool.allocate(slot, 1, 6000))
        pool.latched(slot, 1, 6000)
    assert len(set(ports)) == 400
    for slot in range(400, 800):
        assert pool.allocate(slot, 2, 6000) in ports
        pool.latched(slot, 2, 6000)
    assert len(pool) == 400
