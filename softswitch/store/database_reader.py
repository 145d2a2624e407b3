"""A database that is read, beside a running switch or without one: what its readers have in common.

Invariant: whatever SQLite has against a query is a LocalError that names the file.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiosqlite

from softswitch.errors import LocalError
from softswitch.store.database import open_readable


class DatabaseReader:
    """Open it with `open`, and close it."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Raises LocalError: no such file, not ours, another schema, no right to read."""
        return cls(await open_readable(path), path)

    async def close(self) -> None:
        """Let go of the file."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _fetch(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        """All rows of a query. Raises LocalError."""
        try:
            return list(await self._connection.execute_fetchall(sql, values))
        except sqlite3.Error as error:
            raise LocalError(
                f"cannot read the database {self._path}: {error}; try again, or restore it"
            ) from error
