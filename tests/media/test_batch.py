"""Rounds: every packet in its turn, none twice."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media.batch import rounds


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 80))
def test_each_slot_once_a_round_and_in_order(slots: list[int], limit: int) -> None:
    array = np.array(slots, dtype=np.intp)
    scratch = np.full(10, 12345, dtype=np.intp)
    turns = [turn.tolist() for turn in rounds(array, scratch, limit)]
    for turn in turns:
        assert len({slots[at] for at in turn}) == len(turn) > 0
        assert turn == sorted(turn)
    for slot in set(slots):
        order = [at for turn in turns for at in turn if slots[at] == slot]
        assert order == [at for at, each in enumerate(slots) if each == slot][:limit]
    assert len(turns) <= limit
