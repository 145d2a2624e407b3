"""A call as it is kept for another process: enough to go on with it, or at least to end it properly at its
phones.

Invariant: nothing here is a secret. Of the INVITE nothing is kept but who sent it with what. Keys (SRTP) and
passwords (ICE) are taken out of what is kept: the media worker has them, and gives them to who takes it over.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from acd.messages import LeaveQueue
from acd.restart import GoingOn, StillWaiting
from ivr.standing import Standing
from softswitch.call.call import Call, OwnPart, Stage
from softswitch.call.hub import Hub
from softswitch.call.identity import Identity
from softswitch.call.leg import Leg, LegState
from softswitch.call.record import CallRecord, LegRecord
from softswitch.call.settings import Target
from softswitch.call.story import Stretch
from softswitch.call.tape import RecordMode, Tape
from softswitch.sdp.crypto import SrtpPolicy
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import LocalMedia, Negotiated
from softswitch.sip.dialog import DialogState
from softswitch.sip.flow import Flow
from softswitch.sip.message import Request

_SECRETS = ("crypto", "ice-pwd")
_OF_INVITE = frozenset(("Via", "Route", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact"))


class KeptFront(Struct, frozen=True):
    """The `leg` in the engine that faces the phone, and the port of the call's own leg, to which a pjsua2
    process spoke (`softswitch.call.terminating`)."""

    leg: int
    port: int


class KeptLeg(Struct, frozen=True):
    """A leg whose session is on. `user`: whom the INVITE was for; `record`: what is told of it so far.
    Without `agreed` it is only to be ended. `encrypted`: there are keys, which its worker must have."""

    id: int
    direction: Literal["in", "out"]
    local_tag: str
    flow: Flow
    dialog: DialogState
    user: str
    record: LegRecord
    worker: int
    local: LocalMedia | None
    sent: SessionDescription | None
    agreed: Negotiated | None
    play: int = 0
    srtp: SrtpPolicy = "off"
    encrypted: bool = False
    front: KeptFront | None = None

    @property
    def facing(self) -> int:
        """The leg in the engine that faces its phone."""
        return self.front.leg if self.front is not None else self.id


class KeptTaping(Struct, frozen=True):
    """How the talk is recorded, as of `softswitch.call.tape.Taping`; `tape` is the one that runs."""

    mode: RecordMode
    number: int
    count: int
    paused: bool
    announced: bool
    steered_by: tuple[int, ...]
    tape: Tape | None = None


class KeptCourse(Struct, frozen=True):
    """How a call that could go on has gone so far, as of `softswitch.call.call.Call`; targets are written as
    in the configuration, "" for none."""

    since: float
    record: CallRecord
    since_of: dict[Stretch, float]
    """When the stretches began that run now."""
    identity: Identity
    target: str
    own_call_of: dict[str, OwnPart] = {}
    channels: tuple[str, ...] = ()
    language: str = ""
    client: str = ""
    priority: int = 0
    hops: int = 0
    digits: int = 0
    overflowed: bool = False
    waited_since: float | None = None
    fallback: str = ""
    agent_wait_s: float | None = None
    then: tuple[str, ...] = ()
    came_from: tuple[str, float] | None = None
    recorded: RecordMode | Literal[""] = ""
    carried: dict[str, str] = {}


class KeptTalk(Struct, frozen=True):
    """The conversation. `agent` is "" when no agent of a queue is on it, `talk` is the distributor's part."""

    partner: KeptLeg
    agent: str
    talk: GoingOn | None
    taping: KeptTaping | None
    held: tuple[int, ...]
    phone: str = ""
    """The extension that he talks with, if it is one of ours."""
    peer: str = ""
    """The peer behind whom he talks with somebody."""


class KeptGuest(Struct, frozen=True):
    """A supervisor (`mode`), or a third party (`who`), in the talk of the call `host`; `name` is what the log
    calls him."""

    host: str
    name: str
    by: str
    since: float
    mode: Literal["", "listen", "whisper", "barge"] = ""
    who: Target | None = None


