"""Rows of recordings: written by the switch, found again by a start, by administrators and by the rule that
deletes the old ones.

Invariant: nothing here holds all rows: there may be millions, so every question has a limit and an index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from softswitch.call.tape import Tape
from softswitch.store.database_reader import DatabaseReader
from softswitch.store.rows import SqlValue, Statement, clean

COLUMNS = tuple(field.name for field in msgspec.structs.fields(Tape))
KEEP = f"INSERT OR REPLACE INTO recordings ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
FORGET = "DELETE FROM recordings WHERE id = ?"
MOVED = "UPDATE calls SET recording = ? WHERE id = ? AND recording = ?"
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM recordings"
MOST_ROWS = 10_000


class TapeFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which recordings are wanted, the newest first; `since` and `until` are epoch seconds of their
    beginning, `number` may hold `*`."""

    since: float | None = None
    until: float | None = None
    call: str = ""
    queue: str = ""
    party: str = ""
    number: str = ""
    state: str = ""
    limit: int = 100


def keep_statement(tape: Tape) -> Statement:
    """Store the row, in the place of an older one of its id."""
    return KEEP, tuple(_value(getattr(tape, name)) for name in COLUMNS)


def forget_statement(tape: str) -> Statement:
    """The recording is no more."""
    return FORGET, (clean(tape),)


def moved_statement(call: str, old: str, new: str) -> Statement:
    """The record of the call names the file by its new name ("": it is gone)."""
    return MOVED, (clean(new), clean(call), clean(old))


def _value(value: object) -> SqlValue:
    if isinstance(value, str):
        return clean(value)
    return int(value) if isinstance(value, bool | int) else float(str(value))


class TapeReader(DatabaseReader):
    """The rows, read beside the writer."""

    async def find(self, wanted: TapeFilter) -> list[Tape]:
        """The newest first, at most `limit`."""
        terms: list[str] = []
        values: list[Any] = []
        for column in ("call", "queue", "party", "state"):
            if value := getattr(wanted, column):
                terms.append(f"{column} = ?")
                values.append(value)
        if wanted.number:
            terms.append("number GLOB ?")
            values.append(wanted.number)
        for term, moment in (("at >= ?", wanted.since), ("at < ?", wanted.until)):
            if moment is not None:
                terms.append(term)
                values.append(moment)
        where = f" WHERE {' AND '.join(terms)}" if terms else ""
        limit = max(0, min(wanted.limit, MOST_ROWS))
        return await self._tapes(f"{_SELECT}{where} ORDER BY at DESC, id DESC LIMIT ?", (*values, limit))

    async def get(self, tape: str) -> Tape | None:
        """One of them."""
        return next(iter(await self._tapes(f"{_SELECT} WHERE id = ?", (tape,))), None)

    async def beginning_with(self, start: str) -> list[Tape]:
        """At most two whose id begins so: enough to know whether it is the only one."""
        last = start[:-1] + chr(ord(start[-1]) + 1) if start else "\x7f"
        return await self._tapes(f"{_SELECT} WHERE id >= ? AND id < ? ORDER BY id LIMIT 2", (start, last))

    async def unfinished(self) -> list[Tape]:
        """Those that a run left being recorded, or not compressed yet, the oldest first."""
        return await self._tapes(
            f"{_SELECT} WHERE state IN ('recording', 'waiting') ORDER BY at LIMIT ?", (MOST_ROWS,)
        )

    async def oldest(self, before: float, limit: int = 1000) -> list[Tape]:
        """Those that ended their work and began before this moment, the oldest first."""
        return await self._tapes(
            f"{_SELECT} WHERE at < ? AND state IN ('kept', 'failed') ORDER BY at LIMIT ?", (before, limit)
        )

    async def _tapes(self, sql: str, values: tuple[Any, ...]) -> list[Tape]:
        rows = await self._fetch(sql, values)
        return list(_readable(dict(zip(COLUMNS, row, strict=True)) for row in rows))


def _readable(rows: Iterable[dict[str, Any]]) -> Iterator[Tape]:
    for row in rows:
        try:
            yield msgspec.convert(row | {"encrypted": bool(row["encrypted"])}, Tape)
        except msgspec.ValidationError:
            continue
