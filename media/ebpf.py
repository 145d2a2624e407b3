"""An assembler for eBPF, as far as `media.forwarding_program` needs it (RFC 9669).

Only what is written is made: whether the kernel takes it is decided by its verifier.
"""

from __future__ import annotations

import struct
from enum import IntEnum


class Register(IntEnum):
    """R0 is what a call or the program returns; R1 to R5 are arguments, lost in a call; R6 to R9 survive
    calls; R10 is the end of 512 bytes of stack."""

    R0 = 0
    R1 = 1
    R2 = 2
    R3 = 3
    R4 = 4
    R5 = 5
    R6 = 6
    R7 = 7
    R8 = 8
    R9 = 9
    R10 = 10


Value = Register | int
"""A register, or a number of 32 bits with a sign."""

_SIZES = {8: 0x10, 16: 0x08, 32: 0x00, 64: 0x18}
_OPERATIONS = {
    "add": 0x00,
    "sub": 0x10,
    "or": 0x40,
    "and": 0x50,
    "shl": 0x60,
    "shr": 0x70,
    "xor": 0xA0,
    "mov": 0xB0,
}
_CONDITIONS = {"==": 0x10, ">": 0x20, ">=": 0x30, "!=": 0x50, "<": 0xA0, "<=": 0xB0}
_LD_IMM64, _LDX, _STX, _STORE_ATOMIC, _ALU32, _ALU64, _JUMP = 0x18, 0x61, 0x63, 0xC3, 0x04, 0x07, 0x05
_FROM_REGISTER = 0x08
_TO_BIG_ENDIAN = 0xDC
_FETCH_ADD, _EXCHANGE = 0x01, 0xE1
_MAP, _MAP_VALUE = 1, 2
_CALL, _EXIT = 0x85, 0x95


class Assembler:
    """Instructions one after the other; `program` is what the kernel loads. Comparisons are unsigned."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int, int]] = []  # operation, target, source, offset, number
        self._labels: dict[str, int] = {}
        self._jumps: dict[int, str] = {}

    def _put(self, operation: int, to: int = 0, source: int = 0, offset: int = 0, number: int = 0) -> None:
        self._code.append((operation, to, source, offset, number))

    def _compute(self, operation: int, to: Register, value: Value, offset: int = 0) -> None:
        if isinstance(value, Register):
            self._put(operation | _FROM_REGISTER, to, value, offset)
        else:
            self._put(operation, to, 0, offset, value)

    def alu(self, operation: str, to: Register, value: Value, bits: int = 64) -> None:
        """`to` = `to` operation `value`, in 64 or 32 bits (which clear the upper ones)."""
        self._compute((_ALU64 if bits == 64 else _ALU32) | _OPERATIONS[operation], to, value)

    def move(self, to: Register, value: Value) -> None:
        """`to` = `value`"""
        self.alu("mov", to, value)

    def big_endian(self, to: Register, bits: int) -> None:
        """To network order or from it: the lowest 16 or 32 bits; the others become 0."""
        self._put(_TO_BIG_ENDIAN, to, 0, 0, bits)

    def load(self, bits: int, to: Register, base: Register, offset: int) -> None:
        """`to` = what is at `base` + `offset`"""
        self._put(_LDX | _SIZES[bits], to, base, offset)

    def store(self, bits: int, base: Register, offset: int, source: Register) -> None:
        """The contrary."""
        self._put(_STX | _SIZES[bits], base, source, offset)

    def fetch_add(self, base: Register, offset: int, source: Register) -> None:
        """Add to the 64 bits there, as one step for all processors; `source` = what was there."""
        self._put(_STORE_ATOMIC | _SIZES[64], base, source, offset, _FETCH_ADD)

    def exchange(self, base: Register, offset: int, source: Register) -> None:
        """Swap with the 32 bits there. Nobody sees it before what was stored earlier."""
        self._put(_STORE_ATOMIC, base, source, offset, _EXCHANGE)

    def _address(self, kind: int, to: Register, descriptor: int) -> None:
        self._put(_LD_IMM64, to, kind, 0, descriptor)
        self._put(0)

    def map(self, to: Register, descriptor: int) -> None:
        """A map, as argument of a call."""
        self._address(_MAP, to, descriptor)

    def map_value(self, to: Register, descriptor: int) -> None:
        """Where the only value of an array lies."""
        self._address(_MAP_VALUE, to, descriptor)

    def call(self, helper: int) -> None:
        """One of the kernel's helpers (`enum bpf_func_id`)."""
        self._put(_CALL, 0, 0, 0, helper)

    def exit(self) -> None:
        """The program ends, with R0."""
        self._put(_EXIT)

    def jump(self, left: Register, condition: str, right: Value, label: str) -> None:
        """To the label, if it is so."""
        self._jumps[len(self._code)] = label
        self._compute(_JUMP | _CONDITIONS[condition], left, right)

    def go(self, label: str) -> None:
        """To the label."""
        self._jumps[len(self._code)] = label
        self._put(_JUMP)

    def label(self, name: str) -> None:
        """Here. Labels lie behind all jumps to them."""
        self._labels[name] = len(self._code)

    def program(self) -> bytes:
        """`struct bpf_insn` one after the other, of a little-endian machine."""
        made = bytearray()
        for at, (operation, to, source, offset, number) in enumerate(self._code):
            if at in self._jumps:
                offset = self._labels[self._jumps[at]] - at - 1
            made += struct.pack("<BBhi", operation, to | source << 4, offset, number)
        return bytes(made)
