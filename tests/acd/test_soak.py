"""Thousands of calls with a fault at every step: nothing is stuck, every call ends once, the counters are the
log.

ACD_SOAK_CALLS sets how many calls (default 5 000; 100 000 take some minutes), ACD_SOAK_SEED which ones.
"""

from __future__ import annotations

import os

import pytest

from tests.acd.soak import Soak

CALLS = int(os.environ.get("ACD_SOAK_CALLS", "5000"))
SEED = int(os.environ.get("ACD_SOAK_SEED", "1"))


@pytest.mark.timeout(60 + CALLS // 50)
def test_soak() -> None:
    soak = Soak(SEED)
    soak.run(CALLS)
    soak.drain()
    soak.check_everything()
    missing = [fault for fault in soak.faults if not soak.done[fault]]
    assert not missing, f"faults that never happened: {missing}"
