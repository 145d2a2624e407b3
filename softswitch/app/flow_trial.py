"""What a caller in a flow would find, without a switch that runs: his attributes, the calendars, the queues
as they are when nobody has logged in.

Invariant: reads the configuration only; nothing is asked, called or written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from acd.dispatcher import Acd
from ivr.condition import Look
from ivr.session import Session
from softswitch import plugins
from softswitch.app.settings import make_settings
from softswitch.call.attributes import Facts, look
from softswitch.call.call import Call
from softswitch.call.hub import Hub
from softswitch.call.settings import Settings
from softswitch.config import Config


@dataclass(frozen=True, slots=True)
class _Centre:
    """As much of a `Hub` as attributes read."""

    settings: Settings
    acd: Acd
    calls: Mapping[str, Call] = field(default_factory=dict)


def trial(config: Config, flow: str, facts: Facts, given: Mapping[str, str]) -> Session:
    """A walk through the flow as a caller with these facts would have it. `given` are variables and
    attributes by name; they go before what is found.
    """
    settings = make_settings(config, Path())
    acd = Acd(config.acd_queues(), config.acd_agents(), plugins.strategies(), rules=config.acd_rules())
    hub = cast(Hub, _Centre(settings, acd))
    variables = {
        "caller": str(look(facts, hub, "caller") or ""),
        "number": facts.number,
        "status": facts.status,
        "language": facts.language or config.language,
    }
    return Session(config.menus, flow, variables | dict(given), _look(facts, hub, given), config.world)


def _look(facts: Facts, hub: Hub, given: Mapping[str, str]) -> Look:
    return lambda name: given[name] if name in given else look(facts, hub, name)
