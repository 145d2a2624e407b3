"""What the signalling process says to a media worker, and what the worker answers.

One Unix stream socket per worker; each frame is a 4-byte big-endian length and a msgpack-encoded array of
messages (a batch). Commands are executed in order. Leg ids are chosen by the signalling side, are unique in
the life of a worker, and are never used again. A command for an unknown leg is ignored (the leg may just have
been released), so the two sides can never dead-lock on a race.
"""

from __future__ import annotations

from typing import Literal

import msgspec

CodecName = str
"""In upper case: PCMU, PCMA, or one of `media.codecs`."""
DtmfMethod = Literal["rfc4733", "inband"]
SrtpSuite = Literal[
    "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"
]
"""Names as in RFC 4568 section 6.2 and RFC 7714 section 14.2."""
SRTP_KEY_BYTES: dict[str, int] = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}
"""Master key and master salt together."""

MAX_FRAME_BYTES = 1 << 22
"""Rejoined with the keys of 20 000 legs fits into one."""


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all messages; the tag on the wire is the class name."""


# ----- commands: signalling -> worker


class IceCredentials(msgspec.Struct, frozen=True, array_like=True):
    """A user name fragment and a password (RFC 8839 5.4); the password is never shown."""

    ufrag: str
    password: str

    def __repr__(self) -> str:
        return f"IceCredentials({self.ufrag})"


class Allocate(Message, frozen=True):
    """Reserve a leg and a local RTP port (RTCP on port + 1). Answered by Allocated or AllocateFailed.

    `address` and `port` are the remote's as far as they are known: both of an offer that came in, only the
    address (of the host that is called) for an offer that goes out, neither when nothing is known. They
    decide whether the leg may share a local port: legs with one remote address and port never do, and a leg
    of which nothing is known gets a port of its own. Sharing makes packets cheap, so say what you know.
    With `ice` it is the leg of a browser, which is told by its checks: all of them share one port.
    """

    leg: int
    address: str = ""
    port: int = 0
    ice: IceCredentials | None = None


class SrtpKeys(msgspec.Struct, frozen=True, array_like=True):
    """The keys of an encrypted leg: master key and salt, one after the other, of what comes and of what goes.
    `lifetime`: so many packets of RTP, and of RTCP, may come with the inbound one.

    Neither is ever shown. Raises ValueError when a key has not the suite's length.
    """

    suite: SrtpSuite
    inbound: bytes
    outbound: bytes
    lifetime: int = 1 << 48

    def __post_init__(self) -> None:
        wanted = SRTP_KEY_BYTES[self.suite]
        if len(self.inbound) != wanted or len(self.outbound) != wanted:
            raise ValueError(f"a key of {self.suite} has {wanted} bytes, salt included")

    def __repr__(self) -> str:
        return f"SrtpKeys({self.suite})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("suite", self.suite)]


class Browser(msgspec.Struct, frozen=True, array_like=True):
    """What offer/answer settled of ICE and DTLS (RFC 8839, RFC 8842).

    `ice` are our credentials; others than before are a restart. `fingerprint` is that of the peer's
    certificate, as in SDP; another than before is another association. `client`: we begin it.
    """

    ice: IceCredentials
    fingerprint: str
    client: bool = False


class SetRemote(Message, frozen=True):
    """What offer/answer settled for a leg. May be sent again (re-INVITE).

    `codec` is what both sides use; `payload_type` is what we send and expect for it, `event_payload_type` is
    telephone-event (RFC 4733) or None. Keys are listened for in the audio as well, but not in that of a leg
    with events that is bridged to another such. `send`/`receive` are the direction seen from us: hold is
    receive=False and/or send=False. A changed address unlatches the leg. `rtcp_mux`: RTCP goes over the RTP
    port (RFC 5761). `rtcp_xr`: the peer wants VoIP metrics (RFC 3611). `rtcp_reduced`: RTCP need not be
    compound (RFC 5506). `comfort_noise`: both sides know CN (RFC 3389). `event_clock_hz` is the clock of its
    telephone-event. With `srtp` the leg is encrypted from now on; the same keys again go on where they were,
    other keys begin anew (rollover counter 0), None is plain RTP. `browser` is that of a leg allocated with
    `ice`: it finds its keys and its remote address itself, `srtp`, `address` and `port` mean nothing then.
    `fmtp` is what the peer says of itself for this codec (RFC 7587 section 6.1).
    """

    leg: int
    address: str
    port: int
    rtcp_port: int
    codec: CodecName
    payload_type: int
    event_payload_type: int | None
    ptime_ms: int = 20
    send: bool = True
    receive: bool = True
    rtcp_mux: bool = False
    rtcp_xr: bool = False
    rtcp_reduced: bool = False
    event_clock_hz: int = 8000
    comfort_noise: bool = False
    srtp: SrtpKeys | None = None
    browser: Browser | None = None
    fmtp: str = ""


class Connect(Message, frozen=True):
    """Bridge two legs: whatever one sends reaches the other. Stops what was played to either."""

    a: int
    b: int


class Disconnect(Message, frozen=True):
    """Take the bridge of a leg apart (both sides); the legs stay."""

    leg: int


class Join(Message, frozen=True):
    """The leg is in this room from now on, and no longer in another or bridged; sent again, it changes how it
    is there. Rooms are named by the signalling side; the first who joins opens one, the last who leaves
    closes it.

    It hears everybody who may be heard by it, but not itself; not `hears`: silence. It is heard by all of the
    room, or by those of `heard_by` alone (others than itself, whether they are there yet or not; empty: a
    silent listener), `gain_db` louder (-60 to 24), and by nobody while `muted`. Two who hear each other as
    they are, are bridged: this is `Connect` for more than two. What is played to a leg that hears more is
    heard beside it. Keys are no sound, and pass to those who hear a mix only with `keys`.
    """

    leg: int
    room: int
    heard_by: tuple[int, ...] | None = None
    hears: bool = True
    gain_db: float = 0.0
    muted: bool = False
    keys: bool = False


class Leave(Message, frozen=True):
    """The leg is in no room any more; it stays."""

    leg: int


class Play(Message, frozen=True):
    """Play clips to a leg, one after the other; replaces what it was hearing. Answered by Played.

    `clips` are absolute paths of WAV files, or `tone:ringback`, `tone:busy`, `tone:congestion`, `tone:beep`,
    `silence:MS`. `loop` repeats the whole list for ever. With `resume`, a looping list continues where this
    leg last left the same list (music on hold after an announcement).
    """

    leg: int
    play: int
    clips: tuple[str, ...]
    loop: bool = False
    resume: bool = False


class Stop(Message, frozen=True):
    """Stop whatever the leg is hearing (a bridge is not touched). Answered by Played(stopped)."""

    leg: int


class SendDigits(Message, frozen=True):
    """Send keys to a leg as RFC 4733 events (as in-band tones where the leg has no telephone-event). `!` is a
    flash, which has no tone."""

    leg: int
    digits: str
    duration_ms: int = 100
    gap_ms: int = 100


class Record(Message, frozen=True):
    """Record what comes from two legs into a stereo WAV (8 kHz, 16 bit): `left` leg left, `right` leg right.
    With `right` the same as `left`, what comes from that one leg into a mono WAV. A `path` of the form
    `live:SOCKET#TOKEN` is no file: the left side goes to that Unix socket (`media.io.live`).

    Ends with StopRecord or when either leg is released; answered by Recorded or RecordFailed. With
    `silence_s` (0: never) RecordSilent tells, once, that nothing was heard from `left` for so long. While
    `left` gets the mix of a room, the right side is what it hears there.
    """

    recording: int
    left: int
    right: int
    path: str
    silence_s: float = 0.0


class RecordRoom(Message, frozen=True):
    """Record all that is said to a whole room into a mono WAV, while somebody is there. Ends with StopRecord;
    answered by Recorded or RecordFailed."""

    recording: int
    room: int
    path: str


class StopRecord(Message, frozen=True):
    """End a recording."""

    recording: int


class PauseRecord(Message, frozen=True):
    """Write silence from now on, or again what is heard. What was said in a pause may still be on its way
    when it ends, so it ends `media.recorder.RESUME_FRAMES` late."""

    recording: int
    paused: bool = True


class WatchSpeech(Message, frozen=True):
    """Tell from now on (`wanted`), or no longer, when the leg begins and ceases to speak. For what people
    say: music is taken for speech, so a leg that hears music (a Play with `loop`), which its loudspeaker may
    give back, counts as silent. Answered by Speaking at every change; a watched leg is silent at first."""

    leg: int
    wanted: bool = True


class Release(Message, frozen=True):
    """The leg is over. Answered by Released with its statistics."""

    leg: int


class Ping(Message, frozen=True):
    """Answered by Pong with the worker's load."""

    token: int


