"""What the kernel is told of bridged calls, and what is made of its notes, without a kernel."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from media.engine import Engine
from media.forwarding import BUDGET, Forwarding, Route
from media.forwarding_program import CONTROL, NOTE, ROOM, WAY
from media.messages import Connect, Release, Released
from media.path import path_of
from media.ports import PortPool
from media.steady import _WAY
from tests.support.bpf_run import number, ones_sum
from tests.support.rtp import EngineBench, NoSockets

CAPACITY = 6
LOCAL = number("10.0.0.1")
ROUTES = {number(f"10.1.0.{host}"): Route(LOCAL, 2) for host in range(CAPACITY)}


class DictKeys(dict[int, int]):
    """Keys as the kernel has them: so many at most; what is not there cannot be removed."""

    room = CAPACITY

    def put(self, key: int, value: int, /) -> None:
        assert key not in self, "two legs on one path: the other would hear what is not meant for it"
        if len(self) >= self.room:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        self[key] = value

    def remove(self, key: int, /) -> None:
        if key not in self:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        del self[key]


class Table:
    """Routes that a test changes."""

    def __init__(self, routes: Mapping[int, Route]) -> None:
        self.routes = dict(routes)
        self.other = False

    def to(self, address: int) -> Route | None:
        return self.routes.get(address)

    def changed(self) -> bool:
        other, self.other = self.other, False
        return other


class Kernel:
    """What the program would see, and a Forwarding that writes it."""

    def __init__(self, dscp: int = 0) -> None:
        self.ways = np.zeros(CAPACITY, WAY)
        self.control = np.zeros(1, CONTROL)
        self.ring = np.zeros(ROOM, NOTE)
        self.keys, self.routes = DictKeys(), Table(ROUTES)
        self.forwarding = Forwarding(
            self.ways, self.control, self.ring, self.keys, self.routes, origin_s=0.0, dscp=dscp
        )
        self.steady = np.zeros(CAPACITY, _WAY)
        self.sources = np.array([path(slot) for slot in range(CAPACITY)], np.uint64)
        self.highest = np.zeros(CAPACITY, np.int64)
        for slot in range(CAPACITY):
            self.steady["path"][slot] = path(slot ^ 1)

    def lay(self, *slots: int) -> None:
        wanted = np.zeros(CAPACITY, np.bool_)
        wanted[list(slots)] = True
        self.forwarding.withdraw()
        self.forwarding.lay(wanted, self.sources, self.steady, self.highest)

    def resume(self) -> None:
        self.forwarding.resume(self.highest)

    def on(self) -> list[int]:
        """Whose packets are forwarded."""
        return np.flatnonzero(self.ways["on"]).tolist() if self.control["enabled"][0] else []

    def write(self, *slots: int, numbers: Iterable[int] | None = None) -> None:
        """Notes of packets of these legs, one after the other, all of whose stamps are there but those of the
        given `numbers`."""
        missing = set(numbers or ())
        for slot in slots:
            head = int(self.control["head"][0])
            note = self.ring[head % ROOM : head % ROOM + 1]
            note["slot"], note["headers"][0, 0] = slot, head & 0xFFFFFFFF
            if head not in missing:
                note["stamp"] = head + 1 & 0xFFFFFFFF
            self.control["head"][0] = head + 1

    def stamp(self, head: int) -> None:
        """Another processor has finished its note."""
        self.ring["stamp"][head % ROOM] = head + 1 & 0xFFFFFFFF

    def read(self) -> list[int]:
        """The legs of the notes that are there."""
        return [slot for part in self.forwarding.notes() for slot in part["slot"].tolist()]

    def start_at(self, head: int) -> None:
        """So many packets were forwarded already; the ring is full of their stamps."""
        self.control["head"][0] = self.control["tail"][0] = head
        before = head - 1 - (head - 1 - np.arange(ROOM)) % ROOM
        self.ring["stamp"] = np.where(before >= 0, before + 1 & 0xFFFFFFFF, 0)


def path(slot: int, local_port: int = 40000) -> int:
    return path_of(local_port, number(f"10.1.0.{slot}"), 5000 + 2 * slot)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


# ----- what the kernel is told


def test_nothing_is_forwarded_before_resume(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    assert not kernel.control["enabled"][0] and not kernel.ways["on"].any()
    kernel.resume()
    assert kernel.on() == [0, 1]
    assert dict(kernel.keys) == {path(0): 0, path(1): 1}
    assert kernel.ways["budget"][:2].tolist() == [BUDGET, BUDGET]
    kernel.forwarding.withdraw()
    assert kernel.on() == []


def test_a_way_as_it_lies_in_the_packet(kernel: Kernel) -> None:
    kernel = Kernel(dscp=46)
    kernel.routes.routes[number("10.1.0.0")] = Route(number("192.168.3.4"), 2)
    kernel.routes.routes[number("10.1.0.1")] = Route(number("172.16.5.6"), 7)
    for name in ("expected", "ssrc", "sequence_step", "head_step", "timestamp_step", "ssrc_step"):
        kernel.steady[name][0] = 0x1234
    kernel.highest[0] = 0x1FFFE
    kernel.steady["path"][0] = path(1, 40100)
    kernel.lay(0)
    way = kernel.ways[0]
    assert way["local"].tobytes() == bytes([192, 168, 3, 4]), "where it comes to"
    assert way["source"].tobytes() == bytes([172, 16, 5, 6]), "where it comes from for whoever hears it"
    assert way["destination"].tobytes() == bytes([10, 1, 0, 1])
    assert way["ports"].tobytes() == (40100).to_bytes(2, "big") + (5002).to_bytes(2, "big")
    assert (way["interface"], way["highest"]) == (7, 0xFFFE)
    assert {int(way[name]) for name in ("expected", "ssrc", "sequence_step", "timestamp_step")} == {0x1234}
    header = bytes([0x45, 46 << 2, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 172, 16, 5, 6, 10, 1, 0, 1])
    assert ones_sum(int(way["checksum"]).to_bytes(4, "little")) == ones_sum(header)


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 63))
def test_the_sum_of_every_header(source: int, destination: int, dscp: int) -> None:
    kernel = Kernel(dscp)
    kernel.routes.routes |= {number("10.1.0.0"): Route(LOCAL, 2), destination: Route(source, 2)}
    kernel.steady["path"][0] = path_of(40000, destination, 9)
    kernel.lay(0)
    addresses = source.to_bytes(4, "big") + destination.to_bytes(4, "big")
    header = bytes([0x45, dscp << 2, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0]) + addresses
    assert ones_sum(int(kernel.ways["checksum"][0]).to_bytes(4, "little")) == ones_sum(header)


def test_two_legs_swap_their_paths(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    kernel.resume()
    kernel.sources[[0, 1]] = kernel.sources[[1, 0]]
    kernel.lay(0, 1)
    kernel.resume()
    assert dict(kernel.keys) == {path(0): 1, path(1): 0}


def test_a_path_goes_from_one_leg_to_another(kernel: Kernel) -> None:
    """The later slot's key has to go before the earlier one has it."""
    kernel.lay(3)
    kernel.sources[0] = path(3)
    kernel.lay(0)
    kernel.resume()
    assert dict(kernel.keys) == {path(3): 0} and kernel.on() == [0]


