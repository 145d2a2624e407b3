"""The dial plan: a dialled number and who dials it, to a target. A pure function of the settings."""

from __future__ import annotations

from softswitch.call.identity import Identity
from softswitch.call.settings import Route, Settings, Target
from softswitch.errors import PeerError


def route(settings: Settings, number: str, identity: Identity) -> Route:
    """Where the call goes: feature codes, then routes in their order, then extensions. Raises PeerError.

    Strangers reach only the routes that are open to guests; for all else they hear the same 404 as for a
    number that does not exist, so that scanning tells them nothing.
    """
    stranger = identity.kind == "guest"
    if not stranger:
        for code, feature in settings.features.items():
            if number.startswith(code) and identity.kind == "extension":
                return Route(code, Target("feature", feature, number[len(code) :]))
    for candidate in settings.routes:
        if candidate.matches(number) and (candidate.guests or not stranger):
            return candidate
    if number in settings.phones and not stranger:
        return Route(number, Target("extension", number))
    raise PeerError(404, "Not Found")
