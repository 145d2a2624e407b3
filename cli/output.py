"""How answers are shown: tables for people, JSON for programs.

Invariants: JSON has epoch seconds and plain seconds, tables have local time and m:ss; text that came from the
network cannot drive the terminal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

_PIPE_WIDTH = 1000


def print_json(value: Any) -> None:
    """A value as indented JSON."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str, title: str = ""
) -> None:
    """Rows under headings; a heading that ends with `>` is set to the right. `empty` is said when there is
    no row.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title=title or None, title_justify="left"
    )
    for column in columns:
        right = column.endswith(">")
        table.add_column(column.rstrip(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    if not table.row_count:
        print(empty)
        return
    if sys.stdout.isatty():
        Console(highlight=False).print(table)
        return
    console = Console(width=_PIPE_WIDTH, highlight=False)
    with console.capture() as text:
        console.print(table, soft_wrap=True)
    print("\n".join(line.rstrip() for line in text.get().splitlines()))


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Names and values, one a line; those without a value are left out."""
    shown = [(name, plain(value)) for name, value in fields if value not in (None, "", ())]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name:<{width}}  {value}")


def plain(value: object) -> str:
    """A cell's text: sequences with commas, nothing as nothing, and no control characters."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def moment(at: float | None) -> str:
    """Local time; the date only where it is not today's."""
    if at is None:
        return ""
    try:
        local = datetime.fromtimestamp(at).astimezone()
    except (OverflowError, OSError, ValueError):
        return str(at)
    today = datetime.fromtimestamp(time.time()).astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """m:ss, or h:mm:ss from an hour on."""
    if seconds is None:
        return ""
    sign, whole = ("-" if seconds < -0.5 else ""), round(abs(seconds))
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{sign}{minutes}:{rest:02}"
    return f"{sign}{minutes // 60}:{minutes % 60:02}:{rest:02}"


def share(value: float | None) -> str:
    """A share of 0 to 1 in percent."""
    return "" if value is None else f"{100 * value:.1f} %"