@pytest.mark.parametrize("host", [0, 1])
def test_without_a_route_the_worker_relays_it(kernel: Kernel, host: int) -> None:
    del kernel.routes.routes[number(f"10.1.0.{host}")]
    kernel.lay(0, 1, 2, 3)
    kernel.resume()
    assert kernel.on() == [2, 3] and set(kernel.keys.values()) == {2, 3}


def test_without_room_for_its_key_the_worker_relays_it(kernel: Kernel) -> None:
    kernel.keys.room = 3
    kernel.lay(0, 1, 2, 3)
    kernel.resume()
    assert kernel.on() == [0, 1, 2]
    kernel.lay(2, 3)
    kernel.lay(1, 2, 3)  # nothing of 3 is left over that stands in the way
    kernel.lay()
    assert not kernel.keys and not kernel.ways["on"].any()


def test_what_stays_as_it_is_keeps_its_key(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel.lay(0, 1)
    put: list[int] = []
    monkeypatch.setattr(kernel.keys, "put", lambda key, value: put.append(value))
    kernel.lay(0, 1, 2)
    assert put == [2]


def test_other_steps_are_told_of_ways_that_stay(kernel: Kernel) -> None:
    """A stream has begun: the path is the same."""
    kernel.lay(0, 1)
    kernel.steady["ssrc_step"] = 77
    kernel.lay(0, 1)
    assert kernel.ways["ssrc_step"].tolist() == [77] * CAPACITY


def test_changed_routes_are_asked_for_again(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    kernel.resume()
    assert not kernel.forwarding.rerouted()
    kernel.routes.routes[number("10.1.0.1")] = Route(LOCAL, 9)
    del kernel.routes.routes[number("10.1.0.3")]
    kernel.routes.other = True
    assert kernel.forwarding.rerouted()
    assert kernel.forwarding.rerouted(), "until everything is laid anew"
    kernel.lay(0, 1)
    kernel.resume()
    assert not kernel.forwarding.rerouted()
    assert kernel.ways["interface"][:2].tolist() == [9, 2]
    del kernel.routes.routes[number("10.1.0.0")]
    kernel.routes.other = True
    kernel.forwarding.rerouted()
    kernel.lay(0, 1)
    kernel.resume()
    assert kernel.on() == [] and not kernel.keys
    kernel.routes.routes[number("10.1.0.0")] = Route(LOCAL, 2)
    kernel.routes.other = True
    kernel.forwarding.rerouted()
    kernel.lay(0, 1)
    kernel.resume()
    assert kernel.on() == [0, 1] and set(kernel.keys) == {path(0), path(1)}


def test_a_leg_that_lost_its_way_gets_it_back(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    kernel.resume()
    kernel.ways["on"][1] = 0
    kernel.ways["budget"][:2] = 3
    kernel.forwarding.withdraw()
    kernel.resume()
    assert kernel.on() == [0, 1]
    assert kernel.ways["budget"][:2].tolist() == [3, BUDGET], "who did not lose it has had no notes taken"


def test_a_leg_that_is_not_laid_never_gets_a_way(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    kernel.resume()
    kernel.lay(0)
    kernel.resume()
    assert kernel.on() == [0]


@given(st.integers(0, 0xFFFF), st.integers(-30000, 30000), st.integers(0, 0xFFFF), st.booleans())
def test_highest_never_falls_in_resume(known: int, ahead: int, upper: int, idle: bool) -> None:
    """The program writes the whole first word there, and may have seen more than the worker, or less."""
    kernel = Kernel()
    kernel.lay(0)
    kernel.resume()
    kernel.ways["highest"][0] = upper << 16 | known
    kernel.ways["on"][0] = not idle
    kernel.highest[0] = 65536 * 9 + known + ahead
    kernel.resume()
    wanted = known + max(ahead, 0) if idle else known
    assert int(kernel.ways["highest"][0]) & 0xFFFF == wanted & 0xFFFF
    assert kernel.on() == [0]


# ----- what it tells


@pytest.mark.parametrize("start", [0, 7, ROOM - 3, 5 * ROOM - 1, (1 << 32) - 3, (1 << 32) + ROOM - 2])
def test_notes_come_once_and_in_order(kernel: Kernel, start: int) -> None:
    kernel.start_at(start)
    assert kernel.read() == []
    kernel.write(1, 2, 3, 4, 5, 0)
    assert kernel.read() == [1, 2, 3, 4, 5, 0]
    assert kernel.read() == []
    assert kernel.control["tail"][0] == start + 6
    assert kernel.forwarding.forwarded == start + 6


def test_a_whole_ring_of_notes(kernel: Kernel) -> None:
    kernel.start_at(2 * ROOM + 10)
    kernel.control["tail"][0] -= ROOM
    assert len(kernel.read()) == ROOM


@pytest.mark.parametrize("start", [0, ROOM - 2, (1 << 32) - 2])
@pytest.mark.parametrize("missing", [0, 1, 2, 3])
def test_a_note_that_is_being_written_waits_with_those_behind_it(
    kernel: Kernel, start: int, missing: int
) -> None:
    kernel.start_at(start)
    kernel.write(0, 1, 2, 3, numbers=[start + missing])
    assert kernel.read() == [0, 1, 2, 3][:missing]
    assert kernel.read() == []
    kernel.stamp(start + missing)
    assert kernel.read() == [0, 1, 2, 3][missing:]


def test_an_old_stamp_is_no_stamp(kernel: Kernel) -> None:
    """The place was written a turn of the ring ago."""
    kernel.start_at(ROOM)
    assert kernel.ring["stamp"].all()
    kernel.write(1, numbers=[ROOM])
    assert kernel.read() == []
    kernel.stamp(ROOM)
    assert kernel.read() == [1]


def test_no_empty_part_is_handed_out(kernel: Kernel) -> None:
    """Whoever takes the parts divides them further."""
    kernel.write(0, 1, numbers=[0])
    assert [part.size for part in kernel.forwarding.notes()] == []
    kernel = Kernel()
    kernel.start_at(ROOM - 1)
    kernel.write(0, 1, numbers=[ROOM])
    assert [part.size for part in kernel.forwarding.notes()] == [1]


def test_the_budget_comes_back_with_notes(kernel: Kernel) -> None:
    kernel.lay(0, 1)
    kernel.resume()
    kernel.ways["budget"] = 5
    assert kernel.read() == []
    assert kernel.ways["budget"].tolist() == [5] * CAPACITY
    kernel.write(0, 1)
    assert kernel.read() == [0, 1]
    assert kernel.ways["budget"].tolist() == [BUDGET] * CAPACITY


def test_the_budget_does_not_come_back_without_notes(kernel: Kernel) -> None:
    """One that is never finished would let everything through for ever."""
    kernel.lay(0, 1)
    kernel.resume()
    kernel.ways["budget"] = 5
    kernel.write(0, 1, numbers=[0])
    assert kernel.read() == []
    assert kernel.ways["budget"].tolist() == [5] * CAPACITY


def test_who_stops_reading_gives_no_budget(kernel: Kernel) -> None:
    kernel.start_at(ROOM - 1)
    kernel.ways["budget"] = 5
    kernel.write(0, 1)
    next(iter(kernel.forwarding.notes()))
    assert kernel.ways["budget"].tolist() == [5] * CAPACITY


# ----- an engine that is told


def test_an_engine_waits_for_a_note_that_is_being_written(kernel: Kernel) -> None:
    bench = EngineBench(CAPACITY)
    bench.engine = Engine(
        CAPACITY,
        PortPool(40000, 40199, NoSockets()),
        address="10.0.0.1",
        recorder=bench.recorder,
        seed=7,
        forwarding=kernel.forwarding,
    )
    phones = [bench.phone(leg, f"10.1.0.{leg}", 5000 + 2 * leg) for leg in range(2)]
    bench.do(Connect(0, 1))
    for phone in phones:
        phone.talk()
    bench.engine.resume()
    slots = kernel.on()
    assert len(slots) == 2
    for slot in slots:
        head = int(kernel.control["head"][0])
        kernel.write(slot, numbers=[head])
        note, phone = kernel.ring[head : head + 1], phones[slot]
        note["headers"][0] = (0x80000000 | phone.sequence, phone.timestamp, phone.ssrc)
        note["length"] = 172
    bench.tick(5)
    for head in range(2):
        kernel.stamp(head)
    bench.do(Release(0), Release(1))
    received = [one.quality.packets_received for one in bench.take(Released) if isinstance(one, Released)]
    assert received == [3, 3]


# ----- any history

SLOTS = st.sets(st.integers(0, CAPACITY - 1))


class History(RuleBasedStateMachine):
    """Legs come, go and change places, routes change, the program loses ways and leaves notes."""

    @initialize(start=st.sampled_from([0, ROOM - 5, (1 << 32) - 5]), room=st.integers(2, CAPACITY))
    def begin(self, start: int, room: int) -> None:
        self.kernel = Kernel()
        self.kernel.start_at(start)
        self.kernel.keys.room = room
        self.laid: set[int] = set()
        self.written: list[int] = []
        self.missing: list[int] = []

    @rule(slots=SLOTS, order=st.permutations(range(CAPACITY)), rerouted=st.booleans())
    def lay(self, slots: set[int], order: list[int], rerouted: bool) -> None:
        """Legs `slots` are at the places that `order` says."""
        kernel = self.kernel
        kernel.sources[:] = [path(place) for place in order]
        kernel.steady["path"] = [path(order[slot ^ 1]) for slot in range(CAPACITY)]
        kernel.routes.other |= rerouted
        kernel.forwarding.rerouted()
        kernel.lay(*slots)
        self.laid = slots

    @rule(host=st.integers(0, CAPACITY - 1), interface=st.sampled_from([0, 2, 3, None]))
    def reroute(self, host: int, interface: int | None) -> None:
        kernel = self.kernel
        kernel.routes.routes.pop(number(f"10.1.0.{host}"), None)
        if interface is not None:
            kernel.routes.routes[number(f"10.1.0.{host}")] = Route(LOCAL, interface)
        kernel.routes.other = True
        kernel.forwarding.withdraw()
        kernel.forwarding.rerouted()
        kernel.lay(*self.laid)

    @rule()
    def resume(self) -> None:
        self.kernel.resume()

    @precondition(lambda self: self.kernel.on())
    @rule(data=st.data(), finished=st.booleans(), odd=st.booleans())
    def packet(self, data: st.DataObject, finished: bool, odd: bool) -> None:
        kernel = self.kernel
        slot = data.draw(st.sampled_from(kernel.on()))
        if odd or not kernel.ways["budget"][slot]:
            kernel.ways["on"][slot] = 0
            return
        kernel.ways["budget"][slot] -= 1
        head = int(kernel.control["head"][0])
        kernel.write(slot, numbers=() if finished else (head,))
        self.written.append(slot)
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

    @invariant()
    def keys_lead_to_their_legs(self) -> None:
        kernel = self.kernel
        assert all(int(kernel.sources[slot]) == key for key, slot in kernel.keys.items())
        assert set(kernel.keys.values()) <= self.laid
        assert len(kernel.keys) == len(set(kernel.keys.values()))
        ways = kernel.ways
        for slot in kernel.on():
            assert slot in kernel.keys.values()
            there = kernel.routes.routes[int.from_bytes(ways["destination"][slot].tobytes(), "big")]
            assert int(ways["interface"][slot]) == there.interface
            assert int(ways["destination"][slot]) == int(kernel.steady["path"][slot]) >> 32

    @invariant()
    def nobody_goes_who_cannot(self) -> None:
        """Only those laid that have a route at both ends, and no more than there is room for."""
        kernel = self.kernel
        hosts = {slot: int(kernel.sources[slot]) >> 56 for slot in range(CAPACITY)}
        led = {
            slot
            for slot in self.laid
            if all(number(f"10.1.0.{hosts[one]}") in kernel.routes.routes for one in (slot, slot ^ 1))
        }
        assert set(kernel.keys.values()) <= led
        assert len(kernel.keys) <= min(len(led), kernel.keys.room)


TestHistory = History.TestCase
