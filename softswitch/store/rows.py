"""Between the objects of the switch and the rows of the database; nothing here does I/O.

Invariant: whatever a call or an event carries, a row can be made of it: text from the network that is not
UTF-8 is mended, values that JSON does not know become text. A row that a stranger wrote can always be read.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from acd.events import Kind, LogEvent
from softswitch.call.record import CallRecord, Disposition, LegRecord
from softswitch.store.query import StoredEvent

_T = TypeVar("_T")

SqlValue = str | int | float | None
Statement = tuple[str, tuple[SqlValue, ...]]
"""One change: the SQL text, and its parameters."""

CALL_COLUMNS = tuple(field.name for field in msgspec.structs.fields(CallRecord))
EVENT_COLUMNS = ("id", "at", "kind", "call", "queue", "agent", "data")
_JSON_COLUMNS = frozenset({"path", "legs"})
_LOG_OWNED = frozenset(
    {"wrapup_s"}
)  # filled from WRAPUP_END, which may come before or after the record's end

# A long report reads millions of events.
_KINDS = {str(kind): kind for kind in Kind}
_DATA = msgspec.json.Decoder(dict[str, Any])

INSERT_EVENT = "INSERT INTO events (at, kind, call, queue, agent, data) VALUES (?, ?, ?, ?, ?, ?)"
_WRITTEN = tuple(name for name in CALL_COLUMNS if name not in _LOG_OWNED)
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in _WRITTEN if name != "id")
UPSERT_CALL = (
    f"INSERT INTO calls ({', '.join(_WRITTEN)}) VALUES ({', '.join('?' * len(_WRITTEN))}) "
    f"ON CONFLICT (id) DO UPDATE SET {_REPLACED}"
)
SET_QUEUE = "UPDATE calls SET queue = ? WHERE id = ? AND ended_at IS NULL"
ADD_WRAPUP = "UPDATE calls SET wrapup_s = coalesce(wrapup_s, 0.0) + ? WHERE id = ?"


def event_statement(event: LogEvent) -> Statement:
    """The INSERT of one event."""
    return INSERT_EVENT, (
        float(event.at),
        str(event.kind),
        clean(event.call),
        clean(event.queue),
        clean(event.agent),
        encode_json(event.data),
    )


def wrapup_statement(event: LogEvent) -> Statement | None:
    """What a WRAPUP_END of a call adds to its record; None for every other event."""
    if event.kind is not Kind.WRAPUP_END or not event.call:
        return None
    seconds = event.data.get("wrapup_s", 0.0)
    return ADD_WRAPUP, (float(seconds) if isinstance(seconds, int | float) else 0.0, clean(event.call))


def queue_statement(event: LogEvent) -> Statement | None:
    """What an ENTERQUEUE tells of a call that goes on: where it waits; None for every other event.

    The record that closes the call says it anew.
    """
    if event.kind is not Kind.ENTERQUEUE or not event.call:
        return None
    return SET_QUEUE, (clean(event.queue), clean(event.call))


def call_statement(record: CallRecord) -> Statement:
    """The row of a call as it is now: inserted, or put in the place of what was there."""
    return UPSERT_CALL, tuple(_sql_value(name, getattr(record, name)) for name in _WRITTEN)


def record_from_row(row: Sequence[Any]) -> CallRecord:
    """A record from the values of CALL_COLUMNS, in that order."""
    values = dict(zip(CALL_COLUMNS, row, strict=True))
    values["path"] = _decode(values["path"], tuple[str, ...], ())
    values["legs"] = _decode(values["legs"], tuple[LegRecord, ...], ())
    try:
        values["disposition"] = Disposition(values["disposition"])
    except ValueError:
        values["disposition"] = Disposition.FAILED
    return CallRecord(**values)


def event_from_row(row: Sequence[Any]) -> StoredEvent | None:
    """An event from the values of EVENT_COLUMNS; None where its kind is not in our vocabulary."""
    number, at, kind, call, queue, agent, data = row
    known = _KINDS.get(kind)
    if known is None:
        return None
    try:
        values = _DATA.decode(data)
    except msgspec.MsgspecError:
        values = {}
    return StoredEvent(id=number, at=at, kind=known, call=call, queue=queue, agent=agent, data=values)


def clean(text: str) -> str:
    """The text as SQLite and JSON can hold it: what is not valid Unicode becomes `?`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def encode_json(value: Any) -> str:
    """JSON text; values that JSON does not know are written as their text, and text that is no Unicode as
    `clean` has it."""
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except (UnicodeError, TypeError, ValueError, OverflowError):
        with contextlib.suppress(TypeError, ValueError, OverflowError):  # records as what they hold
            value = msgspec.to_builtins(value, enc_hook=str, str_keys=True)
        return clean(json.dumps(value, default=str, ensure_ascii=False, skipkeys=True))


def _sql_value(name: str, value: Any) -> SqlValue:
    if name in _JSON_COLUMNS:
        return encode_json(value)
    if isinstance(value, str):
        return clean(str(value))  # str(): a StrEnum is stored as its value
    if value is None or isinstance(value, int | float):
        return value
    raise TypeError(f"call record: {name} is {type(value).__name__}, which no column holds")


def _decode(text: str, kind: type[_T], default: _T) -> _T:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError:
        return default
