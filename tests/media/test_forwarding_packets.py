"""Whatever packets come: the program that forwards does with them what the model does."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.forwarding import BUDGET
from media.forwarding_memory import LOOPBACK, MARGIN, ROOM
from media.forwarding_program import _Writer
from media.packet import STRIDE
from media.steady import AHEAD, BACK
from tests.support.bpf_run import frame, ones_sum
from tests.support.forwarding_model import OTHER, PORTS, Leg, Loaded, Model, both, lay, loaded_with
from tests.support.rtp import rtp


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    yield from loaded_with(_Writer)


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
            interface=draw(st.sampled_from([OTHER, OTHER, OTHER, LOOPBACK, 4711])),
        )
        for remote in remotes
    ]


KINDS = (
    ["good"] * 40
    + ["marker", "window", "type", "version", "source", "stranger", "port", "odd port", "local"]
    + ["options", "fragment", "flags", "ip length", "udp length", "short", "long", "cut", "padding"]
    + ["ether", "link", "protocol", "tos", "parts", "flip", "sum", "header sum"]
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
    astray: bool
    """Does it come by another interface than the leg's?"""
    some: int
    """For what the kind does with it."""

    def interface(self, model: Model) -> int:
        """By which it comes; there is no such as that of a leg which only leaves by it."""
        own = LOOPBACK if model.legs[self.leg % len(model.legs)].interface == LOOPBACK else OTHER
        return {LOOPBACK: OTHER, OTHER: LOOPBACK}[own] if self.astray else own

    def made(self, model: Model) -> bytes:
        """The frame."""
        leg, kind, some = model.legs[self.leg % len(model.legs)], self.kind, self.some
        sequence = leg.highest + self.ahead
        ends, payload, ssrc, payload_type = leg.ends, self.payload, leg.ssrc, leg.payload_type
        if kind == "window":
            sequence = leg.highest + [-BACK, AHEAD, -1, AHEAD + 1, 0, 1, 0x8000, some][some % 8]
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
        data = rtp(sequence, self.timestamp, ssrc, payload_type, payload, marker=kind == "marker")
        if kind == "version":
            data = bytes([some & 0xFF]) + data[1:]
        if kind == "short" and some % 3 == 0:
            data = data[: some % 13]
        changed = CHANGED.get(kind, lambda some: {})(some)
        return self._spoilt(frame(ends, data, summed=self.summed, **changed))  # type: ignore[arg-type]

    def _spoilt(self, made: bytes) -> bytes:
        kind, some = self.kind, self.some
        if kind == "cut":
            return made[: max(34, len(made) - 1 - some % 200)]
        if kind == "sum" and self.summed:
            return made[:40] + struct.pack(">H", some & 0xFFFF) + made[42:]
        if kind == "header sum":
            return made[:24] + struct.pack(">H", some & 0xFFFF) + made[26:]
        if kind == "flip":
            bit = some % (8 * 54)
            flipped = bytearray(made)
            flipped[bit // 8] ^= 1 << bit % 8
            flipped[24:26] = bytes(2)
            flipped[24:26] = struct.pack(">H", ones_sum(bytes(flipped[14:34])) ^ 0xFFFF)
            return bytes(flipped)
        return made


CHANGED: dict[str, Callable[[int], dict[str, object]]] = {
    "options": lambda some: {"first": 0x46, "options": some.to_bytes(4, "big")},
    "fragment": lambda some: {"fragment": [0x2000, 1, 0x1000, 0x3FFF, some & 0xFFFF][some % 5]},
    "flags": lambda some: {"fragment": [0x4000, 0x8000, 0xC000][some % 3]},
    "ip length": lambda some: {"longer": some % 7 - 3},
    "udp length": lambda some: {"udp_longer": some % 7 - 3, "longer": some // 7 % 7 - 3},
    "padding": lambda some: {"padding": bytes(some % 20)},
    "ether": lambda some: {"ether_type": [0x8100, 0x86DD, 0x0806, some & 0xFFFF][some % 4]},
    "link": lambda some: {"to": [b"\xff" * 6, b"\x02" * 6, b"\x01\x00\x5e\0\0\1"][some % 3]},
    "protocol": lambda some: {"protocol": [6, 1, 132, some & 0xFF][some % 4]},
    "tos": lambda some: {
        "tos": some & 0xFF,
        "time_to_live": some >> 8 & 0xFF,
        "identification": some >> 16,
    },
}
"""What kinds of packets have in their heads, by Arriving's `some`."""
ARRIVING = st.builds(
    Arriving,
    leg=st.integers(0, 3),
    kind=st.sampled_from(KINDS),
    ahead=st.sampled_from([1] * 20 + [2, 3, 4, 20, AHEAD, 0, -1]),
    timestamp=WORDS,
    payload=st.one_of(
        st.binary(min_size=1, max_size=20), st.integers(1, STRIDE - 12).map(lambda size: b"\xa5" * size)
    ),
    summed=st.sampled_from([True, True, False]),
    astray=st.sampled_from([False] * 7 + [True]),
    some=st.integers(0, 0xFFFFFFFF),
)


@settings(max_examples=400)
@given(
    legs(),
    st.lists(ARRIVING, min_size=1, max_size=25),
    st.sampled_from([BUDGET] * 6 + [1, 3, 1000]),
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
        both(loaded, model, one.made(model), one.interface(model), 172 if one.kind == "parts" else 0)
