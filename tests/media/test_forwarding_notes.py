"""What is made of the notes that the kernel leaves of forwarded packets, without a kernel."""

from __future__ import annotations

import numpy as np
import pytest

from media.engine import SETTLE_TICKS, Engine
from media.forwarding import BUDGET, NO_ROUTE, Route
from media.forwarding_memory import ROOM
from media.messages import Connect, Disconnect, Release, Released
from media.path import path_of
from media.ports import PortPool
from tests.support.bpf_run import number
from tests.support.forwarding import CAPACITY, LOCAL, Kernel, host, resumed
from tests.support.rtp import EngineBench, NoSockets, Phone

STARTS = [0, 7, ROOM - 3, 5 * ROOM - 1, (1 << 32) - 3, (1 << 32) + ROOM - 2]


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.mark.parametrize("start", STARTS)
def test_notes_come_once_and_in_order(kernel: Kernel, start: int) -> None:
    kernel.start_at(start)
    assert kernel.read() == []
    kernel.write(1, 2, 3, 4, 5, 0)
    assert kernel.read() == [1, 2, 3, 4, 5, 0]
    assert kernel.read() == []
    assert kernel.control["tail"][0] == start + 6
    assert [kernel.forwarding.forwarded() for _ in range(2)] == [6, 0]


@pytest.mark.parametrize("start", STARTS)
def test_a_whole_ring_of_notes(kernel: Kernel, start: int) -> None:
    """In one part or, where the ring wraps in it, in two."""
    kernel.start_at(start + ROOM)
    kernel.control["tail"][0] -= ROOM
    kernel.ring["headers"][:, 0] = np.arange(ROOM)
    parts = [part["headers"][:, 0].copy() for part in kernel.forwarding.notes()]
    assert len(parts) == (1 if start == 0 else 2)
    assert np.array_equal(np.concatenate(parts), np.arange(start, start + ROOM) % ROOM)


@pytest.mark.parametrize("start", [0, ROOM - 2, (1 << 32) - 2])
@pytest.mark.parametrize("missing", [0, 1, 2, 3])
def test_a_note_that_is_being_written_waits_with_those_behind_it(
    kernel: Kernel, start: int, missing: int
) -> None:
    kernel.start_at(start)
    kernel.write(0, 1, 2, 3, missing=[start + missing])
    assert kernel.read() == [0, 1, 2, 3][:missing]
    assert kernel.control["tail"][0] == start + missing
    assert kernel.read() == []
    kernel.stamp(start + missing)
    assert kernel.read() == [0, 1, 2, 3][missing:]


@pytest.mark.parametrize("start", [ROOM, 1 << 32])
def test_an_old_stamp_is_no_stamp(kernel: Kernel, start: int) -> None:
    """The place was written a turn of the ring ago."""
    kernel.start_at(start)
    kernel.write(1, missing=[start])
    assert kernel.read() == []
    kernel.stamp(start)
    assert kernel.read() == [1]


def test_no_empty_part_is_handed_out(kernel: Kernel) -> None:
    """Whoever takes the parts divides them further."""
    kernel.write(0, 1, missing=[0])
    assert [part.size for part in kernel.forwarding.notes()] == []
    kernel = Kernel()
    kernel.start_at(ROOM - 1)
    kernel.write(0, 1, missing=[ROOM])
    assert [part.size for part in kernel.forwarding.notes()] == [1]


def test_who_stops_reading_begins_again_where_he_was(kernel: Kernel) -> None:
    """A part that was not given back was not taken."""
    kernel.start_at(ROOM - 1)
    kernel.write(0, 1)
    assert next(iter(kernel.forwarding.notes()))["slot"].tolist() == [0]
    assert kernel.read() == [0, 1]


# ----- an engine that is told


