"""Clients from a CSV file: one row each, the columns named as the keys of [clients.NAME], and `id`.

Invariant: every bad row is named, with its line and column, before anything is refused; a file that was
accepted here is accepted at start. Several `numbers` or `queues` are divided by semicolons.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Mapping
from io import StringIO
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


class RowFault(NamedTuple):
    """What is wrong with a cell, or with a row (no `column`), or with the file (`line` 0)."""

    line: int
    column: str
    message: str

    def __str__(self) -> str:
        place = ", ".join(filter(None, (f"line {self.line}" if self.line else "", self.column)))
        return f"{place}: {self.message}" if place else self.message


class ClientFile(NamedTuple):
    """The clients of a file, what is wrong with it, the line in which each client stands, and what is odd.

    With faults, the table is for looking further only: it has the bad rows too, without their bad cells; one
    whose id is bad is called after its line.
    """

    table: Table
    faults: list[RowFault]
    lines: dict[str, int]
    warnings: list[RowFault]


def read_clients(path: Path) -> ClientFile:
    """Read a file. Raises OSError."""
    return clients_in(path.read_bytes())


def clients_in(data: bytes) -> ClientFile:
    """The clients of what stands in a file."""
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return clients_of(StringIO(data.decode(), newline=""))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        return ClientFile({}, [RowFault(line, "", message)], {}, [])
    except csv.Error as error:
        return ClientFile({}, [RowFault(0, "", f"it is no CSV: {error}")], {}, [])


def clients_of(lines: Iterable[str]) -> ClientFile:
    """The same of lines. Raises csv.Error."""
    reader = csv.DictReader(lines, restkey="", restval="")
    columns = [column.strip().lower() for column in reader.fieldnames or ()]
    known = (ID, *Client.model_fields)
    strange = [f"there is no column {one!r}; {suggest(one, known)}" for one in columns if one not in known]
    if ID not in columns:
        strange.append(f"the column {ID!r} is missing; it names the client in the log and in reports")
    if strange and any(";" in column for column in columns):
        strange = ["the columns are divided by semicolons; divide them by commas (CSV with the separator ,)"]
    if strange:
        return ClientFile({}, [RowFault(1, "", one) for one in strange], {}, [])
    reader.fieldnames = columns
    table: Table = {}
    lines_of: dict[str, int] = {}
    faults: list[RowFault] = []
    warnings: list[RowFault] = []
    for cells in reader:
        line = reader.line_num
        row = {key: value.strip() for key, value in cells.items() if isinstance(value, str)}
        if not any(row.values()) or row[ID].startswith("#"):
            continue
        found, wrong = _row(row, "" in cells)
        name = row[ID]
        if name in lines_of:
            wrong.append((ID, f"{name!r} stands in line {lines_of[name]} already"))
        if any(column == ID for column, _ in wrong):
            name = f"line-{line}"
        lines_of[name] = line
        table[name] = found
        faults += [RowFault(line, *fault) for fault in wrong]
        warnings += [RowFault(line, "numbers", message) for message in _odd(row.get("numbers", ""))]
        if len(lines_of) > MAX_CLIENTS:
            faults.append(RowFault(line, "", f"more than {MAX_CLIENTS} clients"))
            break
    return ClientFile(table, faults, lines_of, warnings)


def _odd(numbers: str) -> list[str]:
    """What may be meant, but hardly is."""
    written = _several(numbers)
    twice = [one for one in dict.fromkeys(written) if written.count(one) > 1]
    return [f"{one!r} stands there twice" for one in twice] or (
        [] if written else ["the client has no number, so that no call is for it"]
    )


def _several(text: str) -> list[str]:
    return [one.strip() for one in text.split(";") if one.strip()]


def _row(row: Mapping[str, str], too_long: bool) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """One client without its bad cells, and what is wrong with it: (column, message)."""
    values: dict[str, Any] = {}
    wrong = [("the row", "it has more cells than the first line")] if too_long else []
    for key, text in row.items():
        if key in _LISTS:
            values[key] = _several(text)
        elif key == "guests":
            if text.lower() not in _TRUTH:
                wrong.append((key, f"{text!r} is neither true nor false"))
            values[key] = _TRUTH.get(text.lower(), False)
        elif key == "priority":
            values[key] = int(text) if re.fullmatch(r"-?\d{1,5}", text) else text or 0
        elif key and key != ID and text:
            values[key] = text
    for adapter, value, place in ((_NAME, row[ID], ID), (TypeAdapter(Client), values, "")):
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                wrong.append(_words(one, place))
                values.pop(str(one["loc"][0]) if one["loc"] else "", None)
    return values, wrong


def _words(error: Any, place: str) -> tuple[str, str]:
    key = place or ".".join(str(part) for part in error["loc"] if part != "function-after")
    pattern = error.get("ctx", {}).get("pattern", "")
    said = IN_WORDS.get(pattern) or str(error["msg"]).removeprefix("Value error, ")
    return key, f"{str(error['input'])[:64]!r}: {said}"


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
        found = read_clients(path)
    except OSError as error:
        raise _fault(
            f"{path} cannot be read: {error.strerror}; check the path and its rights", given
        ) from None
    table = found.table
    faults = [str(fault) for fault in found.faults]
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
