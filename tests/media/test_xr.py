"""VoIP metrics of RFC 3611: octet by octet, there and back, and whatever else arrives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media import xr
from media.bursts import BurstMetrics

METRICS = xr.VoipMetrics(
    source=0x01020304,
    loss_percent=5.0,
    discard_percent=1.0,
    round_trip_ms=150.0,
    end_delay_ms=60.0,
    r=88.0,
    mos_listening=4.2,
    mos_conversation=4.1,
    buffer_ms=40.0,
    buffer_max_ms=480.0,
    bursts=BurstMetrics(0.5, 0.01, 260.0, 3210.0),
)


def test_octet_by_octet() -> None:
    data = xr.build(0xA0B0C0D0, METRICS)
    assert data[:8].hex() == "80cf000aa0b0c0d0"
    assert data[8:16].hex() == "0700000801020304"
    assert data[16:20].hex() == "0c028002"
    assert data[20:28].hex() == "01040c8a0096003c"
    assert data[28:32].hex() == "7f7f7f10"
    assert data[32:36].hex() == "587f2a29"
    assert data[36:].hex() == "f000002801e001e0"
    assert len(data) == xr.XR_BYTES


def test_there_and_back() -> None:
    [read] = xr.read(xr.build(1, METRICS))
    assert read.source == METRICS.source
    assert abs(read.loss_percent - 5.0) < 0.5 and abs(read.discard_percent - 1.0) < 0.5
    assert (read.r, read.mos_listening, read.mos_conversation) == (88.0, 4.2, 4.1)
    assert abs(read.bursts.burst_density - 0.5) < 0.004 and abs(read.bursts.gap_density - 0.01) < 0.004
    assert (read.bursts.burst_ms, read.bursts.gap_ms) == (260.0, 3210.0)
    assert (read.round_trip_ms, read.buffer_ms, read.buffer_max_ms) == (150.0, 40.0, 480.0)
    nothing = xr.VoipMetrics(1, 0.0, 0.0, 0.0, 0.0)
    [read] = xr.read(xr.build(1, nothing))
    assert (read.r, read.mos_listening, read.mos_conversation) == (None, None, None)


NUMBER = st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBER, NUMBER, NUMBER, NUMBER)
def test_any_figure_can_be_told(loss: float, delay: float, r: float, mos: float) -> None:
    [read] = xr.read(xr.build(1, xr.VoipMetrics(7, loss, loss, delay, delay, r, mos, mos, delay, delay)))
    assert read.source == 7 and 0.0 <= read.loss_percent <= 100.0


@given(st.binary(max_size=300))
def test_reading_never_raises(data: bytes) -> None:
    xr.read(data)
    xr.read(b"\x80\xcf\x00\x0a\0\0\0\1" + data)
