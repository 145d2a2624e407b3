"""Maps and programs in the kernel, as far as they are ours."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import numpy as np
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


def put(keys: bpf.HashMap, values: dict[int, int]) -> None:
    keys.put(np.array(list(values), np.uint64), np.array(list(values.values()), np.uint32))


def test_keys_are_put_and_removed(keys: bpf.HashMap) -> None:
    put(keys, {5: 50, 6: 60})
    assert [found(keys, key) for key in (5, 6, 7)] == [50, 60, None]
    with pytest.raises(OSError) as full:
        put(keys, {7: 70})
    assert full.value.errno == errno.E2BIG
    keys.remove(np.array([5], np.uint64))
    assert found(keys, 5) is None
    put(keys, {7: 70})
    assert [found(keys, key) for key in (5, 6, 7)] == [None, 60, 70]
    keys.remove(np.array([6, 7], np.uint64))
    assert [found(keys, key) for key in (5, 6, 7)] == [None] * 3


def test_all_keys_of_a_worker_in_one_call() -> None:
    """And all of them replaced by others: what is removed makes room at once."""
    with or_skip():
        keys = bpf.HashMap(6000)
    try:
        paths, slots = np.arange(6000, dtype=np.uint64) * 3 + 1, np.arange(6000, dtype=np.uint32)
        for some in (paths, paths + np.uint64(1)):
            keys.put(some, slots)
            assert [found(keys, int(some[at])) for at in (0, 1, 2999, 5999)] == [0, 1, 2999, 5999]
            keys.remove(some)
            assert [found(keys, int(some[at])) for at in (0, 2999, 5999)] == [None] * 3
    finally:
        keys.close()


def test_arrays_with_gaps_are_taken_as_they_read(keys: bpf.HashMap) -> None:
    keys.put(np.arange(4, dtype=np.uint64)[::2], np.arange(40, 44, dtype=np.uint32)[::2])
    assert [found(keys, key) for key in range(4)] == [40, None, 42, None]
    keys.remove(np.arange(3, dtype=np.uint64)[::-2])
    assert [found(keys, key) for key in range(4)] == [None] * 4


def test_what_is_not_there_cannot_be_removed(keys: bpf.HashMap) -> None:
    with pytest.raises(OSError) as missing:
        keys.remove(np.array([9], np.uint64))
    assert missing.value.errno == errno.ENOENT


def test_a_program_that_the_verifier_refuses(keys: bpf.HashMap) -> None:
    code = Assembler()
    code.load(64, Register.R0, Register.R10, -8)  # never written
    code.load(8, Register.R0, Register.R0, 0)
    code.exit()
    with pytest.raises(OSError, match="verifier refuses the program") as refused:
        bpf.load(code.program())
    assert refused.value.errno == errno.EACCES
