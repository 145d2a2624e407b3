"""The warning about ticks that come late: told at once, then at most once a minute, nothing left out."""

import io
import json
from collections.abc import Iterator

import pytest

from media.messages import Pong
from softswitch import log
from softswitch.net.worker_load import WARN_EVERY_S, WorkerLoad


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.configure("warning", "json", stream)
    yield stream
    log.configure()


def told(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_in_time_is_not_worth_a_line(lines: io.StringIO) -> None:
    load = WorkerLoad(3)
    for second in range(100):
        load.heard(Pong(second, 10, 2, 19.9, 0, 0.5), float(second))
    assert told(lines) == [] and load.late_ticks == 0 and load.legs == 10


def test_a_storm_is_a_line_a_minute_with_all_that_came(lines: io.StringIO) -> None:
    load = WorkerLoad(3)
    for second in range(150):
        load.heard(Pong(second, 10, 2, 30.0 + second, 4, 0.3), 1000.0 + second)
    found = told(lines)
    assert [one["late_ticks"] for one in found] == [4, 240, 240]
    assert found[1]["worst_ms"] == 90.0 and found[1]["worker"] == 3 and found[1]["legs"] == 10
    assert load.late_ticks == 600
    load.heard(Pong(1, 1, 1, 1.0), 1150.0 + WARN_EVERY_S)
    assert told(lines)[-1]["late_ticks"] == 116, "the last of them are told too, when it is over"


@pytest.mark.parametrize(("busy", "remedy"), [(0.95, "media.workers"), (0.2, "media.realtime = true")])
def test_the_remedy_fits_the_cause(lines: io.StringIO, busy: float, remedy: str) -> None:
    WorkerLoad(1).heard(Pong(1, 1, 1, 25.0, 1, busy), 0.0)
    assert remedy in str(told(lines)[0]["remedy"])
