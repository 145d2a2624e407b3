"""Opening hours by the wall clock: weekdays, holidays, exceptions, changes of the clock, turns of years."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.calendar import Calendar
from ivr.hours import Dates, dates_of, days_of, spans_of

BERLIN, SYDNEY, BEIRUT = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Sydney"), ZoneInfo("Asia/Beirut")


def daily(*spans: str, zone: ZoneInfo = BERLIN, holidays: tuple[str, ...] = ()) -> Calendar:
    week = dict.fromkeys(range(7), spans_of(spans))
    return Calendar(week, tuple(dates_of(one) for one in holidays), (), zone)


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


OFFICE = Calendar(
    {day: spans_of("09:00-13:00, 14:00-18:00") for day in range(5)} | {5: spans_of("10:00-14:00")},
    tuple(dates_of(one) for one in ("01-01", "12-24..12-26", "2026-05-01", "02-29")),
    ((dates_of("2026-12-31"), spans_of("09:00-12:00")), (dates_of("2026-05-02..2026-05-03"), ())),
    BERLIN,
)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-20 09:00", True),  # a Friday; the begin belongs to it
        ("2026-11-20 08:59:59", False),
        ("2026-11-20 12:59:59", True),
        ("2026-11-20 13:00", False),  # the end does not
        ("2026-11-20 14:00", True),
        ("2026-11-21 11:00", True),
        ("2026-11-21 14:00", False),
        ("2026-11-22 11:00", False),
        ("2026-12-24 11:00", False),  # every year
        ("2027-12-25 11:00", False),
        ("2026-05-01 11:00", False),
        ("2028-05-01 11:00", True),  # once
        ("2026-05-02 11:00", False),  # a Saturday that is closed by an exception
        ("2026-12-31 11:59", True),
        ("2026-12-31 12:00", False),
        ("2027-12-31 17:00", True),
        ("2027-01-01 11:00", False),
        ("2028-02-29 11:00", False),  # a Tuesday, the leap day
        ("2028-02-28 11:00", True),
        ("2027-03-01 11:00", True),  # not in place of a leap day that is not there
    ],
)
def test_the_office(moment: str, is_open: bool) -> None:
    now = at(moment)
    assert OFFICE.open_at(now) is is_open
    assert (OFFICE.why(now) == "open") is is_open
    change = OFFICE.next_change(now)
    assert change is not None and change > now
    assert OFFICE.open_at(change) is not is_open
    assert OFFICE.open_at(change - 1) is is_open


def test_why_it_is_closed() -> None:
    assert OFFICE.why(at("2026-12-31 15:00")) == "closed by the exception for 2026-12-31"
    assert OFFICE.why(at("2026-12-25 15:00")) == "closed for the holiday 2026-12-25"
    assert OFFICE.why(at("2026-11-22 15:00")) == "closed at this hour"


def test_next_change_looks_over_holidays_and_new_year() -> None:
    assert OFFICE.next_change(at("2026-12-23 18:00")) == at("2026-12-28 09:00")
    assert OFFICE.next_change(at("2026-12-31 12:00")) == at("2027-01-02 10:00")


def test_over_midnight_the_hours_belong_to_the_day_on_which_they_begin() -> None:
    bar = Calendar({4: spans_of("20:00-03:00")}, (dates_of("2026-11-21"),), (), BERLIN)  # Fridays
    assert not bar.open_at(at("2026-11-20 19:59"))
    assert bar.open_at(at("2026-11-20 20:00"))
    assert bar.open_at(at("2026-11-21 02:59")), "Saturday is a holiday, but it is still Friday night"
    assert not bar.open_at(at("2026-11-21 03:00"))
    assert not bar.open_at(at("2026-11-21 20:00"))
    assert bar.next_change(at("2026-11-20 22:00")) == at("2026-11-21 03:00")


def test_over_new_year() -> None:
    night = daily("22:00-06:00", holidays=("01-01",))
    assert night.open_at(at("2026-12-31 23:59")) and night.open_at(at("2027-01-01 05:59"))
    assert not night.open_at(at("2027-01-01 23:00")) and night.open_at(at("2027-01-02 23:00"))
    winter = Dates((0, 12, 30), (0, 1, 8))
    assert [winter.cover(date(2026, 12, 29)), winter.cover(date(2026, 12, 30))] == [False, True]
    assert [winter.cover(date(2027, 1, 8)), winter.cover(date(2027, 1, 9))] == [True, False]


# ----- the clock is put forward: 29 March 2026, 02:00 -> 03:00 in Berlin


def test_the_missing_hour_is_the_moment_of_the_change() -> None:
    change = utc("2026-03-29 01:00")
    late = daily("02:30-05:00")
    assert not late.open_at(change - 1) and late.open_at(change)
    early = daily("00:30-02:30")
    assert early.open_at(change - 1) and not early.open_at(change)
    inside = daily("02:10-02:50")
    assert not any(inside.open_at(change + step) for step in range(-7200, 7200, 60))
    assert inside.next_change(change - 7200) == at("2026-03-30 02:10")


def test_a_whole_day_has_23_hours_then() -> None:
    sunday = Calendar({6: spans_of("00:00-24:00")}, (), (), BERLIN)
    begin = sunday.next_change(at("2026-03-28 12:00"))
    end = sunday.next_change(at("2026-03-29 12:00"))
    assert begin is not None and end is not None and end - begin == 23 * 3600


def test_where_midnight_itself_is_missing() -> None:
    morning = daily("00:00-08:00", zone=BEIRUT)  # 29 March 2026, 00:00 -> 01:00
    change = utc("2026-03-28 22:00")
    assert not morning.open_at(change - 1) and morning.open_at(change)
    assert morning.next_change(change) == at("2026-03-29 08:00", BEIRUT)


# ----- the clock is put back: 25 October 2026, 03:00 -> 02:00 in Berlin


def test_the_doubled_hour_does_not_close_a_door_in_between() -> None:
    late = daily("02:30-05:00")
    first, second = at("2026-10-25 02:30", fold=0), at("2026-10-25 02:30", fold=1)
    assert second - first == 3600
    assert not late.open_at(first - 1) and late.open_at(first)
    assert all(late.open_at(first + step) for step in range(0, 3600, 60))
    early = daily("00:30-02:30")
    assert early.open_at(first) and early.open_at(second - 1) and not early.open_at(second)
    assert early.next_change(first) == second


def test_a_whole_day_has_25_hours_then() -> None:
    sunday = Calendar({6: spans_of("00:00-24:00")}, (), (), BERLIN)
    begin = sunday.next_change(at("2026-10-24 12:00"))
    end = sunday.next_change(at("2026-10-25 12:00"))
    assert begin is not None and end is not None and end - begin == 25 * 3600


def test_the_same_wall_times_before_and_after_both_changes() -> None:
    day = daily("09:00-18:00", zone=SYDNEY)
    for text in ("2026-04-04", "2026-04-05", "2026-04-06", "2026-10-03", "2026-10-04", "2026-10-05"):
        assert day.open_at(at(f"{text} 09:00", SYDNEY)) and not day.open_at(at(f"{text} 18:00", SYDNEY))


# ----- ends of what can be


def test_always_and_never_have_no_next_change() -> None:
    assert daily("00:00-24:00").open_at(0.0)
    assert Calendar().next_change(0.0) is None and not Calendar().open_at(0.0)
    assert daily("00:00-24:00").next_change(utc("2026-01-01 00:00")) is None


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon", {0}),
        ("Mon-Fri", {0, 1, 2, 3, 4}),
        ("sat-mon", {5, 6, 0}),
        ("monday, wed ,fri-sun", {0, 2, 4, 5, 6}),
        ("daily", set(range(7))),
    ],
)
def test_weekdays(text: str, days: set[int]) -> None:
    assert days_of(text) == days


SPANS = st.sampled_from(
    ["00:00-24:00", "09:00-17:30", "22:00-06:00", "02:30-03:30", "23:59-00:01", "01:00-02:15"]
)
WEEKS: st.SearchStrategy[Mapping[int, list[str]]] = st.dictionaries(
    st.integers(0, 6), st.lists(SPANS, max_size=3), max_size=7
)


@given(
    WEEKS,
    st.sampled_from([BERLIN, SYDNEY, BEIRUT, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/Sao_Paulo")]),
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 - as UTC
)
def test_between_a_moment_and_its_next_change_nothing_changes(
    week: Mapping[int, list[str]], zone: ZoneInfo, moment: datetime
) -> None:
    calendar = Calendar({day: spans_of(spans) for day, spans in week.items() if spans}, (), (), zone)
    now = moment.replace(tzinfo=UTC).timestamp()
    change = calendar.next_change(now)
    state = calendar.open_at(now)
    end = change if change is not None else now + timedelta(days=20).total_seconds()
    assert all(calendar.open_at(now + (end - now) * step / 37) is state for step in range(37))
    if change is not None and change - now < timedelta(days=399).total_seconds():
        assert calendar.open_at(change) is not state
