"""The call log on disk: SQLite in WAL mode, one batched writer, any number of readers.

Nothing in here is waited for during call set-up: `Writer` takes rows in memory and returns at once.
"""

from softswitch.store.database import SCHEMA_VERSION
from softswitch.store.query import CallFilter, EventFilter, LogReader, StoredEvent
from softswitch.store.reader import SqliteReader
from softswitch.store.recovery import Recovered
from softswitch.store.writer import StoreHealth, Writer

__all__ = [
    "SCHEMA_VERSION",
    "CallFilter",
    "EventFilter",
    "LogReader",
    "Recovered",
    "SqliteReader",
    "StoreHealth",
    "StoredEvent",
    "Writer",
]
