"""Dialogs whose connection is gone go on by the one over which their phone has registered anew: without that,
a phone that speaks TLS, one behind NAT, and any browser, could not be told that its call is over.

Invariant: only the extension that a leg belongs to, which has proven its password, draws the leg to itself;
of several phones of one extension only the one that has the address of the leg's dialog.
"""

from __future__ import annotations

from softswitch.call.hub import Hub
from softswitch.call.leg import Leg
from softswitch.sip.flow import Flow
from softswitch.sip.uri import Uri


def follow(hub: Hub, number: str, flow: Flow, now: float) -> None:
    """The extension has registered by this connection."""
    stranded = tuple(hub.ua.ep.stranded.values())
    if not stranded:  # as nearly always
        return
    bindings = hub.identities.registrar.bindings(number, now)
    contacts, alone = [one.contact for one in bindings if one.flow == flow], len(bindings) == 1
    for leg in stranded:
        if leg.flow.transport != flow.transport or _extension(hub, leg) != number or leg.dialog is None:
            continue
        target = leg.dialog.remote_target
        if contacts and (alone or any(_same(target, contact) for contact in contacts)):
            hub.ua.ep.reached_by(leg, flow)


def _same(one: Uri, other: Uri) -> bool:
    return (one.user, one.host, one.port) == (other.user, other.host, other.port)


def _extension(hub: Hub, leg: Leg) -> str:
    """Whose phone it is; empty: none of ours."""
    call = hub.call_of(leg)
    if call is None:
        return ""
    if leg is call.leg:
        return call.identity.name if call.identity.kind == "extension" else ""
    return call.partner_phone if leg is call.partner else ""