class Quit(Message, frozen=True):
    """End in good order as soon as the control socket closes; without it, a worker that has a place to be
    found again goes on for its time of grace."""


class Rejoin(Message, frozen=True):
    """The first command on the socket where a worker without a signalling process waits: who knows its
    incarnation takes it over. Answered by Rejoined; a wrong one is cut off. A descriptor that comes with it
    (SCM_RIGHTS) is where the worker's log goes from now on."""

    incarnation: str


Command = (
    Allocate
    | SetRemote
    | Connect
    | Disconnect
    | Join
    | Leave
    | Play
    | Stop
    | SendDigits
    | Record
    | RecordRoom
    | StopRecord
    | PauseRecord
    | WatchSpeech
    | Release
    | Ping
    | Quit
    | Rejoin
)


# ----- events: worker -> signalling


class Allocated(Message, frozen=True):
    """The leg's local RTP address, of IPv4 and of IPv6 ("" where there is none), with the same port; RTCP is
    on port + 1. `fingerprint` is that of our certificate, as in SDP, of a leg that was allocated with `ice`;
    RTCP is on the same port then."""

    leg: int
    address: str
    port: int
    fingerprint: str = ""
    ipv6_address: str = ""


class AllocateFailed(Message, frozen=True):
    """No port or no leg slot is left; `reason` says which and what to configure."""

    leg: int
    reason: str


