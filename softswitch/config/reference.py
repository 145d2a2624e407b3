"""Every key of the configuration, for people: taken from the models, so that it cannot disagree with them."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from ivr.condition import Condition
from ivr.messages import Prompt
from ivr.node import Node
from ivr.nodes import BUILT_IN
from softswitch.call.settings import Target
from softswitch.config.draft import bare
from softswitch.config.model import Config

_MEMBER = {"extensions": "NUMBER", "nodes": "NODE", "mailboxes": "NAME"}
_HEADER = """# Configuration

One TOML file. `cc check FILE` says everything that is wrong with it, with line numbers, and changes nothing.
Relative paths start at the file's directory. Names in capitals stand for names of your own.
`examples/demo.toml` is a complete centre.

A *target* says where a call goes: `flow:NAME`, `queue:NAME`, `extension:NUMBER`, `agent:NAME` (one agent;
`agent:NAME/QUEUE` says with whose callers the call waits for him), `peer:NAME` (the number that was
dialled, at another switch), `peer:NAME/NUMBER`, `voicemail:NAME`, `conference:NAME`, or `hangup`; in the
exits and overflows of a queue also `callback`. A *prompt* says what is heard:
`"A text."` is spoken, `"greeting.wav"` is played from the directory of the prompts,
`{ text = "Bonjour.", language = "fr" }` and `{ file = "with space.wav" }` say it in full. Node types that are
installed as plug-ins add to those listed here.
"""


_TABLE = "| key | what to write | default | what it is for |\n|---|---|---|---|\n"


class Row(NamedTuple):
    """One key: its dotted path, what may be written, the default (empty: it must be given), what it is
    for.
    """

    key: str
    type: str
    default: str
    description: str


def reference(nodes: Mapping[str, type[Node]] = BUILT_IN) -> list[Row]:
    """Every key, in the order of the models."""
    return list(_rows(Config, "", nodes))


def _rows(model: type[BaseModel], prefix: str, nodes: Mapping[str, type[Node]]) -> Iterator[Row]:
    """The keys of a table, then those of the tables in it."""
    inner: list[Row] = []
    for row in _all_rows(model, prefix, nodes):
        if row.key.rpartition(".")[0] == prefix.removesuffix("."):
            yield row
        else:
            inner.append(row)
    yield from inner


def _all_rows(model: type[BaseModel], prefix: str, nodes: Mapping[str, type[Node]]) -> Iterator[Row]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        member = bare(field.annotation)
        if get_origin(member) is dict:
            value = bare(get_args(member)[1])
            if _is_model(value):
                singular = _MEMBER.get(name, name.removesuffix("s").upper())
                extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
                yield from (Row(f"{key}.{name}", "path", "none", str(text)) for name, text in extra.items())
                yield from _tables(value, f"{key}.{singular}", nodes)
                continue
        if get_origin(member) is tuple and _is_model(bare(get_args(member)[0])):
            yield from _rows(bare(get_args(member)[0]), f"{key}[].", nodes)
        elif _is_model(member):
            yield from _rows(member, f"{key}.", nodes)
        else:
            yield Row(key, _type(field), _default(field), field.description or "")


def _tables(model: type[BaseModel], prefix: str, nodes: Mapping[str, type[Node]]) -> Iterator[Row]:
    if model is not Node:
        yield from _rows(model, f"{prefix}.", nodes)
        return
    for name, node in nodes.items():
        purpose = " ".join((node.__doc__ or "").split())
        yield Row(f"{prefix}({name}).type", f"`{name}`", "", purpose)
        yield from _rows(node, f"{prefix}({name}).", nodes)


def _is_model(annotation: Any) -> bool:
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return is_model and annotation is not Condition


def _type(field: FieldInfo) -> str:
    text = _type_name(field.annotation)
    bounds = _bounds(field)
    return f"{text} {bounds}".strip()


def _bounds(field: FieldInfo) -> str:
    """The limits of a number, if it has any."""
    signs = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    text = f"{field.metadata!r} {field.annotation!r}"
    found = dict(re.findall(r"\b(ge|gt|le|lt)=(-?[\d.]+)", text))
    return " ".join(f"{signs[sign]} {found[sign]}" for sign in signs if sign in found)


_PLAIN: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    Path: "path",
    SecretStr: "text",
    Target: "target",
    Prompt: "prompt",
    Condition: "condition",
}


def _type_name(annotation: Any) -> str:
    if hasattr(annotation, "__metadata__"):
        return _type_name(annotation.__origin__)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments if value != "")
    if origin in (Union, types.UnionType):
        names = [_type_name(argument) for argument in arguments if argument is not type(None)]
        return " or ".join(dict.fromkeys(name for name in names if name))
    if origin is tuple:
        name = _type_name(arguments[0])
        return "prompt or list of prompts" if name == "prompt" else f"list of {name}"
    if origin is dict:
        return f"table of {_type_name(arguments[1])}"
    return str(getattr(annotation, "__name__", annotation)).removeprefix("IPv4Network or ")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    return _show(field.default)


def _show(value: Any) -> str:
    if isinstance(value, SecretStr) or value in (None, "", (), {}):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "[" + ", ".join(_show(item) for item in value) + "]"
    if isinstance(value, tuple):
        return "[" + ", ".join(_show(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:g}"
    return f'"{value}"' if isinstance(value, str | Path) else str(value)


def markdown(rows: list[Row] | None = None) -> str:
    """The reference as a page, one table a section."""
    page = [_HEADER]
    section = None
    for row in reference() if rows is None else rows:
        name, _, key = row.key.rpartition(".")
        if name != section:
            section = name
            page.append(f"\n## {_title(name)}\n\n{_TABLE}")
        default = f"`{row.default}`" if row.default not in ("", "none") else (row.default or "must be given")
        page.append(f"| `{key}` | {_cell(row.type)} | {_cell(default)} | {_cell(row.description)} |\n")
    return "".join(page)


def _title(section: str) -> str:
    if not section:
        return "At the top of the file"
    if section.endswith("[]"):
        return f"`[[{section[:-2]}]]`"
    table, _, node = section.partition("(")
    return f"`[{table}]`" + (f" of type `{node.removesuffix(')')}`" if node else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
