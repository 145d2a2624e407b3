"""What the kernel does with a packet of a bridged call (eBPF, at the ingress of a network interface).

The short way of `media.steady`, there where the packets arrive: one that goes on with a stream that its leg's
peer is hearing already is given its new header and its new addresses and goes on at once, and a note of it is
left for the worker, which counts it later. Whatever is not exactly as expected goes where it would have gone
without this program; if it is a leg's, the leg's further packets do so, too, until the worker has seen it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from media.ebpf import Assembler, Register, Value
from media.forwarding_memory import CONTROL, CONTROL_BYTES, LOOPBACK, MARGIN, NOTE, ROOM, WAY
from media.packet import HEADER_BYTES, PLAIN_MASK, STRIDE


def _offsets(kind: np.dtype[np.void], base: int = 0) -> dict[str, int]:
    """Where the fields of a structure are."""
    assert kind.fields is not None
    return {name: base + field[1] for name, field in kind.fields.items()}


_CONTROL_AT, _WAY_AT, _NOTE_AT = _offsets(CONTROL), _offsets(WAY), _offsets(NOTE, CONTROL_BYTES)
_ETHERNET_BYTES, _IP_BYTES, _UDP_BYTES = 14, 20, 8
# Where the fields of a packet's headers are, from its beginning (RFC 791, RFC 768, RFC 3550 section 5.1).
_VERSION, _LENGTH, _IDENTIFICATION, _FRAGMENT, _LIFE, _PROTOCOL, _HEADER_SUM = 14, 16, 18, 20, 22, 23, 24
_SOURCE, _DESTINATION = 26, 30
_SOURCE_PORT, _DESTINATION_PORT, _UDP_LENGTH, _UDP_SUM = 34, 36, 38, 40
_RTP, _TIMESTAMP, _SSRC = 42, 46, 50
_HEADS = _RTP + HEADER_BYTES
_IPV4_RAW = 0x0008  # 0x0800 as it lies there
_FRAGMENT_RAW = 0xFF3F  # fragment offset, and more fragments
_DONT_FRAGMENT_RAW = 0x0040
_VERSION_4, _TIME_TO_LIVE, _PROTOCOL_UDP = 0x45, 64, 17
_SKB = {
    "len": 0,
    "pkt_type": 4,
    "protocol": 16,
    "priority": 32,
    "vlan_present": 20,
    "ifindex": 40,
    "data": 76,
    "data_end": 80,
    "gso_size": 176,
}
_MAP_LOOKUP, _KTIME, _L4_CHECKSUM, _PULL, _REDIRECT_NEIGHBOUR = 1, 5, 11, 39, 152
_PSEUDO_HEADER, _MANGLED_ZERO = 1 << 4, 1 << 5
_TCX_NEXT, _DROP = -1, 2
_KEY_AT = _SLOT_AT = -8
_SUMS_AT, _TURN_AT = (-16, -24), -32
"""What the program keeps on its stack."""
R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = Register


def header_sums(source: np.ndarray, destination: np.ndarray, tos: int) -> np.ndarray:
    """Of n ways, uint32[n], for WAY's `checksum`; addresses as they lie in a packet, uint32[n]."""
    fixed = (_VERSION_4 | tos << 8) + _DONT_FRAGMENT_RAW + (_TIME_TO_LIVE | _PROTOCOL_UDP << 8)
    halves = [
        part.astype(np.uint32) for word in (source, destination) for part in (word & 0xFFFF, word >> 16)
    ]
    return np.uint32(fixed) + sum(halves[1:], halves[0])


class Settings(NamedTuple):
    """What is the same for all packets."""

    capacity: int
    ports: tuple[int, int]
    """RTP comes to the even ones of them."""
    tos: int
    """The type of service of what goes out,"""
    priority: int
    """and what the kernel makes of it (SO_PRIORITY)."""
    ahead: int
    """How far after the highest sequence number the next may be."""


def assemble(keys: int, ways: int, memory: int, settings: Settings) -> bytes:
    """The program. `keys` is the descriptor of a hash map from paths (media.path) to slots; `ways` that of an
    array of `capacity` WAYs and `memory` that of CONTROL and, at CONTROL_BYTES, ROOM NOTEs, each as the only
    value of a map."""
    return _Writer(keys, ways, memory).write(settings)


