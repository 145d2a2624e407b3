"""The program that forwards in the kernel, run there on single packets, beside a model and an engine."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from media.engine import Engine
from media.forwarding import BUDGET, Forwarding, Route
from media.forwarding_program import CONTROL, CONTROL_BYTES, MARGIN, NOTE, ROOM, WAY, assemble
from media.io import bpf
from media.listen import SEVERAL
from media.messages import Command, Connect, Disconnect, Play, Release, Released, SetRemote, Stop, WatchSpeech
from media.packet import STRIDE
from media.path import path_of
from media.ports import PortPool
from media.sequence import MAX_MISORDER
from media.steady import _WAY, AHEAD, BACK
from tests.support.bpf_run import (
    IPV4,
    LOOPBACK,
    TO_LOOPBACK,
    Ends,
    Ran,
    frame,
    number,
    ones_sum,
    or_skip,
    run,
    udp_sum,
)
from tests.support.rtp import Datagram, EngineBench, NoSockets, Phone, datagrams_of, rtp

CAPACITY = 8
PORTS = (40000, 40199)
DSCP = 46
ON, REDIRECTED = -1, 7
"""What the program returns: to whom it would have gone without it, or out of an interface."""
LOCAL = number("10.0.0.1")
HEAD = struct.Struct(">III")
PLAIN = 0xFF7F0000


class Table:
    """Routes; those of all that is not there lead out of interface 2."""

    def __init__(self) -> None:
        self.routes: dict[int, Route] = {}

    def to(self, address: int) -> Route | None:
        return self.routes.get(address, Route(LOCAL, 2))

    def changed(self) -> bool:
        return False


class Loaded:
    """The program, and what it has in common with us."""

    def __init__(self, opened: ExitStack, origin_s: float = 0.0) -> None:
        ways = bpf.SharedArray(CAPACITY * WAY.itemsize)
        opened.callback(ways.close)
        memory = bpf.SharedArray(CONTROL_BYTES + ROOM * NOTE.itemsize)
        opened.callback(memory.close)
        keys = bpf.HashMap(CAPACITY)
        opened.callback(keys.close)
        descriptors = keys.descriptor, ways.descriptor, memory.descriptor
        self.program = bpf.load(assemble(*descriptors, CAPACITY, PORTS, DSCP << 2, (BACK, AHEAD)))
        opened.callback(os.close, self.program)
        self.ways = np.frombuffer(ways.memory, WAY, CAPACITY)
        self.control = np.frombuffer(memory.memory, CONTROL, 1)
        self.ring = np.frombuffer(memory.memory, NOTE, ROOM, CONTROL_BYTES)
        self.routes = Table()
        self.forwarding = Forwarding(
            self.ways, self.control, self.ring, keys, self.routes, origin_s=origin_s, dscp=DSCP
        )

    def start_at(self, head: int, backlog: int = 0) -> None:
        """So many notes were written, of which `backlog` are not read yet."""
        self.control["head"][0], self.control["tail"][0] = head, head - backlog

    def clear(self) -> None:
        """No leg has a way."""
        nobody = np.zeros(CAPACITY, np.bool_)
        self.forwarding.withdraw()
        self.forwarding.lay(nobody, np.zeros(CAPACITY, np.uint64), np.zeros(CAPACITY, _WAY), _zeros())


def _zeros() -> np.ndarray:
    return np.zeros(CAPACITY, np.int64)


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    with ExitStack() as opened:
        with or_skip():
            made = Loaded(opened)
        yield made


# ----- a model


@dataclass
class Leg:
    """As the program should know it."""

    remote: int
    remote_port: int
    local: int
    local_port: int
    payload_type: int
    ssrc: int
    highest: int
    sequence_step: int
    head_step: int
    timestamp_step: int
    ssrc_step: int
    interface: int  # by which packets to it leave
    on: bool = True
    budget: int = BUDGET

    @property
    def ends(self) -> Ends:
        return Ends(self.remote, self.remote_port, self.local, self.local_port)

    @property
    def path(self) -> int:
        return path_of(self.local_port, self.remote, self.remote_port)

    @property
    def expected(self) -> int:
        return 0x80000000 | self.payload_type << 16


def word(data: bytes, at: int) -> int:
    """16 bits of a packet."""
    return int.from_bytes(data[at : at + 2], "big")


@dataclass
class Model:
    """What the program should do; legs are bridged in pairs, 0 with 1 and so on."""

    legs: list[Leg]
    enabled: bool = True
    head: int = 0
    tail: int = 0
    notes: list[tuple[int, tuple[int, int, int], int, int]] = field(default_factory=list)

    def take(self, packet: bytes, here: bytes = TO_LOOPBACK, loopback: bool = True, parts: int = 0) -> Ran:
        """What comes of a packet that arrives at an interface whose Ethernet address is `here`."""
        unchanged = Ran(ON, packet)
        if not self.enabled or parts or len(packet) < 54:
            return unchanged
        if packet[:6] != here or word(packet, 12) != IPV4 or packet[14] != 0x45 or packet[23] != 17:
            return unchanged
        if word(packet, 20) & 0x3FFF:  # a fragment
            return unchanged
        ends = Ends(*struct.unpack(">IHIH", packet[26:30] + packet[34:36] + packet[30:34] + packet[36:38]))
        size, port = word(packet, 38), ends.destination_port
        if not PORTS[0] <= port <= PORTS[1] or port % 2:
            return unchanged
        if not 20 < size <= 8 + STRIDE or word(packet, 16) != 20 + size or len(packet) < 34 + size:
            return unchanged
        slot = {leg.path: slot for slot, leg in enumerate(self.legs)}.get(
            path_of(port, ends.source, ends.source_port)
        )
        if slot is None:
            return unchanged
        leg, peer = self.legs[slot], self.legs[slot ^ 1]
        if not leg.on or ends.destination != leg.local or not (peer.interface or loopback):
            return unchanged
        first, timestamp, ssrc = HEAD.unpack_from(packet, 42)
        ahead = (first - leg.highest + 0x8000 & 0xFFFF) - 0x8000
        fits = first & PLAIN == leg.expected and ssrc == leg.ssrc and -BACK <= ahead <= AHEAD
        if not fits or leg.budget == 0 or self.head - self.tail > ROOM - MARGIN:
            leg.on = False
            return unchanged
        leg.budget -= 1
        if ahead > 0:
            leg.highest = first & 0xFFFF
        self.notes.append((slot, (first, timestamp, ssrc), size - 8, self.head + 1 & 0xFFFFFFFF))
        self.head += 1
        header = HEAD.pack(
            (first + (leg.head_step << 16) & 0xFFFF0000) | (first + leg.sequence_step & 0xFFFF),
            timestamp + leg.timestamp_step & 0xFFFFFFFF,
            ssrc + leg.ssrc_step & 0xFFFFFFFF,
        )
        onward = Ends(peer.local, peer.local_port, peer.remote, peer.remote_port)
        made = frame(
            onward,
            header + packet[54 : 34 + size],
            to=here,
            tos=DSCP << 2,
            identification=0,
            fragment=0x4000,
            time_to_live=64,
            summed=bool(word(packet, 40)),
            padding=packet[34 + size :],
        )
        return Ran(REDIRECTED if peer.interface else ON, made[:6] + packet[6:14] + made[14:])


def left_over(packet: bytes) -> int:
    """By how much the checksum of UDP is wrong: 0, it is right."""
    segment = packet[34 : 34 + word(packet, 38)]
    return ones_sum(packet[26:34] + struct.pack(">HH", 17, len(segment)) + segment) % 0xFFFF


def lay(loaded: Loaded, model: Model, budget: int = BUDGET) -> None:
    """Tell the kernel what the model knows."""
    loaded.clear()
    steady, highest, wanted = np.zeros(CAPACITY, _WAY), _zeros(), np.zeros(CAPACITY, np.bool_)
    sources = np.zeros(CAPACITY, np.uint64)
    loaded.routes.routes = {leg.remote: Route(leg.local, leg.interface) for leg in model.legs}
    for slot, leg in enumerate(model.legs):
        steady["path"][slot], steady["to"][slot] = model.legs[slot ^ 1].path, slot ^ 1
        steady["expected"][slot] = leg.expected
        for name in ("ssrc", "sequence_step", "head_step", "timestamp_step", "ssrc_step"):
            steady[name][slot] = getattr(leg, name)
        sources[slot], highest[slot], wanted[slot] = leg.path, 65536 + leg.highest, True
        leg.budget = budget
    loaded.start_at(model.head, model.head - model.tail)
    loaded.forwarding.lay(wanted, sources, steady, highest)
    loaded.forwarding.resume(highest)
    loaded.ways["budget"] = budget
    loaded.control["enabled"][0] = model.enabled


def another_interface() -> tuple[int, bytes] | None:
    """One of this machine besides loopback, and its Ethernet address."""
    for index, name in socket.if_nameindex():
        kind, address = (Path("/sys/class/net", name, one) for one in ("type", "address"))
        if index != LOOPBACK and kind.read_text("ascii").strip() == "1":
            return index, bytes.fromhex(address.read_text("ascii").strip().replace(":", ""))
    return None


def both(loaded: Loaded, model: Model, packet: bytes, away: bool = False, parts: int = 0) -> Ran:
    """Run it, and hold it against the model. `away`: it comes from another interface, if there is one."""
    other = another_interface() if away else None
    interface, here = other or (LOOPBACK, TO_LOOPBACK)
    if other and packet[:6] == TO_LOOPBACK:
        packet = here + packet[6:]
    wanted = model.take(packet, here, other is None, parts)
    before = time.monotonic_ns()
    ran = run(loaded.program, packet, interface=interface, segments=parts)
    after = time.monotonic_ns()
    assert ran.returned == wanted.returned
    if wanted.packet == packet:
        assert ran.packet == packet
    else:
        assert ran.packet[:40] + ran.packet[42:] == wanted.packet[:40] + wanted.packet[42:]
        assert ones_sum(ran.packet[14:34]) == 0xFFFF
        assert left_over(ran.packet) == left_over(packet) or word(packet, 40) == 0
        assert (word(ran.packet, 40) == 0) == (word(packet, 40) == 0)
        slot, headers, length, stamp = model.notes[-1]
        note = loaded.ring[(model.head - 1) % ROOM]
        assert tuple(note["headers"].tolist()) == headers
        assert (note["slot"], note["length"], note["stamp"]) == (slot, length, stamp)
        assert before <= note["arrival"] <= after
    assert loaded.control["head"][0] == model.head
    for slot, leg in enumerate(model.legs):
        way = loaded.ways[slot]
        assert (bool(way["on"]), int(way["highest"]) & 0xFFFF, way["budget"]) == (
            leg.on, leg.highest, leg.budget,
        )  # fmt: skip
    return ran


# ----- any packets

WORDS = st.one_of(st.integers(0, 0xFFFFFFFF), st.sampled_from([0, 1, 0x80000000, 0xFFFFFFFF, 0xFFFF0000]))
HALVES = st.one_of(st.integers(0, 0xFFFF), st.sampled_from([0, 1, 0x7FFF, 0x8000, 0xFFFF]))


@st.composite
def legs(draw: st.DrawFn) -> list[Leg]:
    """Two or four."""
    count = draw(st.sampled_from([2, 4]))
    remotes = draw(st.lists(WORDS, min_size=count, max_size=count, unique=True))
    return [
        Leg(
            remote=remote,
            remote_port=draw(HALVES),
            local=draw(WORDS.filter(bool)),
            local_port=draw(st.integers(PORTS[0] // 2, PORTS[1] // 2)) * 2,
            payload_type=draw(st.integers(0, 127)),
            ssrc=draw(WORDS),
            highest=draw(HALVES),
            sequence_step=draw(HALVES),
            head_step=draw(HALVES),
            timestamp_step=draw(WORDS),
            ssrc_step=draw(WORDS),
            interface=draw(st.sampled_from([2, 2, 2, 17, 0])),
        )
        for remote in remotes
    ]


KINDS = (
    ["good"] * 40
    + ["marker", "window", "type", "version", "source", "stranger", "port", "odd port", "local"]
    + ["options", "fragment", "flags", "ip length", "udp length", "short", "long", "cut", "padding"]
    + ["ether", "link", "protocol", "tos", "parts", "flip", "sum"]
)


@dataclass(frozen=True)
class Arriving:
    """A packet in relation to the leg it is from, and to that leg's highest number."""

    leg: int
    kind: str
    ahead: int
    timestamp: int
    payload: bytes
    summed: bool
    away: bool
    some: int
    """For what the kind does with it."""

    def made(self, model: Model) -> bytes:
        """The frame."""
        leg, kind, some = model.legs[self.leg % len(model.legs)], self.kind, self.some
        sequence = leg.highest + self.ahead
        ends, payload, ssrc, payload_type = leg.ends, self.payload, leg.ssrc, leg.payload_type
        changed: dict[str, object] = {}
        if kind == "window":
            sequence = leg.highest + [-BACK, AHEAD, -BACK - 1, AHEAD + 1, 0, some][some % 6]
        elif kind == "type":
            payload_type = some & 0x7F
        elif kind == "source":
            ssrc ^= 1 << some % 32
        elif kind == "stranger":
            ends = ends._replace(**[{"source": some}, {"source_port": some & 0xFFFF}][some % 2])
        elif kind == "port":
            ends = ends._replace(destination_port=[PORTS[0] - 2, PORTS[1] + 1, some & 0xFFFF][some % 3])
        elif kind == "odd port":
            ends = ends._replace(destination_port=ends.destination_port + 1)
        elif kind == "local":
            ends = ends._replace(destination=ends.destination ^ 1 << some % 32)
        elif kind == "short":
            payload = payload[: some % 2]
        elif kind == "long":
            payload = bytes(STRIDE - 12 - 1 + some % 3)
        else:
            changed = {
                "options": {"first": 0x46, "options": some.to_bytes(4, "big")},
                "fragment": {"fragment": [0x2000, 1, 0x1000, 0x3FFF, some & 0xFFFF][some % 5]},
                "flags": {"fragment": [0x4000, 0x8000, 0xC000][some % 3]},
                "ip length": {"longer": some % 7 - 3},
                "udp length": {"udp_longer": some % 7 - 3, "longer": some // 7 % 7 - 3},
                "padding": {"padding": bytes(some % 20)},
                "ether": {"ether_type": [0x8100, 0x86DD, 0x0806, some & 0xFFFF][some % 4]},
                "link": {"to": [b"\xff" * 6, b"\x02" * 6, b"\x01\x00\x5e\0\0\1"][some % 3]},
                "protocol": {"protocol": [6, 1, 132, some & 0xFF][some % 4]},
                "tos": {"tos": some & 0xFF, "time_to_live": some >> 8 & 0xFF, "identification": some >> 16},
            }.get(kind, {})
        data = rtp(sequence, self.timestamp, ssrc, payload_type, payload, marker=kind == "marker")
        if kind == "version":
            data = bytes([some & 0xFF]) + data[1:]
        if kind == "short" and some % 3 == 0:
            data = data[: some % 13]
        made = frame(ends, data, summed=self.summed, **changed)  # type: ignore[arg-type]
        if kind == "cut":
            made = made[: max(34, len(made) - 1 - some % 200)]
        elif kind == "sum" and self.summed:
            made = made[:40] + struct.pack(">H", some & 0xFFFF) + made[42:]
        elif kind == "flip":
            bit = some % (8 * 54)
            flipped = bytearray(made)
            flipped[bit // 8] ^= 1 << bit % 8
            flipped[24:26] = bytes(2)
            flipped[24:26] = struct.pack(">H", ones_sum(bytes(flipped[14:34])) ^ 0xFFFF)
            made = bytes(flipped)
        return made


ARRIVING = st.builds(
    Arriving,
    leg=st.integers(0, 3),
    kind=st.sampled_from(KINDS),
    ahead=st.one_of(st.just(1), st.integers(-BACK, AHEAD)),
    timestamp=WORDS,
    payload=st.one_of(
        st.binary(min_size=1, max_size=20), st.integers(1, STRIDE - 12).map(lambda size: b"\xa5" * size)
    ),
    summed=st.sampled_from([True, True, False]),
    away=st.sampled_from([False, False, True]),
    some=st.integers(0, 0xFFFFFFFF),
)


@settings(max_examples=400)
@given(
    legs(),
    st.lists(ARRIVING, min_size=1, max_size=25),
    st.sampled_from([BUDGET] * 6 + [1, 3]),
    st.sampled_from([ROOM, 5 * ROOM - 2, (1 << 32) - 2, (1 << 40) + 7]),
    st.sampled_from([0, 0, 0, 0, ROOM - MARGIN - 1]),
)
def test_it_does_as_the_model(
    loaded: Loaded, known: list[Leg], packets: list[Arriving], budget: int, head: int, backlog: int
) -> None:
    for leg in known:
        leg.on = True
    model = Model(known, head=head, tail=head - backlog)
    lay(loaded, model, budget)
    for one in packets:
        both(loaded, model, one.made(model), one.away, 2 if one.kind == "parts" else 0)


# ----- one thing at a time


def plain_leg(slot: int) -> Leg:
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
        interface=2,
    )


@pytest.fixture
def model(loaded: Loaded) -> Model:
    made = Model([plain_leg(0), plain_leg(1)])
    lay(loaded, made)
    return made


def next_of(leg: Leg, ahead: int = 1, payload: bytes = bytes(160), **changed: object) -> bytes:
    data = rtp(leg.highest + ahead, 160, leg.ssrc, leg.payload_type, payload)
    return frame(leg.ends, data, **changed)  # type: ignore[arg-type]


def test_a_packet_goes_on(loaded: Loaded, model: Model) -> None:
    ran = both(loaded, model, next_of(model.legs[0]))
    assert ran.returned == REDIRECTED
    assert ran.packet[42:54] == HEAD.pack(0x80080000 | 65531 + 9000 & 0xFFFF, 0xFFFFFFA0, 0xABCDFF01)
    assert ran.packet[54:] == bytes(160)


def test_nothing_goes_on_while_it_is_withdrawn(loaded: Loaded, model: Model) -> None:
    packet = next_of(model.legs[0])
    loaded.forwarding.withdraw()
    model.enabled = False
    assert both(loaded, model, packet) == Ran(ON, packet)
    assert loaded.ways["on"][:2].all(), "and nobody loses his way"


def test_a_budget_is_all_that_goes_on_unseen(loaded: Loaded, model: Model) -> None:
    a, b = model.legs
    assert [both(loaded, model, next_of(a)).returned for _ in range(BUDGET)] == [REDIRECTED] * BUDGET
    assert both(loaded, model, next_of(a)).returned == ON
    assert both(loaded, model, next_of(b)).returned == REDIRECTED
    assert sum(part.size for part in loaded.forwarding.notes()) == BUDGET + 1
    assert run(loaded.program, next_of(a)).returned == ON, "before its packets in the socket are dealt with"
    loaded.forwarding.resume(np.full(CAPACITY, 65536, np.int64))
    assert run(loaded.program, next_of(a)).returned == REDIRECTED


def test_a_full_ring_ends_it(loaded: Loaded, model: Model) -> None:
    model.tail = ROOM
    model.head = ROOM + ROOM - MARGIN
    loaded.start_at(model.head, ROOM - MARGIN)
    a, b = model.legs
    assert both(loaded, model, next_of(a)).returned == REDIRECTED
    assert both(loaded, model, next_of(a)).returned == ON
    assert both(loaded, model, next_of(b)).returned == ON
    assert not a.on and not b.on


def test_what_stays_on_the_machine_comes_from_it(loaded: Loaded) -> None:
    model = Model([plain_leg(0), plain_leg(1)])
    model.legs[1].interface = 0
    lay(loaded, model)
    packet = next_of(model.legs[0])
    ran = both(loaded, model, packet)
    assert ran.returned == ON and ran.packet != packet
    if another_interface() is None:
        pytest.skip("this machine has no interface but loopback")
    assert both(loaded, model, next_of(model.legs[0]), away=True).packet[26:] == next_of(model.legs[0])[26:]


def test_a_leg_that_lost_its_way_gets_it_back_with_what_came(loaded: Loaded, model: Model) -> None:
    a = model.legs[0]
    both(loaded, model, next_of(a, ahead=AHEAD + 1))
    assert not a.on
    both(loaded, model, next_of(a))
    highest = np.full(CAPACITY, 65536 + a.highest + AHEAD + 2, np.int64)
    loaded.forwarding.resume(highest)
    a.on, a.highest = True, int(highest[0]) & 0xFFFF
    model.legs[1].highest = int(loaded.ways["highest"][1]) & 0xFFFF
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


def test_a_wrong_sum_of_the_header_is_not_made_right(loaded: Loaded, model: Model) -> None:
    """Whoever would have had the packet would have thrown it away."""
    packet = bytearray(next_of(model.legs[0]))
    packet[24] ^= 1
    assert run(loaded.program, bytes(packet)) == Ran(ON, bytes(packet))


# ----- beside an engine

LEGS = 4
START = 1_700_000_000
STEP_NS = 3_906_250  # 1/256 s, so that all ways to come to a time give the same number


@dataclass
class Twin:
    """One of two engines that live through the same: before that with a `kernel`, the program runs."""

    bench: EngineBench
    phones: list[Phone]
    kernel: Loaded | None
    steps: int = 0
    forwarded: int = 0

    @classmethod
    def make(cls, kernel: Loaded | None) -> Twin:
        bench = EngineBench(capacity=CAPACITY)
        bench.engine = Engine(
            CAPACITY,
            PortPool(*PORTS, NoSockets()),
            address="10.0.0.1",
            recorder=bench.recorder,
            seed=7,
            forwarding=None if kernel is None else kernel.forwarding,
        )
        phones = [bench.phone(leg, f"10.1.0.{leg}", 5000 + leg) for leg in range(LEGS)]
        for one in range(0, LEGS, 2):
            bench.do(Connect(one, one + 1))
        bench.engine.resume()
        return cls(bench, phones, kernel)

    def pass_time(self, steps: int) -> None:
        self.steps += steps
        self.bench.now = START + self.steps * STEP_NS / 1e9

    def receive(self, *packets: Datagram) -> list[list[Datagram]]:
        """What each phone hears, in its order, when these have come."""
        sent: list[Datagram] = []
        left: list[Datagram] = []
        for one in packets:
            made = self._forward(self.kernel, one) if self.kernel is not None else None
            if made is None:
                left.append(one)
            else:
                sent.append(made)
        sent += self.bench.receive(*left)
        self.bench.engine.resume()
        return [phone.hears(sent) for phone in self.phones]

    def _forward(self, kernel: Loaded, one: Datagram) -> Datagram | None:
        ends = Ends(number(one.address), one.remote_port, LOCAL, one.port)
        packet = frame(ends, one.data)
        ran = run(kernel.program, packet)
        if ran.returned == ON:
            assert ran.packet == packet
            return None
        assert ran.returned == REDIRECTED and left_over(ran.packet) == 0
        assert ran.packet[26:30] == packet[30:34]
        note = (int(kernel.control["head"][0]) - 1) % ROOM
        kernel.ring["arrival"][note] = self.steps * STEP_NS
        self.forwarded += 1
        address = socket.inet_ntoa(ran.packet[30:34])
        return Datagram(ran.packet[42:], word(ran.packet, 34), address, word(ran.packet, 36))

    def tick(self) -> list[Datagram]:
        self.pass_time(5)
        bench = self.bench
        sent = [one for some in bench.engine.tick(bench.now) for one in datagrams_of(some)]
        bench.events += bench.engine.events()
        bench.engine.resume()
        return sent

    def do(self, step: str) -> None:
        """One of the things that happen to legs 0 to 3."""
        held = self.phones[1].remote
        commands: dict[str, list[Command]] = {
            "cross": [Connect(0, 3), Connect(1, 2)],
            "part": [Disconnect(0)],
            "play": [Play(1, 1, ("tone:ringback",), loop=True)],
            "stop": [Stop(1)],
            "watch": [WatchSpeech(0)],
            "ignore": [WatchSpeech(0, False)],
            "hold": [SetRemote(1, held.address, held.port, held.rtcp_port, "PCMU", 0, 101, send=False)],
            "resume": [held],
        }
        self.bench.do(*commands[step])
        self.bench.engine.resume()


def packet_of(phone: Phone, kind: str) -> Datagram:
    """The next packet of the phone, or what can become of it."""
    if kind == "lost":
        phone.next()
    elif kind == "jump":
        phone.sequence += 20000
    elif kind == "leap":
        return phone.wrap(rtp(phone.sequence + 2900, phone.timestamp, phone.ssrc))
    elif kind == "source":
        phone.ssrc += 0x1000
    elif kind == "event":
        return phone.key(5, 160, phone.timestamp)
    elif kind == "empty":
        return phone.wrap(rtp(phone.sequence, phone.timestamp, phone.ssrc, 0, b""))
    back = {"late": 3, "again": 1, "too late": MAX_MISORDER + 6}.get(kind)
    if back is not None:
        return phone.wrap(
            rtp(phone.sequence - back, phone.timestamp - 160 * back, phone.ssrc, 0, bytes([back]) * 160)
        )
    made = phone.next(bytes([phone.sequence & 0xFF]) * 160)
    if kind == "marker":
        return phone.wrap(made.data[:1] + bytes([made.data[1] | 0x80]) + made.data[2:])
    return made


COMING = st.tuples(
    st.integers(0, LEGS - 1),
    st.sampled_from(
        ["next"] * 12
        + ["lost", "late", "again", "jump", "source", "event", "empty", "marker", "leap", "too late"]
    ),
)
STEP = st.one_of(
    st.lists(COMING, min_size=1, max_size=10),
    st.sampled_from(["tick"] * 4 + ["cross", "part", "play", "stop", "watch", "ignore", "hold", "resume"]),
)


def no_flood(step: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """What comes as a flood is cut down on its way through the worker alone."""
    legs = [leg for leg, _ in step]
    return [one for at, one in enumerate(step) if legs[:at].count(one[0]) < SEVERAL]


@pytest.fixture(scope="module")
def timed() -> Iterator[Loaded]:
    with ExitStack() as opened:
        with or_skip():
            made = Loaded(opened, origin_s=float(START))
        yield made


@given(st.lists(STEP, max_size=40))
@example([[(0, "next"), (1, "next")]] * 3 + ["tick"])
def test_an_engine_does_the_same(timed: Loaded, steps: list[str | list[tuple[int, str]]]) -> None:
    timed.clear()
    timed.start_at(ROOM - 20)
    # What an engine before this one was told is nothing to this one.
    twins = [Twin.make(timed), Twin.make(None)]
    try:
        for step in steps:
            heard = []
            for twin in twins:
                twin.pass_time(1)
                if step == "tick":
                    sent = twin.tick()
                    heard.append([phone.hears(sent) for phone in twin.phones] + [sent])
                elif isinstance(step, str):
                    twin.do(step)
                else:
                    packets = [packet_of(twin.phones[leg], kind) for leg, kind in no_flood(step)]
                    heard.append(twin.receive(*packets))
            assert heard[:1] == heard[1:]
        for twin in twins:
            twin.bench.do(*(Release(leg) for leg in range(LEGS)))
        assert twins[0].bench.take(Released) == twins[1].bench.take(Released)
        assert twins[0].bench.events == twins[1].bench.events
        assert timed.control["head"][0] == ROOM - 20 + twins[0].forwarded
        assert timed.control["tail"][0] == timed.control["head"][0]
    finally:
        for twin in twins:
            twin.bench.close()


def test_a_bridge_is_really_forwarded(timed: Loaded) -> None:
    """And its statistics and reports are those of an engine that has relayed it all."""
    timed.clear()
    timed.start_at(ROOM - 20)
    twins = [Twin.make(timed), Twin.make(None)]
    said = []
    for twin in twins:
        told = []
        for turn in range(900):
            kind = "lost" if turn % 97 == 50 else "marker" if turn % 50 == 0 else "next"
            told += twin.receive(*(packet_of(phone, kind) for phone in twin.phones))
            told.append(twin.tick())
        twin.bench.do(*(Release(leg) for leg in range(LEGS)))
        said.append(told)
    assert said[0] == said[1]
    assert twins[0].bench.take(Released) == twins[1].bench.take(Released)
    assert twins[0].forwarded == LEGS * 899, "all but the first, with which the streams begin"