class Told:
    """An engine, whose kernel is this test: legs 0 and 1, 2 and 3 are bridged, and hear one another."""

    def __init__(self, last_port: int = 40199) -> None:
        self.kernel = kernel = Kernel()
        self.bench = EngineBench(CAPACITY)
        self.bench.engine = Engine(
            CAPACITY,
            PortPool(40000, last_port, NoSockets()),
            address="10.0.0.1",
            recorder=self.bench.recorder,
            seed=7,
            forwarding=kernel.forwarding,
        )
        kernel.forwarding.origin_s = self.bench.now
        self.phones = [self.bench.phone(leg, f"10.1.0.{leg}", 5000 + 2 * leg) for leg in range(4)]
        self.bench.do(Connect(0, 1), Connect(2, 3))
        for phone in self.phones:
            phone.talk()
        resumed(self.bench.engine)
        assert len(kernel.on()) == 4

    def slot(self, phone: Phone) -> int:
        """Of its leg."""
        return self.bench.engine._parts.slot_of[phone.leg]

    def forward(self, phone: Phone, *, finished: bool = True, slot: int | None = None) -> int:
        """The next packet of a phone; the number of its note. `slot`: of the leg, if that is gone."""
        kernel = self.kernel
        head = int(kernel.control["head"][0])
        kernel.write(self.slot(phone) if slot is None else slot, missing=[head])
        note, made = kernel.ring[head % ROOM : head % ROOM + 1], phone.next()
        note["headers"][0] = (0x80000000 | made.sequence, made.timestamp, made.ssrc)
        note["length"] = len(made.data)
        note["arrival"] = round((self.bench.now - kernel.forwarding.origin_s) * 1e9)
        if finished:
            kernel.stamp(head)
        return head

    def received(self, *legs: int) -> list[int]:
        """Packets in all, by the legs' last words."""
        self.bench.do(*(Release(leg) for leg in legs))
        said = {one.leg: one for one in self.bench.take(Released) if isinstance(one, Released)}
        return [said[leg].quality.packets_received for leg in legs]


@pytest.fixture
def told() -> Told:
    return Told()


BEFORE = 2
"""Packets of each phone that the engine has seen: one that it latched to, one that is heard."""


def test_an_engine_waits_for_a_note_that_is_being_written(told: Told) -> None:
    heads = [told.forward(phone, finished=False) for phone in told.phones]
    told.bench.tick(5)
    for head in heads:
        told.kernel.stamp(head)
    assert told.received(0, 1, 2, 3) == [BEFORE + 1] * 4


def test_an_engine_reads_a_ring_that_wraps(told: Told) -> None:
    """More than can be noted before it is counted."""
    told.kernel.start_at(ROOM - 5)
    for _ in range(3000):
        for phone in told.phones:
            told.forward(phone)
    assert told.bench.engine._parts.steady.forwarded() == 12000
    assert told.received(0, 1, 2, 3) == [BEFORE + 3000] * 4


def test_every_tick_of_an_engine_gives_budget(told: Told) -> None:
    for tick in range(2 * SETTLE_TICKS):
        told.kernel.ways["budget"] = 0
        told.bench.tick()
        assert told.kernel.ways["budget"].tolist() == [BUDGET] * CAPACITY, f"tick {tick}"


def test_a_command_pauses_it_until_resume(told: Told) -> None:
    engine = told.bench.engine
    assert not engine.paused
    told.bench.do(Disconnect(2))
    assert engine.paused and told.kernel.on() == []
    resumed(engine)
    assert not engine.paused
    assert told.kernel.on() == sorted(told.slot(phone) for phone in told.phones[:2])


def test_an_engine_without_forwarding_is_never_paused() -> None:
    bench = EngineBench(CAPACITY)
    bench.phone(0)
    resumed(bench.engine)
    assert not bench.engine.paused


def test_what_was_noted_before_a_command_counts_as_it_was_then(told: Told) -> None:
    told.forward(told.phones[0])
    told.bench.do(Disconnect(0))
    assert told.received(0, 1) == [BEFORE + 1, BEFORE]


