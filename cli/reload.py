"""`cc reload`: the running switch reads its configuration file again."""

from __future__ import annotations

import sys

import typer

from cli.options import ByOption, ConfigOption, JsonOption, SocketOption
from cli.output import print_json
from cli.place import find_place
from cli.refusals import WRONG_USAGE


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("reload")(reload)


def reload(
    by: ByOption = "", config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False
) -> None:
    """Let the running switch read its configuration again; calls go on.

    A wrong file is refused with all its errors, and the old configuration stays. Callers in a menu stay in
    the old one. What needs a restart (addresses, ports, the database's path) is told.
    """
    from softswitch.api.client import ApiClient, RefusedByServer

    client = ApiClient(find_place(config, socket).socket, timeout_s=300.0)  # new texts are spoken first
    try:
        told = client.post("reload", body={"by": by})
    except RefusedByServer as error:
        if error.status != 422:
            raise
        print(f"{error.error}\ncc: nothing was changed: {error.remedy}", file=sys.stderr)
        raise typer.Exit(WRONG_USAGE) from None
    if json:
        print_json(told)
        return
    print("The configuration was read again, and is in force.")
    for key in told["restart_needed"]:
        print(f"{key} has changed, and is read at the start only: restart the switch for it.")
