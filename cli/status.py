"""`cc status`: the whole switch at a glance."""

from __future__ import annotations

from typing import Any

import typer

from cli.options import ConfigOption, JsonOption, SocketOption
from cli.output import duration, moment, print_fields, print_json
from cli.place import find_place
from softswitch.api.client import ApiClient


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("status")(status)


def status(config: ConfigOption = None, socket: SocketOption = None, json: JsonOption = False) -> None:
    """Show whether the switch runs, and how it does."""
    answer = ApiClient(find_place(config, socket).socket).get("status")
    if json:
        print_json(answer)
        return
    print_fields(
        [
            ("version", answer["version"]),
            ("running for", f"{duration(answer['uptime_s'])}, since {moment(answer['started_at'])}"),
            ("process", answer["pid"]),
            ("listening", answer["listeners"]),
            ("calls", f"{answer['calls_active']} now, {answer['calls_total']} since the start"),
            ("waiting", str(answer["waiting"])),
            ("agents", [f"{count} {state}" for state, count in answer["agents"].items() if count] or "none"),
            ("phones", f"{answer['registrations']} registered"),
            *((f"media {worker['name']}", _worker(worker)) for worker in answer["media"]),
            ("media", None if answer["media"] else "NO WORKER RUNS: no call can be taken"),
            ("media lost", _lost(answer)),
            ("endpoints", _endpoints(answer["endpoints"])),
            ("log", _store(answer["store"])),
        ]
    )


def _worker(worker: dict[str, Any]) -> str:
    late = "" if worker["late_ms"] is None else f", at most {worker['late_ms']:.1f} ms late"
    busy = "" if worker["busy"] is None else f", {worker['busy']:.0%} of a core"
    drained = ", DRAINED" if worker["drained"] else ""
    ticks = f", {worker['late_ticks']} LATE TICKS since its start" if worker["late_ticks"] else ""
    where = f"process {worker['pid']}, {worker['legs']} legs on {worker['ports']} ports"
    return f"{where}{busy}{late}{ticks}{drained}"


def _lost(answer: dict[str, Any]) -> str | None:
    if not answer["media_lost"]:
        return None
    count, last = answer["media_lost"], moment(answer["media_lost_at"])
    return f"{count} workers since the start, the last at {last}: {answer['media_lost_reason']}"


def _endpoints(pool: dict[str, Any]) -> str | None:
    if not pool["configured"]:
        return None
    lost = f", {pool['lost']} LOST since the start" if pool["lost"] else ""
    where = f"{pool['processes']} of {pool['configured']} pjsua2 processes"
    return f"{where}, {pool['legs']} legs, {pool['free']} places free{lost}"


def _store(store: dict[str, Any]) -> str:
    lost = f", {store['lost']} rows LOST" if store["lost"] else ""
    if store["failing"]:
        return f"NOT WRITTEN ({store['failing']}), {store['queued']} rows wait in memory{lost}"
    return f"{store['path']}, {store['queued']} rows to write{lost}"
