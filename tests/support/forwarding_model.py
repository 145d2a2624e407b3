"""The program that forwards, loaded into this kernel, and a model of what it should do with a packet."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from media.forwarding import BUDGET, Forwarding, Route
from media.forwarding_memory import CONTROL, CONTROL_BYTES, LOOPBACK, MARGIN, NOTE, ROOM, WAY
from media.forwarding_program import Settings, _Writer
from media.io import bpf
from media.packet import I64, STRIDE
from media.path import path_of
from media.steady import _WAY, AHEAD
from tests.support.bpf_run import (
    IPV4,
    TO_LOOPBACK,
    Ends,
    Ran,
    another_interface,
    frame,
    left_over,
    number,
    ones_sum,
    or_skip,
    run,
    word,
)
from tests.support.forwarding import Table

CAPACITY = 8
PORTS = (40000, 40199)
DSCP = 46
PRIORITY = 6
ON, DROPPED, REDIRECTED = -1, 2, 7
"""What the program returns: to whom it would have gone without it, to nobody, or out of an interface."""
LOCAL = number("10.0.0.1")
HEAD = struct.Struct(">III")
PLAIN = 0xFF7F0000
OTHER, OTHER_ADDRESS = another_interface() or (LOOPBACK, TO_LOOPBACK)
"""An interface that packets come by, besides loopback, if there is one."""


def zeros() -> I64:
    """Of each leg one."""
    return np.zeros(CAPACITY, np.int64)


class Loaded:
    """The program, and what it has in common with us. `writer` makes it."""

    def __init__(self, opened: ExitStack, origin_s: float = 0.0, writer: type[_Writer] = _Writer) -> None:
        ways = bpf.SharedArray(CAPACITY * WAY.itemsize)
        opened.callback(ways.close)
        memory = bpf.SharedArray(CONTROL_BYTES + ROOM * NOTE.itemsize)
        opened.callback(memory.close)
        self.keys = bpf.HashMap(CAPACITY)
        opened.callback(self.keys.close)
        descriptors = self.keys.descriptor, ways.descriptor, memory.descriptor
        settings = Settings(CAPACITY, PORTS, DSCP << 2, PRIORITY, AHEAD)
        self.program = bpf.load(writer(*descriptors).write(settings))
        opened.callback(os.close, self.program)
        self.ways = np.frombuffer(ways.memory, WAY, CAPACITY)
        self.control = np.frombuffer(memory.memory, CONTROL, 1)
        self.ring = np.frombuffer(memory.memory, NOTE, ROOM, CONTROL_BYTES)
        self.routes = Table({}, Route(LOCAL, LOOPBACK))
        self.forwarding = Forwarding(
            self.ways, self.control, self.ring, self.keys, self.routes, origin_s=origin_s, dscp=DSCP
        )

    def start_at(self, head: int, backlog: int = 0) -> None:
        """So many notes were written, of which `backlog` are not read yet."""
        self.control["head"][0], self.control["tail"][0] = head, head - backlog

    def clear(self) -> None:
        """No leg has a way."""
        nobody = np.zeros(CAPACITY, np.bool_)
        self.forwarding.withdraw()
        self.forwarding.lay(nobody, np.zeros(CAPACITY, np.uint64), np.zeros(CAPACITY, _WAY), zeros())


def loaded_with(writer: type[_Writer]) -> Iterator[Loaded]:
    """For a fixture: a program, in a kernel that takes it."""
    with ExitStack() as opened:
        with or_skip():
            made = Loaded(opened, writer=writer)
        yield made


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
    interface: int
    """By which packets from it come, and those to it leave."""
    on: bool = True
    refused: int = 0
    budget: int = BUDGET

    @property
    def ends(self) -> Ends:
        """Of what it sends."""
        return Ends(self.remote, self.remote_port, self.local, self.local_port)

    @property
    def path(self) -> int:
        """By which that comes."""
        return path_of(self.local_port, self.remote, self.remote_port)

    @property
    def expected(self) -> int:
        """The first header word of its plain audio, under PLAIN."""
        return 0x80000000 | self.payload_type << 16


@dataclass
class Model:
    """What the program should do; legs are bridged in pairs, 0 with 1 and so on."""

    legs: list[Leg]
    enabled: bool = True
    head: int = 0
    tail: int = 0
    notes: list[tuple[int, tuple[int, int, int], int, int]] = field(default_factory=list)

    def take(self, packet: bytes, interface: int = LOOPBACK, parts: int = 0) -> Ran:
        """What comes of a packet that arrives at an interface."""
        unchanged = Ran(ON, packet)
        if parts or len(packet) < 54 or not self._is_for_us(packet, interface):
            return unchanged
        ends = Ends(*struct.unpack(">IHIH", packet[26:30] + packet[34:36] + packet[30:34] + packet[36:38]))
        path = path_of(ends.destination_port, ends.source, ends.source_port)
        slot = {leg.path: slot for slot, leg in enumerate(self.legs)}.get(path)
        if slot is None:
            return unchanged
        leg, peer = self.legs[slot], self.legs[slot ^ 1]
        if ends.destination != leg.local or interface != leg.interface:
            return unchanged
        if peer.interface == LOOPBACK and leg.interface != LOOPBACK:
            return unchanged
        first, timestamp, ssrc = HEAD.unpack_from(packet, 42)
        fits = first & PLAIN == leg.expected and ssrc == leg.ssrc
        fits &= 1 <= (first - leg.highest & 0xFFFF) <= AHEAD
        fits &= leg.on and self.enabled and leg.budget > 0
        if not fits or self.head - self.tail > ROOM - MARGIN:
            leg.on = False
            leg.refused += 1
            return unchanged
        leg.budget -= 1
        leg.highest = first & 0xFFFF
        self.head += 1
        self.notes.append((slot, (first, timestamp, ssrc), word(packet, 38) - 8, self.head & 0xFFFFFFFF))
        header = HEAD.pack(
            (first + (leg.head_step << 16) & 0xFFFF0000) | (first + leg.sequence_step & 0xFFFF),
            timestamp + leg.timestamp_step & 0xFFFFFFFF,
            ssrc + leg.ssrc_step & 0xFFFFFFFF,
        )
        return self._sent(packet, header, peer)

    @staticmethod
    def _is_for_us(packet: bytes, interface: int) -> bool:
        """A whole and sound datagram for a port of RTP, of a size that is relayed."""
        here = TO_LOOPBACK if interface == LOOPBACK else OTHER_ADDRESS
        size, port = word(packet, 38), word(packet, 36)
        return (
            packet[:6] == here
            and (word(packet, 12), packet[14], packet[23]) == (IPV4, 0x45, 17)
            and not word(packet, 20) & 0x3FFF  # a fragment
            and ones_sum(packet[14:34]) == 0xFFFF
            and PORTS[0] <= port <= PORTS[1]
            and port % 2 == 0
            and 20 < size <= 8 + STRIDE
            and word(packet, 16) == 20 + size
            and len(packet) >= 34 + size
        )

    @staticmethod
    def _sent(packet: bytes, header: bytes, peer: Leg) -> Ran:
        size = word(packet, 38)
        made = frame(
            Ends(peer.local, peer.local_port, peer.remote, peer.remote_port),
            header + packet[54 : 34 + size],
            tos=DSCP << 2,
            identification=0,
            fragment=0x4000,
            time_to_live=64,
            summed=bool(word(packet, 40)),
            padding=packet[34 + size :],
        )
        made = packet[:14] + made[14:]
        return Ran(ON, made) if peer.interface == LOOPBACK else Ran(REDIRECTED, made, PRIORITY)


def lay(loaded: Loaded, model: Model, budget: int = BUDGET) -> None:
    """Tell the kernel what the model knows."""
    loaded.clear()
    steady, highest, wanted = np.zeros(CAPACITY, _WAY), zeros(), np.zeros(CAPACITY, np.bool_)
    sources = np.zeros(CAPACITY, np.uint64)
    loaded.routes.routes = {leg.remote: Route(leg.local, leg.interface) for leg in model.legs}
    for slot, leg in enumerate(model.legs):
        steady["path"][slot], steady["to"][slot] = model.legs[slot ^ 1].path, slot ^ 1
        steady["expected"][slot] = leg.expected
        for name in ("ssrc", "sequence_step", "head_step", "timestamp_step", "ssrc_step"):
            steady[name][slot] = getattr(leg, name)
        sources[slot], highest[slot], wanted[slot] = leg.path, 65536 + leg.highest, True
        leg.budget, leg.refused = budget, int(loaded.ways["refused"][slot])
    loaded.start_at(model.head, model.head - model.tail)
    loaded.forwarding.lay(wanted, sources, steady, highest)
    loaded.forwarding.tick()
    loaded.forwarding.look()
    loaded.forwarding.resume(highest)
    if budget != BUDGET:
        loaded.ways["budget"] = budget
    loaded.control["enabled"][0] = model.enabled


def both(loaded: Loaded, model: Model, packet: bytes, interface: int = LOOPBACK, parts: int = 0) -> Ran:
    """Run the program on a packet that comes by an interface, and hold it against the model."""
    if interface == OTHER and packet[:6] == TO_LOOPBACK:
        packet = OTHER_ADDRESS + packet[6:]
    wanted = model.take(packet, interface, parts)
    before = time.monotonic_ns()
    ran = run(loaded.program, packet, interface=interface, gso_size=parts)
    after = time.monotonic_ns()
    assert (ran.returned, ran.priority) == (wanted.returned, wanted.priority)
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
        told = bool(way["on"]), int(way["highest"]) & 0xFFFF, int(way["budget"]), int(way["refused"])
        able = leg.interface == LOOPBACK or model.legs[slot ^ 1].interface != LOOPBACK
        assert told == (leg.on and able, leg.highest, leg.budget, leg.refused)
    return ran