class KeptLink(Struct, frozen=True):
    """The legs of a link, as of `softswitch.call.links.Link`; `worker` is that of the far one."""

    near: int
    far: int
    worker: int


class KeptMember(Struct, frozen=True):
    """A member of a conference, as of `softswitch.call.conferences.Member`, and the conference as it is: its
    `room` on the worker, and the `tape` that runs, with its number."""

    conference: str
    room: int
    began: float
    locked: bool
    since: float
    moderator: bool
    muted: bool
    muted_by: str
    gain_db: float
    recording: int = 0
    tape: Tape | None = None
    link: KeptLink | None = None


class KeptInvite(Struct, frozen=True):
    """An INVITE that has no final response yet. `headers`: what a response, CANCEL or ACK needs of it."""

    id: int
    flow: Flow
    local_tag: str
    uri: str
    headers: tuple[tuple[str, str], ...]


class KeptRing(KeptInvite, frozen=True):
    """A phone that rings for the call, or (`dialog`) whose agent has picked up and is not connected yet: what
    is needed to stop it."""

    phone: str
    dialog: DialogState | None = None


class KeptAnew(Struct, frozen=True):
    """What begins anew, as nothing that was typed in or said is kept: what being sent to `target` leads to (a
    mailbox, a PIN, the announcement of a conference), or the question where he is to be called back, after he
    has `left` the queue. One of the two is there."""

    stage: Stage
    target: Target | None = None
    left: LeaveQueue | None = None


class KeptCall(Struct, frozen=True):
    """A call. It could go on as a conversation (`talk`), in a menu (`menu`), in a queue (`wait`), in a
    conference (`member`), in the talk of others (`guest`), or with what is to begin `anew`; with none of
    these it is only to be ended, at the phone that he talks with too (`other`). `caller` is None where we
    call him, and where he was not answered yet (`unanswered`)."""

    id: str
    caller: KeptLeg | None = None
    course: KeptCourse | None = None
    talk: KeptTalk | None = None
    menu: Standing | None = None
    wait: StillWaiting | None = None
    member: KeptMember | None = None
    guest: KeptGuest | None = None
    anew: KeptAnew | None = None
    ringing: tuple[KeptRing, ...] = ()
    other: KeptLeg | None = None
    unanswered: KeptInvite | None = None

    @property
    def legs(self) -> tuple[KeptLeg, ...]:
        """Those whose session is on, the caller's first."""
        partner = self.talk.partner if self.talk is not None else self.other
        return tuple(leg for leg in (self.caller, partner) if leg is not None)


# ----- what a call is


def keep(hub: Hub, call: Call, tape: Tape | None, place: KeptMember | KeptGuest | None) -> KeptCall | None:
    """The call as it is now, with its `place` among others; None where no phone could even be told that it is
    over."""
    caller = _leg(hub, call, call.leg)
    rings = [(one.phone, leg) for one in call.attempts.values() for leg in one.legs.values()]
    ringing = tuple(ring for phone, leg in rings if (ring := _ring(hub, phone, leg)) is not None)
    partner = _leg(hub, call, call.partner) if call.partner is not None else None
    if caller is None:
        unanswered = _invite(call.leg.invite, call.leg) if call.leg.state is LegState.INCOMING else None
        told = ringing or partner is not None or unanswered is not None
        return KeptCall(call.id, ringing=ringing, other=partner, unanswered=unanswered) if told else None
    stands_in = call.is_made_by_us and not call.reached
    if caller.agreed is None or stands_in or (partner is not None and partner.agreed is None):
        return KeptCall(call.id, caller, ringing=ringing, other=partner)
    talk = _talk(hub, call, partner, tape) if partner is not None else None
    session = call.session
    menu = session.standing if call.stage is Stage.MENU and session is not None and not session.done else None
    wait = hub.acd.still_waiting(call.id) if call.stage is Stage.QUEUE else None
    member, guest = (place, None) if isinstance(place, KeptMember) else (None, place)
    anew = _anew(call) if place is None else None
    lives = any(one is not None for one in (talk, menu, wait, place, anew))
    course = _course(call) if lives else None
    return KeptCall(call.id, caller, course, talk, menu, wait, member, guest, anew, ringing)


