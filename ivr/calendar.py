"""Calendars: when an office is open, by the wall clock of its time zone.

A day has the hours of its exception if it has one; else none if it is a holiday; else those of its weekday.
Hours that run over midnight belong to the day on which they begin, holiday or not on the next.

Invariant: open from a begin (included) to an end (excluded), each an instant of real time. Where daylight
saving skips a wall time, it means the moment of the change. Where a wall time comes twice, a begin is the
first and an end the second, so a door that opened once in such a night does not close for an hour in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo

from ivr.hours import DAY_S, Dates, Span

AHEAD_DAYS = 400
"""How far a change is looked for: over a year, so that yearly ones are found."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Opening hours. `week` has the spans of each weekday (Monday is 0), `exceptions` those of single dates
    and ranges, the first that covers a day counts; no spans: closed all day.
    """

    week: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)
    holidays: tuple[Dates, ...] = ()
    exceptions: tuple[tuple[Dates, tuple[Span, ...]], ...] = ()
    time_zone: tzinfo = UTC

    def open_at(self, now: float) -> bool:
        """Whether it is open at this moment (epoch seconds)."""
        today = datetime.fromtimestamp(now, self.time_zone).date()
        return any(
            begin <= now < end for day in (today - timedelta(1), today) for begin, end in self._instants(day)
        )

    def next_change(self, now: float) -> float | None:
        """When it opens or closes next (epoch seconds, after `now`); None if not within AHEAD_DAYS."""
        until: float | None = None
        for begin, end in self._ahead(now):
            if end <= now:
                continue
            if until is None:
                if begin > now:
                    return begin
                until = end
            elif begin > until:
                return until
            else:
                until = max(until, end)
        return until if until is not None and until < now + AHEAD_DAYS * DAY_S else None

    def why(self, now: float) -> str:
        """In a few words: what makes it open or closed at this moment."""
        today = datetime.fromtimestamp(now, self.time_zone).date()
        if self.open_at(now):
            return "open"
        if any(dates.cover(today) for dates, _ in self.exceptions):
            return f"closed by the exception for {today}"
        if any(dates.cover(today) for dates in self.holidays):
            return f"closed for the holiday {today}"
        return "closed at this hour"

    def spans(self, day: date) -> tuple[Span, ...]:
        """The hours that begin on a day."""
        for dates, spans in self.exceptions:
            if dates.cover(day):
                return spans
        if any(dates.cover(day) for dates in self.holidays):
            return ()
        return self.week.get(day.weekday(), ())

    def _ahead(self, now: float) -> Iterator[tuple[float, float]]:
        """The open times from yesterday on, by their begin; they may overlap."""
        first = datetime.fromtimestamp(now, self.time_zone).date() - timedelta(1)
        for step in range(AHEAD_DAYS + 2):
            yield from self._instants(first + timedelta(step))

    def _instants(self, day: date) -> list[tuple[float, float]]:
        found = []
        for begin, end in self.spans(day):
            over = DAY_S if end <= begin else 0
            pair = self._instant(day, begin, last=False), self._instant(day, end + over, last=True)
            if pair[0] < pair[1]:  # hours that lie wholly in a skipped hour are none
                found.append(pair)
        return found

    def _instant(self, day: date, second: int, *, last: bool) -> float:
        """The instant of a wall time; the second one of two if `last`."""
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall time
        wall = midnight + timedelta(seconds=second)
        early = wall.replace(tzinfo=self.time_zone, fold=0).timestamp()
        late = wall.replace(tzinfo=self.time_zone, fold=1).timestamp()
        if early <= late:
            return late if last else early
        return self._change(late, early)

    def _change(self, before: float, after: float) -> float:
        """The moment in between at which the offset changes, to the second."""
        low, high = int(before), int(after)
        offset = self._offset(low)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._offset(middle) == offset else (low, middle)
        return float(high)

    def _offset(self, at: float) -> timedelta | None:
        return datetime.fromtimestamp(at, self.time_zone).utcoffset()
