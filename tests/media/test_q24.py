"""Every limit of ITU-T Q.24 and ETSI ES 201 235-3, and two things that are no keys: speech and too little.

`make bench` has the same table with more lines, beside spandsp.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.q24 import SOUNDS, hear_codes, prompts, right, side_by_side
from tests.support import q24

# One law at every phase is enough here, and 23 ms stand for 20.
ROWS = [
    replace(row, presses=row.presses[:1]) if "every phase" in row.name else row
    for row in q24.table()
    if not row.name.startswith("20 ms")
]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_row(row: q24.Row) -> None:
    share, _, lines = right(row, peer=False)
    assert share == 1.0, f"{round((1.0 - share) * lines)} of {lines} lines are wrong"


@pytest.mark.parametrize("shift", [0, 40, 80, 120])
def test_ten_minutes_of_prompts_have_no_key(shift: int) -> None:
    """Debian's Italian prompts, in which a man's vowels come nearest to keys."""
    folder: Path = SOUNDS / "it_IT_m_Carlo"
    if not folder.exists():
        pytest.skip("sh scripts/setup.sh --test, or apt-get install asterisk-core-sounds-it-wav")
    codes = side_by_side(prompts(folder, minutes=10.0), shift)
    assert [heard for heard in hear_codes(codes, np.zeros(len(codes), np.uint8)) if heard] == []
