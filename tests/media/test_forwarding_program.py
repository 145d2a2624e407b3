"""The program that forwards in the kernel, run there on single packets."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import pytest

from media.ebpf import Register, Value
from media.forwarding import BUDGET
from media.forwarding_memory import CONTROL, LOOPBACK, MARGIN, ROOM
from media.forwarding_program import _Writer
from media.steady import AHEAD, BACK
from tests.support.bpf_run import Ends, Ran, frame, number, run, udp_sum, word
from tests.support.forwarding_model import (
    CAPACITY,
    DROPPED,
    HEAD,
    LOCAL,
    ON,
    OTHER,
    PRIORITY,
    REDIRECTED,
    Leg,
    Loaded,
    Model,
    both,
    lay,
    loaded_with,
)
from tests.support.rtp import rtp

needs_another_interface = pytest.mark.skipif(
    OTHER == LOOPBACK, reason="this machine has no interface but loopback"
)


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    yield from loaded_with(_Writer)


def plain_leg(slot: int, interface: int = LOOPBACK) -> Leg:
    """Without another interface, everything comes by loopback."""
    return Leg(
        remote=number("10.1.0.1") + slot,
        remote_port=5000 + 2 * slot,
        local=LOCAL,
        local_port=40000,
        payload_type=0,
        ssrc=0x1000 + slot,
        highest=65530,
        sequence_step=9000,
        head_step=8,
        timestamp_step=0xFFFFFF00,
        ssrc_step=0xABCDEF01,
        interface=interface,
    )


@pytest.fixture
def model(loaded: Loaded) -> Model:
    """Leg 0 is on this machine, leg 1 elsewhere."""
    made = Model([plain_leg(0), plain_leg(1, 4711)])
    lay(loaded, made)
    return made


def next_of(leg: Leg, ahead: int = 1, payload: bytes = bytes(160), **changed: object) -> bytes:
    data = rtp(leg.highest + ahead, 160, leg.ssrc, leg.payload_type, payload)
    return frame(leg.ends, data, **changed)  # type: ignore[arg-type]


def test_a_packet_goes_on(loaded: Loaded, model: Model) -> None:
    ran = both(loaded, model, next_of(model.legs[0]))
    assert (ran.returned, ran.priority) == (REDIRECTED, PRIORITY)
    assert ran.packet[42:54] == HEAD.pack(0x80080000 | 65531 + 9000 & 0xFFFF, 0xFFFFFFA0, 0xABCDFF01)
    assert ran.packet[54:] == bytes(160)


def test_nothing_goes_on_while_it_is_withdrawn(loaded: Loaded, model: Model) -> None:
    packet = next_of(model.legs[0])
    loaded.forwarding.withdraw()
    model.enabled = False
    assert both(loaded, model, packet) == Ran(ON, packet)
    assert not loaded.ways["on"][0], "his packet waits in a socket now"


@pytest.mark.parametrize("ahead", [1, 2, AHEAD])
def test_what_is_ahead_goes_on(loaded: Loaded, model: Model, ahead: int) -> None:
    leg = model.legs[0]
    assert both(loaded, model, next_of(leg, ahead)).returned == REDIRECTED
    assert leg.highest == 65530 + ahead & 0xFFFF, "across the end of the numbers, too"


@pytest.mark.parametrize("ahead", [0, -1, -BACK, AHEAD + 1, 0x7FFF, 0x8000, 0x8001])
def test_what_is_repeated_late_or_far_off_is_odd(loaded: Loaded, model: Model, ahead: int) -> None:
    leg = model.legs[0]
    packet = next_of(leg, ahead)
    assert both(loaded, model, packet) == Ran(ON, packet)
    assert not leg.on and leg.highest == 65530 and leg.budget == BUDGET
    packet = next_of(leg)
    assert both(loaded, model, packet) == Ran(ON, packet), "so that it does not overtake the other"


def test_a_budget_is_all_that_goes_on_in_a_tick(loaded: Loaded, model: Model) -> None:
    a = model.legs[0]
    assert [both(loaded, model, next_of(a)).returned for _ in range(BUDGET)] == [REDIRECTED] * BUDGET
    assert both(loaded, model, next_of(a)).returned == ON
    assert sum(part.size for part in loaded.forwarding.notes()) == BUDGET
    loaded.forwarding.tick()
    assert run(loaded.program, next_of(a)).returned == ON, "before its packets in the socket are dealt with"
    loaded.forwarding.look()
    loaded.forwarding.resume(np.full(CAPACITY, 65536, np.int64))
    assert run(loaded.program, next_of(a)).returned == REDIRECTED


def test_without_a_tick_resume_gives_nothing(loaded: Loaded, model: Model) -> None:
    """A worker that hangs forwards nothing for long."""
    a = model.legs[0]
    for _ in range(BUDGET):
        both(loaded, model, next_of(a))
    loaded.forwarding.look()
    loaded.forwarding.resume(np.zeros(CAPACITY, np.int64))
    assert run(loaded.program, next_of(a)).returned == ON


def test_a_full_ring_ends_it(loaded: Loaded, model: Model) -> None:
    model.tail, model.head = ROOM, ROOM + ROOM - MARGIN
    loaded.start_at(model.head, ROOM - MARGIN)
    a = model.legs[0]
    assert both(loaded, model, next_of(a)).returned == REDIRECTED
    assert both(loaded, model, next_of(a)).returned == ON
    assert not a.on


def test_what_stays_on_the_machine_goes_to_its_socket(loaded: Loaded) -> None:
    model = Model([plain_leg(0), plain_leg(1)])
    lay(loaded, model)
    packet = next_of(model.legs[0])
    ran = both(loaded, model, packet)
    assert ran.returned == ON and ran.packet != packet and ran.priority == 0


@needs_another_interface
def test_a_packet_comes_by_the_interface_of_its_route(loaded: Loaded) -> None:
    """Who sends by another has forged his address, or the route is not what it was. The leg keeps its way:
    nobody else can take it from it."""
    model = Model([plain_leg(0, OTHER), plain_leg(1, OTHER)])
    lay(loaded, model)
    packet = next_of(model.legs[0])
    assert both(loaded, model, packet, LOOPBACK) == Ran(ON, packet)
    assert model.legs[0].on
    assert both(loaded, model, packet, OTHER).returned == REDIRECTED
    model = Model([plain_leg(0), plain_leg(1, OTHER)])
    lay(loaded, model)
    assert both(loaded, model, packet, OTHER).packet[14:] == packet[14:]
    assert both(loaded, model, packet, LOOPBACK).returned == REDIRECTED


@needs_another_interface
def test_what_comes_from_elsewhere_does_not_stay_here(loaded: Loaded) -> None:
    model = Model([plain_leg(0, OTHER), plain_leg(1)])
    lay(loaded, model)
    packet = next_of(model.legs[0])
    assert both(loaded, model, packet, OTHER).packet[14:] == packet[14:]


def test_a_leg_that_lost_its_way_gets_it_back_with_what_came(loaded: Loaded, model: Model) -> None:
    a = model.legs[0]
    both(loaded, model, next_of(a, ahead=AHEAD + 1))
    assert not a.on
    both(loaded, model, next_of(a))
    highest = np.full(CAPACITY, 65536 + a.highest + AHEAD + 2, np.int64)
    loaded.forwarding.look()
    loaded.forwarding.resume(highest)
    a.on, a.highest = True, int(highest[0]) & 0xFFFF
    assert both(loaded, model, next_of(a)).returned == REDIRECTED


@pytest.mark.parametrize("sum_wanted", [0xFFFF, 0x0001, 0xFFFE])
def test_a_checksum_that_comes_to_nothing_is_not_none(loaded: Loaded, model: Model, sum_wanted: int) -> None:
    """0 would say that there is none (RFC 768)."""
    a, b = model.legs
    onward = Ends(b.local, b.local_port, b.remote, b.remote_port)
    header = HEAD.pack(0x80080000 | a.highest + 1 + 9000 & 0xFFFF, 0xFFFFFFA0, 0xABCDFF01)
    segment = struct.pack(">HHHH", onward.source_port, onward.destination_port, 24, 0) + header
    filler = (udp_sum(onward, segment + bytes(4)) - sum_wanted) % 0xFFFF
    ran = both(loaded, model, next_of(a, payload=struct.pack(">HH", filler, 0)))
    assert word(ran.packet, 40) == sum_wanted


@pytest.mark.parametrize("bit", range(16))
def test_a_wrong_sum_of_the_header_is_not_made_right(loaded: Loaded, model: Model, bit: int) -> None:
    """Whoever would have had the packet would have thrown it away; it says nothing about the leg."""
    packet = bytearray(next_of(model.legs[0]))
    packet[24 + bit // 8] ^= 1 << bit % 8
    assert both(loaded, model, bytes(packet)) == Ran(ON, bytes(packet))
    assert model.legs[0].on


# ----- what changes while a packet is on its way


def put(writer: _Writer, field: str, number: int, add: bool = False) -> None:
    """What the worker writes there meanwhile, on another processor."""
    code, at = writer._code, CONTROL.fields[field][1]
    code.map_value(Register.R1, writer._memory)
    code.move(Register.R2, number)
    if add:
        code.load(32, Register.R3, Register.R1, at)
        code.alu("add", Register.R2, Register.R3)
    code.store(32, Register.R1, at, Register.R2)


class Crossed(_Writer):
    """Just when the packet has been noted, something is laid."""

    def _note(self) -> None:
        super()._note()
        put(self, "turn", 1, add=True)


class CrossedEarly(_Writer):
    """Just when the program has seen that it is enabled, it is withdrawn, and `lay` begins."""

    begun = False

    def _unless(self, field: str, is_: Value) -> None:
        if not self.begun:
            self.begun = True
            put(self, "enabled", 0)
            put(self, "turn", 1, add=True)
        super()._unless(field, is_)


@pytest.fixture(scope="module")
def crossed() -> Iterator[Loaded]:
    yield from loaded_with(Crossed)


@pytest.mark.parametrize("leaves", [4711, LOOPBACK])
def test_a_packet_that_crosses_a_change_is_dropped(crossed: Loaded, leaves: int) -> None:
    """Half of its head may be that of another call. The worker has its note."""
    model = Model([plain_leg(0), plain_leg(1, leaves)])
    lay(crossed, model)
    ran = run(crossed.program, next_of(model.legs[0]))
    assert (ran.returned, ran.priority) == (DROPPED, 0)
    assert [part["slot"].tolist() for part in crossed.forwarding.notes()] == [[0]]


def test_a_change_that_begins_at_once_is_crossed_too() -> None:
    """The way is still on, but not for long."""
    for early in loaded_with(CrossedEarly):
        model = Model([plain_leg(0), plain_leg(1, 4711)])
        lay(early, model)
        packet = next_of(model.legs[0])
        ran = run(early.program, packet)
        assert ran.returned == DROPPED or ran == Ran(ON, packet)


def test_a_packet_that_is_not_forwarded_crosses_unharmed(crossed: Loaded) -> None:
    model = Model([plain_leg(0), plain_leg(1, 4711)])
    lay(crossed, model)
    for packet in (next_of(model.legs[0], 0), next_of(model.legs[0])):
        assert run(crossed.program, packet) == Ran(ON, packet)


@pytest.mark.parametrize("turn", [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_any_turn_is_the_same_as_itself(loaded: Loaded, model: Model, turn: int) -> None:
    loaded.control["turn"][0] = turn
    assert both(loaded, model, next_of(model.legs[0])).returned == REDIRECTED
    loaded.control["turn"][0] = 0


def test_a_path_that_another_slot_has_got_is_forwarded_as_its(loaded: Loaded, model: Model) -> None:
    packet = next_of(model.legs[0])
    assert both(loaded, model, packet).returned == REDIRECTED
    a, b = model.legs
    c, d = plain_leg(2), plain_leg(3, 4711)
    a.remote, a.remote_port, c.remote, c.remote_port = c.remote, c.remote_port, a.remote, a.remote_port
    after = Model([a, b, c, d], head=model.head, tail=model.head)
    c.ssrc, c.highest, a.highest, c.ssrc_step = 0x1000, 65530, 7, 1
    lay(loaded, after)
    ran = both(loaded, after, packet)
    assert ran.returned == REDIRECTED and ran.packet[50:54] == (0x1001).to_bytes(4, "big")
    assert after.notes[-1][0] == 2
