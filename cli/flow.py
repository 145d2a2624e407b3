"""`cc flow`: check voice menus, draw them, and walk through them without a phone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.flow_try import try_flow
from cli.options import ConfigArgument, ConfigOption, JsonOption
from cli.output import plain, print_json
from cli.place import find_config
from cli.refusals import DONE, FAILED, WRONG_USAGE, BadUsage

if TYPE_CHECKING:
    from softswitch.app.prompt_list import Listed
    from softswitch.config import Config
    from softswitch.config.errors import Problem

flow_app = typer.Typer(
    help="Check, draw and try the voice menus.", no_args_is_help=True, rich_markup_mode=None
)
FlowArgument = Annotated[
    str, typer.Argument(metavar="[FLOW]", help="The flow's name; all of them without one.")
]


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    flow_app.command("try")(try_flow)
    app.add_typer(flow_app, name="flow")


@flow_app.command("check")
def check(
    file: ConfigArgument = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Check the voice menus: unknown targets, dead ends, loops without an exit, missing prompts.

    Also whether each sound file can be read, and whether prompts lack a language in which the centre
    speaks (ends with 1). What is wrong elsewhere in the configuration is counted only.
    """
    path = find_config(file if file is not None else config)
    from softswitch.config import ConfigErrors, load

    try:
        loaded = load(path)
    except ConfigErrors as error:
        _tell_problems(path, error.problems, json)
        raise typer.Exit(WRONG_USAGE) from None
    missing = _missing(loaded)
    if json:
        print_json(
            {
                "file": str(path),
                "right": not missing,
                "flows": len(loaded.flows),
                "problems": [],
                "elsewhere": 0,
                "missing": missing,
            }
        )
    elif missing:
        for row in missing:
            print(f"{path}: {row['where']}: {plain(row['message'])}")
    else:
        nodes = sum(len(flow.nodes) for flow in loaded.flows.values())
        print(f"{path}: {_count(len(loaded.flows), 'flow')} with {_count(nodes, 'node')}, all right")
        if unmade := [row for row in _of_flows(loaded) if row.state == "to make"]:
            print(f"{_count(len(unmade), 'prompt')} not made yet; the next start or `cc prompts build` does")
    raise typer.Exit(FAILED if missing else DONE)


@flow_app.command("graph")
def graph(
    flow: FlowArgument = "",
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where the SVG goes; `-` is the standard output."
        ),
    ] = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Draw a flow, or all of them, as an SVG page for the browser.

    With --json the graph itself is printed; the page is written too if -o says where.
    """
    path = find_config(config)
    from cli.drawing.chart import chart_of
    from cli.drawing.svg import draw
    from softswitch import plugins
    from softswitch.config import load

    loaded = load(path)
    if not loaded.menus:
        raise BadUsage(f"{path} has no flows: write one under [flows.NAME]")
    types = {kind: name for name, kind in plugins.nodes().items()}
    charts = [chart_of(loaded.menus[name], types) for name in _chosen(loaded, flow)]
    if not output and not json:
        output = f"{flow or 'flows'}.svg"
    if output:
        _write(output, draw(charts, f"{path.name}: {flow or 'all flows'}"))
    if json:
        print_json(charts)
    elif output != "-":
        boxes = sum(box.kind != "away" for chart in charts for box in chart.boxes)
        print(f"{output}: {_count(len(charts), 'flow')} with {_count(boxes, 'node')}; open it in a browser")


def _chosen(config: Config, flow: str) -> list[str]:
    if not flow:
        return list(config.menus)
    if flow not in config.menus:
        from softswitch.api.control import UnknownName

        raise UnknownName("flow", flow, config.menus)
    return [flow]


def _write(output: str, page: str) -> None:
    if output == "-":
        print(page, end="")
        return
    try:
        Path(output).write_text(page, encoding="utf-8")
    except OSError as error:
        raise BadUsage(f"{output} cannot be written: {error.strerror}; name another file with -o") from None


def _tell_problems(path: Path, problems: Sequence[Problem], json: bool) -> None:
    """The faults of the flows (and of what is no TOML); the rest as a number."""
    own = [problem for problem in problems if problem.path.partition(".")[0] in ("flows", "")]
    rest = len(problems) - len(own)
    if json:
        told = [{"path": one.path, "line": one.line, "message": one.message} for one in own]
        print_json({"file": str(path), "right": False, "problems": told, "elsewhere": rest, "missing": []})
        return
    from softswitch.config import ConfigErrors

    if rest:
        print(f"{path}: {_count(rest, 'error')} elsewhere; `cc check {path}` names them", file=sys.stderr)
    if own:
        raise ConfigErrors(path, own)


def _of_flows(config: Config) -> list[Listed]:
    from softswitch.app.prompt_list import list_prompts

    return [row for row in list_prompts(config) if any(place.startswith("flows.") for place in row.where)]


def _missing(config: Config) -> list[dict[str, Any]]:
    """Prompts that cannot be heard as they should: {where, language, what, message}."""
    from softswitch.errors import LocalError
    from softswitch.prompt_sounds import read_sound

    found = []
    for row in _of_flows(config):
        message = ""
        if row.state == "no text":
            message = f"{(row.text or row.file)[:60]!r} has no text in {row.language!r}; write one, or a file"
        elif row.file and row.state == "to make":
            try:
                read_sound(Path(row.file))
            except LocalError as error:
                message = str(error)
        if message:
            found.append(
                {
                    "where": ", ".join(row.where),
                    "language": row.language,
                    "what": row.text or row.file,
                    "message": message,
                }
            )
    return found


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
