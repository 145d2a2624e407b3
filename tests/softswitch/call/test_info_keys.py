"""SIP INFO and audio tell of the same press."""

from __future__ import annotations

import pytest

from softswitch.call.info_keys import InfoKeys


@pytest.mark.parametrize(
    ("told", "presses"),
    [
        ([("1", "info", 0.0), ("1", "inband", 0.2)], "1"),
        ([("1", "rfc4733", 0.0), ("1", "info", 0.3)], "1"),
        ([("1", "info", 0.0), ("1", "inband", 0.2), ("1", "info", 0.4), ("1", "inband", 0.6)], "11"),
        ([("1", "info", 0.0), ("1", "info", 0.1)], "11"),
        ([("1", "inband", 0.0), ("1", "inband", 0.1)], "11"),
        ([("1", "info", 0.0), ("2", "inband", 0.1)], "12"),
        ([("1", "info", 0.0), ("1", "inband", 1.5)], "11"),
    ],
)
def test_a_press_told_twice_is_one_key(told: list[tuple[str, str, float]], presses: str) -> None:
    keys = InfoKeys()
    assert "".join(digit for digit, method, at in told if keys.is_new(digit, method, at)) == presses