def test_a_route_that_changes_pauses_and_is_laid_anew(told: Told) -> None:
    kernel, engine = told.kernel, told.bench.engine
    kernel.keys.calls.clear()
    turn = int(kernel.control["turn"][0])
    told.forward(told.phones[0])
    kernel.routes.routes[host(1)] = Route(LOCAL, 3)
    kernel.routes.other = True
    resumed(engine)
    a, b = (told.slot(phone) for phone in told.phones[:2])
    assert kernel.ways["leaves"][[a, b]].tolist() == [3, 2]
    assert kernel.ways["arrives"][[a, b]].tolist() == [2, 3]
    assert kernel.control["turn"][0] == turn + 1
    assert kernel.keys.calls == [] and len(kernel.on()) == 4 and not engine.paused
    assert int(kernel.ways["highest"][a]) & 0xFFFF == told.phones[0].sequence - 1, "what was noted is counted"
    kernel.routes.routes[host(1)] = NO_ROUTE
    kernel.routes.other = True
    resumed(engine)
    assert kernel.on() == sorted(told.slot(phone) for phone in told.phones[2:])


def test_a_note_that_crossed_a_parting_is_left_out(told: Told) -> None:
    """Nobody hears the stream any more; those beside it count."""
    told.bench.do(Disconnect(0))
    resumed(told.bench.engine)
    for phone in told.phones:
        told.forward(phone)
    assert told.received(0, 1, 2, 3) == [BEFORE, BEFORE, BEFORE + 1, BEFORE + 1]


def test_a_note_that_crossed_another_bridge_is_left_out(told: Told) -> None:
    """The new peer has not heard that stream yet: its own numbers are not to be moved by it."""
    told.bench.do(Connect(0, 2))
    resumed(told.bench.engine)
    told.forward(told.phones[0])
    told.forward(told.phones[1])
    told.bench.tick(5)
    heard = told.phones[2].hears(told.phones[0].talk())
    assert len(heard) == 1
    assert told.received(0, 1, 2) == [BEFORE + 1, BEFORE, BEFORE]


def test_a_note_of_a_slot_whose_leg_is_another_is_left_out(told: Told) -> None:
    bench, gone = told.bench, told.phones[0]
    slot = told.slot(gone)
    assert told.received(0) == [BEFORE]
    others = [bench.phone(leg, f"10.1.0.{leg}", 5000 + 2 * leg) for leg in (7, 8, 9)]
    here = next(phone for phone in others if told.slot(phone) == slot)
    bench.do(Connect(here.leg, 1))
    here.talk()
    resumed(bench.engine)
    assert gone.sequence == here.sequence, "only its source tells that it is another stream"
    told.forward(gone, slot=slot)
    bench.tick(SETTLE_TICKS)
    told.forward(here)
    bench.tick(SETTLE_TICKS)
    assert told.received(here.leg, 1) == [BEFORE + 1, BEFORE]


def test_a_note_of_a_slot_whose_path_is_anothers_is_left_out() -> None:
    """A new call from the same phone, at the same port."""
    told = Told(last_port=40007)
    bench, gone = told.bench, told.phones[0]
    slot = told.slot(gone)
    assert told.received(0) == [BEFORE]
    again = bench.phone(7, gone.address, gone.port)
    assert again.local == gone.local and told.slot(again) != slot, "the same path"
    bench.do(Connect(7, 1))
    again.talk()
    resumed(bench.engine)
    key = path_of(again.local, number(again.address), again.port)
    assert told.kernel.keys[key] == told.slot(again)
    told.forward(gone, slot=slot)
    told.forward(again)
    bench.tick(5)
    assert told.received(7, 1) == [BEFORE + 1, BEFORE]


def test_a_stream_that_jumps_back_is_forwarded_again(told: Told) -> None:
    phone = told.phones[0]
    way = told.kernel.ways[told.slot(phone) :][:1]
    phone.sequence -= 20000
    for _ in range(4):
        way["on"] = 0  # as the program does with what is not expected
        phone.talk()
        told.bench.tick(SETTLE_TICKS)
        resumed(told.bench.engine)
    assert way["on"][0] and int(way["highest"][0]) & 0xFFFF == phone.sequence - 1 & 0xFFFF