class _Writer:
    """R6: the packet's `__sk_buff`, R7: the leg's way, R8: the packet, R9: what is common."""

    def __init__(self, keys: int, ways: int, memory: int) -> None:
        self._keys, self._ways, self._memory = keys, ways, memory
        self._code = Assembler()

    def write(self, settings: Settings) -> bytes:
        code = self._code
        code.move(R6, R1)
        self._is_udp()
        self._is_for_ports(*settings.ports)
        self._find_way(settings.capacity)
        self._is_expected(settings.ahead)
        self._note()
        self._rewrite(settings.tos)
        self._send(settings.priority)
        code.label("drop")
        code.move(R0, _DROP)
        code.exit()
        code.label("refuse")
        code.move(R1, 0)
        self._put("on", R1)
        self._get(R1, "refused")
        code.alu("add", R1, 1)
        self._put("refused", R1)
        code.label("pass")
        code.move(R0, _TCX_NEXT)
        code.exit()
        return code.program()

    def _skb(self, to: Register, name: str) -> None:
        self._code.load(32, to, R6, _SKB[name])

    def _packet(self, bits: int, to: Register, at: int) -> None:
        """A number of the packet."""
        self._code.load(bits, to, R8, at)
        self._code.big_endian(to, bits)

    def _get(self, to: Register, field: str, bits: int = 32) -> None:
        self._code.load(bits, to, R7, _WAY_AT[field])

    def _put(self, field: str, source: Register) -> None:
        self._code.store(32, R7, _WAY_AT[field], source)

    def _unless(self, field: str, is_: Value) -> None:
        """Let it pass unless this of the packet's `__sk_buff` is so."""
        self._skb(R1, field)
        self._code.jump(R1, "!=", is_, "pass")

    def _is_udp(self) -> None:
        """A whole datagram of IPv4 without options, in one piece, with its heads in reach."""
        code = self._code
        self._unless("protocol", _IPV4_RAW)
        self._unless("pkt_type", 0)  # PACKET_HOST: for this machine
        self._unless("vlan_present", 0)
        self._unless("gso_size", 0)
        self._reach("near")
        code.move(R1, R6)
        code.move(R2, _HEADS)
        code.call(_PULL)
        self._reach("near")
        code.go("pass")
        code.label("near")
        for at, wanted in ((_VERSION, _VERSION_4), (_PROTOCOL, _PROTOCOL_UDP)):
            code.load(8, R1, R8, at)
            code.jump(R1, "!=", wanted, "pass")
        code.load(16, R1, R8, _FRAGMENT)
        code.alu("and", R1, _FRAGMENT_RAW)
        code.jump(R1, "!=", 0, "pass")
        code.load(32, R2, R8, _VERSION)
        for at in range(_VERSION + 4, _VERSION + _IP_BYTES, 4):
            code.load(32, R1, R8, at)
            code.alu("add", R2, R1)
        self._fold(R2, 32)
        self._fold(R2, 16)
        code.jump(R2, "!=", 0xFFFF, "pass")  # a wrong sum: let the kernel drop it

    def _reach(self, label: str) -> None:
        code = self._code
        self._skb(R8, "data")
        self._skb(R2, "data_end")
        code.move(R3, R8)
        code.alu("add", R3, _HEADS)
        code.jump(R3, "<=", R2, label)

    def _is_for_ports(self, first: int, last: int) -> None:
        """RTP's ports (R5); the lengths in the packet agree, and its payload is such as is relayed."""
        code = self._code
        self._packet(16, R5, _DESTINATION_PORT)
        code.jump(R5, "<", first, "pass")
        code.jump(R5, ">", last, "pass")
        code.move(R1, R5)
        code.alu("and", R1, 1)
        code.jump(R1, "!=", 0, "pass")
        self._packet(16, R1, _LENGTH)
        self._packet(16, R2, _UDP_LENGTH)
        code.jump(R2, "<=", _UDP_BYTES + HEADER_BYTES, "pass")
        code.jump(R2, ">", _UDP_BYTES + STRIDE, "pass")
        code.alu("add", R2, _IP_BYTES)
        code.jump(R1, "!=", R2, "pass")
        code.alu("add", R1, _ETHERNET_BYTES)
        self._skb(R2, "len")
        code.jump(R2, "<", R1, "pass")

    def _find_way(self, capacity: int) -> None:
        """Of the path: local port, and the sender's port and address as they lie there."""
        code = self._code
        code.load(16, R1, R8, _SOURCE_PORT)
        code.alu("shl", R1, 16)
        code.alu("or", R5, R1)
        code.load(32, R1, R8, _SOURCE)
        code.alu("shl", R1, 32)
        code.alu("or", R5, R1)
        code.store(64, R10, _KEY_AT, R5)
        code.map(R1, self._keys)
        code.move(R2, R10)
        code.alu("add", R2, _KEY_AT)
        code.call(_MAP_LOOKUP)
        code.jump(R0, "==", 0, "pass")
        code.load(32, R1, R0, 0)
        code.jump(R1, ">=", capacity, "pass")
        code.store(64, R10, _SLOT_AT, R1)
        code.alu("shl", R1, 6)
        code.map_value(R7, self._ways)
        code.alu("add", R7, R1)

    def _is_expected(self, ahead: int) -> None:
        """Plain audio of the leg's stream, its next packet or one not far after that. R3: its first word."""
        code = self._code
        code.map_value(R9, self._memory)
        code.load(32, R1, R9, _CONTROL_AT["turn"])
        code.store(64, R10, _TURN_AT, R1)
        self._get(R1, "local")
        code.load(32, R2, R8, _DESTINATION)
        code.jump(R1, "!=", R2, "pass")
        self._get(R2, "arrives")
        self._unless("ifindex", R2)
        self._get(R1, "on")
        code.jump(R1, "==", 0, "refuse")
        code.load(32, R1, R9, _CONTROL_AT["enabled"])
        code.jump(R1, "==", 0, "refuse")
        self._packet(32, R3, _RTP)
        code.move(R1, R3)
        code.alu("and", R1, int(PLAIN_MASK) - (1 << 32), 32)
        self._get(R2, "expected")
        code.jump(R1, "!=", R2, "refuse")
        self._packet(32, R1, _SSRC)
        self._get(R2, "ssrc")
        code.jump(R1, "!=", R2, "refuse")
        self._get(R1, "budget")
        code.jump(R1, "==", 0, "refuse")
        code.load(64, R4, R9, _CONTROL_AT["head"])
        code.load(64, R5, R9, _CONTROL_AT["tail"])
        code.alu("sub", R4, R5)
        code.jump(R4, ">", ROOM - MARGIN, "refuse")
        self._get(R2, "highest")
        code.move(R4, R3)
        code.alu("sub", R4, R2)
        code.alu("sub", R4, 1)
        code.alu("and", R4, 0xFFFF)
        code.jump(R4, ">=", ahead, "refuse")
        self._put("highest", R3)
        code.alu("sub", R1, 1)
        self._put("budget", R1)

    def _note(self) -> None:
        """For the worker. R3 is the packet's first word."""
        code = self._code
        code.store(64, R10, _SUMS_AT[0], R3)
        code.call(_KTIME)
        code.load(64, R3, R10, _SUMS_AT[0])
        code.move(R4, 1)
        code.fetch_add(R9, _CONTROL_AT["head"], R4)
        code.move(R1, R4)
        code.alu("and", R1, ROOM - 1)
        code.alu("shl", R1, 5)
        code.alu("add", R9, R1)
        code.store(64, R9, _NOTE_AT["arrival"], R0)
        code.store(32, R9, _NOTE_AT["headers"], R3)
        for at in (_TIMESTAMP, _SSRC):
            self._packet(32, R1, at)
            code.store(32, R9, _NOTE_AT["headers"] + at - _RTP, R1)
        code.load(64, R1, R10, _SLOT_AT)
        code.store(16, R9, _NOTE_AT["slot"], R1)
        self._packet(16, R1, _UDP_LENGTH)
        code.alu("sub", R1, _UDP_BYTES)
        code.store(16, R9, _NOTE_AT["length"], R1)
        code.alu("add", R4, 1)
        code.exchange(R9, _NOTE_AT["stamp"], R4)

    def _rewrite(self, tos: int) -> None:
        """The RTP header, in which each part has its step, the ports, and a new IP header. R3 is the packet's
        first word. What changes in the sum of its words goes into UDP's checksum."""
        code = self._code
        self._step(R3, "sequence_step")
        self._get(R1, "head_step", 16)
        code.alu("shl", R1, 16)
        code.alu("add", R3, R1, 32)
        code.big_endian(R3, 32)
        code.move(R4, 0)  # the sum of what is new and of the complements of what was
        self._replace(_RTP, R3)
        for field, at in (("timestamp_step", _TIMESTAMP), ("ssrc_step", _SSRC)):
            self._packet(32, R3, at)
            self._get(R1, field)
            code.alu("add", R3, R1, 32)
            code.big_endian(R3, 32)
            self._replace(at, R3)
        self._get(R3, "ports")
        self._replace(_SOURCE_PORT, R3)
        self._fold(R4, 32)
        code.store(64, R10, _SUMS_AT[0], R4)
        code.move(R4, 0)
        for field, at in (("source", _SOURCE), ("destination", _DESTINATION)):
            self._get(R3, field)
            self._replace(at, R3)
        self._fold(R4, 32)
        code.store(64, R10, _SUMS_AT[1], R4)
        for bits, at, value in (
            (16, _VERSION, _VERSION_4 | tos << 8),
            (32, _IDENTIFICATION, _DONT_FRAGMENT_RAW << 16),
            (16, _LIFE, _TIME_TO_LIVE | _PROTOCOL_UDP << 8),
        ):
            code.move(R1, value)
            code.store(bits, R8, at, R1)
        self._get(R3, "checksum")
        code.load(16, R1, R8, _LENGTH)
        code.alu("add", R3, R1)
        self._fold(R3, 16)
        code.alu("xor", R3, 0xFFFF)
        code.store(16, R8, _HEADER_SUM, R3)
        for stack, flags in zip(_SUMS_AT, (_MANGLED_ZERO, _MANGLED_ZERO | _PSEUDO_HEADER), strict=True):
            code.move(R1, R6)
            code.move(R2, _UDP_SUM)
            code.move(R3, 0)
            code.load(64, R4, R10, stack)
            code.move(R5, flags)
            code.call(_L4_CHECKSUM)

    def _step(self, register: Register, field: str) -> None:
        """Add to the low 16 bits, without a carry to the others."""
        code = self._code
        self._get(R1, field, 16)
        code.alu("add", R1, register)
        code.alu("xor", R1, register)
        code.alu("and", R1, 0xFFFF)
        code.alu("xor", register, R1)

    def _replace(self, at: int, new: Register) -> None:
        """A word of 32 bits of the packet; R4 has the difference added."""
        code = self._code
        code.load(32, R1, R8, at)
        code.alu("xor", R1, -1, 32)
        code.alu("add", R4, R1)
        code.alu("add", R4, new)
        code.store(32, R8, at, new)

    def _fold(self, register: Register, bits: int) -> None:
        """A sum in ones' complement: of as many bits."""
        code = self._code
        for _ in range(2):
            code.move(R1, register)
            code.alu("shr", R1, bits)
            code.alu("shl", register, 64 - bits)
            code.alu("shr", register, 64 - bits)
            code.alu("add", register, R1)

    def _send(self, priority: int) -> None:
        """Where the way leads, if it is still the same. What stays on this machine goes on to its socket."""
        code = self._code
        code.map_value(R1, self._memory)
        code.load(32, R1, R1, _CONTROL_AT["turn"])
        code.load(64, R2, R10, _TURN_AT)
        code.jump(R1, "!=", R2, "drop")
        self._get(R1, "leaves")
        code.jump(R1, "==", LOOPBACK, "pass")
        code.move(R2, priority)
        code.store(32, R6, _SKB["priority"], R2)
        code.move(R2, 0)
        code.move(R3, 0)
        code.move(R4, 0)
        code.call(_REDIRECT_NEIGHBOUR)
        code.exit()
