"""`cc demo`: the whole centre at work, with phones that are programs of their own, and a verdict at the end.

Invariant: exit code 0 means that every call was seen in the log and heard in the recordings as it should be;
whatever is not so ends in 1, with the step that failed and the end of the switch's log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import JsonOption

PORT = 5060


def mount(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1024,
            max=65535,
            help="For SIP; without it 5060, or a free one if that is taken.",
        ),
    ] = None,
    address: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="This machine's address, if phones of the network are to reach it."
        ),
    ] = "127.0.0.1",
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the switch running until Ctrl-C, for phones of your own.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="For its files, emptied first; without it var/demo.", show_default=False
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show the switch at work: two agents, six callers, the live queues, the log, the report.

    Everything is real: SIP and RTP on loopback, softphones in processes of their own. It takes a minute and
    ends with 1 if any call is not in the log, or not heard, as it should be.
    """
    from cli.demo.show import Options, run

    options = Options(port=port, address=address, keep=keep, directory=directory, json=json)
    raise typer.Exit(run(options))
