"""Legs of a process that has died, made again of what was kept of them and of what their media worker knows.

Invariant: a leg that is resumed is found by whatever its phone sends; what cannot be read is a LocalError.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from media import messages as m
from softswitch.call.hub import Hub
from softswitch.call.kept import KeptInvite, KeptLeg, KeptRing
from softswitch.call.leg import Leg, LegState
from softswitch.call.media import Audio
from softswitch.errors import LocalError, PeerError
from softswitch.sdp.crypto import Srtp
from softswitch.sip.dialog import Dialog
from softswitch.sip.message import Headers, Request
from softswitch.sip.uri import Uri


def resume_ring(hub: Hub, kept: KeptRing, call: str) -> Leg:
    """The leg of a phone that rings, to be hung up. Raises LocalError when it cannot be read."""
    try:
        if kept.dialog is None:
            return _resume_invite(hub, kept, LegState.CALLING, call)
        leg = _leg_of(kept, LegState.CONFIRMED, call)
        leg.dialog = Dialog.resumed(kept.dialog)
    except PeerError as error:
        raise LocalError(f"a phone that rings for it cannot be read: {error.reason}") from error
    hub.ua.ep.add_dialog(leg.dialog.key, leg)
    return leg


def resume_unanswered(hub: Hub, kept: KeptInvite, call: str) -> Leg:
    """The leg of a caller who was not answered, to be refused. Raises LocalError when it cannot be read."""
    try:
        return _resume_invite(hub, kept, LegState.INCOMING, call)
    except PeerError as error:
        raise LocalError(f"the INVITE of its caller cannot be read: {error.reason}") from error


def _resume_invite(hub: Hub, kept: KeptInvite, state: LegState, call: str) -> Leg:
    leg = _leg_of(kept, state, call)
    hub.ua.go_on(leg)
    return leg


def _leg_of(kept: KeptInvite, state: LegState, call: str) -> Leg:
    invite = Request("INVITE", Uri.parse(kept.uri), Headers(kept.headers))
    flow = replace(kept.flow, connection=0)  # the connections of that process are gone with it
    direction: Literal["in", "out"] = "in" if state is LegState.INCOMING else "out"
    return Leg(kept.id, direction, invite, flow, state, kept.local_tag, call)


def is_readable(kept: KeptLeg) -> bool:
    """Whether `resume_leg` can make a leg of it."""
    try:
        Dialog.resumed(kept.dialog)
    except PeerError:
        return False
    return True


def resume_leg(hub: Hub, kept: KeptLeg, call: str, found: m.Rejoined | None = None) -> Leg:
    """The leg, where it is found by what its phone sends; `found` is what its worker has of it, unless it is
    only to be ended. Raises LocalError when it cannot be read."""
    try:
        dialog = Dialog.resumed(kept.dialog)
    except PeerError as error:
        raise LocalError(f"its dialog cannot be read: {error.reason}") from error
    headers = [("Call-ID", kept.dialog.call_id)]
    if kept.record.user_agent:
        headers.append(("User-Agent", kept.record.user_agent))
    invite = Request("INVITE", Uri("sip", kept.user or None, None, "kept.invalid"), Headers(headers))
    flow = replace(kept.flow, connection=0)
    leg = Leg(kept.id, kept.direction, invite, flow, LegState.CONFIRMED, kept.local_tag, call)
    leg.dialog = dialog
    codecs = kept.local.codecs if kept.local is not None else ()
    leg.srtp = kept.srtp
    leg.audio = Audio(
        kept.worker, codecs, local=kept.local, sent=kept.sent, agreed=kept.agreed, play=kept.play
    )
    if found is not None:
        _take_secrets(leg.audio, found.keys.get(kept.facing), found.ice.get(kept.id))
    leg.audio.held = kept.agreed.held if kept.agreed is not None else False
    leg.audio.latched = True
    hub.ua.ep.add_dialog(dialog.key, leg)
    if flow.reliable:
        hub.ua.ep.reconnect(flow)
    return leg


def _take_secrets(audio: Audio, keys: m.SrtpKeys | None, ice: m.IceCredentials | None) -> None:
    """What its worker knows of the leg, and the disk does not."""
    local, agreed = audio.local, audio.agreed
    if keys is not None and agreed is not None:
        srtp = Srtp(keys.suite, keys.inbound, keys.outbound, keys.lifetime)
        audio.agreed = replace(agreed, srtp=srtp)
    if ice is not None and local is not None and local.browser is not None:
        audio.ice = ice
        browser = replace(local.browser, ufrag=ice.ufrag, password=ice.password)
        audio.local = replace(local, browser=browser)
