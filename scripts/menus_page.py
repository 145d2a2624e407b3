"""The tables of keys in docs/menus.md, taken from the node types: `<!-- keys of NAME -->` to `<!-- end -->`;
and of the names that every call has, `<!-- names -->` to `<!-- end -->`. All else there is written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

from ivr.names import ATTRIBUTES, PATTERNS
from ivr.nodes import BUILT_IN
from softswitch.config.reference import Row, reference

PAGE = Path(__file__).resolve().parent.parent / "docs" / "menus.md"

_TABLE = re.compile(r"<!-- (keys of (\w+)|names) -->\n.*?<!-- end -->", re.DOTALL)
_HEAD = "| key | what to write | default | what it is for |\n|---|---|---|---|\n"


def page() -> str:
    """The page with its tables as the program has them. KeyError: a table of a type that is none."""
    return _TABLE.sub(lambda found: _table(found.group(1), found.group(2)), PAGE.read_text())


def missing() -> list[str]:
    """The node types of which the page has no table."""
    shown = {found.group(2) for found in _TABLE.finditer(PAGE.read_text())}
    return [name for name in BUILT_IN if name not in shown]


def _table(what: str, node: str | None) -> str:
    body = _keys(node) if node is not None else _names()
    return f"<!-- {what} -->\n{body}<!-- end -->"


def _keys(node: str) -> str:
    if node not in BUILT_IN:
        raise KeyError(node)
    prefix = f"flows.FLOW.nodes.NODE({node})."
    rows = [row for row in reference() if row.key.startswith(prefix) and not row.key.endswith(").type")]
    return _HEAD + "".join(_line(row, row.key.removeprefix(prefix)) for row in rows)


def _line(row: Row, key: str) -> str:
    default = f"`{row.default}`" if row.default not in ("", "none") else (row.default or "must be given")
    cells = (row.type, default, row.description)
    return f"| `{key}` | " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _names() -> str:
    known = {**ATTRIBUTES} | {name: told for name, (_, told) in PATTERNS.items()}
    return "| name | what it is |\n|---|---|\n" + "".join(
        f"| `{name}` | {told} |\n" for name, told in known.items()
    )
