"""`cc serve` and `cc check`: the two commands that need the whole configuration."""

from __future__ import annotations

import time

import typer

from cli.options import ConfigArgument, ConfigOption, JsonOption
from cli.output import print_json
from cli.place import find_config
from cli.refusals import WRONG_USAGE


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("serve")(serve)
    app.command("check")(check)


def serve(config: ConfigOption = None) -> None:
    """Run the switch until it is stopped (SIGTERM, or Ctrl-C)."""
    file = find_config(config)
    from softswitch.app import run
    from softswitch.config import load

    raise typer.Exit(run(load(file), lambda: load(file)))


def check(
    file: ConfigArgument = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Check a configuration: all its errors at once.

    Each is told with its line, the key, and what to do.
    """
    path = find_config(file if file is not None else config)
    from softswitch.config import ConfigErrors, load

    try:
        loaded = load(path)
    except ConfigErrors as error:
        if not json:
            raise
        problems = [
            {"path": problem.path, "line": problem.line, "message": problem.message}
            for problem in error.problems
        ]
        print_json({"file": str(path), "right": False, "problems": problems})
        raise typer.Exit(WRONG_USAGE) from None
    counts = {
        "extensions": len(loaded.extensions),
        "agents": len(loaded.agents),
        "queues": len(loaded.queues),
        "flows": len(loaded.flows),
        "routes": len(loaded.routes),
    }
    certificate = loaded.tls.own()
    if json:
        runs_out = None if certificate is None else certificate.not_after.isoformat()
        extra = {"certificate_runs_out": runs_out}
        print_json({"file": str(path), "right": True, "problems": [], **counts, **extra})
    else:
        shown = (f"{count} {what if count != 1 else what[:-1]}" for what, count in counts.items())
        print(f"{path} is right: " + ", ".join(shown))
        if certificate is not None:
            print(f"The certificate {certificate.expiry(time.time())}.")
