"""The doctor of a database that no switch is using: found is what a killed switch left, and what no switch
should ever leave.

Invariant: mending takes the lock of the one writer, so a running switch is never written beside. Calls that
the media workers of a killed switch may still hold are nobody's to close but those of the next one.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection
from pathlib import Path

from softswitch.diagnosis import Diagnosis, Finding
from softswitch.errors import LocalError
from softswitch.store.audit import Audit, audit
from softswitch.store.database import open_readable
from softswitch.store.writer import Writer


async def examine_file(path: Path, since: float, mend: bool, *, held_after: float = math.inf) -> Diagnosis:
    """Compare log and records of the calls that began at `since` (epoch seconds) or later. Of a switch whose
    last sign of life came after `held_after`, media workers may hold calls: these are left alone.

    With `mend`, close what is open (as the next start of the switch would) and copy what can be from the log.
    Raises LocalError: no such file, not ours, in use by a running switch, calls that may go on.
    """
    held = await _held(path, held_after)
    if mend and held:
        raise LocalError(
            f"the switch has just died, and its media workers may hold {len(held)} calls, which can go on: "
            "start it (`cc serve`), or mend when media.grace_s is over"
        )
    read = await _audit(path, since, held)
    left = {one.what for one in read.found}
    if mend and read.found:
        writer = await Writer.open(path)  # closes what a kill left open
        try:
            for one in (await _audit(path, since)).found:
                writer.mend(one.statements)
            await writer.flush()
        finally:
            await writer.close()
        left = {one.what for one in (await _audit(path, since)).found}
    findings = tuple(
        Finding(part="database", what=one.what, remedy=one.remedy, mended=one.what not in left)
        for one in read.found
    )
    return Diagnosis(running=False, calls=read.calls, events=read.events, findings=findings)


async def _held(path: Path, after: float) -> frozenset[str]:
    connection = await open_readable(path)
    try:
        rows = await connection.execute_fetchall(
            "SELECT call FROM calls_kept WHERE (SELECT at FROM alive) > ?", (after,)
        )
        return frozenset(str(call) for (call,) in rows)
    except sqlite3.Error as error:
        raise LocalError(f"cannot read the database {path}: {error}; restore it from a copy") from error
    finally:
        await connection.close()


async def _audit(path: Path, since: float, live: Collection[str] = ()) -> Audit:
    connection = await open_readable(path)
    try:
        return await audit(connection, since, live)
    except sqlite3.Error as error:
        raise LocalError(f"cannot read the database {path}: {error}; restore it from a copy") from error
    finally:
        await connection.close()
