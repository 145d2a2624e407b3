"""Fixtures of the store's tests: a real database file each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from softswitch.store import SqliteReader, Writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "cc.db"


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    writer = await Writer.open(path, flush_s=0.01)
    yield writer
    await writer.close()


@pytest.fixture
async def reader(writer: Writer, path: Path) -> AsyncIterator[SqliteReader]:
    async with await SqliteReader.open(path) as reader:
        yield reader
