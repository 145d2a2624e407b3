"""The jitter buffer beside speexdsp's on short traces, of which a good part is finding the right delay; the
benchmark has five minutes of each."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from benchmarks import traces
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
