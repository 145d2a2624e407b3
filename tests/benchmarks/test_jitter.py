"""The jitter buffer beside speexdsp's on short traces, of which a good part is finding the right delay; the
benchmark has five minutes of each."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from benchmarks import ideal, traces
from benchmarks.jitter import compare


def test_a_trace_is_always_the_same() -> None:
    for name in traces.KINDS:
        one, other = traces.make(name, 10.0), traces.make(name, 10.0)
        assert np.array_equal(one.arrivals, other.arrivals, equal_nan=True)
        assert (np.nan_to_num(one.arrivals - one.sent, nan=1.0) > 0).all(), name


def test_beside_speexdsp() -> None:
    try:
        ctypes.CDLL("libspeexdsp.so.1")
    except OSError:
        pytest.skip("libspeexdsp1 is not installed")
    found = compare(40.0, (1050,))
    ratios = {one.name: one.speex.delay_ms / one.ours_ms for one in found}
    assert min(ratios.values()) > 0.97, ratios
    assert np.mean(list(ratios.values())) > 1.02, ratios
    [constant] = [one for one in found if one.name == "constant"]
    assert constant.ours_ms == constant.floor_ms


def test_the_ideal_falls_with_what_may_be_late() -> None:
    delays = [ideal.drift_delay_ms(300.0, lost, 60.0) for lost in (0.1, 0.5, 2.0)]
    assert delays == sorted(delays, reverse=True)
    floor = traces.DRIFT_BASE_S + 2 * traces.DRIFT_SCALE_S + traces.clock_offset_s(300.0, 3000).mean()
    assert delays[-1] > 1000.0 * floor
