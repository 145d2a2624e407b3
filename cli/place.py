"""Which call centre a command is about: its configuration file, control socket and database.

The configuration is the one named by -c, else by $CC_CONFIG, else ./cc.toml, else /etc/cc/cc.toml. Only the
few keys that say where things are get read here, so that `cc status` still works while somebody edits the
rest.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.refusals import BadUsage

SEARCHED = (Path("cc.toml"), Path("/etc/cc/cc.toml"))
DEFAULT_SOCKET, DEFAULT_DATABASE, DEFAULT_GRACE_S = "var/cc.sock", "var/cc.db", 30.0
"""As in softswitch.config, whose import would cost more than all the rest of a small command."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call centre is. `queues` and `agents` are the tables of the configuration, unchecked;
    `grace_s` is for how long media workers outlive the switch."""

    file: Path | None
    socket: Path
    database: Path
    queues: Mapping[str, Mapping[str, Any]]
    agents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    grace_s: float = DEFAULT_GRACE_S


def find_config(config: Path | None) -> Path:
    """The configuration file. Raises BadUsage where there is none."""
    if config is not None:
        if config.is_dir():
            inside = config / SEARCHED[0].name
            named = f"say {inside}" if inside.is_file() else "name the configuration file in it"
            raise BadUsage(f"{config} is a directory: {named}")
        if not config.is_file():
            raise BadUsage(f"there is no configuration file {config}: name an existing one with -c")
        return config
    for path in SEARCHED:
        if path.is_file():
            return path
    raise BadUsage(
        "no configuration found: name one with -c FILE or $CC_CONFIG (looked for "
        f"{' and '.join(str(path) for path in SEARCHED)})"
    )


def find_place(config: Path | None, socket: Path | None = None) -> Place:
    """The place of a command. Raises BadUsage: no configuration, not to be read, no TOML."""
    if socket is not None and config is None:
        return Place(None, socket, Path(DEFAULT_DATABASE), {})
    file = find_config(config)
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadUsage(f"cannot read {file}: {error.strerror}; check its rights") from error
    except ValueError as error:  # TOML's and Unicode's errors are both
        raise BadUsage(f"{file} is not TOML: {error}; `cc check {file}` says more") from error
    folder = file.resolve().parent
    return Place(
        file=file,
        socket=socket or (folder / _key(table, "api", "socket", DEFAULT_SOCKET)).resolve(),
        database=(folder / _key(table, "store", "path", DEFAULT_DATABASE)).resolve(),
        queues=_tables(table, "queues"),
        agents=_tables(table, "agents"),
        grace_s=_seconds(table, "media", "grace_s", DEFAULT_GRACE_S),
    )


def refuse_unknown(
    config: Path | None, socket: Path | None, database: Path | None, *, queue: str = "", agent: str = ""
) -> None:
    """For where nothing was found: raises UnknownName if the configuration has no such queue or agent."""
    if database is not None and config is None:
        return
    place = find_place(config, socket)
    if place.file is None:
        return
    from softswitch.api.control import UnknownName

    for what, name, known in (("queue", queue, place.queues), ("agent", agent, place.agents)):
        if name and name not in known:
            raise UnknownName(what, name, known)


def _tables(table: Mapping[str, Any], section: str) -> dict[str, Mapping[str, Any]]:
    found = table.get(section)
    members = found.items() if isinstance(found, dict) else ()
    return {name: member for name, member in members if isinstance(member, dict)}


def _seconds(table: Mapping[str, Any], section: str, key: str, default: float) -> float:
    values = table.get(section)
    value = values.get(key) if isinstance(values, dict) else None
    return float(value) if isinstance(value, int | float) else default


def _key(table: Mapping[str, Any], section: str, key: str, default: str) -> Path:
    values = table.get(section)
    value = values.get(key) if isinstance(values, dict) else None
    return Path(value if isinstance(value, str) else default).expanduser()
