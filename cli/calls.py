"""`cc calls`: the calls that live now."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from cli.output import JsonOption, duration, moment, print_fields, print_json, print_table
from cli.place import ConfigOption, SocketOption, find_place
from softswitch.api.client import ApiClient, RefusedByServer

calls_app = typer.Typer(help="See and end live calls.", no_args_is_help=True, rich_markup_mode=None)
CallArgument = Annotated[str, typer.Argument(metavar="CALL", help="The call's id.", show_default=False)]


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(calls_app, name="calls")


@calls_app.command("list")
def list_calls(config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False) -> None:
    """Show the live calls."""
    answer = ApiClient(find_place(config, socket).socket).get("calls")
    if json:
        print_json(answer)
        return
    now = time.time()
    print_table(
        ("call", "from", "to", "state", "for>", "queue", "position>", "agent", "type", "lasts>"),
        (
            (
                call["id"],
                call["from_number"] or call["from_name"],
                call["to_number"],
                call["state"],
                duration(max(0.0, now - call["since"])),
                call["queue"],
                call["position"],
                call["agent"],
                call["call_type"],
                duration(max(0.0, now - call["started_at"])),
            )
            for call in answer
        ),
        empty="There are no calls.",
    )


@calls_app.command()
def show(
    call: CallArgument, config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False
) -> None:
    """Show one live call; for one that is over see `cc log calls CALL`."""
    client = ApiClient(find_place(config, socket).socket)
    try:
        answer = client.get("calls", call)
    except RefusedByServer as error:
        if error.status != 404:
            raise
        remedy = f"{error.remedy}; `cc log calls {call}` shows one that is over"
        raise RefusedByServer(404, error.error, remedy) from error
    if json:
        print_json(answer)
        return
    print_fields(
        [
            ("call", answer["id"]),
            ("state", f"{answer['state']}, for {duration(max(0.0, time.time() - answer['since']))}"),
            ("from", f"{answer['from_number']} {answer['from_name']}".strip()),
            ("to", answer["to_number"]),
            ("direction", f"{answer['direction']}, {answer['transport']}".rstrip(", ")),
            ("started", moment(answer["started_at"])),
            ("menu", answer["path"]),
            ("type", answer["call_type"]),
            ("queue", answer["queue"]),
            ("position", answer["position"]),
            ("agent", answer["agent"]),
            ("recording", answer["recording"]),
        ]
    )


@calls_app.command()
def hangup(
    call: CallArgument, config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False
) -> None:
    """End a live call."""
    answer = ApiClient(find_place(config, socket).socket).delete("calls", call, query={"by": "cli"})
    if json:
        print_json(answer)
    else:
        print(f"{answer['id']} is being ended (it was {answer['state']})")
