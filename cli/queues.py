"""`cc queues`: who waits, who could answer, and whether the door is open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import ByOption, ConfigOption, JsonOption, SocketOption
from cli.output import duration, print_fields, print_json, print_table
from cli.place import find_place
from softswitch.api.client import ApiClient

NameArgument = Annotated[str, typer.Argument(metavar="QUEUE", help="The queue's name.", show_default=False)]
queues_app = typer.Typer(help="See, open and close the queues.", no_args_is_help=True, rich_markup_mode=None)


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(queues_app, name="queues")


@queues_app.command("list")
def list_queues(config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False) -> None:
    """Show all queues: how many wait, and what their agents are doing."""
    answer = ApiClient(find_place(config, socket).socket).get("queues")
    if json:
        print_json(answer)
        return
    print_table(
        (
            "queue",
            "strategy",
            "waiting>",
            "longest>",
            "agents>",
            "ready>",
            "ringing>",
            "talking>",
            "wrap-up>",
            "paused>",
        ),
        (
            (
                queue["name"] + ("" if queue["is_open"] else " (closed)"),
                queue["strategy"],
                len(queue["waiting"]),
                duration(max((caller["wait_s"] for caller in queue["waiting"]), default=None)),
                queue["agents_logged_in"],
                queue["ready"],
                queue["ringing"],
                queue["talking"],
                queue["wrapup"],
                queue["paused"],
            )
            for queue in answer
        ),
        empty="The configuration has no queues.",
    )


@queues_app.command()
def show(
    name: NameArgument, config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False
) -> None:
    """Show one queue and who waits in it."""
    queue = ApiClient(find_place(config, socket).socket).get("queues", name)
    if json:
        print_json(queue)
        return
    states = ("ready", "ringing", "talking", "wrapup", "paused", "own_call", "unreachable")
    print_fields(
        [
            ("queue", queue["name"]),
            ("strategy", queue["strategy"]),
            ("open", "yes" if queue["is_open"] else "no"),
            ("agents", f"{queue['agents_logged_in']} logged in"),
            *((state.replace("_", " "), queue[state] or None) for state in states),
        ]
    )
    print()
    print_table(
        ("position>", "waits>", "priority>", "caller", "call", "rings at"),
        (
            (
                caller["position"],
                duration(caller["wait_s"]),
                caller["priority"],
                caller["caller"],
                caller["call"],
                caller["agents"],
            )
            for caller in queue["waiting"]
        ),
        empty="Nobody waits.",
    )


@queues_app.command("open")
def open_queue(
    name: NameArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Open a queue that was closed."""
    _door(name, "open", by, find_place(config, socket).socket, json)


@queues_app.command("close")
def close_queue(
    name: NameArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Let nobody in any more, until `cc queues open`; who waits is still served."""
    _door(name, "close", by, find_place(config, socket).socket, json)


def _door(name: str, verb: str, by: str, socket: Path, json: bool) -> None:
    queue = ApiClient(socket).post("queues", name, verb, body={"by": by})
    if json:
        print_json(queue)
    else:
        state = "open" if queue["is_open"] else "closed"
        print(f"{queue['name']} is {state}, {len(queue['waiting'])} wait in it")
