"""The signalling benchmark at a load that says nothing of speed: its calls are real, counted and recorded."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.signalling import Bench, Step, cores, pin


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with contextlib.closing(Bench(tmp_path)) as bench:
        yield bench


def test_every_call_is_completed_and_in_the_database(bench: Bench) -> None:
    assert os.sched_getaffinity(bench.process) == {cores()[0]}
    for rate in (10, 20):  # the second step must not count the calls of the first
        step = bench.load(rate, 1.0)
        assert (step.completed, step.failed) == (rate, 0)
        assert step.cpu_us > 0
        assert 0 <= step.lag_s < 60


def _step(**changes: float) -> Step:
    values = {"rate": 100.0, "seconds": 4.0, "completed": 400, "failed": 0, "repeated": 0}
    return Step(**{**values, "elapsed_s": 4.2, "cpu_us": 1000.0, "lag_s": 0.1, **changes})  # type: ignore[arg-type]


def test_a_step_has_kept_up_without_a_missing_or_a_late_call() -> None:
    assert _step().kept_up
    assert not _step(failed=1).kept_up
    assert not _step(elapsed_s=5.0).kept_up


def test_the_rate_of_an_overload_is_over_the_time_that_it_took() -> None:
    assert _step(elapsed_s=8.1).completed_s == pytest.approx(50.0)
    assert _step(elapsed_s=4.0).completed_s == pytest.approx(100.0)


def test_a_process_is_pinned_with_its_threads() -> None:
    before = os.sched_getaffinity(0)
    try:
        pin(os.getpid(), min(before))
        assert os.sched_getaffinity(0) == {min(before)}
    finally:
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), before)
