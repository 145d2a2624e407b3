"""`cc calls`: the calls that live now, and orders about them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import ByOption, CallArgument, ConfigOption, JsonOption, SocketOption
from cli.output import duration, moment, print_fields, print_json, print_table
from cli.place import find_place
from softswitch.api.client import ApiClient, RefusedByServer

calls_app = typer.Typer(help="See, direct and end live calls.", no_args_is_help=True, rich_markup_mode=None)


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
    import msgspec

    from cli.sound import codecs_spoken, encryption_lines, quality_lines
    from softswitch.call.record import LegRecord

    legs = msgspec.convert(answer.get("legs", []), tuple[LegRecord, ...])
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
            ("recording", f"{answer['recording_state']} {answer['recording']}".strip()),
            ("codecs", codecs_spoken(legs)),
            ("encryption", encryption_lines(legs)),
            ("sound", quality_lines(legs)),
        ]
    )


@calls_app.command()
def hangup(
    call: CallArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """End a live call."""
    answer = ApiClient(find_place(config, socket).socket).delete("calls", call, query={"by": by})
    if json:
        print_json(answer)
    else:
        print(f"{answer['id']} is being ended (it was {answer['state']})")


@calls_app.command()
def move(
    call: CallArgument,
    queue: Annotated[str, typer.Argument(metavar="QUEUE", help="Where it shall wait.", show_default=False)],
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Let a waiting call wait in another queue, even a closed or full one; its wait so far counts there."""
    client = ApiClient(find_place(config, socket).socket)
    _tell(client.post("calls", call, "move", body={"queue": queue, "by": by}), json)


@calls_app.command(context_settings={"ignore_unknown_options": True})
def priority(
    call: CallArgument,
    number: Annotated[
        int, typer.Argument(metavar="N", help="The higher the sooner; 0 is ordinary.", show_default=False)
    ],
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Change the priority of a waiting call."""
    client = ApiClient(find_place(config, socket).socket)
    _tell(client.post("calls", call, "priority", body={"priority": number, "by": by}), json)


@calls_app.command()
def hand(
    call: CallArgument,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="Who shall take it.", show_default=False)],
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Make a waiting call the agent's next one, of any queue; not taken soon, it is anybody's again."""
    client = ApiClient(find_place(config, socket).socket)
    _tell(client.post("calls", call, "hand", body={"agent": agent, "by": by}), json)


@calls_app.command()
def add(
    call: CallArgument,
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="As an extension would dial it.", show_default=False)
    ],
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Call a number, and let whoever answers join a talk."""
    client = ApiClient(find_place(config, socket).socket)
    answer = client.post("calls", call, "add", body={"number": number, "by": by})
    if json:
        print_json(answer)
    else:
        print(f"{number} is called for {call}")


ExtensionOption = Annotated[
    str,
    typer.Option(
        "--with", metavar="EXTENSION", help="The supervisor's phone, which rings.", show_default=False
    ),
]


@calls_app.command()
def listen(
    call: CallArgument,
    extension: ExtensionOption,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Let a supervisor listen to a talk, heard by nobody; also to one in which he is already."""
    _supervise(call, "listen", extension, by, find_place(config, socket).socket, json)


@calls_app.command()
def whisper(
    call: CallArgument,
    extension: ExtensionOption,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Let a supervisor listen to a talk and be heard by the agent alone."""
    _supervise(call, "whisper", extension, by, find_place(config, socket).socket, json)


@calls_app.command()
def barge(
    call: CallArgument,
    extension: ExtensionOption,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Let a supervisor talk with both sides."""
    _supervise(call, "barge", extension, by, find_place(config, socket).socket, json)


def _supervise(call: str, mode: str, extension: str, by: str, place: Path, json: bool) -> None:
    answer = ApiClient(place).post("calls", call, mode, body={"extension": extension, "by": by})
    if json:
        print_json(answer)
    else:
        print(f"{extension}: {mode} in {call}")


def _tell(call: dict[str, Any], json: bool) -> None:
    if json:
        print_json(call)
        return
    place = f", position {call['position']}" if call["position"] is not None else ""
    print(f"{call['id']}: {call['state']} in {call['queue']}{place}, priority {call['priority']}")
