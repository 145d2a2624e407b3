"""The table of paths against a dict."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media.demux import NOBODY, KeyTable

# A local port is never 0, so no path ends in more than 15 zero bits: it would have a cell that no multiplier
# moves.
PATHS = st.sampled_from([1, 2, 3, 2**15, 2**48 + 4, 2**63 + 2, 2**64 - 2])
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


def test_thousands_come_and_go() -> None:
    """The table grows, buckets change their multipliers, and nobody is lost or found twice."""
    random = np.random.default_rng(7)
    paths = np.unique(random.integers(0, 1 << 63, 6000).astype(np.uint64))
    table = KeyTable()
    for slot, path in enumerate(paths.tolist()):
        assert table.add(path, slot)
    for slot, path in list(enumerate(paths.tolist()))[::3]:
        assert table.remove(path, slot)
    slots, known = table.look_up(paths)
    assert known.tolist() == [at % 3 != 0 for at in range(paths.size)]
    assert slots[known].tolist() == [at for at in range(paths.size) if at % 3]
    for slot, path in list(enumerate(paths.tolist()))[::3]:
        assert table.add(path, slot + 10_000)
    slots, known = table.look_up(paths)
    assert known.all()
    assert slots.tolist() == [at + (0 if at % 3 else 10_000) for at in range(paths.size)]
    assert not table.look_up(np.setdiff1d(paths + np.uint64(1), paths))[1].any()


def test_neighbours_are_told_apart() -> None:
    """Addresses and ports one after another, as a carrier's gateway has them."""
    table = KeyTable()
    paths = [address << 32 | port << 16 | 20000 for address in range(40) for port in range(50)]
    for slot, path in enumerate(paths):
        assert table.add(path, slot)
    slots, known = table.look_up(np.array(paths, np.uint64))
    assert known.all() and slots.tolist() == list(range(len(paths)))
