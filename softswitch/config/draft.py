"""From what stands in the file to a `Config`, also when parts of it are wrong.

Invariant: always gives a `Config`. What does not fit its type is reported and left out, so that the
cross-checks can still look at all the rest and every fault is found in one go; `names` knows what stands in
the file, right or wrong.
"""

from __future__ import annotations

import copy
import difflib
import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ivr.node import Node
from softswitch.config.fields import IN_WORDS
from softswitch.config.lines import Path as KeyPath
from softswitch.config.model import Config

Fault = tuple[KeyPath, str]
"""Where, and what is wrong."""

_MAX_ROUNDS = 20
_SECRETS = frozenset(("password", "pin", "secret", "headers"))


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration under examination: the readable parts as `config`, `raw` as it stands in the file."""

    config: Config
    raw: Mapping[str, Any]
    faults: tuple[Fault, ...]
    routes_kept: tuple[int, ...]

    def names(self, section: str) -> Collection[str]:
        """The names that the file gives in a section, readable or not, in its order."""
        found = self.raw.get(section)
        return found.keys() if isinstance(found, dict) else ()


def draft(raw: Mapping[str, Any], base: Path, nodes: Mapping[str, type[Node]]) -> Draft:
    """Read what can be read. `base`: the directory that relative paths start at; `nodes`: the node types."""
    context = {"base": base, "nodes": nodes}
    faults: list[Fault] | None = None
    data = copy.deepcopy(dict(raw))
    kept = list(range(len(data["routes"]))) if isinstance(data.get("routes"), list) else []
    for _ in range(_MAX_ROUNDS):
        try:
            config = Config.model_validate(data, context=context)
        except ValidationError as invalid:
            errors = _telling(invalid.errors(include_url=False))
            if faults is None:
                faults = [_fault(error, raw, nodes) for error in errors]
            _prune(data, [tuple(error["loc"]) for error in errors], kept)
        else:
            return Draft(config, raw, tuple(faults or ()), tuple(kept))
    return Draft(Config.model_validate({}, context=context), {}, tuple(faults or ()), ())


def _prune(data: dict[str, Any], locations: Iterable[tuple[int | str, ...]], kept: list[int]) -> None:
    """Remove what is wrong: at each location the innermost thing that is there, members of lists from the
    end.
    """
    found = {_innermost(data, location) for location in locations}
    for path in sorted(
        found, key=lambda path: tuple(p if isinstance(p, int) else -1 for p in path), reverse=True
    ):
        holder: Any = data
        for part in path[:-1]:
            holder = holder[part] if _holds(holder, part) else None
        if path and _holds(holder, path[-1]):
            del holder[path[-1]]
            if len(path) == 2 and path[0] == "routes" and isinstance(path[1], int):
                del kept[path[1]]


def _innermost(data: Any, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    path: list[int | str] = []
    for part in location:
        if not _holds(data, part):
            break
        path.append(part)
        data = data[part]
    return tuple(path)


def _holds(holder: Any, part: int | str) -> bool:
    if isinstance(holder, dict):
        return part in holder
    return isinstance(holder, list) and isinstance(part, int) and part < len(holder)


# ----- the wording


def _telling(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without the complaint that a list is too short whose members are what is wrong."""
    places = [error["loc"] for error in errors]
    return [
        error
        for error in errors
        if error["type"] != "too_short"
        or not any(
            len(place) > len(error["loc"]) and place[: len(error["loc"])] == error["loc"] for place in places
        )
    ]


def _fault(error: ErrorDetails, raw: Mapping[str, Any], nodes: Mapping[str, type[Node]]) -> Fault:
    """One pydantic error in the words of this software."""
    path = tuple(part for part in error["loc"] if part != "[key]")
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        return path, _unknown_key(path, raw, nodes)
    if kind == "missing":
        return path, "is missing; it has no default"
    if kind == "value_error":
        return path, error["msg"].removeprefix("Value error, ")
    if kind == "string_pattern_mismatch" and (words := IN_WORDS.get(error["ctx"]["pattern"])):
        return path, f"{given!r} cannot stand here: {words}"
    if kind == "string_type" and isinstance(given, int | float) and not isinstance(given, bool):
        shown = "" if not _SECRETS.isdisjoint(path) else f', "{given}"'
        return path, f"must be a string: write it in quotes{shown}"
    if kind == "tuple_type":
        return path, f"must be a list, such as [{given!r}]" if isinstance(given, str) else "must be a list"
    message = (
        error["msg"]
        .removeprefix("Input ")
        .replace("Tuple", "List")
        .replace("dictionary", "table")
        .replace("should ", "must ", 1)
    )
    if message[:1].isupper():
        message = message[0].lower() + message[1:]
    if isinstance(given, str | int | float) and _SECRETS.isdisjoint(path):
        message += f", not {str(given).lower() if isinstance(given, bool) else repr(given)}"
    return path, message


def _unknown_key(path: KeyPath, raw: Mapping[str, Any], nodes: Mapping[str, type[Node]]) -> str:
    known = sorted(_known_keys(path[:-1], raw, nodes))
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown key; known here: {', '.join(known)}{meant}"


def _known_keys(path: KeyPath, raw: Any, nodes: Mapping[str, type[Node]]) -> set[str]:
    """The keys that the table at `path` may have."""
    annotation: Any = Config
    for part in path:
        raw = raw[part] if _holds(raw, part) else None
        annotation = _member(annotation, part)
        if annotation is Node:
            node_type = nodes.get(raw.get("type", "")) if isinstance(raw, dict) else None
            return {"type", *(node_type.model_fields if node_type else ())}
    return (
        set(annotation.model_fields)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel)
        else set()
    )


def _member(annotation: Any, part: int | str) -> Any:
    """The type of a member of a model, a mapping or a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return bare(field.annotation) if field else None
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return bare(arguments[1])
    return bare(arguments[0]) if arguments else None


def bare(annotation: Any) -> Any:
    """A type without `Annotated` and without `| None`."""
    while True:
        if hasattr(annotation, "__metadata__"):
            annotation = annotation.__origin__
        elif get_origin(annotation) in (Union, types.UnionType):
            rest = [argument for argument in get_args(annotation) if argument is not type(None)]
            if len(rest) != 1:
                return annotation
            annotation = rest[0]
        else:
            return annotation
