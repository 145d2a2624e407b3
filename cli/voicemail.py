"""`cc voicemail`: the mailboxes of the running switch, and the messages in them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import ByOption, ConfigOption, ForceOption, JsonOption, SocketOption
from cli.output import duration, moment, print_json, print_table
from cli.place import find_place
from cli.refusals import BadUsage
from softswitch.api.client import ApiClient
from softswitch.errors import LocalError

PLAYERS = (
    ("paplay",),
    ("aplay", "-q"),
    ("play", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
)
"""Programs that play a WAV file, the preferred one first."""

BoxArgument = Annotated[
    str, typer.Argument(metavar="MAILBOX", help="The mailbox's name.", show_default=False)
]
MessageArgument = Annotated[
    str,
    typer.Argument(metavar="MESSAGE", help="The message's id, or the beginning of it.", show_default=False),
]
voicemail_app = typer.Typer(
    help="See, hear, export and delete messages.", no_args_is_help=True, rich_markup_mode=None
)


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(voicemail_app, name="voicemail")


@voicemail_app.command("list")
def list_messages(
    mailbox: Annotated[
        str,
        typer.Argument(metavar="[MAILBOX]", help="Its messages; all mailboxes without.", show_default=False),
    ] = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Show the mailboxes, or the messages in one."""
    client = _client(config, socket)
    if mailbox:
        _list_messages(client.get("mailboxes", mailbox, "messages"), mailbox, json)
        return
    boxes = client.get("mailboxes")
    if json:
        print_json(boxes)
        return
    print_table(
        ("mailbox", "new>", "heard>", "room for>", "phones", "greeting"),
        (
            (
                box["name"],
                box["new"],
                box["heard"],
                box["max_messages"] - box["new"] - box["heard"],
                box["extensions"],
                "recorded" if box["has_own_greeting"] else "",
            )
            for box in boxes
        ),
        empty="The configuration has no mailboxes.",
    )


def _list_messages(messages: list[dict[str, Any]], mailbox: str, json: bool) -> None:
    if json:
        print_json(messages)
        return
    print_table(
        ("message", "state", "received", "length>", "from", "name", "queue"),
        (
            (
                message["id"],
                message["state"],
                moment(message["at"]),
                duration(message["length_s"]),
                message["number"],
                message["name"],
                message["queue"],
            )
            for message in messages
        ),
        empty=f"There are no messages in {mailbox}.",
    )


@voicemail_app.command()
def play(
    mailbox: BoxArgument,
    message: MessageArgument,
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Play a message with a program of this machine; with --json, say where its sound file is."""
    client = _client(config, socket)
    found = _find(client, mailbox, message)
    if json:
        print_json(found)
        return
    player = next((one for one in PLAYERS if shutil.which(one[0])), None)
    if player is None:
        known = ", ".join(one[0] for one in PLAYERS)
        raise LocalError(
            f"no program that plays sound is installed ({known}): install one, or use `cc voicemail export`"
        )
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        file.write(client.raw("mailboxes", mailbox, "messages", found["id"], "audio"))
        file.flush()
        done = subprocess.run([*player, file.name], stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise LocalError(
            f"{player[0]} could not play it (status {done.returncode}): use `cc voicemail export`"
        )


@voicemail_app.command()
def export(
    mailbox: BoxArgument,
    message: MessageArgument,
    file: Annotated[
        Path,
        typer.Argument(metavar="[FILE]", help="Where to; MESSAGE.wav here without.", show_default=False),
    ] = Path(),
    force: ForceOption = False,
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Write the sound of a message into a WAV file."""
    client = _client(config, socket)
    found = _find(client, mailbox, message)
    target = file / f"{found['id']}.wav" if file.is_dir() else file
    if target.exists() and not force:
        raise BadUsage(f"{target} is there already: name another file, or replace it with --force")
    sound = client.raw("mailboxes", mailbox, "messages", found["id"], "audio")
    try:
        target.write_bytes(sound)
    except OSError as error:
        raise LocalError(f"{target} cannot be written: {error.strerror}; name another file") from error
    if json:
        print_json({**found, "exported": str(target.resolve()), "bytes": len(sound)})
    else:
        print(f"{target}: {duration(found['length_s'])} from {found['number'] or 'an unknown number'}")


@voicemail_app.command()
def read(
    mailbox: BoxArgument,
    message: MessageArgument,
    new: Annotated[bool, typer.Option("--new", help="Mark it as new again.")] = False,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Mark a message as heard; the lamps of the phones follow."""
    client = _client(config, socket)
    found = _find(client, mailbox, message)
    place = ("mailboxes", mailbox, "messages", found["id"], "read")
    answer = client.post(*place, body={"heard": not new, "by": by})
    if json:
        print_json(answer)
    else:
        print(f"{answer['id']} is {answer['state']}")


@voicemail_app.command()
def delete(
    mailbox: BoxArgument,
    message: MessageArgument,
    by: ByOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a message and its sound."""
    client = _client(config, socket)
    found = _find(client, mailbox, message)
    answer = client.delete("mailboxes", mailbox, "messages", found["id"], query={"by": by})
    if json:
        print_json(answer)
    else:
        print(f"{answer['id']} is deleted")


def _client(config: Path | None, socket: Path | None) -> ApiClient:
    return ApiClient(find_place(config, socket).socket)


def _find(client: ApiClient, mailbox: str, message: str) -> dict[str, Any]:
    """The message of this id, or the only one whose id begins so. Raises LocalError."""
    messages: list[dict[str, Any]] = client.get("mailboxes", mailbox, "messages")
    found = [one for one in messages if one["id"].startswith(message)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise LocalError(f"no message in {mailbox} is called {message!r}: see `cc voicemail list {mailbox}`")
    raise LocalError(f"{len(found)} messages in {mailbox} begin with {message!r}: give more of the id")
