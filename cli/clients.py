"""`cc clients`: for whom the centre answers; imported from a CSV file with every bad row named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption
from cli.output import print_json, print_table
from cli.place import find_config
from cli.refusals import FAILED, BadUsage

if TYPE_CHECKING:
    from softswitch.config.client_file import ClientFile, RowFault

_RESTS_ON = {"": ("to", "queues"), "closed": ("hours",)}
"""Complaint in a column (none: of the row) -> where a bad cell was left out that would have answered it."""
clients_app = typer.Typer(help="See and import the clients.", no_args_is_help=True, rich_markup_mode=None)


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(clients_app, name="clients")


@clients_app.command("list")
def list_clients(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show all clients: their numbers, where their calls go, their hours."""
    from softswitch.config import load

    loaded = load(find_config(config))
    rows: list[dict[str, Any]] = [
        {"id": name, **client.model_dump(mode="json")} for name, client in loaded.clients.items()
    ]
    if json:
        print_json(rows)
        return
    print_table(
        ("client", "name", "numbers", "to", "queues", "language", "hours", "script"),
        (
            (
                row["id"],
                row["name"],
                row["numbers"],
                row["to"] or "",
                row["queues"],
                row["language"],
                row["hours"],
                row["script"],
            )
            for row in rows
        ),
        empty="The configuration has no clients.",
    )


@clients_app.command("import")
def import_clients(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file.", show_default=False)],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Replace the clients of the configuration's CSV file by those of another one.

    The columns are `id` and the keys of [clients.CLIENT]. Every bad row is named, also one that names a
    queue or a calendar that does not exist, and then nothing is changed. The file is replaced in one step;
    `cc reload` makes it known. A client without a number, and a number that stands twice, is a warning.
    """
    from softswitch.config.client_file import clients_in
    from softswitch.files import replace

    place = find_config(config)
    target = _target(place)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadUsage(f"cannot read {file}: {error.strerror}; check the path and its rights") from error
    found = clients_in(data)
    faults = [str(fault) for fault in _faults(place, found)]
    warnings = [str(warning) for warning in found.warnings]
    count = len(found.table)
    if not faults:
        replace(target, data.decode("utf-8-sig"))
    if json:
        told = {"file": str(target), "imported": not faults, "clients": count}
        print_json({**told, "faults": faults, "warnings": warnings})
    else:
        for line in (*faults, *(f"warning: {warning}" for warning in warnings)):
            print(f"{file}, {line}", file=sys.stderr)
    if faults:
        print(f"cc: {_counted(len(faults), 'fault')} in {file}; nothing was changed", file=sys.stderr)
        raise typer.Exit(FAILED)
    if not json:
        print(f"{target} has {_counted(count, 'client')}; `cc reload` makes it known to a running switch")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _target(place: Path) -> Path:
    """The file that the configuration names. Raises BadUsage."""
    from softswitch.config.loading import load_draft

    table = load_draft(place).raw.get("clients")
    given = table.get("file") if isinstance(table, dict) else None
    if not isinstance(given, str) or not given:
        raise BadUsage(f'{place} names no file for clients: add file = "clients.csv" under [clients]')
    return Path(place.resolve().parent, Path(given).expanduser()).resolve()


def _faults(place: Path, found: ClientFile) -> list[RowFault]:
    """What is wrong with clients, alone and beside the rest of the configuration, by line."""
    from softswitch.config.client_file import RowFault
    from softswitch.config.loading import client_faults

    bad = {(fault.line, fault.column.partition(".")[0]) for fault in found.faults}
    faults = list(found.faults)
    for client, key, message in client_faults(place, found.table):
        line = found.lines[client]
        if not any((line, column) in bad for column in _RESTS_ON.get(key, ())):
            faults.append(RowFault(line, key or "to", message))
    return sorted(faults, key=lambda fault: fault.line)
