"""From the transaction layer's outputs, those that go to the wire."""

from __future__ import annotations

from collections.abc import Iterable

from softswitch.call.events import LegOutput
from softswitch.sip.outputs import Output, Send


def sends(outputs: Iterable[Output]) -> list[LegOutput]:
    """What a command of ours makes the layer send; a command gives nothing else that a leg must see."""
    return [output for output in outputs if isinstance(output, Send)]
