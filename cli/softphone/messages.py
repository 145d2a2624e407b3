"""What is said over the softphone's pipes: one JSON object a line, commands in, events out.

Invariant: this file is the whole contract; the process and the client both use it and share nothing else.
Every command is answered by exactly one `done` or `error` that repeats its `id`; all other events come by
themselves. A call has a small number, given in `done` (outgoing) or in `incoming`; commands that leave `call`
out mean the youngest live call.
"""

from typing import Literal

import msgspec

LINE_BYTES = 65_536
CALLS = 4  # what this build of pjsua2 holds in one process

Transport = Literal["udp", "tcp"]
DigitMethod = Literal["rfc4733", "info", "inband"]


class Command(
    msgspec.Struct, frozen=True, tag_field="command", tag=str.lower, forbid_unknown_fields=True, kw_only=True
):
    """The base of all commands. `id` is the sender's, any number."""

    id: int = 0


class Start(Command, frozen=True):
    """The first command.

    `user` and `display_name` are whom an unregistered phone calls itself. Files are WAV paths; `record` gets
    `-2`, `-3` ... before its suffix from the second call on. `srtp`: keys in the SDP, whatever the transport.
    """

    user: str = "softphone"
    display_name: str = ""
    address: str = "127.0.0.1"
    sip_port: int = 0
    rtp_port: int = 0
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    srtp: Literal["off", "optional", "required"] = "off"
    auto_answer_after_s: float | None = None
    call_waiting: bool = False
    play: str | None = None
    play_loop: bool = False
    record: str | None = None
    log: str | None = None


class Register(Command, frozen=True):
    """Registers `user` at `server` (host or host:port); ends in `registered` or `registration_failed`."""

    server: str
    user: str
    password: str = ""
    transport: Transport = "udp"
    expires_s: int = 300
    display_name: str = ""


class Unregister(Command, frozen=True):
    """Takes the registration back; ends in `unregistered`."""


class Call(Command, frozen=True):
    """Calls a SIP URI; `done` carries the call's number. `headers` go into the INVITE."""

    uri: str
    transport: Transport = "udp"
    headers: dict[str, str] = {}


class Answer(Command, frozen=True):
    """Answers an incoming call; a code below 200 only reports progress."""

    call: int | None = None
    code: int = 200


class Reject(Command, frozen=True):
    """Refuses an incoming call with a SIP status of 300 or more."""

    call: int | None = None
    code: int = 486


class Hangup(Command, frozen=True):
    """Ends the call in whatever state it is; ends in `ended`."""

    call: int | None = None


class Play(Command, frozen=True):
    """Sends a WAV file (16-bit PCM or G.711) to the far end instead of silence;

    without a path, silence again.
    """

    path: str | None = None
    loop: bool = False
    call: int | None = None


class Record(Command, frozen=True):
    """Records what the far end sends, as a mono 8 kHz WAV file; without a path, ends the recording."""

    path: str | None = None
    call: int | None = None


class Digits(Command, frozen=True):
    """Sends keys 0-9 * # A-D.

    `tone_ms` and `gap_ms` hold for `inband` and, the first, for `rfc4733` and `info`.
    """

    digits: str
    method: DigitMethod = "rfc4733"
    tone_ms: int = 120
    gap_ms: int = 120
    call: int | None = None


class Hold(Command, frozen=True):
    """Puts the far end on hold by a re-INVITE; ends in `media` with state `local_hold`."""

    call: int | None = None


class Resume(Command, frozen=True):
    """Takes the far end from hold; ends in `media` with state `active`."""

    call: int | None = None


class Quit(Command, frozen=True):
    """Hangs up, unregisters and ends the process, as the end of its input and SIGTERM do."""


AnyCommand = (
    Start
    | Register
    | Unregister
    | Call
    | Answer
    | Reject
    | Hangup
    | Play
    | Record
    | Digits
    | Hold
    | Resume
    | Quit
)


def _snake(name: str) -> str:
    """RegistrationFailed -> registration_failed."""
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


class Event(msgspec.Struct, frozen=True, tag_field="event", tag=_snake, kw_only=True):
    """The base of all events. `at_s`: seconds since the process started."""

    at_s: float = 0.0

    @property
    def name(self) -> str:
        """The name on the wire, as in `{"event": "answered"}`."""
        return event_name(type(self))


def event_name(kind: type[Event]) -> str:
    """What an event is called on the wire."""
    return _snake(kind.__name__)


class Ready(Event, frozen=True):
    """Listening on these ports."""

    address: str
    udp_port: int
    tcp_port: int


class Done(Event, frozen=True):
    """The command `id` was carried out; `call` is the new call's number after `call`."""

    id: int
    call: int | None = None


class Error(Event, frozen=True):
    """The command `id` was not carried out, or (with id 0) something went wrong by itself."""

    text: str
    id: int = 0


class Registered(Event, frozen=True):
    """The registrar accepted; also after each refresh."""

    user: str
    server: str
    expires_s: int


class RegistrationFailed(Event, frozen=True):
    """The registrar refused, or did not answer (408)."""

    status: int
    reason: str


class Unregistered(Event, frozen=True):
    """The registrar has dropped the binding."""


class Incoming(Event, frozen=True):
    """A call comes in and rings.

    `remote` is the From as sent, `headers` are the INVITE's, the first of each name.
    """

    call: int
    remote: str
    headers: dict[str, str]


class Ringing(Event, frozen=True):
    """The far end reports progress (180 to 189)."""

    call: int
    status: int


class Answered(Event, frozen=True):
    """The call is up."""

    call: int


class Media(Event, frozen=True):
    """Audio begins, stops or changes. `remote` is host:port of the far end's RTP."""

    call: int
    state: Literal["active", "local_hold", "remote_hold", "none", "error"]
    codec: str
    remote: str


class Digit(Event, frozen=True):
    """The far end pressed a key. In-band keys are not detected: they are in the recording."""

    call: int
    digit: str
    method: Literal["rfc4733", "info"]


class Played(Event, frozen=True):
    """The file was sent to its end; for a loop, the first time."""

    call: int
    path: str


class Recorded(Event, frozen=True):
    """The recording is complete and closed; comes before `ended`."""

    call: int
    path: str


class Ended(Event, frozen=True):
    """The call is over. Packet counts are this phone's, over the whole call; `jitter_ms` is the mean."""

    call: int
    status: int
    reason: str
    talk_s: float
    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    jitter_ms: float = 0.0


AnyEvent = (
    Ready
    | Done
    | Error
    | Registered
    | RegistrationFailed
    | Unregistered
    | Incoming
    | Ringing
    | Answered
    | Media
    | Digit
    | Played
    | Recorded
    | Ended
)

command_decoder: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)
event_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
encoder = msgspec.json.Encoder()
