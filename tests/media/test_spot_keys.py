"""Keys of a file with their times."""

from __future__ import annotations

import numpy as np
import pytest

from media import g711, tone
from media.spot_keys import Press, spot_coded_keys, spot_keys


@pytest.mark.parametrize("lead_ms", [0.0, 7.0, 93.0])
def test_keys_have_their_times(lead_ms: float) -> None:
    sound = tone.keys("17#", 80, 120, lead_ms=lead_ms)
    found = spot_keys(sound[None].astype(np.float32))
    assert [press.digit for press in found] == ["1", "7", "#"]
    for number, press in enumerate(found):
        assert press.at_s == pytest.approx((lead_ms + 200 * number) / 1000, abs=0.006)
        assert press.duration_s == pytest.approx(0.08, abs=0.011)


def test_channels_are_heard_apart_and_a_key_may_last_to_the_end() -> None:
    left, right = tone.key("5", 1000), np.concatenate([np.zeros(4000, np.int16), tone.key("9", 500)])
    found = spot_coded_keys(g711.encode_alaw(np.stack([left, right])), g711.PCMA)
    assert [(press.digit, press.channel) for press in found] == [("5", 0), ("9", 1)]
    assert [press.duration_s for press in found] == [
        pytest.approx(1.0, abs=0.011),
        pytest.approx(0.5, abs=0.011),
    ]


def test_keys_that_touch() -> None:
    sound = np.concatenate([tone.key("1", 60), tone.key("2", 60)]).astype(np.float32)
    found = spot_keys(sound[None])
    assert [press.digit for press in found] == ["1", "2"]
    assert found[0].at_s + found[0].duration_s <= found[1].at_s + 0.011


def test_nothing() -> None:
    empty: list[Press] = []
    assert spot_keys(np.zeros((1, 0), np.float32)) == empty
    assert spot_keys(np.zeros((2, 8000), np.float32)) == empty
