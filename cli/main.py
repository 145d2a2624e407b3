"""`cc`: the one command of the call centre.

Invariants: what fails is told in one clear line on stderr with its remedy, never by a traceback; the exit
code is 0 (done), 1 (failed), 2 (wrong usage or configuration) or 130 (interrupted). Nothing heavy is imported
before the command needs it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Annotated

import typer

from cli import (
    agents,
    callbacks,
    calls,
    clients,
    conferences,
    doctor,
    explain,
    flow,
    lists,
    log,
    media,
    media_dtmf,
    phone,
    prompts,
    queues,
    recordings,
    reload,
    report,
    route,
    serve,
    status,
    voicemail,
    workers,
)
from cli.refusals import DONE, FAILED, WRONG_USAGE, BadUsage
from softswitch.errors import LocalError

_PARTS = (
    status,
    serve,
    reload,
    agents,
    queues,
    callbacks,
    calls,
    route,
    lists,
    clients,
    conferences,
    explain,
    doctor,
    log,
    report,
    phone,
    prompts,
    media,
    media_dtmf,
    flow,
    voicemail,
    recordings,
    workers,
)

_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EIO)

app = typer.Typer(
    name="cc",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"cc {version('cc-softswitch')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    """Run and administer the call centre. Every command that prints has --json."""


for _part in _PARTS:
    _part.mount(app)
if find_spec("cli.demo") is not None:  # the demonstration may be left out of an installation
    import_module("cli.demo").mount(app)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name); the exit code."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except OSError as error:
        if error.filename is not None or error.errno not in _NOT_WRITTEN:
            raise
        print(f"cc: cannot write the output: {error.strerror}; make room where it goes", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the exit
        return FAILED
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="cc")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else DONE if end.code is None else FAILED
    except LocalError as error:
        configuration = _about_configuration(error)  # its lines begin with file:line, which editors jump to
        print(error if configuration else f"cc: {error}", file=sys.stderr)
        return WRONG_USAGE if configuration or isinstance(error, BadUsage) else FAILED
    return DONE


def _about_configuration(error: LocalError) -> bool:
    """Whether the configuration is at fault; its module is heavy, and is imported only where it was used."""
    loaded = sys.modules.get("softswitch.config.errors")
    return loaded is not None and isinstance(error, loaded.ConfigErrors)


def main() -> None:
    """The entry point of the program."""
    sys.exit(run())


if __name__ == "__main__":
    main()
