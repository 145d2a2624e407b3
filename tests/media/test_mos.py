"""The E-model at points that G.107 and G.113 name, and within its bounds everywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import mos

ANY = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)


def test_a_perfect_line_scores_what_g107_says() -> None:
    assert mos.rating(0.0, 0.0) == 93.2
    assert mos.score(93.2) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(("r", "expected"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_the_table_of_annex_b(r: float, expected: float) -> None:
    assert mos.score(r) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("delay_ms", "idd"), [(50, 0.0), (100, 0.0), (200, 3.0), (300, 15.0), (400, 24.0)])
def test_delay(delay_ms: float, idd: float) -> None:
    """The curve of G.114."""
    assert mos.delay_impairment(delay_ms) == pytest.approx(idd, abs=1.5)


def test_loss() -> None:
    assert mos.loss_impairment(0.0) == 0.0
    assert mos.loss_impairment(25.1) == pytest.approx(47.5)
    assert mos.loss_impairment(4.3, bpl=mos.BPL_PLAIN) == pytest.approx(47.5)
    assert mos.loss_impairment(2.0, 2.0) > mos.loss_impairment(2.0)


def test_burst_ratio() -> None:
    assert mos.burst_ratio(0, 0, 0) == 1.0
    assert mos.burst_ratio(100, 100, 1000) == 1.0
    assert mos.burst_ratio(100, 25, 1000) == pytest.approx(3.6)


@given(delay=ANY, loss=ANY, burst=ANY)
def test_bounds(delay: float, loss: float, burst: float) -> None:
    r = mos.rating(delay, loss, burst)
    assert 0.0 <= r <= 100.0
    assert 1.0 <= mos.score(r) <= 4.5
