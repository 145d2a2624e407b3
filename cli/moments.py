"""Points in time as people write them on a command line."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from cli.refusals import BadUsage

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,6})([smhdw])")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def epoch(text: str, option: str, now: float) -> float | None:
    """The moment that is meant, in epoch seconds; None for an empty text. Local time unless it names its
    zone.

    Raises BadUsage.
    """
    text = text.strip()
    if not text:
        return None
    here = datetime.fromtimestamp(now).astimezone()
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        if text == "today":
            return _local(midnight)
        if text == "yesterday":
            return _local(midnight - timedelta(days=1))
        if match := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])}).total_seconds()
        if match := _CLOCK.fullmatch(text):
            return _local(
                midnight.replace(hour=int(match[1]), minute=int(match[2]), second=int(match[3] or 0))
            )
        if re.fullmatch(r"\d{9,11}(\.\d+)?", text):
            return float(text)
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise BadUsage(
            f"{option} {text!r} is no time: write 2026-12-31, '2026-12-31 23:30', 23:30, 90m, 2h, 7d, today"
        ) from error


def span(since: str, until: str, now: float) -> tuple[float | None, float | None]:
    """From `--since` to `--until`. Raises BadUsage, also where it ends before it begins."""
    start, end = epoch(since, "--since", now), epoch(until, "--until", now)
    if start is not None and end is not None and start > end:
        raise BadUsage(f"--since {since!r} is after --until {until!r}")
    return start, end


def _local(moment: datetime) -> float:
    """Of a wall-clock time here, whatever the offset of the day it was computed from."""
    return moment.replace(tzinfo=None).timestamp()
