"""The assembler writes what RFC 9669 says, and the kernel computes with it what is meant."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.ebpf import Assembler, Register
from media.io import bpf
from tests.support.bpf_run import or_skip, run

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = Register


def made(write: Callable[[Assembler], None]) -> str:
    code = Assembler()
    write(code)
    return code.program().hex(" ", 8)


@pytest.mark.parametrize(
    ("operation", "code"),
    [("add", 0x0), ("sub", 0x1), ("or", 0x4), ("and", 0x5), ("shl", 0x6), ("shr", 0x7), ("xor", 0xA)],
)
def test_arithmetic(operation: str, code: int) -> None:
    """Section 4.1: the operation in the upper half; 7 and f in 64 bits, 4 and c in 32, number or register."""
    assert made(lambda to: to.alu(operation, R1, 5)) == f"{code:x}701000005000000"
    assert made(lambda to: to.alu(operation, R1, R9)) == f"{code:x}f91000000000000"
    assert made(lambda to: to.alu(operation, R1, 5, 32)) == f"{code:x}401000005000000"
    assert made(lambda to: to.alu(operation, R1, R9, 32)) == f"{code:x}c91000000000000"


@pytest.mark.parametrize(
    ("write", "wanted"),
    [
        (lambda to: to.move(R6, R1), "bf16000000000000"),
        (lambda to: to.move(R0, -1), "b7000000ffffffff"),
        (lambda to: to.move(R2, 0x12345678), "b702000078563412"),
        (lambda to: to.move(R10, R0), "bf0a000000000000"),
        (lambda to: to.alu("mov", R3, R4, 32), "bc43000000000000"),
        (lambda to: to.big_endian(R3, 16), "dc03000010000000"),
        (lambda to: to.big_endian(R3, 32), "dc03000020000000"),
        (lambda to: to.load(8, R1, R8, 23), "7181170000000000"),
        (lambda to: to.load(16, R1, R8, 36), "6981240000000000"),
        (lambda to: to.load(32, R1, R8, 30), "61811e0000000000"),
        (lambda to: to.load(64, R4, R9, 64), "7994400000000000"),
        (lambda to: to.store(8, R8, 15, R1), "73180f0000000000"),
        (lambda to: to.store(16, R8, 24, R3), "6b38180000000000"),
        (lambda to: to.store(32, R7, 12, R3), "63370c0000000000"),
        (lambda to: to.store(64, R10, -8, R5), "7b5af8ff00000000"),
        (lambda to: to.fetch_add(R9, 64, R4), "db49400001000000"),
        (lambda to: to.exchange(R9, 216, R4), "c349d800e1000000"),
        (lambda to: to.map(R1, 7), "1811000007000000 0000000000000000"),
        (lambda to: to.map_value(R9, 8), "1829000008000000 0000000000000000"),
        (lambda to: to.call(152), "8500000098000000"),
        (lambda to: to.exit(), "9500000000000000"),
    ],
)
def test_other_instructions(write: Callable[[Assembler], None], wanted: str) -> None:
    assert made(write) == wanted


@pytest.mark.parametrize(
    ("condition", "code"), [("==", 0x1), (">", 0x2), (">=", 0x3), ("!=", 0x5), ("<", 0xA), ("<=", 0xB)]
)
def test_jumps(condition: str, code: int) -> None:
    """Section 4.3: 5 compares with a number, d with a register; offsets count from the next instruction."""

    def write(to: Assembler) -> None:
        to.jump(R1, condition, -2, "end")
        to.jump(R2, condition, R3, "end")
        to.label("end")
        to.exit()

    assert made(write) == f"{code:x}5010100feffffff {code:x}d32000000000000 9500000000000000"


def test_labels_count_both_halves_of_an_address() -> None:
    def write(to: Assembler) -> None:
        to.go("far")
        to.map(R1, 3)
        to.go("near")
        to.label("near")
        to.label("far")
        to.exit()

    assert made(write) == (
        "0500030000000000 1811000003000000 0000000000000000 0500000000000000 9500000000000000"
    )


def test_what_cannot_be_assembled_is_no_program() -> None:
    code = Assembler()
    code.go("nowhere")
    with pytest.raises(KeyError, match="nowhere"):
        code.program()


NUMBERS = st.one_of(
    st.integers(-(1 << 31), (1 << 31) - 1), st.sampled_from([0, 1, -1, (1 << 31) - 1, -(1 << 31)])
)
COMPUTE: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "or": lambda a, b: a | b,
    "and": lambda a, b: a & b,
    "xor": lambda a, b: a ^ b,
    "mov": lambda a, b: b,
}
COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": lambda a, b: a == b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}


def returned(code: Assembler) -> int:
    """What the kernel finds in R0, 32 bits."""
    with or_skip():
        program = bpf.load(code.program())
    try:
        return run(program, bytes(64)).returned & 0xFFFFFFFF
    finally:
        os.close(program)


@given(st.sampled_from(sorted(COMPUTE)), NUMBERS, NUMBERS, st.sampled_from([32, 64]), st.booleans())
def test_the_kernel_computes_it(operation: str, left: int, right: int, bits: int, register: bool) -> None:
    wanted = COMPUTE[operation](left, right) & ((1 << bits) - 1)
    for shift in (0, 32):
        code = Assembler()
        code.move(R0, left)
        code.move(R1, right)
        code.alu(operation, R0, R1 if register else right, bits)
        code.alu("shr", R0, shift)
        code.exit()
        assert returned(code) == wanted >> shift & 0xFFFFFFFF


@given(st.sampled_from(sorted(COMPARE)), NUMBERS, NUMBERS, st.booleans())
def test_the_kernel_compares_without_signs(condition: str, left: int, right: int, register: bool) -> None:
    code = Assembler()
    code.move(R2, left)
    code.move(R3, right)
    code.move(R0, 1)
    code.jump(R2, condition, R3 if register else right, "so")
    code.move(R0, 0)
    code.label("so")
    code.exit()
    mask = (1 << 64) - 1
    assert returned(code) == COMPARE[condition](left & mask, right & mask)


@given(NUMBERS, st.integers(0, 63))
def test_the_kernel_shifts_and_turns(number: int, by: int) -> None:
    mask = (1 << 64) - 1
    for operation, wanted in (("shl", number << by & mask), ("shr", (number & mask) >> by)):
        code = Assembler()
        code.move(R0, number)
        code.alu(operation, R0, by)
        code.exit()
        assert returned(code) == wanted & 0xFFFFFFFF
    for bits in (16, 32):
        code = Assembler()
        code.move(R0, number)
        code.big_endian(R0, bits)
        code.exit()
        low = number & ((1 << bits) - 1)
        assert returned(code) == int.from_bytes(low.to_bytes(bits // 8, "little"), "big")


def test_the_kernel_adds_and_swaps_in_one_step() -> None:
    with or_skip():
        shared = bpf.SharedArray(16)
    try:
        shared.memory[:16] = (1 << 40).to_bytes(8, "little") + (7).to_bytes(8, "little")
        code = Assembler()
        code.map_value(R9, shared.descriptor)
        code.move(R1, 5)
        code.fetch_add(R9, 0, R1)
        code.alu("shr", R1, 32)
        code.move(R0, -3)
        code.exchange(R9, 8, R0)
        code.alu("shl", R1, 16)
        code.alu("or", R0, R1)
        code.exit()
        assert returned(code) == (1 << 8 << 16 | 7)
        assert shared.memory[:16] == ((1 << 40) + 5).to_bytes(8, "little") + b"\xfd\xff\xff\xff" + bytes(4)
    finally:
        shared.close()
