"""Reading a configuration file: all of its faults at once, or a consistent `Config`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from softswitch import plugins
from softswitch.config.checks import check
from softswitch.config.client_file import Table
from softswitch.config.draft import Draft, Fault, draft
from softswitch.config.errors import ConfigErrors, Problem
from softswitch.config.lines import Lines
from softswitch.config.model import Config
from softswitch.errors import LocalError

MAX_BYTES = 16 * 1024 * 1024
"""A larger file is not a configuration."""

_SYNTAX_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


def load(path: str | Path) -> Config:
    """The configuration in a TOML file.

    Raises `ConfigErrors` with every fault in the file, `LocalError` if it cannot be read or a plug-in is
    broken.
    """
    path = Path(path)
    text, raw = _toml(path)
    found = draft(raw, path.resolve().parent, plugins.nodes())
    faults = [*found.faults, *check(found, plugins.strategies(), plugins.codecs())]
    if faults:
        raise ConfigErrors(path, _problems(faults, Lines(text)))
    return found.config


def load_draft(path: Path) -> Draft:
    """What can be read of a file that may not be right yet, unchecked. Raises ConfigErrors for what is no
    TOML, LocalError where it cannot be read.
    """
    return draft(_toml(path)[1], path.resolve().parent, plugins.nodes())


def client_faults(path: Path, table: Table) -> list[tuple[str, str, str]]:
    """What would be wrong with clients beside the rest of a configuration, in the place of those of its file:
    (client, key, message). Raises as `load_draft`.
    """
    raw = dict(_toml(path)[1])
    inline = raw.get("clients")
    own = {name: one for name, one in inline.items() if name != "file"} if isinstance(inline, dict) else {}
    twice = [(name, "id", "stands in the configuration already") for name in table if name in own]
    found = draft({**raw, "clients": {**table, **own}}, path.resolve().parent, plugins.nodes())
    faults = [*found.faults, *check(found, plugins.strategies(), plugins.codecs())]
    return twice + [
        (str(place[1]), ".".join(map(str, place[2:])), message)
        for place, message in faults
        if len(place) > 1 and place[0] == "clients" and place[1] in table
    ]


def _toml(path: Path) -> tuple[str, dict[str, Any]]:
    text = _read(path)
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigErrors(path, [_syntax_problem(str(error), text)]) from error


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LocalError(f"{path} is larger than {MAX_BYTES} bytes; this is not a configuration file")
        data = path.read_bytes()
    except FileNotFoundError:
        raise LocalError(
            f"{path} does not exist; name the configuration file, or begin with examples/demo.toml"
        ) from None
    except OSError as error:
        raise LocalError(
            f"{path} cannot be read: {error.strerror}; check the path and its permissions"
        ) from error
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ConfigErrors(path, [Problem("", line, message)]) from error


def _syntax_problem(message: str, text: str) -> Problem:
    place = _SYNTAX_PLACE.search(message)
    line = int(place[1]) if place else text.rstrip("\n").count("\n") + 1
    column = f" (column {place[2]})" if place else ""
    plain = _SYNTAX_PLACE.sub("", message).removesuffix(" (at end of document)")
    return Problem("", line, f"not valid TOML: {plain}{column}")


def _problems(faults: Iterable[Fault], lines: Lines) -> list[Problem]:
    """The faults with their lines, each once."""
    problems = [Problem(".".join(map(str, path)), lines.line(path), message) for path, message in faults]
    return list(dict.fromkeys(problems))
