"""`cc agents`: who answers, and what he is doing."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from cli.options import ByOption, ConfigOption, JsonOption, SocketOption
from cli.output import duration, print_json, print_table, share
from cli.place import find_place
from softswitch.api.client import ApiClient

agents_app = typer.Typer(help="See and direct the agents.", no_args_is_help=True, rich_markup_mode=None)
NameArgument = Annotated[str, typer.Argument(metavar="AGENT", help="The agent's id.", show_default=False)]


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(agents_app, name="agents")


@agents_app.command("list")
def list_agents(config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False) -> None:
    """Show all agents and what they are doing."""
    answer = ApiClient(find_place(config, socket).socket).get("agents")
    if json:
        print_json(answer)
        return
    now = time.time()
    print_table(
        ("agent", "name", "state", "reason", "for>", "phone", "queues", "calls>", "occupancy>", "call"),
        (
            (
                agent["name"],
                agent["display_name"],
                agent["state"],
                agent["reason"] + (" (too long)" if agent["pause_exceeded"] else ""),
                duration(max(0.0, now - agent["since"])) if agent["state"] != "logged out" else "",
                agent["phone"],
                agent["queues"],
                agent["calls"],
                share(agent["occupancy"]),
                agent["call"],
            )
            for agent in answer
        ),
        empty="The configuration has no agents.",
    )


@agents_app.command()
def login(
    name: NameArgument,
    phone: Annotated[
        str | None, typer.Option(metavar="EXTENSION", help="Where he sits; his own extension if left out.")
    ] = None,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Log an agent in."""
    client = ApiClient(find_place(config, socket).socket)
    _tell(client.post("agents", name, "login", body={"phone": phone, "by": by}), json)


@agents_app.command()
def logout(
    name: NameArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Log an agent out; if he talks, after the talk."""
    client = ApiClient(find_place(config, socket).socket)
    _tell(client.post("agents", name, "logout", body={"by": by}), json)


@agents_app.command()
def pause(
    name: NameArgument,
    reason: Annotated[
        str, typer.Argument(help="One of [pauses] reasons, or its number; none if left out.")
    ] = "",
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Give an agent no more calls; if he talks, after the talk."""
    client = ApiClient(find_place(config, socket).socket)
    _tell(client.post("agents", name, "pause", body={"reason": reason, "by": by}), json)


@agents_app.command()
def ready(
    name: NameArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """End an agent's pause or wrap-up."""
    client = ApiClient(find_place(config, socket).socket)
    _tell(client.post("agents", name, "ready", body={"by": by}), json)


@agents_app.command()
def extend(
    name: NameArgument,
    seconds: Annotated[float, typer.Argument(help="How much longer.")] = 60.0,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Give an agent more time for the wrap-up that he is in."""
    client = ApiClient(find_place(config, socket).socket)
    _tell(client.post("agents", name, "extend", body={"extra_s": seconds, "by": by}), json)


def _tell(agent: dict[str, Any], json: bool) -> None:
    if json:
        print_json(agent)
        return
    at = f" at {agent['phone']}" if agent["phone"] else ""
    reason = f" ({agent['reason']})" if agent["reason"] else ""
    print(f"{agent['name']}: {agent['state']}{reason}{at}")
