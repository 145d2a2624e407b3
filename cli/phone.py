"""`cc phone`: a softphone without a sound card, for trying a switch out and for scripts.

Invariant: it talks to the softphone's process (`cli.softphone`) and never imports pjsua2 itself. Passwords
come from a file, the environment or a prompt, never from the command line, where every user of the machine
could read them.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cli.refusals import FAILED, BadUsage

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from cli.softphone.session import InCall, Login, Session

T = TypeVar("T")
W = TypeVar("W", bound=StrEnum)

PASSWORD_VARIABLE = "CC_PHONE_PASSWORD"

app = typer.Typer(
    name="phone",
    help="A softphone without a sound card: it calls, answers, plays and records WAV files, presses keys.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Transport(StrEnum):
    """What SIP travels over."""

    udp = "udp"
    tcp = "tcp"


class DigitMethod(StrEnum):
    """How keys travel."""

    rfc4733 = "rfc4733"
    info = "info"
    inband = "inband"


def _one_of(words: type[W], text: str) -> W:
    """The word that is meant. (Typer's own words for an enumeration begin with those of its validator.)"""
    try:
        return words(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(words)}") from None


ServerOption = Annotated[
    str | None, typer.Option("--server", metavar="HOST[:PORT]", help="The switch to register at.")
]
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="The extension to register as.")
]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        exists=True,
        dir_okay=False,
        readable=True,
        help=f"The file with the password; else ${PASSWORD_VARIABLE}, else a prompt.",
    ),
]
NameOption = Annotated[str, typer.Option("--display-name", help="The name that others see.")]
TransportOption = Annotated[
    Transport,
    typer.Option(
        "--transport",
        parser=lambda text: _one_of(Transport, text),
        metavar="[udp|tcp]",
        help="What SIP travels over.",
    ),
]
PlayOption = Annotated[
    Path | None,
    typer.Option(
        "--play", exists=True, dir_okay=False, help="A WAV file to send to the far end in each call."
    ),
]
LoopOption = Annotated[bool, typer.Option("--loop", help="Play it again and again.")]
RecordOption = Annotated[
    Path | None,
    typer.Option(
        "--record",
        dir_okay=False,
        help="A WAV file for what the far end says; later calls add -2, -3 to the name.",
    ),
]
DigitsOption = Annotated[
    str,
    typer.Option("--digits", metavar="KEYS", help="Keys to press in each call; a comma waits for a second."),
]
DigitsAfterOption = Annotated[
    float,
    typer.Option("--digits-after", metavar="SECONDS", min=0, help="How long to wait before the first key."),
]
MethodOption = Annotated[
    DigitMethod,
    typer.Option(
        "--digit-method",
        parser=lambda text: _one_of(DigitMethod, text),
        metavar="[rfc4733|info|inband]",
        help="How keys travel.",
    ),
]
HangupOption = Annotated[
    float | None,
    typer.Option("--hangup-after", metavar="SECONDS", min=0, help="Hang up this long after the answer."),
]
CodecsOption = Annotated[
    str,
    typer.Option("--codecs", metavar="NAMES", help="Codecs to offer, with commas, the preferred one first."),
]
BindOption = Annotated[
    str,
    typer.Option(
        "--bind",
        metavar="ADDRESS",
        help="The address to use. pjsua2 is for loopback and laboratories: keep it off open networks.",
    ),
]
PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="The SIP port; 0 takes a free one.")
]
LogOption = Annotated[
    Path | None, typer.Option("--log", dir_okay=False, help="pjsua2's own log, for debugging.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON, for programs.")]
AnswerOption = Annotated[bool, typer.Option("--answer", help="Answer calls without being asked.")]
AnswerAfterOption = Annotated[
    float,
    typer.Option("--answer-after", metavar="SECONDS", min=0, help="With --answer: how long to ring first."),
]
CallsOption = Annotated[int | None, typer.Option("--calls", min=1, help="End after so many calls.")]
ForOption = Annotated[
    float | None, typer.Option("--for", metavar="SECONDS", min=0, help="End after so long.")
]


def mount(parent: typer.Typer) -> None:
    """Add the commands of this file."""
    parent.add_typer(app, name="phone")


