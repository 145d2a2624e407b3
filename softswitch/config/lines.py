"""Where every key of a TOML file stands, so that an error can name its line.

Invariant: never fails on a file that tomllib accepts; a path that does not stand in the file has the line of
what should contain it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]
"""`("queues", "sales", "ring_s")`; the members of arrays by their index, from 0."""


class Lines:
    """The lines (from 1) of the keys and array members of one TOML text."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}  # arrays of tables -> index of the last one
        tree = Parser(Language(tree_sitter_toml.language())).parse(text.encode())
        for child in tree.root_node.named_children:
            if child.type in ("table", "table_array_element"):
                self._table(child)
            elif child.type == "pair":
                self._pair(child, ())

    def line(self, path: Path) -> int | None:
        """The line of the path, or of the nearest thing around it; None at the top."""
        for length in range(len(path), 0, -1):
            if line := self._lines.get(path[:length]):
                return line
        return None

    def _table(self, node: Node) -> None:
        key, *members = node.named_children
        parts = list(_parts(key))
        prefix: Path = ()
        for position, part in enumerate(parts):
            prefix = (*prefix, part)
            last = position == len(parts) - 1
            if last and node.type == "table_array_element":
                self._tables[prefix] = self._tables.get(prefix, -1) + 1
            self._note(prefix, node)
            if prefix in self._tables:
                prefix = (*prefix, self._tables[prefix])
                self._note(prefix, node)
        for member in members:
            if member.type == "pair":
                self._pair(member, prefix)

    def _pair(self, node: Node, prefix: Path) -> None:
        named = [child for child in node.named_children if child.type != "comment"]
        if len(named) != 2:
            return
        for part in _parts(named[0]):
            prefix = (*prefix, part)
            self._note(prefix, node)
        self._value(named[1], prefix)

    def _value(self, node: Node, prefix: Path) -> None:
        if node.type == "inline_table":
            for child in node.named_children:
                if child.type == "pair":
                    self._pair(child, prefix)
        elif node.type == "array":
            members = [child for child in node.named_children if child.type != "comment"]
            for index, member in enumerate(members):
                self._note((*prefix, index), member)
                self._value(member, (*prefix, index))

    def _note(self, path: Path, node: Node) -> None:
        self._lines.setdefault(path, node.start_point[0] + 1)


def _parts(key: Node) -> Iterator[str]:
    """The parts of a key: `a."b c".d` -> a, b c, d."""
    if key.type == "dotted_key":
        for child in key.named_children:
            yield from _parts(child)
        return
    text = (key.text or b"").decode()
    if key.type == "quoted_key":
        text = next(iter(tomllib.loads(f"{text} = 0")))
    yield text
