"""The doctor of a database that no switch is using: found is what a killed switch left, and what no switch
should ever leave.

Invariant: mending takes the lock of the one writer, so a running switch is never written beside.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from softswitch.diagnosis import Diagnosis, Finding
from softswitch.errors import LocalError
from softswitch.store.audit import Audit, audit
from softswitch.store.database import open_readable
from softswitch.store.writer import Writer


async def examine_file(path: Path, since: float, mend: bool) -> Diagnosis:
    """Compare log and records of the calls that began at `since` (epoch seconds) or later.

    With `mend`, close what is open (as the next start of the switch would) and copy what can be from the log.
    Raises LocalError: no such file, not ours, in use by a running switch.
    """
    read = await _audit(path, since)
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


async def _audit(path: Path, since: float) -> Audit:
    connection = await open_readable(path)
    try:
        return await audit(connection, since, ())
    except sqlite3.Error as error:
        raise LocalError(f"cannot read the database {path}: {error}; restore it from a copy") from error
    finally:
        await connection.close()
