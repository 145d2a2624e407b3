"""`cc doctor`: whether the switch, its log and its database tell the same."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.moments import epoch
from cli.options import ConfigOption, DatabaseOption, JsonOption, SinceOption, SocketOption
from cli.output import plain, print_json
from cli.place import DEFAULT_GRACE_S, find_place
from cli.refusals import DONE, FAILED

if TYPE_CHECKING:
    from softswitch.diagnosis import Diagnosis

MARGIN_S = 5.0
"""How much longer media workers may be there than they were told."""


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("doctor")(doctor)


def doctor(
    mend: Annotated[bool, typer.Option("--mend", help="Put right what can be.")] = False,
    since: SinceOption = "7d",
    config: ConfigOption = None,
    socket: SocketOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Prove that the switch's tables, its log and its database agree, and say what would be mended.

    Of the log, the calls that began after --since are read. Without a running switch the database alone is
    examined. Ends with 1 if something is found that is not mended.
    """
    moment = epoch(since, "--since", time.time()) or 0.0
    found = _examine(config, socket, database, moment, mend)
    if json:
        print_json(found)
    else:
        _print(found, mend)
    raise typer.Exit(DONE if found.is_sound else FAILED)


def _examine(
    config: Path | None, socket: Path | None, database: Path | None, since: float, mend: bool
) -> Diagnosis:
    """By the running switch, or here where none runs (or a database is named)."""
    import msgspec

    from softswitch.api.client import ApiClient, NotRunning
    from softswitch.diagnosis import Diagnosis

    path, grace_s = database, DEFAULT_GRACE_S
    if path is None:
        place = find_place(config, socket)
        client = ApiClient(place.socket, timeout_s=300.0)
        try:
            answer = (
                client.post("doctor", "mend", body={"since": since})
                if mend
                else client.get("doctor", query={"since": since})
            )
            return msgspec.convert(answer, Diagnosis)
        except NotRunning:
            if place.file is None:
                raise
        path, grace_s = place.database, place.grace_s
    return _examine_file(path, since, mend, grace_s)


def _examine_file(path: Path, since: float, mend: bool, grace_s: float) -> Diagnosis:
    import asyncio

    from softswitch.store.doctor import examine_file

    return asyncio.run(examine_file(path, since, mend, held_after=time.time() - grace_s - MARGIN_S))


def _print(found: Diagnosis, mend: bool) -> None:
    where = "the running switch and its log" if found.running else "the database; no switch runs"
    print(f"Examined {where}: {found.calls} calls, {found.events} events.")
    if not found.findings:
        print("All agree.")
        return
    for finding in found.findings:
        print(f"{finding.part}: {plain(finding.what)}")
        if finding.mended:
            print(f"    mended: {finding.remedy}")
        elif finding.remedy:
            print(f"    {'NOT MENDED' if mend else 'would mend'}: {finding.remedy}")
        else:
            print("    nothing can mend it; please report it")
    left = [finding for finding in found.findings if not finding.mended]
    mendable = not mend and any(finding.remedy for finding in left)
    print(f"{len(found.findings)} found, {len(left)} left." + (" `--mend` mends." if mendable else ""))
