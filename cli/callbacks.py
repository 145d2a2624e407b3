"""`cc callbacks`: the promises to call back, and taking one back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.options import ByOption, ConfigOption, JsonOption, SocketOption
from cli.output import moment, print_json, print_table
from cli.place import find_place, refuse_unknown
from softswitch.api.client import ApiClient

NumberArgument = Annotated[
    str, typer.Argument(metavar="NUMBER", help="The number that is to be called back.", show_default=False)
]
callbacks_app = typer.Typer(
    help="See and cancel promises to call back.", no_args_is_help=True, rich_markup_mode=None
)


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(callbacks_app, name="callbacks")


@callbacks_app.command("list")
def list_callbacks(
    queue: Annotated[
        str, typer.Option("--queue", metavar="QUEUE", help="Only those of this queue.", show_default=False)
    ] = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Show who will be called back, and when it is tried next."""
    answer = ApiClient(find_place(config, socket).socket).get("callbacks")
    promises = [promise for promise in answer if queue in ("", promise["queue"])]
    if not promises:
        refuse_unknown(config, socket, None, queue=queue)
    if json:
        print_json(promises)
        return
    print_table(
        ("number", "name", "queue", "since", "position>", "attempts>", "next"),
        (
            (
                promise["number"],
                promise["name"],
                promise["queue"],
                moment(promise["since"]),
                promise["position"],
                f"{promise['failed']} of {promise['attempts']}",
                _next(promise),
            )
            for promise in promises
        ),
        empty="Nobody waits to be called back.",
    )


@callbacks_app.command()
def cancel(
    number: NumberArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Take a promise back: the number is not called any more."""
    client = ApiClient(find_place(config, socket).socket)
    promise = client.delete("callbacks", number, query={"by": by} if by else None)
    if json:
        print_json(promise)
    else:
        print(f"{promise['number']} is not called back any more, for {promise['queue']}")


def _next(promise: dict[str, Any]) -> str:
    if promise["state"] == "calling":
        return "it is called now"
    return moment(promise["next_at"]) if promise["next_at"] is not None else "when an agent is free"
