"""`cc clients`: for whom the centre answers; imported from a CSV file with every bad row named."""

from __future__ import annotations

import csv
import sys
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import JsonOption, print_json, print_table
from cli.place import ConfigOption, find_config
from cli.refusals import FAILED, BadUsage

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
    `cc reload` makes it known.
    """
    from softswitch.files import replace

    place = find_config(config)
    target = _target(place)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadUsage(f"cannot read {file}: {error.strerror}; check the path and its rights") from error
    except UnicodeError as error:
        raise BadUsage(f"{file} is not UTF-8: {error}; save it as UTF-8") from error
    count, faults = _examine(place, text)
    if not faults:
        replace(target, text)
    if json:
        print_json({"file": str(target), "imported": not faults, "clients": count, "faults": faults})
    for fault in () if json else faults:
        print(f"{file}, {fault}", file=sys.stderr)
    if faults:
        print(f"cc: {len(faults)} faults in {file}; nothing was changed", file=sys.stderr)
        raise typer.Exit(FAILED)
    if not json:
        print(f"{target} has {count} clients; `cc reload` makes them known to a running switch")


def _target(place: Path) -> Path:
    """The file that the configuration names. Raises BadUsage."""
    from softswitch.config.loading import load_draft

    table = load_draft(place).raw.get("clients")
    given = table.get("file") if isinstance(table, dict) else None
    if not isinstance(given, str) or not given:
        raise BadUsage(f'{place} names no file for clients: add file = "clients.csv" under [clients]')
    return Path(place.resolve().parent, Path(given).expanduser()).resolve()


def _examine(place: Path, text: str) -> tuple[int, list[str]]:
    """How many clients the text has, and what is wrong with it, alone and beside the rest of the
    configuration."""
    from softswitch.config.client_file import clients_of
    from softswitch.config.loading import client_faults

    try:
        table, faults, lines = clients_of(StringIO(text, newline=""))
    except csv.Error as error:
        return 0, [f"it is no CSV: {error}"]
    beside = [
        f"line {lines[client]}, {key}: {message}" for client, key, message in client_faults(place, table)
    ]
    return len(table), faults + beside
