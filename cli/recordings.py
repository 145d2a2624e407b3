"""`cc recordings`: what was recorded, to be heard, exported, checked, deleted; and `cc calls record`, orders
about the recording of a live call.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

import typer

from cli.calls import calls_app
from cli.moments import span
from cli.options import (
    ByOption,
    CallArgument,
    ConfigOption,
    ForceOption,
    JsonOption,
    SinceOption,
    SocketOption,
    UntilOption,
)
from cli.output import duration, moment, print_json, print_table
from cli.place import find_place, refuse_unknown
from cli.refusals import BadUsage
from cli.voicemail import PLAYERS
from softswitch.api.client import ApiClient
from softswitch.errors import LocalError

ORDERS = ("start", "stop", "pause", "resume")
DONE_WORDS = {
    "start": "is recorded, after the announcement if there is one",
    "stop": "is no longer recorded",
    "pause": "is recorded as silence",
    "resume": "is recorded again",
}
EXPORT_TIMEOUT_S = 600.0
PAGE = 5000
RecordingArgument = Annotated[
    str,
    typer.Argument(metavar="RECORDING", help="The recording's id, or its beginning.", show_default=False),
]
recordings_app = typer.Typer(
    help="List, play, export, verify and delete recordings.", no_args_is_help=True, rich_markup_mode=None
)


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(recordings_app, name="recordings")


@recordings_app.command("list")
def list_recordings(
    since: SinceOption = "",
    until: UntilOption = "",
    call: Annotated[str, typer.Option(help="Only those of this call.")] = "",
    queue: Annotated[str, typer.Option(help="Only those of this queue.")] = "",
    party: Annotated[str, typer.Option("--agent", help="Only those of this agent, or called number.")] = "",
    number: Annotated[str, typer.Option(help="Only those of this caller; * stands for any digits.")] = "",
    limit: Annotated[int, typer.Option(help="So many at most, the newest.")] = 100,
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Show recordings, the newest first."""
    found = _find(_client(config, socket), since, until, call, queue, party, number, limit)
    if not found:
        refuse_unknown(config, socket, None, queue=queue)
    if json:
        print_json(found)
        return
    print_table(
        ("recording", "begun", "length>", "queue", "with", "caller", "format", "size>", "state", ""),
        (
            (
                one["id"],
                moment(one["at"]),
                duration(one["length_s"]),
                one["queue"],
                one["party"],
                one["number"],
                one["format"] + (", encrypted" if one["encrypted"] else ""),
                f"{one['bytes'] / 1000:.0f} kB" if one["bytes"] else "",
                one["state"],
                one["error"],
            )
            for one in found
        ),
        empty="There are no such recordings.",
    )


@recordings_app.command()
def play(
    recording: RecordingArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Play a recording with a program of this machine; with --json, say what is known of it."""
    client = _client(config, socket)
    found = client.get("recordings", recording)
    if json:
        print_json(found)
        return
    player = next((one for one in PLAYERS if shutil.which(one[0])), None)
    if player is None:
        known = ", ".join(one[0] for one in PLAYERS)
        raise LocalError(f"no program that plays sound is installed ({known}); use `cc recordings export`")
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        query = {"format": "wav", "by": by}
        client.save(cast(BinaryIO, file), "recordings", found["id"], "audio", query=query)
        file.flush()
        done = subprocess.run([*player, file.name], stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise LocalError(
            f"{player[0]} could not play it (status {done.returncode}); use `cc recordings export`"
        )


@recordings_app.command()
def export(
    recording: RecordingArgument,
    file: Annotated[
        Path,
        typer.Argument(metavar="[FILE]", help="Where to; RECORDING.FORMAT here without.", show_default=False),
    ] = Path(),
    wav: Annotated[bool, typer.Option("--wav", help="As WAV, whatever it is kept as.")] = False,
    force: ForceOption = False,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Write a recording, decrypted, into a file; the event log says who has it."""
    client = _client(config, socket)
    found = client.get("recordings", recording)
    form = "wav" if wav else found["format"]
    target = file / f"{found['id']}.{form}" if file.is_dir() else file
    if target.exists() and not force:
        raise BadUsage(f"{target} is there already: name another file, or replace it with --force")
    query = {"format": "wav" if wav else "kept", "by": by}
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as opened:
            size = client.save(opened, "recordings", found["id"], "audio", query=query)
        part.replace(target)
    except OSError as error:
        raise LocalError(f"{target} cannot be written: {error.strerror}; name another file") from error
    finally:
        part.unlink(missing_ok=True)
    if json:
        print_json({**found, "exported": str(target.resolve()), "exported_bytes": size})
    else:
        print(f"{target}: {duration(found['length_s'])} of call {found['call']}")


@recordings_app.command()
def verify(
    recordings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RECORDING]...", help="These; all that fit without.", show_default=False),
    ] = None,
    since: SinceOption = "",
    until: UntilOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Check that recordings are as they were when they were kept, by their checksums."""
    client = _client(config, socket)
    names = recordings or [one["id"] for one in _all_kept(client, since, until)]
    answers = [client.post("recordings", name, "verify") for name in names]
    broken = [one for one in answers if not one["ok"]]
    if json:
        print_json(answers)
    else:
        for one in broken:
            print(f"{one['id']}: {one['error']}")
        print(f"{len(answers) - len(broken)} of {len(answers)} recordings are as they were")
    if broken:
        raise typer.Exit(1)


@recordings_app.command()
def delete(
    recording: RecordingArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a recording; the event log says who did it."""
    answer = _client(config, socket).delete("recordings", recording, query={"by": by})
    if json:
        print_json(answer)
    else:
        print(f"{answer['id']} is deleted")


@calls_app.command()
def record(
    call: CallArgument,
    order: Annotated[
        str, typer.Argument(metavar="ORDER", help=f"One of {', '.join(ORDERS)}.", show_default=False)
    ],
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Start, stop, pause or resume the recording of a conversation."""
    if order not in ORDERS:
        raise BadUsage(f"{order!r} is no order: there are {', '.join(ORDERS)}")
    answer = _client(config, socket).post("calls", call, "record", body={"do": order, "by": by})
    if json:
        print_json(answer)
    else:
        print(f"{answer['call']} {DONE_WORDS[order]}")


def _client(config: Path | None, socket: Path | None) -> ApiClient:
    return ApiClient(find_place(config, socket).socket, EXPORT_TIMEOUT_S)


def _find(
    client: ApiClient,
    since: str,
    until: str,
    call: str = "",
    queue: str = "",
    party: str = "",
    number: str = "",
    limit: int = 100,
    state: str = "",
) -> list[dict[str, Any]]:
    start, end = span(since, until, time.time())
    query = {
        "since": start,
        "until": end,
        "call": call,
        "queue": queue,
        "party": party,
        "number": number,
        "limit": limit,
        "state": state,
    }
    found: list[dict[str, Any]] = client.get("recordings", query=query)
    return found


def _all_kept(client: ApiClient, since: str, until: str) -> list[dict[str, Any]]:
    """Page by page, the newest first."""
    found: dict[str, dict[str, Any]] = {}
    edge = until
    while True:
        page = _find(client, since, edge, limit=PAGE, state="kept")
        fresh = [one for one in page if one["id"] not in found]
        found |= {one["id"]: one for one in fresh}
        if len(page) < PAGE or not fresh:
            return list(found.values())
        edge = repr(page[-1]["at"] + 1e-6)  # those of the same moment again: they are known by their ids
