"""`cc prompts`: what callers hear, made ahead and looked through."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption
from cli.output import plain, print_json, print_table
from cli.place import find_config
from cli.refusals import FAILED

if TYPE_CHECKING:
    from softswitch.config import Config

TEXT_WIDTH = 70

prompts_app = typer.Typer(
    help="Make and list what callers hear.", no_args_is_help=True, rich_markup_mode=None
)


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(prompts_app, name="prompts")


@prompts_app.command("build")
def build(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Speak all texts in all languages and make all sound files ready, so that a start need not wait for it.

    What is there already is left as it is.
    """
    loaded = _load(config)
    from softswitch.app.sounds import to_make

    texts, files = to_make(loaded)
    began = time.monotonic()
    _make(loaded, len(texts) + len(files), quiet=json)
    took_s = time.monotonic() - began
    if json:
        print_json(
            {
                "texts": len(texts),
                "files": len(files),
                "took_s": round(took_s, 3),
                "cache": loaded.catalogue.cache,
            }
        )
        return
    if not texts and not files:
        print(f"Everything is there already, in {loaded.catalogue.cache}.")
        return
    made = f"{_count(len(texts), 'text')} spoken, {_count(len(files), 'sound file')} made ready"
    print(f"{made} in {took_s:.1f} s, into {loaded.catalogue.cache}.")


@prompts_app.command("list")
def list_all(
    missing: Annotated[
        bool, typer.Option("--missing", help="Only what is not there; ends with 1 if something is not.")
    ] = False,
    own: Annotated[bool, typer.Option("--own", help="The switch's own announcements as well.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show every text and sound file, where it stands, and whether it is ready.

    `to make` is made by the next start or by `cc prompts build`; `no text` means that a prompt has other
    languages, but not this one, in which the centre speaks.
    """
    loaded = _load(config)
    from softswitch.app.prompt_list import SWITCH, list_prompts

    rows = [row for row in list_prompts(loaded) if not (missing and row.state == "ready")]
    if not own and not missing:
        rows = [row for row in rows if row.where != (SWITCH,)]
    if json:
        print_json(rows)
    else:
        print_table(
            ("language", "what", "where", "state"),
            ((row.language, _short(row.text or row.file), row.where, row.state) for row in rows),
            empty="Nothing is missing." if missing else "The configuration has no prompts.",
        )
    if missing and rows:
        raise typer.Exit(FAILED)


def _load(config: Path | None) -> Config:
    file = find_config(config)
    from softswitch.config import load

    return load(file)


def _make(config: Config, count: int, *, quiet: bool) -> None:
    """Make everything, with a bar where somebody looks on."""
    from softswitch.app.sounds import make_sounds

    if quiet or not count or not sys.stderr.isatty():
        asyncio.run(make_sounds(config))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("making prompts", total=count, what="")
        asyncio.run(make_sounds(config, lambda what: progress.update(task, advance=1, what=_short(what))))


def _short(text: str) -> str:
    text = plain(" ".join(text.split()))
    return text if len(text) <= TEXT_WIDTH else text[: TEXT_WIDTH - 3] + "..."


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
