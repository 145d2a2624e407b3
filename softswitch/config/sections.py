"""The sections of the configuration that describe the machine: signalling, media, files, logging.

Invariant: every field has a description and its unit in its name; every default is safe on any machine
(loopback).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict, StringConstraints

from softswitch.config.agent_fields import PauseReasons
from softswitch.config.fields import (
    CodecNames,
    FeatureCode,
    FilePath,
    LanguageTag,
    Listen,
    OptionalAddress,
    OptionalPlace,
    PageOrigin,
    PortRange,
    Seconds,
    Section,
    Text,
)
from softswitch.sdp.crypto import SUITES, SrtpPolicy, Suite

MAX_PAUSE_REASONS = 9
"""A reason is chosen by one digit after the pause code, 1 to 9."""


class Sip(Section):
    """Signalling (RFC 3261)."""

    listen: Annotated[tuple[Listen, ...], Strict(False), Field(min_length=1, max_length=16)] = Field(
        ("udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"),
        description="`udp:ADDRESS:PORT`, `tcp:ADDRESS:PORT`, `tls:ADDRESS:PORT` (see [tls]), or for browsers "
        "`ws:ADDRESS:PORT` and, encrypted, `wss:ADDRESS:PORT`; IPv6 in brackets; port 0 takes a free one",
    )
    origins: Annotated[tuple[PageOrigin, ...], Strict(False), Field(max_length=64)] = Field(
        (),
        description="the web pages that may register browsers, such as https://phone.example.com; "
        "all pages if empty",
    )
    external_address: OptionalAddress = Field(
        "",
        description="the IP address that peers are told instead (behind NAT), of its family; "
        "for 0.0.0.0 and :: the one of the default route, if absent",
    )
    realm: Text = Field(
        "softswitch", min_length=1, description="realm of digest authentication; phones show it"
    )
    digest: Annotated[
        tuple[Literal["MD5", "SHA-256"], ...], Strict(False), Field(min_length=1, max_length=2)
    ] = Field(
        ("MD5",),
        description="algorithms that phones are challenged with, the preferred one first; "
        "many phones refuse a challenge that names any but MD5",
    )
    guests: bool = Field(
        False, description="whether callers without an account may use routes with guests = true"
    )
    user_agent: Text = Field(
        "cc-softswitch", description="the Server and User-Agent header; empty leaves it out"
    )
    max_calls: int = Field(2000, ge=1, le=100_000, description="calls at once; more are refused with 503")
    min_expires_s: int = Field(60, ge=1, le=86_400, description="shortest registration; shorter ones get 423")
    default_expires_s: int = Field(
        300, ge=1, le=86_400, description="registration of phones that name no time"
    )
    max_expires_s: int = Field(
        3600, ge=1, le=86_400, description="longest registration; longer ones are shortened"
    )
    t1_ms: int = Field(
        500, ge=10, le=5000, description="SIP timer T1, the estimated round trip (RFC 3261, 17.1.1.1)"
    )
    t2_ms: int = Field(4000, ge=10, le=60_000, description="SIP timer T2, the longest interval of repetition")
    dscp: int = Field(
        24, ge=0, le=63, description="DSCP that marks SIP for the network (RFC 4594: CS3 is 24); 0 for none"
    )
    t4_ms: int = Field(
        5000, ge=10, le=60_000, description="SIP timer T4, how long a message stays in the network"
    )


class Media(Section):
    """RTP (RFC 3550)."""

    address: OptionalAddress = Field(
        "", description="IPv4 address of this machine for RTP; that of sip.listen if absent"
    )
    ipv6_address: OptionalAddress = Field(
        "",
        description="IPv6 address of this machine for RTP; that of sip.listen if absent, and none where that "
        "has none. Each phone gets audio in the family that it uses (docs/phones.md)",
    )
    external_address: OptionalAddress = Field(
        "",
        description="the IP address that peers are told instead (behind NAT), of its family; "
        "sip.external_address, or for 0.0.0.0 and :: the one of the default route, if absent",
    )
    ports: PortRange = Field("40000-41999", description="UDP ports for RTP and RTCP, shared by the workers")
    workers: int = Field(0, ge=0, le=64, description="media processes; 0: one for each core but the first")
    capacity: int = Field(
        2000, ge=2, le=20_000, description="legs a worker can carry; a bridged call has two"
    )
    lost_s: Seconds = Field(
        30.0, description="how long a leg may be silent on the wire before its call is ended"
    )
    jitter_max_ms: int = Field(
        480,
        ge=80,
        le=1280,
        multiple_of=20,
        description="longest delay of a jitter buffer, in steps of 20; it takes what the network needs",
    )
    srtp: SrtpPolicy = Field(
        "allowed",
        description="encrypted audio (SRTP): `off`; `allowed`: taken where it is offered, and offered to "
        "phones and peers that are reached over TLS; `required`: no call without it (docs/security.md)",
    )
    srtp_suites: Annotated[tuple[Suite, ...], Strict(False), Field(min_length=1, max_length=4)] = Field(
        SUITES, description="the suites of SRTP, the preferred one first"
    )
    codecs: Annotated[CodecNames, Field(min_length=1)] = Field(
        ("PCMU", "PCMA", "G722", "OPUS"),
        description="codecs that are spoken, the preferred one first: `PCMU`, `PCMA`, `G722`, `opus`, and "
        "those of plug-ins; see [codecs.md](codecs.md)",
    )
    endpoint_processes: int = Field(
        0,
        ge=0,
        le=64,
        description="pjsua2 processes for phones with other codecs (GSM, iLBC, speex), each for two legs; 0: "
        "such phones are refused",
    )
    dscp: int = Field(
        46, ge=0, le=63, description="DSCP that marks RTP for the network (RFC 4594: EF is 46); 0 for none"
    )
    cpus: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Strict(False), Field(max_length=64)] = Field(
        (),
        description="processors that the loops of the workers are kept on, such as `[2, 3]`, one after the "
        "other; the kernel chooses if absent",
    )
    grace_s: Seconds = Field(
        30.0,
        description="how long the workers go on with the calls that they carry when the signalling process "
        "has died; a `cc serve` that starts meanwhile takes the conversations over",
    )
    realtime: bool = Field(
        False,
        description="whether the loops of the workers are scheduled before all ordinary programs "
        "(SCHED_FIFO); needs CAP_SYS_NICE or RLIMIT_RTPRIO; where that lacks, the log says so and they run "
        "without",
    )
    kernel_forwarding: bool = Field(
        False,
        description="whether the kernel passes on the audio of bridged calls that nobody else listens to "
        "(eBPF): with a quarter of the work, and without delay; needs Linux 6.6, CAP_BPF and CAP_NET_ADMIN; "
        "where they lack, the log says so and the workers pass it on; see "
        "[operations.md](operations.md#when-the-kernel-forwards)",
    )
    comfort_noise: bool = Field(
        False,
        description="agree to comfort noise (RFC 3389), so that phones may send nothing while nobody speaks; "
        "what comes all the same is always understood",
    )


class Store(Section):
    """The database."""

    path: FilePath = Field(
        Path("var/cc.db"), description="the SQLite file with call records and the event log"
    )
    flush_ms: int = Field(
        100, ge=1, le=200, description="longest time that something happened and is not in the database yet"
    )


class Api(Section):
    """The control surface."""

    socket: FilePath = Field(
        Path("var/cc.sock"), description="the Unix socket on which `cc` reaches the server"
    )
    metrics: OptionalPlace = Field(
        "",
        description="`ADDRESS:PORT` on which Prometheus reads `/metrics`, such as `127.0.0.1:9470`, IPv6 in "
        "brackets; whoever reaches it may read it. None if absent: then on the control socket only",
    )


def _loudness(lufs: float) -> float:
    if lufs and not -40.0 <= lufs <= -10.0:
        raise ValueError("must lie between -40 and -10, or be 0 to leave the loudness as it is")
    return lufs


class PromptSettings(Section):
    """What callers hear. Sound files may have any usual format and rate (WAV, MP3, Opus, FLAC, M4A ...)."""

    directory: FilePath = Field(Path("prompts"), description="where the sound files are that prompts name")
    cache: FilePath = Field(
        Path("var/prompts"), description="where spoken texts, and sound files made ready, are kept"
    )
    music: FilePath | None = Field(
        None,
        description="music on hold, a sound file; without it, a short composition made at the first start",
    )
    voices: dict[LanguageTag, Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+-]{1,64}$")]] = Field(
        {}, description='voice of each language, as `espeak-ng --voices` lists them, such as { en = "en-us" }'
    )
    speed_wpm: int = Field(160, ge=80, le=400, description="rate of speech in words per minute")
    loudness_lufs: Annotated[float, AfterValidator(_loudness)] = Field(
        -20.0,
        description="how loud sound files and spoken texts are made, -40 to -10 LUFS (EBU R 128), peaks held "
        "1 dB below full scale; 0 leaves each as loud as it is",
    )
    live_cache_mb: int = Field(
        100,
        ge=1,
        le=100_000,
        description="megabytes of the cache for texts that hold a caller's own data and are spoken when he "
        "hears them; what was not heard for longest goes first",
    )


class Pauses(Section):
    """Why agents pause."""

    reasons: Annotated[PauseReasons, Field(max_length=MAX_PAUSE_REASONS)] = Field(
        {"break": 0.0, "lunch": 0.0, "training": 0.0},
        description="reasons by their digit: the first is 1, dialled after the pause code; at most 9. "
        "A list, or a table reason -> longest time in seconds (0: no limit), after which it is told",
    )
    wrapup_extra_s: Seconds = Field(
        60.0, description="how much longer a wrap-up becomes by the code `extend`, each time"
    )


class FeatureCodes(Section):
    """What agents dial to tell the distributor about themselves; an empty code is switched off."""

    login: FeatureCode = Field(
        "*11",
        description="log in at this phone and be ready; followed by an agent's number, as that agent; "
        '`""` switches a code off, here as below',
    )
    logout: FeatureCode = Field("*12", description="log out")
    ready: FeatureCode = Field("*13", description="be ready: ends a pause, and wrap-up early")
    pause: FeatureCode = Field("*14", description="pause; one more digit says the reason")
    extend: FeatureCode = Field("*15", description="make the wrap-up longer")
    listen: FeatureCode = Field(
        "*31",
        description="followed by an extension: listen to the talk there, heard by nobody; only from "
        "extensions with `supervises`",
    )
    whisper: FeatureCode = Field(
        "*32", description="followed by an extension: the same, and be heard by the agent alone"
    )
    barge: FeatureCode = Field("*33", description="followed by an extension: talk with both")
    add: FeatureCode = Field(
        "*3",
        description="pressed in a talk, followed by a number and the hash key: that number is called, and "
        "joins",
    )
    voicemail: FeatureCode = Field(
        "*98",
        description="listen to the mailbox of this phone; followed by the name of one, to that. "
        "It means nothing while there are no mailboxes",
    )


class LogSettings(Section):
    """The server's own log."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="what is logged; debug includes every SIP message, without passwords"
    )
    format: Literal["console", "json"] = Field("console", description="for people, or one JSON object a line")
