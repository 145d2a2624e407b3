"""`cc workers`: the media processes: how they do, and taking one out of service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import ByOption, ConfigOption, JsonOption, SocketOption
from cli.output import print_json, print_table
from cli.place import find_place
from softswitch.api.client import ApiClient

NameArgument = Annotated[
    str, typer.Argument(metavar="WORKER", help="The worker's name, such as worker-2.", show_default=False)
]
workers_app = typer.Typer(
    help="See, drain and restart the media workers.", no_args_is_help=True, rich_markup_mode=None
)


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(workers_app, name="workers")


@workers_app.command("list")
def list_workers(config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False) -> None:
    """Show the media workers: how much is on them, and whether their ticks come in time."""
    answer = ApiClient(find_place(config, socket).socket).get("workers")
    if json:
        print_json(answer)
        return
    print_table(
        (
            "worker",
            "process>",
            "legs>",
            "ports>",
            "core>",
            "worst tick>",
            "late ticks>",
            "by the kernel>",
            "new calls",
        ),
        (
            (
                worker["name"],
                worker["pid"],
                worker["legs"],
                worker["ports"],
                "" if worker["busy"] is None else f"{worker['busy']:.0%}",
                "" if worker["late_ms"] is None else f"{worker['late_ms']:.1f} ms",
                worker["late_ticks"],
                "no" if worker["forwarded"] is None else worker["forwarded"],
                "no (drained)" if worker["drained"] else "yes",
            )
            for worker in answer
        ),
        empty="No media worker runs: no call can be taken.",
    )


@workers_app.command()
def drain(
    name: NameArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Let a worker take no new calls; those on it go on to their end."""
    worker = _order(name, "drain", by, find_place(config, socket).socket, json)
    if not json:
        print(f"{worker['name']} takes no new calls; {worker['legs']} legs are on it")


@workers_app.command()
def undrain(
    name: NameArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Let a drained worker take calls again."""
    worker = _order(name, "undrain", by, find_place(config, socket).socket, json)
    if not json:
        print(f"{worker['name']} takes calls again")


@workers_app.command()
def restart(
    name: NameArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """End a drained worker that carries nothing any more; a new one takes its place."""
    worker = _order(name, "restart", by, find_place(config, socket).socket, json)
    if not json:
        print(f"{worker['name']} ends; another worker takes its place")


def _order(name: str, verb: str, by: str, socket: Path, json: bool) -> dict[str, Any]:
    worker: dict[str, Any] = ApiClient(socket).post("workers", name, verb, body={"by": by})
    if json:
        print_json(worker)
    return worker
