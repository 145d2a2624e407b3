"""Options and arguments that several commands have, each written once.

Typer reads them from the signature of a command: `config: ConfigOption = None`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", envvar="CC_CONFIG", help="The configuration file."),
]
SocketOption = Annotated[
    Path | None, typer.Option("--socket", metavar="PATH", help="The server's control socket, instead of -c.")
]
DatabaseOption = Annotated[
    Path | None,
    typer.Option("--database", metavar="FILE", help="Read this database file, whether a server runs or not."),
]
ByOption = Annotated[
    str,
    typer.Option("--by", metavar="NAME", help="Who orders it, for the log; without it your Unix user."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
SinceOption = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="WHEN",
        help="From: 2026-12-31, '2026-12-31 23:30', 23:30, 90m, 2h, 7d, today, yesterday.",
    ),
]
UntilOption = Annotated[str, typer.Option("--until", metavar="WHEN", help="Up to, and without; as --since.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace a file that is there.")]

CallArgument = Annotated[str, typer.Argument(metavar="CALL", help="The call's id.", show_default=False)]
ConfigArgument = Annotated[Path | None, typer.Argument(help="The configuration file.", show_default=False)]
