"""The sections of the configuration that describe the call centre: phones, agents, queues, menus, routes,
peers.

Invariant: as in `sections`. What one section says about another is checked in `checks`, not here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, Strict, model_validator

from acd.strategies import BUILT_IN as STRATEGIES
from ivr.condition import Condition
from softswitch.config.agent_fields import OutsidePhone, Pin, Template, Whisper
from softswitch.config.fields import (
    CodecNames,
    Digits,
    FilePath,
    FlowName,
    Name,
    Networks,
    NodeField,
    Number,
    OptionalLanguageTag,
    OptionalNumber,
    Seconds,
    SecondsOrZero,
    Section,
    SipUri,
    TargetField,
    Text,
)
from softswitch.config.recordings import OptionalRecord, Record
from softswitch.config.waiting import WaitingRules
from softswitch.sdp.crypto import SrtpPolicy

MAX_NUMBER = 64


class Extension(Section):
    """A phone: it registers with a password, or is reached at a fixed address."""

    name: Text = Field("", description="who is shown to the called party; the number if empty")
    password: SecretStr = Field(
        SecretStr(""), description="for digest authentication; the user name is the number"
    )
    contact: SipUri = Field(
        "",
        description="where it is reached without registering, such as `sip:192.0.2.7:5060`",
    )
    max_contacts: int = Field(
        3,
        ge=1,
        le=20,
        description="how many phones may be registered at once; one more takes the place of the one that "
        "registered longest ago",
    )
    auto_answer: bool = Field(
        False,
        description="whether the phone is told to answer calls of queues by itself (see docs/phones.md)",
    )
    voicemail: Name | Literal[""] = Field(
        "", description="the mailbox for callers whom nobody answers here, because it is busy, or not there"
    )
    voicemail_after_s: Annotated[float, Field(ge=5, le=120)] = Field(
        20.0, description="how long it rings before the mailbox takes the caller"
    )
    record: Record = Field(
        "no",
        description="which calls from and to it are recorded: `always`, `on-demand`, `no`; those of queues "
        "go by their queue",
    )
    supervises: Annotated[tuple[Name | Literal["*"], ...], Strict(False), Field(max_length=100)] = Field(
        (),
        description="the queues whose talks may be listened to from here by feature codes; `*` is every talk",
    )
    srtp: SrtpPolicy | None = Field(
        None, description="whether its audio is encrypted, as media.srtp, which counts if absent"
    )
    codecs: CodecNames = Field(
        (),
        description="codecs that it is offered, the preferred one first; those of `media.codecs` if absent",
    )
    endpoint: Literal["auto", "rtp", "pjsua2"] = Field(
        "auto",
        description="who speaks with it: the engine (`rtp`), a pjsua2 process (`pjsua2`), or that only where "
        "it offers no codec that the engine has (`auto`); see [codecs.md](codecs.md)",
    )


def _levels(value: Any) -> Any:
    """A list of queues is level 0 in each."""
    if isinstance(value, list | tuple):
        return {name if isinstance(name, str) else repr(name): 0 for name in value}
    return value


class Agent(Section):
    """Somebody who answers."""

    name: Text = Field("", description="the person's name, for displays; the agent's id if empty")
    extension: OptionalNumber = Field(
        "", description="the phone at which the agent usually works; without it, a phone is named at log-in"
    )
    queues: Annotated[dict[Name, Annotated[int, Field(ge=0, le=99)]], BeforeValidator(_levels)] = Field(
        {}, description="a list of queues, or a table queue -> level; level 0 is asked first"
    )
    skills: dict[Name, Annotated[int, Field(ge=1, le=99)]] = Field(
        {}, description="what the agent can do, skill -> level, such as `{ sales = 3 }`"
    )
    weight: Annotated[float, Field(gt=0, le=1000)] = Field(
        1.0, description="the agent's share of the calls where a strategy draws lots"
    )
    wrapup_s: SecondsOrZero | None = Field(
        None, description="the agent's own wrap-up time; that of the queue if absent"
    )
    number: Digits = Field(
        "",
        description="dialled after the log-in code at any phone: `*11` and `7` log in the agent of number 7",
    )
    pin: Pin = Field(
        SecretStr(""), description="asked for at log-ins by number at phones that are not the agent's own"
    )
    phone: OutsidePhone | None = Field(
        None,
        description="a phone outside, `peer:NAME/NUMBER`; without an extension, log-ins are there",
    )
    confirm: bool = Field(
        True,
        description="whether calls to `phone` are taken by the key 1 only, so that no mailbox can take them",
    )
    auto_answer: bool = Field(
        False, description="whether the phone that the agent uses is told to answer calls of queues by itself"
    )


class Queue(WaitingRules):
    """Where callers wait, and by which rules."""

    strategy: str = Field(
        "longest-idle",
        description=f"which agent gets the call: {', '.join(f'`{name}`' for name in STRATEGIES)}, or what a "
        "plug-in adds",
    )
    ring_s: Annotated[float, Field(ge=1, le=600)] = Field(20.0, description="how long an agent's phone rings")
    wrapup_s: SecondsOrZero = Field(10.0, description="time after a talk in which the agent gets no call")
    max_wait_s: Seconds | None = Field(None, description="longest wait; then the overflow takes the caller")
    max_length: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="longest line; who comes when it is full is taken by the overflow"
    )
    missed_limit: int = Field(
        3, ge=1, le=100, description="missed offers in a row after which the agent is paused"
    )
    offers_at_once: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="how many agents ring for one caller; what the strategy says if absent"
    )
    join_empty: Literal["yes", "no"] = Field(
        "yes", description="whether callers may enter while no agent is logged in"
    )
    leave_empty: bool = Field(False, description="whether waiting callers leave when the last agent logs out")
    weight: Annotated[float, Field(gt=0, le=1000)] = Field(
        1.0, description="factor on the waiting time when an agent of several queues becomes free"
    )
    announce_first_s: Annotated[float, Field(ge=1, le=86_400)] | None = Field(
        None,
        description="when a caller hears his position for the first time; as announce_position_s if absent",
    )
    announce_position_s: Annotated[float, Field(ge=1, le=86_400)] | None = Field(
        None, description="how often a caller hears his position; never if absent"
    )
    overflow: TargetField | None = Field(
        None, description="where callers go who are not served; the call ends if absent"
    )
    overflow_timeout: TargetField | None = Field(
        None,
        description="the same, after max_wait_s only. Queues may lead into one another this way: the caller "
        "goes round until he has been sent on 30 times, then the call ends",
    )
    overflow_full: TargetField | None = Field(None, description="the same, when the line is full only")
    overflow_empty: TargetField | None = Field(None, description="the same, when no agent is logged in only")
    music: FilePath | None = Field(
        None, description="music of this queue, a WAV file; that of [prompts] if absent"
    )
    record: Record = Field(
        "no",
        description="which conversations are recorded: `always` (or true), `on-demand` by the agent's keys, "
        "`no` (or false): by an administrator's order only",
    )
    announce_recording: bool = Field(
        True, description="whether callers of this queue hear recordings.announce before they are recorded"
    )
    whisper: Whisper = Field(
        (),
        description="what the agent alone hears when he picks up, before he is connected; any key skips it. "
        "`beep` is a tone, a text may hold {call_type}, {queue} and {caller} (read digit by digit)",
    )
    display: Template = Field(
        "{call_type}: {caller}",
        description="what the agent's phone displays: {call_type}, {queue}, {caller} (name, else number), "
        "{client}",
    )
    service_level_s: Seconds = Field(
        20.0, description="a call answered within this time is within the service level"
    )
    short_abandon_s: SecondsOrZero = Field(5.0, description="who hangs up before is counted apart in reports")


class FlowConfig(Section):
    """A voice menu: nodes, and the one it starts at."""

    start: str = Field(description="the first node")
    language: OptionalLanguageTag = Field(
        "", description="language of the texts; that of the whole if absent"
    )
    nodes: Annotated[dict[FlowName, NodeField], Field(min_length=1)] = Field(description="the nodes, by name")


class Route(Section):
    """Which number leads where; the first route that fits takes the call."""

    name: Text = Field("", description="what it is called in the log and by `cc route try`")
    number: Number = Field(
        "*",
        description="the dialled number, in any form that means the same; `*` as the last character stands "
        "for any rest, alone for every number. Not a pattern of Asterisk's: `8*`, not `_8XX`",
    )
    when: Condition | None = Field(
        None,
        description='what else must hold, such as `{ list = "vip", calendar = "office" }`: '
        "see docs/routing.md; nothing if absent",
    )
    to: TargetField = Field(
        description="`flow:`, `queue:`, `extension:`, `agent:` or `peer:` with a name; `agent:NAME/QUEUE`; "
        "`peer:NAME/NUMBER`; or `hangup`, which refuses the call"
    )
    sip_status: Literal[403, 404, 410, 480, 486, 488, 500, 503, 600, 603, 604] = Field(
        403, description="for `hangup`: what the caller's phone is told; 486 is busy, 603 declined"
    )
    guests: bool = Field(False, description="whether callers without an account may use it")
    peers: Annotated[tuple[Name, ...], Strict(False)] = Field(
        (),
        description="only calls that come from these peers; calls from anywhere if empty, with one "
        "exception: to a `peer:`, calls that come from peers are let through only if these are named here",
    )
    priority: int = Field(0, ge=-1000, le=1000, description="priority in the queue that it leads to")
    call_type: str = Field(
        "", max_length=MAX_NUMBER * 2, description="what the agent is shown, if no menu says otherwise"
    )
    language: OptionalLanguageTag = Field(
        "", description="the caller's language for announcements, if no menu says otherwise"
    )
    fallback: TargetField | None = Field(
        None,
        description="for `agent:NAME`: where the call goes if he does not take it; "
        "the queue of the target, or his first one, if absent",
    )
    agent_wait_s: Seconds | None = Field(
        None, description="for `agent:NAME`: how long the call waits for him; that of the queue if absent"
    )
    record: OptionalRecord = Field(
        "",
        description="which of its calls are recorded, whatever queue or extension says: `always`, "
        "`on-demand`, `no`, or `never`: by no order either; as these say if absent",
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if "number" not in self.model_fields_set and not (self.when is not None and self.when.root):
            raise ValueError(
                'a route needs a number, a condition (when), or both; number = "*" is every number'
            )
        return self


class Peer(Section):
    """Another switch: a PBX or a carrier, trusted by the address that its messages come from."""

    address: Networks = Field(description="IP addresses or networks that its calls come from, one or a list")
    target: SipUri = Field("", description="where calls to it are sent, such as `sip:192.0.2.10:5060`")
    max_calls: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="calls at once, in and out together; no limit of its own if absent"
    )
    data: bool = Field(
        False,
        description="whether calls to its phones (of agents outside) carry what is known of the caller, as "
        "headers `X-Queue`, `X-CC-NAME` ...: for a PBX of your own, not for a carrier",
    )
    srtp: SrtpPolicy | None = Field(
        None, description="whether audio to and from it is encrypted, as media.srtp, which counts if absent"
    )
    codecs: CodecNames = Field(
        (),
        description="codecs that it is offered, the preferred one first; those of `media.codecs` if absent",
    )
    endpoint: Literal["auto", "rtp", "pjsua2"] = Field(
        "auto",
        description="who speaks with it: the engine (`rtp`), a pjsua2 process (`pjsua2`), or that only where "
        "it offers no codec that the engine has (`auto`); see [codecs.md](codecs.md)",
    )
