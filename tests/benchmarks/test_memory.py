"""The memory benchmark at a load that says nothing of memory: its calls are real and counted."""

import os

import pytest

from benchmarks.memory import churn, pss_kb, started, used_kb

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def test_both_processes_count() -> None:
    with started(agents=2, busy=3) as bench:
        assert len(bench.workers()) == 1
        assert used_kb(bench) > pss_kb(bench.process) > 1000
    assert pss_kb(os.getpid()) > 1000


def test_the_churn_counts_its_calls() -> None:
    _, calls = churn(0.0, rate=10, round_s=1.0, settled_s=0.0)
    assert calls == 20, "two rounds at least"
