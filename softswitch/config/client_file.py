"""Clients from a CSV file: one row each, the columns named as the keys of [clients.NAME], and `id`.

Invariant: every bad row is named, with its line and column, before anything is refused; a file that was
accepted here is accepted at start. Several `numbers` or `queues` are divided by semicolons.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, TypeAdapter, ValidationError, ValidationInfo
from pydantic.config import JsonDict
from pydantic_core import InitErrorDetails, PydanticCustomError

from ivr.flow import suggest
from softswitch.config.fields import IN_WORDS, Name
from softswitch.config.routing import Client

MAX_CLIENTS = 100_000
MAX_TOLD = 20
"""Bad rows that a start names; `cc clients import` names all."""
ID = "id"
_LISTS = ("numbers", "queues")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}
_NAME: TypeAdapter[str] = TypeAdapter(Name)

Table = dict[str, dict[str, Any]]
"""Id of a client -> what TOML would have."""


class ClientFile(NamedTuple):
    """The clients of a file, what is wrong with it, a line each, and the line in which each client stands."""

    table: Table
    faults: list[str]
    lines: dict[str, int]


def read_clients(path: Path) -> ClientFile:
    """Read a file. Raises OSError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return clients_of(file)
    except (UnicodeError, csv.Error) as error:
        return ClientFile({}, [f"{path} is no CSV file in UTF-8: {error}"], {})


def clients_of(lines: Iterable[str]) -> ClientFile:
    """The same of lines. Raises csv.Error."""
    reader = csv.DictReader(lines, restkey="", restval="")
    columns = [column.strip().lower() for column in reader.fieldnames or ()]
    known = (ID, *Client.model_fields)
    faults = [
        f"line 1: there is no column {one!r}; {suggest(one, known)}" for one in columns if one not in known
    ]
    if ID not in columns:
        faults.append(f"line 1: the column {ID!r} is missing; it names the client in the log and in reports")
    if faults:
        return ClientFile({}, faults, {})
    reader.fieldnames = columns
    table: Table = {}
    lines_of: dict[str, int] = {}
    for cells in reader:
        line = reader.line_num
        row = {key: value.strip() for key, value in cells.items() if isinstance(value, str)}
        if not any(row.values()) or row[ID].startswith("#"):
            continue
        found, wrong = _row(row, "" in cells)
        name = row[ID]
        if name in lines_of:
            wrong.append(f"{ID}: {name!r} stands in line {lines_of[name]} already")
        lines_of.setdefault(name, line)
        faults += [f"line {line}, {fault}" for fault in wrong]
        if not wrong:
            table[name] = found
        if len(lines_of) > MAX_CLIENTS:
            faults.append(f"line {line}: more than {MAX_CLIENTS} clients")
            break
    return ClientFile(table, faults, lines_of)


def _row(row: Mapping[str, str], too_long: bool) -> tuple[dict[str, Any], list[str]]:
    """One client, and what is wrong with it."""
    values: dict[str, Any] = {}
    wrong = ["the row: it has more cells than the first line"] if too_long else []
    for key, text in row.items():
        if key in _LISTS:
            values[key] = [one.strip() for one in text.split(";") if one.strip()]
        elif key == "guests":
            if text.lower() not in _TRUTH:
                wrong.append(f"guests: {text!r} is neither true nor false")
            values[key] = _TRUTH.get(text.lower(), False)
        elif key == "priority":
            values[key] = int(text) if re.fullmatch(r"-?\d{1,5}", text) else text or 0
        elif key and key != ID and text:
            values[key] = text
    for adapter, value, place in ((_NAME, row[ID], ID), (TypeAdapter(Client), values, "")):
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            wrong += [_words(one, place) for one in error.errors(include_url=False)]
    return values, wrong


def _words(error: Any, place: str) -> str:
    key = place or ".".join(str(part) for part in error["loc"] if part != "function-after")
    pattern = error.get("ctx", {}).get("pattern", "")
    said = IN_WORDS.get(pattern) or str(error["msg"]).removeprefix("Value error, ")
    return f"{key}: {str(error['input'])[:64]!r}: {said}"


def with_file(value: Any, base: Path) -> Any:
    """The table [clients] with those of its `file` put in. Raises ValidationError that names its bad rows."""
    if not isinstance(value, dict) or "file" not in value:
        return value
    inline = {name: client for name, client in value.items() if name != "file"}
    given = value["file"]
    if not isinstance(given, str) or not given:
        raise _fault("must be the path of a CSV file (a string)", given)
    path = Path(base, Path(given).expanduser()).resolve()
    try:
        table, faults, _ = read_clients(path)
    except OSError as error:
        raise _fault(
            f"{path} cannot be read: {error.strerror}; check the path and its rights", given
        ) from None
    faults += [f"{name!r} stands in the configuration and in the file" for name in inline if name in table]
    if faults:
        more = f"; and {len(faults) - MAX_TOLD} more" if len(faults) > MAX_TOLD else ""
        raise _fault(f"{path}: {'; '.join(faults[:MAX_TOLD])}{more}", given)
    return {**table, **inline}


def _table(value: Any, info: ValidationInfo) -> Any:
    return with_file(value, (info.context or {}).get("base", Path.cwd()))


ClientTable = Annotated[dict[Name, Client], BeforeValidator(_table)]
"""Clients by id, those of the `file` among them."""
CLIENTS_FILE: JsonDict = {
    "file": "a CSV file with more of them: its columns are `id` and the keys below; several numbers or "
    "queues are divided by semicolons. `cc clients import` writes it"
}
"""What the reference says of that key."""


def _fault(message: str, given: object) -> ValidationError:
    kind = PydanticCustomError("value_error", "{reason}", {"reason": message})
    return ValidationError.from_exception_data(
        "clients", [InitErrorDetails(type=kind, loc=("file",), input=given)]
    )
