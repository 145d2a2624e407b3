"""Where a dialled number leads for this caller: a pure function of the settings."""

from __future__ import annotations

from softswitch.call.identity import Identity
from softswitch.call.settings import Route, Settings, Target
from softswitch.errors import PeerError


def route(settings: Settings, number: str, identity: Identity) -> Route:
    """Feature codes (for extensions), then the routes in their order, then extensions. Raises PeerError 404.

    Strangers reach only the routes that are open to guests; for all else they hear the same 404 as for a
    number that does not exist, so that scanning tells them nothing.
    """
    if identity.kind == "extension" and (feature := settings.plan.feature(number)) is not None:
        verb, reason = feature
        return Route(Target("feature", verb, reason))
    stranger = identity.kind == "guest"
    peer = identity.name if identity.kind == "peer" else None
    found = settings.plan.route(number, guest=stranger, peer=peer)
    if found is not None:
        return found
    if number in settings.phones and not stranger:
        return Route(Target("extension", number))
    raise PeerError(404, "Not Found")