@app.command()
def call(
    uri: Annotated[
        str, typer.Argument(metavar="URI", help="Whom to call, as sip:600@127.0.0.1:5060 or 600.")
    ],
    server: ServerOption = None,
    user: UserOption = None,
    password_file: PasswordFileOption = None,
    display_name: NameOption = "",
    transport: TransportOption = Transport.udp,
    play: PlayOption = None,
    loop: LoopOption = False,
    record: RecordOption = None,
    digits: DigitsOption = "",
    digits_after: DigitsAfterOption = 1.0,
    digit_method: MethodOption = DigitMethod.rfc4733,
    hangup_after: HangupOption = None,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="How long to wait for the answer.")
    ] = 60.0,
    codecs: CodecsOption = "PCMU,PCMA",
    bind: BindOption = "127.0.0.1",
    port: PortOption = 0,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Call, stay until the call ends, and exit with 0 if it was answered.

    With --user it registers first. A bare number is called at the server.
    """
    login = _login(server, user, password_file, display_name, transport) if user else None
    plan = _plan(digits, digits_after, digit_method, hangup_after)
    session = _session(
        login, plan, json, play, loop, record, codecs, bind, port, log, display_name=display_name
    )
    if not _run(session.call(_address(uri, server), transport.value, wait)):
        raise typer.Exit(FAILED)


@app.command()
def register(
    server: Annotated[
        str, typer.Option("--server", metavar="HOST[:PORT]", help="The switch to register at.")
    ],
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="The extension to register as.")],
    password_file: PasswordFileOption = None,
    display_name: NameOption = "",
    transport: TransportOption = Transport.udp,
    answer: AnswerOption = False,
    answer_after: AnswerAfterOption = 0.0,
    play: PlayOption = None,
    loop: LoopOption = False,
    record: RecordOption = None,
    digits: DigitsOption = "",
    digits_after: DigitsAfterOption = 1.0,
    digit_method: MethodOption = DigitMethod.rfc4733,
    hangup_after: HangupOption = None,
    calls: CallsOption = None,
    for_s: ForOption = None,
    codecs: CodecsOption = "PCMU,PCMA",
    bind: BindOption = "127.0.0.1",
    port: PortOption = 0,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Register and take calls until Ctrl-C, --calls or --for.

    On a terminal, type `answer`, `hangup`, `hold`, `resume`, `digits 12`, `quit`.
    """
    login = _login(server, user, password_file, display_name, transport)
    plan = _plan(digits, digits_after, digit_method, hangup_after)
    answer_s = answer_after if answer else None
    session = _session(login, plan, json, play, loop, record, codecs, bind, port, log, answer_s)
    _run(session.serve_calls(calls, for_s))


@app.command()
def listen(
    answer: AnswerOption = False,
    answer_after: AnswerAfterOption = 0.0,
    play: PlayOption = None,
    loop: LoopOption = False,
    record: RecordOption = None,
    digits: DigitsOption = "",
    digits_after: DigitsAfterOption = 1.0,
    digit_method: MethodOption = DigitMethod.rfc4733,
    hangup_after: HangupOption = None,
    calls: CallsOption = None,
    for_s: ForOption = None,
    codecs: CodecsOption = "PCMU,PCMA",
    bind: BindOption = "127.0.0.1",
    port: PortOption = 0,
    log: LogOption = None,
    json: JsonOption = False,
) -> None:
    """Take calls without registering, as a trunk's far end would."""
    plan = _plan(digits, digits_after, digit_method, hangup_after)
    answer_s = answer_after if answer else None
    session = _session(None, plan, json, play, loop, record, codecs, bind, port, log, answer_s)
    _run(session.serve_calls(calls, for_s))


def _run(work: Coroutine[Any, Any, T]) -> T:
    import asyncio

    return asyncio.run(work)


def _address(uri: str, server: str | None) -> str:
    if uri.startswith("sip:"):
        return uri
    if "@" in uri:
        return f"sip:{uri}"
    if server is None:
        raise BadUsage(f"{uri} is not a whole address: give sip:{uri}@HOST:PORT, or --server HOST:PORT")
    return f"sip:{uri}@{server}"


def _login(
    server: str | None, user: str | None, password_file: Path | None, display_name: str, transport: Transport
) -> Login:
    from cli.softphone.session import Login

    if server is None or user is None:
        raise BadUsage("--user needs --server HOST:PORT, the switch to register at")
    return Login(server, user, _password(user, password_file), transport.value, display_name)


def _password(user: str, file: Path | None) -> str:
    if file is not None:
        return file.read_text().strip("\n")
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    if sys.stdin.isatty():
        return str(
            typer.prompt(f"Password of {user}", hide_input=True, default="", show_default=False, err=True)
        )
    raise BadUsage(f"the password of {user} is missing: give --password-file, or set {PASSWORD_VARIABLE}")


def _plan(digits: str, after_s: float, method: DigitMethod, hangup_after_s: float | None) -> InCall:
    from cli.softphone.session import InCall

    wrong = sorted(set(digits.upper()) - set("0123456789*#ABCD,"))
    if wrong:
        raise BadUsage(f"--digits {digits}: {wrong[0]!r} is not a key; keys are 0-9 * # A-D, a comma waits")
    return InCall(digits, after_s, method.value, hangup_after_s)


def _session(
    login: Login | None,
    plan: InCall,
    as_json: bool,
    play: Path | None,
    loop: bool,
    record: Path | None,
    codecs: str,
    bind: str,
    port: int,
    log: Path | None,
    answer_after_s: float | None = None,
    display_name: str = "",
) -> Session:
    from cli.softphone import messages
    from cli.softphone.client import Softphone
    from cli.softphone.session import Session

    if record is not None and not record.parent.is_dir():
        raise BadUsage(f"--record {record}: there is no directory {record.parent}")
    options = messages.Start(
        display_name=display_name,
        address=bind,
        sip_port=port,
        codecs=tuple(name.strip() for name in codecs.split(",") if name.strip()),
        auto_answer_after_s=answer_after_s,
        play=None if play is None else str(play.absolute()),
        play_loop=loop,
        record=None if record is None else str(record.absolute()),
        log=None if log is None else str(log.absolute()),
    )
    return Session(Softphone(options), login, plan, as_json)
