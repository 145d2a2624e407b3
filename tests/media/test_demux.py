"""The table of paths against a dict."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media.demux import NOBODY, KeyTable

PATHS = st.sampled_from([0, 1, 2, 2**16, 2**48, 2**63, 2**64 - 2])
STEPS = st.lists(st.tuples(st.booleans(), PATHS, st.integers(0, 3)), max_size=60)


@given(STEPS, st.lists(PATHS, min_size=1, max_size=10))
def test_it_is_a_dict_that_gives_nothing_away(steps: list[tuple[bool, int, int]], asked: list[int]) -> None:
    table, model = KeyTable(), dict[int, int]()
    for add, path, slot in steps:
        if add:
            assert table.add(path, slot) == (model.setdefault(path, slot) == slot)
        else:
            assert table.remove(path, slot) == (model.get(path) == slot)
            if model.get(path) == slot:
                del model[path]
        assert len(table) == len(model)
    slots, known = table.look_up(np.array(asked, np.uint64))
    assert known.tolist() == [path in model for path in asked]
    assert slots[known].tolist() == [model[path] for path in asked if path in model]
    assert [table.owner(path) for path in asked] == [model.get(path, NOBODY) for path in asked]
