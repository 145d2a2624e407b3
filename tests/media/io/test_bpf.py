"""Maps and programs in the kernel, as far as they are ours."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pytest

from media.ebpf import Assembler, Register
from media.io import bpf
from tests.support.bpf_run import or_skip, run


@pytest.fixture
def keys() -> Iterator[bpf.HashMap]:
    with or_skip():
        made = bpf.HashMap(2)
    yield made
    made.close()


def found(keys: bpf.HashMap, key: int) -> int | None:
    """What a program finds there."""
    code = Assembler()
    code.move(Register.R1, key)
    code.store(64, Register.R10, -8, Register.R1)
    code.map(Register.R1, keys.descriptor)
    code.move(Register.R2, Register.R10)
    code.alu("add", Register.R2, -8)
    code.call(1)
    code.jump(Register.R0, "==", 0, "missing")
    code.load(32, Register.R0, Register.R0, 0)
    code.exit()
    code.label("missing")
    code.move(Register.R0, -1)
    code.exit()
    program = bpf.load(code.program())
    try:
        value = run(program, bytes(64)).returned
    finally:
        os.close(program)
    return None if value == -1 else value


def test_keys_are_put_and_removed(keys: bpf.HashMap) -> None:
    keys.put(5, 50)
    keys.put(6, 60)
    assert [found(keys, key) for key in (5, 6, 7)] == [50, 60, None]
    with pytest.raises(OSError) as full:
        keys.put(7, 70)
    assert full.value.errno == errno.E2BIG
    keys.remove(5)
    assert found(keys, 5) is None
    keys.put(7, 70)
    assert [found(keys, key) for key in (5, 6, 7)] == [None, 60, 70]


def test_what_is_not_there_cannot_be_removed(keys: bpf.HashMap) -> None:
    with pytest.raises(OSError) as missing:
        keys.remove(9)
    assert missing.value.errno == errno.ENOENT


def test_a_program_that_the_verifier_refuses(keys: bpf.HashMap) -> None:
    code = Assembler()
    code.load(64, Register.R0, Register.R10, -8)  # never written
    code.load(8, Register.R0, Register.R0, 0)
    code.exit()
    with pytest.raises(OSError, match="verifier refuses the program") as refused:
        bpf.load(code.program())
    assert refused.value.errno == errno.EACCES