def _anew(call: Call) -> KeptAnew | None:
    target, left = call.sent_to, call.asking.left if call.asking is not None else None
    if call.stage is Stage.MENU and left is not None:
        return KeptAnew(call.stage, left=left)
    if target is None:
        return None
    enters = call.stage is Stage.ROOM and target.kind == "conference"
    return KeptAnew(call.stage, target) if enters or call.stage in (Stage.PIN, Stage.MAILBOX) else None


def _course(call: Call) -> KeptCourse:
    return KeptCourse(
        call.since,
        call.story.record(),
        call.story.running,
        call.identity,
        str(call.target),
        dict(call.own_call_of),
        tuple(call.channels),
        call.language,
        call.client,
        call.priority,
        call.hops,
        call.digits,
        call.overflowed,
        call.waited_since,
        str(call.fallback or ""),
        call.agent_wait_s,
        tuple(map(str, call.then)),
        call.came_from,
        call.record,
        {name: value for name, value in call.carried.items() if name not in call.secrets},
    )


def _ring(hub: Hub, phone: str, leg: Leg) -> KeptRing | None:
    invite = hub.ua.sent_invite(leg)
    if invite is None:
        return None
    kept, dialog = _invite(invite, leg), leg.dialog.state() if leg.dialog is not None else None
    return KeptRing(kept.id, kept.flow, kept.local_tag, kept.uri, kept.headers, phone, dialog)


def _invite(invite: Request, leg: Leg) -> KeptInvite:
    headers = tuple(pair for pair in invite.headers if pair[0] in _OF_INVITE)
    uri = replace(invite.uri, password=None)
    return KeptInvite(leg.id, leg.flow, leg.local_tag, str(uri), headers)


def _talk(hub: Hub, call: Call, partner: KeptLeg, tape: Tape | None) -> KeptTalk | None:
    if call.stage is not Stage.TALK:
        return None
    taping = call.taping
    return KeptTalk(
        partner,
        call.agent,
        hub.acd.going_on(call.id) if call.agent else None,
        KeptTaping(
            taping.mode, taping.number, taping.count, taping.paused, taping.announced, taping.steered_by, tape
        )
        if taping is not None
        else None,
        tuple(call.held),
        call.partner_phone,
        call.partner_peer,
    )


def _leg(hub: Hub, call: Call, leg: Leg) -> KeptLeg | None:
    audio, record = leg.audio, call.story.record_of(leg)
    if leg.state is not LegState.CONFIRMED or leg.dialog is None or audio is None or record is None:
        return None
    agreed, local = audio.agreed, audio.local
    if agreed is None or local is None:
        local = sent = agreed = None
    else:
        browser = replace(local.browser, password="") if local.browser is not None else None
        local = replace(local, browser=browser, srtp="off", crypto=(), srtp_in_use=None)
        sent = _without_secrets(audio.sent) if audio.sent is not None else None
    return KeptLeg(
        leg.id,
        leg.direction,
        leg.local_tag,
        leg.flow,
        leg.dialog.state(),
        leg.invite.uri.user or "",
        record,
        audio.worker,
        local,
        sent,
        replace(agreed, srtp=None) if agreed is not None else None,
        audio.play,
        leg.srtp,
        agreed is not None and agreed.srtp is not None,
        hub.terminating.kept(leg),
    )


def _without_secrets(sent: SessionDescription) -> SessionDescription:
    """A description of ours without keys of SRTP (RFC 4568) and without our ICE password."""
    media = (
        replace(one, attributes=tuple(pair for pair in one.attributes if pair[0] not in _SECRETS))
        for one in sent.media
    )
    return replace(sent, media=tuple(media))
