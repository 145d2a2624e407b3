"""`cc conferences`: the conference rooms of the running switch, and orders about them."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from cli.options import ByOption, ConfigOption, JsonOption, SocketOption
from cli.output import duration, print_json, print_table
from cli.place import find_place
from softswitch.api.client import ApiClient

conferences_app = typer.Typer(help="See and direct conferences.", no_args_is_help=True, rich_markup_mode=None)
NameArgument = Annotated[
    str, typer.Argument(metavar="CONFERENCE", help="One of [conferences].", show_default=False)
]
CallArgument = Annotated[str, typer.Argument(metavar="CALL", help="The member's call.", show_default=False)]
OptionalCall = Annotated[
    str, typer.Argument(metavar="[CALL]", help="The member's call; everybody if absent.", show_default=False)
]


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(conferences_app, name="conferences")


@conferences_app.command("list")
def list_conferences(
    config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False
) -> None:
    """Show all conferences."""
    found = ApiClient(find_place(config, socket).socket).get("conferences")
    if json:
        print_json(found)
        return
    now = time.time()
    print_table(
        ("conference", "members>", "of>", "lasts>", "state"),
        (
            (
                one["name"],
                len(one["members"]),
                one["max_members"],
                duration(max(0.0, now - one["since"])) if one["since"] is not None else "",
                _state(one),
            )
            for one in found
        ),
        empty="There are no conferences; [conferences] makes them.",
    )


@conferences_app.command()
def show(
    name: NameArgument, config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False
) -> None:
    """Show who is in a conference."""
    _print(ApiClient(find_place(config, socket).socket).get("conferences", name), json)


@conferences_app.command()
def mute(
    name: NameArgument,
    call: OptionalCall = "",
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Let nobody hear a member; without CALL all who are no moderators."""
    client = ApiClient(find_place(config, socket).socket)
    _print(client.post("conferences", name, "mute", body={"call": call, "by": by}), json)


@conferences_app.command()
def unmute(
    name: NameArgument,
    call: OptionalCall = "",
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Let a member be heard again, also one who has muted himself."""
    client = ApiClient(find_place(config, socket).socket)
    _print(client.post("conferences", name, "unmute", body={"call": call, "by": by}), json)


@conferences_app.command(context_settings={"ignore_unknown_options": True})
def gain(
    name: NameArgument,
    call: CallArgument,
    gain_db: Annotated[
        float, typer.Argument(metavar="DB", help="-24 to 24; 0 is as he speaks.", show_default=False)
    ],
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Have a member heard louder than he speaks, or softer."""
    client = ApiClient(find_place(config, socket).socket)
    _print(client.post("conferences", name, "gain", body={"call": call, "gain_db": gain_db, "by": by}), json)


@conferences_app.command()
def kick(
    name: NameArgument,
    call: CallArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Put a member out."""
    client = ApiClient(find_place(config, socket).socket)
    _print(client.post("conferences", name, "kick", body={"call": call, "by": by}), json)


@conferences_app.command()
def end(
    name: NameArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Put everybody out."""
    before = ApiClient(find_place(config, socket).socket).post("conferences", name, "end", body={"by": by})
    if json:
        print_json(before)
    else:
        print(f"{name} is being ended ({len(before['members'])} were in)")


@conferences_app.command()
def lock(
    name: NameArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Let nobody in any more but moderators."""
    client = ApiClient(find_place(config, socket).socket)
    _print(client.post("conferences", name, "lock", body={"by": by}), json)


@conferences_app.command()
def unlock(
    name: NameArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Let callers in again."""
    client = ApiClient(find_place(config, socket).socket)
    _print(client.post("conferences", name, "unlock", body={"by": by}), json)


def _state(conference: dict[str, Any]) -> str:
    return ", ".join(word for word in ("locked", "recording") if conference[word])


def _print(conference: dict[str, Any], json: bool) -> None:
    if json:
        print_json(conference)
        return
    now = time.time()
    state = _state(conference)
    count = f"{len(conference['members'])} of {conference['max_members']}"
    print(f"{conference['name']}: {count}{', ' if state else ''}{state}")
    print_table(
        ("call", "number", "name", "for>", "role", "muted by", "gain>"),
        (
            (
                member["call"],
                member["number"],
                member["name"],
                duration(max(0.0, now - member["since"])),
                "moderator" if member["moderator"] else "",
                member["muted_by"],
                f"{member['gain_db']:+g} dB" if member["gain_db"] else "",
            )
            for member in conference["members"]
        ),
        empty="Nobody is in.",
    )
