"""What the switch must know of the configuration, in its own terms, so that calls do not depend on TOML.

The composition root makes it from the validated configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from ivr.condition import World
from ivr.flow import Flow
from ivr.messages import Prompt
from softswitch.call.callers import Statuses
from softswitch.call.tape import RecordMode, TapingCare
from softswitch.call.voicemail_box import Box, VoicemailCare
from softswitch.call.whisper import Whisper
from softswitch.errors import LocalError
from softswitch.sdp.codecs import PCMA, PCMU, Codec
from softswitch.sdp.crypto import SUITES, SrtpPolicy, Suite
from softswitch.sip.uri import Uri

if TYPE_CHECKING:
    from softswitch.call.clients import Clients
    from softswitch.call.routing import Asked, Explain, Step

Endpoint = Literal["auto", "rtp", "pjsua2"]
Feature = Literal["login", "logout", "ready", "pause", "extend", "voicemail", "listen", "whisper", "barge"]
EVERY_QUEUE = "*"
"""In `Phone.supervises`: every talk."""
NAMED_KINDS = ("flow", "queue", "extension", "agent", "peer", "voicemail", "conference")
_DIALLED = re.compile(r"[A-Za-z0-9_.+*#-]{1,64}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes: `flow:NAME`, `queue:NAME`, `extension:NUMBER`, `agent:NAME/QUEUE`,
    `peer:NAME/NUMBER`, `voicemail:NAME`, `conference:NAME`, `callback`, `hangup`.

    Inside the switch there is also `feature:VERB`. `number` is what is dialled at a peer (empty: what the
    caller dialled), the queue of those who wait for an agent (empty: his first one), or the argument of a
    feature: the reason of a pause, the agent who logs in.
    """

    kind: str
    name: str = ""
    number: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read what `str` writes. Raises LocalError."""
        if text in ("hangup", "callback"):
            return cls(text)
        kind, _, name = text.partition(":")
        if kind not in NAMED_KINDS or not name:
            raise LocalError(
                f"{text!r} is not a target; write flow:NAME, queue:NAME, extension:NUMBER, agent:NAME, "
                "agent:NAME/QUEUE, peer:NAME, peer:NAME/NUMBER, voicemail:NAME, conference:NAME, callback "
                "or hangup"
            )
        number = ""
        if kind in ("peer", "agent"):
            name, slash, number = name.partition("/")
            if slash and not _DIALLED.fullmatch(number):
                raise LocalError(f"{text!r}: {number!r} cannot be dialled")
        return cls(kind, name, number)

    def __str__(self) -> str:
        return ":".join(filter(None, (self.kind, self.name))) + (f"/{self.number}" if self.number else "")


@dataclass(frozen=True, slots=True)
class Route:
    """What the dial plan says of a number. To an agent: `fallback` takes the caller after `agent_wait_s`. To
    `hangup`: `sip_status` is what his phone is told. `rule` is what people call it, for the log."""

    target: Target
    priority: int = 0
    call_type: str = ""
    language: str = ""
    fallback: Target | None = None
    agent_wait_s: float | None = None
    sip_status: int = 403
    rule: str = ""
    record: RecordMode | Literal[""] = ""


class DialPlan(Protocol):
    """Which number leads where, and who is known by his address. Pure look-ups in memory."""

    def feature(self, number: str) -> tuple[Feature, str] | None:
        """The verb of a feature code, and the reason of a pause or the agent who logs in; None when the
        number is none."""

    def route(self, asked: Asked) -> Route | None:
        """The first route that takes the call."""

    def trace(self, asked: Asked, explain: Explain) -> Iterable[Step]:
        """The routes in their order up to that one, each with its reason."""

    def peer_of(self, address: str) -> str | None:
        """The peer that sends from this IP address."""


@dataclass(frozen=True, slots=True)
class Phone:
    """An extension: who may register as `number` (at most `max_contacts` places at once; None: as many as the
    registrar keeps), or where it always is (`contact`).

    `auto_answer`: it is told to answer calls of queues by itself.
    """

    number: str
    name: str = ""
    password: str = ""
    contact: Uri | None = None
    max_contacts: int | None = None
    auto_answer: bool = False
    voicemail: str = ""
    """The mailbox for callers whom nobody answers here within `voicemail_after_s`."""
    voicemail_after_s: float = 20.0
    record: RecordMode = "no"
    supervises: tuple[str, ...] = ()
    """The queues whose talks may be listened to from here by codes; `EVERY_QUEUE`: all talks."""
    srtp: SrtpPolicy | None = None
    """Whether its audio is encrypted; None: as `Settings.srtp` says."""
    codecs: tuple[Codec, ...] = ()
    """What it is offered; empty: what all are."""
    endpoint: Endpoint = "auto"


@dataclass(frozen=True, slots=True)
class AgentCare:
    """How calls reach an agent.

    `outside` is his phone that is none of ours, `peer:NAME/NUMBER` ("": he has none); calls to it must be
    accepted by a key if `confirm`. `pin` is asked for when he logs in at a phone that is not his own.
    `auto_answer`: his phone is told to answer calls of queues by itself. `name` is for displays.
    """

    outside: str = ""
    confirm: bool = True
    auto_answer: bool = False
    pin: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """A PBX or carrier, trusted by its addresses. `target`: where calls to it go; `max_calls`: both ways;
    `data`: whether it may be told what is known of callers; `srtp` as of a Phone; `codecs`: what it is
    offered, empty: what all are."""

    name: str
    target: Uri | None = None
    max_calls: int | None = None
    data: bool = False
    srtp: SrtpPolicy | None = None
    codecs: tuple[Codec, ...] = ()
    endpoint: Endpoint = "auto"

    def number(self, number: str) -> Uri:
        """The URI of a number behind this peer. Raises LocalError when it has no target."""
        if self.target is None:
            raise LocalError(f"peer {self.name!r} has no target to call; set peers.{self.name}.target")
        return msgspec.structs.replace(self.target, user=number)


@dataclass(frozen=True, slots=True)
class CallbackCare:
    """How callers of a queue are called back.

    `key` takes the offer, which is made after `offer_s` (and again every `offer_every_s`). `via` is the peer
    through which numbers are dialled ("": our own extensions only); `caller_id` what they are shown.
    `first`: who is called first. `ring_s`: how long the number rings; `attempts` and `retry_s` as the
    distributor has them.
    """

    key: str = ""
    offer_s: float | None = None
    offer_every_s: float | None = None
    first: Literal["agent", "caller"] = "agent"
    via: str = ""
    caller_id: str = ""
    ring_s: float = 25.0
    attempts: int = 3
    retry_s: float = 300.0


@dataclass(frozen=True, slots=True)
class QueueCare:
    """What callers of a queue hear, and where they go when nobody serves them, by reason.

    Who finds no target there is told to try later. `whisper` is what the agent hears before he is connected,
    `display` the template of what his phone shows (see `softswitch.call.whisper`).
    """

    music: tuple[str, ...]
    overflow: Mapping[str, Target] = field(default_factory=dict)
    record: RecordMode = "no"
    short_abandon_s: float = 5.0
    whisper: Whisper | None = None
    display: str = "{call_type}: {caller}"
    estimate: bool = True
    then: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    """By reason: who takes him, one after the other, if the overflow cannot be reached or does not answer."""
    agent_wait_s: float = 20.0
    callback: CallbackCare | None = None
    last_agent_within_s: float | None = None
    announce_recording: bool = True


@dataclass(frozen=True, slots=True)
class ConferenceCare:
    """A conference room. Who enters `moderator_pin` is a moderator; `pin` is for the others ("": they need
    none). `beep`: all hear when somebody comes and goes; `music` is what who is alone hears."""

    pin: str = ""
    moderator_pin: str = ""
    max_members: int = 50
    beep: bool = True
    music: tuple[str, ...] = ()
    record: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. `clip` turns a prompt into the path of its sound file; `phrases` are what the switch
    itself says (`softswitch.system_prompts`), `phrases_in` the same in other languages. `agent_queues` are
    the first queues of the agents."""

    plan: DialPlan
    phones: Mapping[str, Phone]
    peers: Mapping[str, Peer]
    queues: Mapping[str, QueueCare]
    flows: Mapping[str, Flow]
    phrases: Mapping[str, Prompt]
    clip: Callable[[Prompt], str]
    music: tuple[str, ...]
    guests: bool = False
    max_calls: int = 2000
    ring_s: float = 30.0
    recordings: str = ""
    taping: TapingCare = field(default_factory=TapingCare)
    codecs: tuple[Codec, ...] = (PCMU, PCMA)
    comfort_noise: bool = False
    srtp: SrtpPolicy = "off"
    srtp_suites: tuple[Suite, ...] = SUITES
    inner_address: str = "127.0.0.1"
    """Where the engine's ports are reached from this machine."""
    statuses: Statuses = field(default_factory=Statuses)
    phrases_in: Mapping[str, Mapping[str, Prompt]] = field(default_factory=dict)
    agent_queues: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[str, AgentCare] = field(default_factory=dict)
    wrapup_extra_s: float = 60.0
    link_address: str = ""
    """Where one media worker reaches another on this machine; "": where callers reach it."""
    add_code: str = ""
    """What is pressed in a talk before a number and the hash key, to add a third party; "": nothing is."""
    clients: Clients | None = None
    """For whom we answer; None: for ourselves."""
    world: World | None = None
    """What conditions of menus and routes know besides the call; None: nothing."""
    mailboxes: Mapping[str, Box] = field(default_factory=dict)
    voicemail: VoicemailCare = field(default_factory=VoicemailCare)
    conferences: Mapping[str, ConferenceCare] = field(default_factory=dict)
    language: str = "en"
    """In which the switch speaks where nothing says otherwise."""
    utc_offset_s: Callable[[float], float] = lambda at: 0.0
    """How far the local time is ahead of UTC at a moment in epoch seconds."""

    ears: tuple[str, ...] = ()
    """The sockets of the recognisers of speech; none: nobody listens to callers."""

    def srtp_of(self, who: Phone | Peer | None) -> SrtpPolicy:
        """Whether audio with a phone or a peer (None: with anybody else) is encrypted."""
        return (who.srtp if who is not None else None) or self.srtp

    def has(self, target: Target) -> bool:
        """Whether the target is (still) configured; callers in a menu that a reload has changed go by the old
        one. An agent needs a queue to wait in. Extensions are not looked at: who calls one hears why not."""
        named: Mapping[str, Container[str]] = {
            "flow": self.flows, "queue": self.queues, "agent": self.agents, "peer": self.peers,
            "voicemail": self.mailboxes, "conference": self.conferences,
        }  # fmt: skip
        if target.kind == "agent" and self.queue_of(target) not in self.queues:
            return False
        return target.kind not in named or target.name in named[target.kind]

    def codecs_of(self, kind: str, name: str) -> tuple[Codec, ...]:
        """What is spoken with an `extension`, a `peer` or anybody else, the preferred codec first."""
        known: Mapping[str, Mapping[str, Phone | Peer]] = {"extension": self.phones, "peer": self.peers}
        one = known.get(kind, {}).get(name)
        return (one.codecs if one is not None else ()) or self.codecs

    def endpoint_of(self, kind: str, name: str) -> Endpoint:
        """Who speaks with an `extension`, a `peer` or anybody else: the engine (`rtp`), a pjsua2 process, or
        that only where the engine lacks the codec (`auto`)."""
        known: Mapping[str, Mapping[str, Phone | Peer]] = {"extension": self.phones, "peer": self.peers}
        one = known.get(kind, {}).get(name)
        return one.endpoint if one is not None else "auto"

    def queue_of(self, target: Target) -> str:
        """The queue of those who wait for this agent; empty: he has none."""
        return target.number or self.agent_queues.get(target.name, "")

    def say(self, phrase: str, language: str = "") -> tuple[str, ...]:
        """The clip of a phrase of the switch's own, in the language, or its region-less form, or ours."""
        found = self.phrases_in.get(language) or self.phrases_in.get(language.partition("-")[0])
        prompt = (found or self.phrases).get(phrase)
        return (self.clip(prompt),) if prompt is not None else ()
