"""`cc lists`: lists of telephone numbers, counted, asked, and imported with every bad row named."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption
from cli.output import print_json, print_table
from cli.place import find_config
from cli.refusals import FAILED, BadUsage
from softswitch.errors import LocalError

if TYPE_CHECKING:
    from ivr.number_list import NumberList
    from softswitch.config import Config

NameArgument = Annotated[str, typer.Argument(metavar="LIST", help="The list's name.", show_default=False)]
lists_app = typer.Typer(help="See and import lists of numbers.", no_args_is_help=True, rich_markup_mode=None)


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(lists_app, name="lists")


@lists_app.command("list")
def list_lists(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the lists of the configuration and how many numbers stand in each."""
    loaded = _load(config)
    rows = [
        {"name": name, "numbers": len(loaded.number_list(name)[0]), "file": str(section.file or "")}
        for name, section in loaded.lists.items()
    ]
    if json:
        print_json(rows)
        return
    print_table(
        ("list", "numbers>", "file"),
        ((row["name"], row["numbers"], row["file"]) for row in rows),
        empty="The configuration has no lists.",
    )


@lists_app.command("find")
def find(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Written in any way.", show_default=False)],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Say in which lists a number stands."""
    loaded = _load(config)
    normal = loaded.numbering.normal(number)
    found = [name for name in loaded.lists if normal in loaded.number_list(name)[0]]
    status = loaded.statuses().of(number).name
    if json:
        print_json({"number": normal, "lists": found, "status": status})
        return
    print(f"{normal or number} stands in {', '.join(found) or 'no list'}")
    if status:
        print(f"its status is {status} (callers.{status})")


@lists_app.command("import")
def import_list(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file.", show_default=False)],
    add: Annotated[bool, typer.Option("--add", help="Keep what stands in the list.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the good rows of a file that has bad ones.")
    ] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Put the numbers of a CSV file into a list.

    Numbers are taken from the column `number`, or the first one, and written in one form. Every bad row is
    named, and then nothing is changed. The list's file is replaced in one step; `cc reload` makes it known.
    """
    from ivr.number_list import make_list, rows_of
    from softswitch.config.loading import load_draft
    from softswitch.files import replace

    loaded = load_draft(find_config(config)).config  # the list's own file may not be there yet
    section = loaded.lists.get(name)
    if section is None:
        from softswitch.api.control import UnknownName

        raise UnknownName("list", name, loaded.lists)
    if section.file is None:
        raise BadUsage(f'the list {name} has no file: add lists.{name}.file = "{name}.csv"')
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            found, bad = make_list(rows_of(lines), loaded.numbering.normal, loaded.numbering.prefix)
    except OSError as error:
        raise BadUsage(f"cannot read {file}: {error.strerror}; check the path and its rights") from error
    except (UnicodeError, csv.Error) as error:
        raise LocalError(f"{file} is no CSV file in UTF-8: {error}; save it as one") from error
    for row in bad:
        print(f"{file}, {row}", file=sys.stderr)
    done = not bad or skip_bad
    numbers = set(found)
    if done:
        before = _in_file(section.file, loaded) if add else ()
        numbers.update(before)
        replace(section.file, "number\n" + "".join(f"{number}\n" for number in sorted(numbers)))
    if json:
        rows = [{"line": row.line, "text": row.text, "why": row.why} for row in bad]
        print_json({"list": name, "imported": done, "numbers": len(numbers) if done else 0, "bad": rows})
    elif done:
        print(f"{section.file} has {len(numbers)} numbers; `cc reload` makes them known to a running switch")
    if not done:
        rows_are = "row is" if len(bad) == 1 else "rows are"
        print(
            f"cc: {len(bad)} {rows_are} bad; nothing was changed (--skip-bad leaves them out)",
            file=sys.stderr,
        )
        raise typer.Exit(FAILED)


def _in_file(path: Path, loaded: Config) -> NumberList:
    """What stands in the list's file already; nothing where there is none yet."""
    from ivr.number_list import NumberList, make_list, rows_of

    if not path.is_file():
        return NumberList()
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return make_list(rows_of(lines), loaded.numbering.normal, loaded.numbering.prefix)[0]


def _load(config: Path | None) -> Config:
    from softswitch.config import load

    return load(find_config(config))
