"""`cc route`: where a call would go, and why, without a call."""

from __future__ import annotations

import time
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption, SocketOption
from cli.output import plain, print_fields, print_json
from cli.place import find_config, find_place
from cli.refusals import BadUsage

route_app = typer.Typer(help="Where calls go.", no_args_is_help=True, rich_markup_mode=None)
MAX_SHOWN = 50


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(route_app, name="route")


@route_app.callback()
def _group() -> None:
    """Where calls go."""


@route_app.command("try")
def try_route(
    to: Annotated[
        str, typer.Option("--to", metavar="NUMBER", help="The dialled number.", show_default=False)
    ],
    caller: Annotated[str, typer.Option("--from", metavar="NUMBER", help="The caller's number.")] = "",
    name: Annotated[str, typer.Option("--name", help="The caller's name, as the phone gives it.")] = "",
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="WHEN",
            help="When, in the configuration's time zone: '2026-12-31 23:30', 23:30 (today); now if absent.",
        ),
    ] = "",
    trunk: Annotated[
        str, typer.Option("--trunk", metavar="PEER", help="The peer that the call comes from.")
    ] = "",
    transport: Annotated[str, typer.Option("--transport", help="udp or tcp.")] = "udp",
    codec: Annotated[
        list[str] | None, typer.Option("--codec", help="A codec on offer; may be repeated.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="A header; may be repeated.")
    ] = None,
    address: Annotated[str, typer.Option("--address", help="The IP address that it comes from.")] = "",
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask the configuration file, even if a switch runs.")
    ] = False,
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Say which rule takes a call and why each earlier one does not; nothing rings.

    Asks the running switch, or the configuration file where none runs; then all queues are empty and nobody
    is logged in. Exit code 1: the call would be refused.
    """
    if at:
        _check_moment(at)
    question = {
        "from_number": caller,
        "to_number": to,
        "from_name": name,
        "at": at,
        "trunk": trunk,
        "transport": transport,
        "codecs": [one.upper() for one in codec or ()],
        "address": address,
        "headers": [_header(text) for text in header or ()],
    }
    answer = _ask(question, offline, config, socket)
    if json:
        print_json(answer)
    else:
        _print(answer)
    if answer["sip_status"] != 200:
        raise typer.Exit(1)


def _check_moment(at: str) -> None:
    """Whether it can be read; in which time zone it is meant is for who has the configuration."""
    from softswitch.call.rehearsal import moment
    from softswitch.errors import LocalError

    try:
        moment(at, UTC, time.time())
    except LocalError as error:
        raise BadUsage(f"--at {error}") from None


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise BadUsage(f"--header {text!r}: write NAME=VALUE")
    return name.strip(), value


def _ask(question: dict[str, Any], offline: bool, config: Path | None, socket: Path | None) -> dict[str, Any]:
    from softswitch.api.client import ApiClient, NotRunning

    if not offline:
        place = find_place(config, socket)
        try:
            answer: dict[str, Any] = ApiClient(place.socket).post("route", "try", body=question)
        except NotRunning:
            if place.file is None:
                raise
        else:
            return answer
    import msgspec

    from softswitch.app.rehearsal import rehearse_offline
    from softswitch.call.rehearsal import RouteQuestion
    from softswitch.config import load

    made = rehearse_offline(load(find_config(config)), msgspec.convert(question, RouteQuestion), time.time())
    return dict(msgspec.to_builtins(made))


def _print(answer: dict[str, Any]) -> None:
    caller = f"{answer['caller'] or 'a nameless caller'} ({answer['caller_kind']})"
    print_fields(
        [
            ("caller", caller),
            ("status", answer["status"]),
            ("dialled", answer["number"]),
            ("client", answer["client"]),
            ("at", answer["local_time"]),
        ]
    )
    print()
    others = [step for step in answer["steps"] if step["why"] == f"it is for {step['number']}"]
    if others:
        print(f"  -  {len(others)} {'route is' if len(others) == 1 else 'routes are'} for other numbers")
    for step in [step for step in answer["steps"] if step not in others][-MAX_SHOWN:]:
        sign = "=>" if step["takes"] else " -"
        why = f": {plain(step['why'])}" if step["why"] else ""
        print(f" {sign}  {plain(step['route'])} ({plain(step['number'])} to {step['to']}){why}")
    print(_verdict(answer))


def _verdict(answer: dict[str, Any]) -> str:
    by = {
        "blocked": f"the caller is blocked (callers.{answer['status']})",
        "feature": "it is a feature code",
        "route": f"by {answer['rule']}",
        "client": f"by the client {answer['client']}",
        "extension": "it is an extension",
        "": "nothing takes this call",
    }[answer["by"]]
    if answer["sip_status"] != 200:
        return f"refused with {answer['sip_status']}, {answer['reason']}: {by}"
    more = [f"{key} {answer[key]}" for key in ("priority", "call_type", "language") if answer[key]]
    return f"goes to {answer['to']}: {by}" + (f" ({', '.join(more)})" if more else "")