class Latched(Message, frozen=True):
    """The first valid RTP packet of the leg arrived, from this address."""

    leg: int
    address: str
    port: int


class Digit(Message, frozen=True):
    """A key was pressed: reported once, when it is certain (RFC 4733: first packet; in-band: 40 ms), even if
    it came both ways. `late`: while there was no signalling process to hear of it."""

    leg: int
    digit: str
    method: DtmfMethod
    late: bool = False


class Flash(Message, frozen=True):
    """The hook was flashed (RFC 4733 event 16), which is no key."""

    leg: int


class Speaking(Message, frozen=True):
    """A leg that is watched has begun, or ceased, to speak: 60 ms of it, 300 ms of silence."""

    leg: int
    speaking: bool


class Played(Message, frozen=True):
    """A Play ended: all clips heard, stopped or replaced, or failed (`detail` names the clip and why)."""

    leg: int
    play: int
    reason: Literal["finished", "stopped", "failed"]
    detail: str = ""


class HandshakeFailed(Message, frozen=True):
    """The browser of a leg and this worker do not agree on keys (DTLS), and will not; `reason` says why."""

    leg: int
    reason: str


class MediaLost(Message, frozen=True):
    """Nothing has come from the leg for `silent_s`, though it should be sending; or a browser has not shown
    for so long that it wants to hear us (RFC 7675). Reported once a silence."""

    leg: int
    silent_s: float


class Recorded(Message, frozen=True):
    """A recording was closed and is complete on disk."""

    recording: int
    path: str
    duration_ms: int


class RecordSilent(Message, frozen=True):
    """Nothing has been heard in a recording for its `silence_s`; it goes on until StopRecord."""

    recording: int


class RecordFailed(Message, frozen=True):
    """A recording could not be made or went wrong; the call goes on."""

    recording: int
    path: str
    reason: str


class Quality(msgspec.Struct, frozen=True, array_like=True):
    """RTP statistics of one leg. Jitter: RFC 3550 A.8, in ms. `remote_*`: from the peer's RTCP reports, -1
    if none: how it hears us.

    `packets_late`, `concealed_ms`, `buffer_ms` (the mean wait in the jitter buffer) are known of legs whose
    audio was listened to here; else they are 0, 0 and -1. `mos` is the E-model's score of what came from the
    leg, `remote_mos` of what it heard: the peer's own if its RTCP XR told it. -1: nothing to judge by.
    `packets_refused`: what came to an encrypted leg and was not authentic, or was a replay.
    """

    packets_received: int
    packets_sent: int
    packets_lost: int
    jitter_ms: float
    max_jitter_ms: float
    remote_lost: int = -1
    remote_jitter_ms: float = -1.0
    round_trip_ms: float = -1.0
    packets_late: int = 0
    packets_duplicated: int = 0
    packets_reordered: int = 0
    concealed_ms: int = 0
    buffer_ms: float = -1.0
    mos: float = -1.0
    remote_mos: float = -1.0
    packets_refused: int = 0


class Measured(Message, frozen=True):
    """How a leg that lives has been so far: some seconds after its start, then about four times a minute."""

    leg: int
    quality: Quality


class Released(Message, frozen=True):
    """A leg is gone; its statistics."""

    leg: int
    quality: Quality


LATE_MS = 20.0
"""From here on a tick is late: by a whole frame."""


class Pong(Message, frozen=True):
    """The worker's load: legs, ports; since the last Pong the worst lateness of a tick, how many were late by
    LATE_MS or more, the share of a core that its loop has used (1: all of it), and the packets that the
    kernel passed on (None: it forwards nothing)."""

    token: int
    legs: int
    ports: int
    late_ms: float
    late_ticks: int = 0
    busy: float = 0.0
    forwarded: int | None = None


class Rejoined(Message, frozen=True):
    """What is there: all legs, and the recordings that run; and what only the worker knows, because it is
    written down nowhere: by leg, the keys of SetRemote, and our ICE credentials. What happened meanwhile
    follows."""

    legs: tuple[int, ...] = ()
    recordings: tuple[int, ...] = ()
    keys: dict[int, SrtpKeys] = {}
    ice: dict[int, IceCredentials] = {}


Event = (
    Allocated
    | AllocateFailed
    | Latched
    | Digit
    | Flash
    | Speaking
    | Played
    | HandshakeFailed
    | MediaLost
    | Recorded
    | RecordFailed
    | RecordSilent
    | Measured
    | Released
    | Pong
    | Rejoined
)
