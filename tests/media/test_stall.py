"""One stall of the network does not hold up the delay; stalls that come again and again do."""

from __future__ import annotations

import numpy as np
import pytest

from media.jitter import JitterBuffer

SECOND = 50  # ticks
HELD = 12  # packets that come at once, 240 ms


def delays(stalls: list[int], ticks: int) -> list[float]:
    """Frames by which what is played is older than what is sent, tick by tick (nan: nothing is played), if
    the network holds back HELD packets from each of these ticks on, and is perfect otherwise."""
    buffer, slot, found = JitterBuffer(1, 24), np.zeros(1, np.intp), []
    held = {at + n for at in stalls for n in range(HELD - 1)}
    waiting: list[int] = []
    for tick in range(ticks):
        waiting.append(tick)
        numbers = np.array([] if tick in held else waiting, np.int64)
        if tick not in held:
            waiting = []
        payloads = np.zeros((numbers.size, 160), np.uint8)  # loud: patience is needed, too
        payloads[:, :4] = numbers.astype("<u4").view(np.uint8).reshape(-1, 4)
        slots = np.zeros(numbers.size, np.intp)
        buffer.put(slots, numbers.astype(np.uint16), (numbers * 160).astype(np.uint32), payloads)
        frames, present = buffer.get(slot)
        found.append(tick - float(frames[0, :4].copy().view("<u4")[0]) if present[0] else np.nan)
    return found


@pytest.mark.parametrize(("begin_s", "over_s"), [(6, 10), (15, 4), (60, 4)])
def test_the_delay_of_one_stall_is_soon_gone(begin_s: int, over_s: int) -> None:
    delay = delays([begin_s * SECOND], (begin_s + 20) * SECOND)
    assert np.nanmax(delay) <= HELD
    assert np.nanmax(delay[(begin_s + over_s) * SECOND :]) <= 1


def test_the_delay_stays_where_stalls_come_again() -> None:
    """The first one is heard, the last of six in half a minute hardly."""
    stalls = list(range(10 * SECOND, 36 * SECOND, 5 * SECOND))
    missing = np.isnan(delays(stalls, 37 * SECOND))
    assert np.count_nonzero(missing[stalls[0] : stalls[0] + 2 * HELD]) >= HELD - 1
    assert np.count_nonzero(missing[stalls[-1] : stalls[-1] + 2 * HELD]) <= 2
