"""Arrays next to one another on huge pages, and elsewhere when those are full."""

from __future__ import annotations

import numpy as np

from media.io.pages import HUGE, LINE, Pages


def test_arrays_are_zero_apart_and_aligned() -> None:
    pages = Pages(4096)
    one, other = pages.zeros((3, 5), np.uint8), pages.zeros((7,), np.float64)
    one[:] = 255
    assert one.shape == (3, 5) and one.dtype == np.uint8
    assert not other.any() and other.dtype == np.float64
    assert one.ctypes.data % HUGE == 0 and other.ctypes.data == one.ctypes.data + LINE


def test_fields_of_structures_can_be_written() -> None:
    rows = Pages(4096).zeros((4,), np.dtype([("a", "u8"), ("b", "u4")]))
    rows["b"] = 7
    assert rows["b"].tolist() == [7] * 4 and not rows["a"].any()


def test_what_does_not_fit_is_made_elsewhere() -> None:
    pages = Pages(HUGE)
    first, second = pages.zeros((HUGE,), np.uint8), pages.zeros((HUGE,), np.uint8)
    second[:] = 1
    assert not first.any()


def test_the_memory_lives_as_long_as_its_arrays() -> None:
    array = Pages(4096).zeros((64,), np.int64)
    array[:] = np.arange(64)
    assert array.sum() == 2016
