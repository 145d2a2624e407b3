"""The log as other programs read it: CSV, lines of JSON, and Asterisk's queue_log.

Invariants: a file appears whole or not at all; a cell that a caller wrote cannot become a formula in a
spreadsheet. CSV is RFC 4180 in UTF-8; its times are ISO 8601 in UTC with milliseconds, those of JSON epoch
seconds.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from acd.queue_log import lines as queue_log_lines
from softswitch.call.record import CallRecord
from softswitch.errors import LocalError
from softswitch.store.query import StoredEvent

CALL_COLUMNS = tuple(field.name for field in msgspec.structs.fields(CallRecord) if field.name != "legs")
EVENT_COLUMNS = ("id", "at", "kind", "call", "queue", "agent", "data")


def csv_of_calls(records: Iterable[CallRecord]) -> Iterator[str]:
    """A heading and a line a call; the menu path as `node > node`."""

    def cells(record: CallRecord) -> list[str]:
        return [_cell(_shown(name, getattr(record, name))) for name in CALL_COLUMNS]

    return _csv(CALL_COLUMNS, map(cells, records))


def csv_of_events(events: Iterable[StoredEvent]) -> Iterator[str]:
    """A heading and a line an event; `data` as JSON."""

    def cells(event: StoredEvent) -> list[str]:
        named = (event.id, utc(event.at), event.kind, event.call, event.queue, event.agent)
        return [*map(_cell, named), msgspec.json.encode(event.data).decode()]

    return _csv(EVENT_COLUMNS, map(cells, events))


def _shown(column: str, value: Any) -> Any:
    """A value of a call record as its cell says it."""
    if column == "path":
        return " > ".join(value)
    return utc(value) if column.endswith("_at") else value


def utc(at: float | None) -> str:
    """Epoch seconds as `2026-03-01T09:30:00.125Z`; empty for None."""
    if at is None:
        return ""
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (OverflowError, OSError, ValueError):  # a time that no clock of ours has written
        return str(at)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_lines(values: Iterable[CallRecord | StoredEvent]) -> Iterator[str]:
    """An object a line."""
    for value in values:
        yield msgspec.json.encode(value).decode() + "\n"


def queue_log(events: Iterable[StoredEvent]) -> Iterator[str]:
    """Asterisk's lines."""
    for line in queue_log_lines(event.event for event in events):
        yield line + "\n"


def write_lines(lines: Iterable[str], output: Path | None) -> None:
    """To the file, or to standard output. Raises LocalError where the file cannot be written."""
    if output is None:
        sys.stdout.writelines(lines)
        return
    part = output.with_name(output.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
        part.replace(output)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise LocalError(f"cannot write {output}: {error.strerror}; name another file with -o") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _cell(value: Any) -> str:
    """Text of a cell. A leading `=`, `@`, or a `+` or `-` that begins no number, gets the apostrophe that
    spreadsheets understand as "this is text"."""
    if value is None:
        return ""
    text = str(value)
    formula = text.startswith(("=", "@", "\t", "\r")) or (
        text.startswith(("+", "-")) and not text[1:].replace(".", "", 1).isdigit()
    )
    return "'" + text if formula else text


def _csv(heading: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """The heading comes with the first row: nothing is written of a log that cannot be read."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    first = next(rows, None)
    for row in chain([heading], [] if first is None else [first], rows):
        writer.writerow(row)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
