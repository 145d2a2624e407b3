"""The moment that a rehearsal is about, however it is written, and what questions cannot be."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.call.rehearsal import RouteQuestion, moment, rehearse
from softswitch.errors import LocalError
from tests.support.centre import Centre

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", datetime(2026, 7, 1, 12, 0, tzinfo=UTC)),
        ("23:30", datetime(2026, 7, 1, 23, 30, tzinfo=BERLIN)),
        ("23:30Z", datetime(2026, 7, 1, 23, 30, tzinfo=UTC)),
        ("23:30+05:00", datetime(2026, 7, 1, 18, 30, tzinfo=UTC)),
        (" 2026-12-31 23:30 ", datetime(2026, 12, 31, 23, 30, tzinfo=BERLIN)),
        ("2026-12-31T23:30Z", datetime(2026, 12, 31, 23, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_in_its_zone_or_else_in_ours(text: str, meant: datetime) -> None:
    assert moment(text, BERLIN, NOW) == meant.timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "24:00",
        "25:00",
        "soon",
        "2026-13-01",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00+14:00",
        "9999-12-31",
    ],
)
def test_what_is_no_time_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(LocalError, match="write 2026-12-31 23:30"):
        moment(text, BERLIN, NOW)


@given(st.text(max_size=30) | st.datetimes(timezones=st.timezones() | st.none()).map(str))
def test_whatever_is_asked_it_is_answered_or_refused(text: str) -> None:
    here = Centre()
    try:
        moment(text, UTC, here.now)
    except LocalError:
        return
    assert rehearse(here.switch.hub, RouteQuestion(to_number="600", at=text), here.now).to == "flow:main"
