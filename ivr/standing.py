"""Where a caller stands in his walk, written down, so that another process can go on with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ivr.trail import Call, Place


@dataclass(frozen=True, slots=True)
class Standing:
    """The walk began in the flow `start`; `steps` nodes were entered, the last one is `node` of `flow`.

    Nothing here is secret, or was made of it: once something secret was typed in, `node` is empty, and the
    walk begins again.
    """

    start: str
    flow: str = ""
    node: str = ""
    steps: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    menus: tuple[tuple[Place, int], ...] = ()
    """The ways back, as of `ivr.trail.Trail`, and the flows that were called."""
    calls: tuple[Call, ...] = ()
