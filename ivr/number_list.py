"""Lists of telephone numbers, kept in memory: exact numbers in a set, prefixes in a set for each length.

Invariant: a look-up costs one hash, and one more for each length of prefix that the list has, whatever its
size. A list holds numbers in one form (`Normal`), and is asked for numbers in that form.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

Normal = Callable[[str], str]
"""Brings a number to its one form; empty for what is none."""

MAX_NUMBERS = 1_000_000
MAX_LENGTH = 64
_ALLOWED = frozenset("0123456789+*#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.() /\xa0")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file of numbers: its number in the file (from 1), and what stands there."""

    line: int
    number: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that is no number, and why."""

    line: int
    text: str
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text[:MAX_LENGTH]!r} {self.why}"


class NumberList(Collection[str]):
    """Numbers and prefixes; `"+74951234567" in numbers`."""

    __slots__ = ("_exact", "_lengths", "_prefixes")

    def __init__(self, numbers: Iterable[str] = (), prefixes: Iterable[str] = ()) -> None:
        """`numbers` in their one form; `prefixes` without the star."""
        self._exact = frozenset(numbers)
        self._prefixes = frozenset(prefixes)
        self._lengths = tuple(sorted({len(prefix) for prefix in self._prefixes}))

    def __contains__(self, number: object) -> bool:
        if number in self._exact:
            return True
        if not self._lengths or not isinstance(number, str):
            return False
        return any(number[:length] in self._prefixes for length in self._lengths)

    def __len__(self) -> int:
        return len(self._exact) + len(self._prefixes)

    def __iter__(self) -> Iterator[str]:
        yield from self._exact
        yield from (f"{prefix}*" for prefix in self._prefixes)


def fault_of(written: str) -> str:
    """What keeps a text from being a number or a prefix (`+7495*`); empty if nothing does."""
    text = written.strip()
    if not text:
        return "is empty"
    if len(text) > MAX_LENGTH:
        return f"has more than {MAX_LENGTH} characters"
    if "*" in text[:-1] and not text.startswith("*"):
        return "has a * inside; a prefix has it at its end"
    if not set(text) <= _ALLOWED:
        return "is no telephone number"
    if not any(char.isdigit() for char in text):
        return "has no digit"
    return ""


def make_list(
    written: Iterable[Row], normal: Normal, prefix: Normal | None = None
) -> tuple[NumberList, list[BadRow]]:
    """A list of what is written, and what of it is no number (left out of the list). `prefix` is `normal` for
    the beginnings of numbers.
    """
    normal_prefix = prefix or str
    exact: set[str] = set()
    prefixes: set[str] = set()
    bad: list[BadRow] = []
    for row in written:
        text = row.number.strip()
        if text[:1] == "+" and text[1:].isascii() and text[1:].isdigit() and len(text) <= 16:
            exact.add(text)  # already in its one form: a million of these are read in a second
            continue
        if why := fault_of(text):
            bad.append(BadRow(row.line, row.number, why))
        elif text.endswith("*") and len(text) > 1:
            prefixes.add(normal_prefix(text[:-1]))
        else:
            exact.add(normal(text) or text)
        if len(exact) + len(prefixes) > MAX_NUMBERS:
            bad.append(BadRow(row.line, row.number, f"is more than the {MAX_NUMBERS} numbers of a list"))
            break
    return NumberList(exact, prefixes), bad


def rows_of(lines: Iterable[str]) -> Iterator[Row]:
    """The numbers of a CSV file: the column `number`, or else the first one; `#` begins a remark.

    Raises csv.Error for what is no CSV.
    """
    column = 0
    reader = csv.reader(lines)
    for index, cells in enumerate(reader):
        names = [cell.strip().lower() for cell in cells]
        if index == 0 and "number" in names:
            column = names.index("number")
        elif any(names) and not names[0].startswith("#"):
            yield Row(reader.line_num, cells[column] if len(cells) > column else "")
