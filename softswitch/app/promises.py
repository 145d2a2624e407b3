"""The promises to call back as administrators see them: `softswitch.api.callbacks.Promises` over the running
switch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from softswitch.call.events import Effect
from softswitch.call.promises import Promise
from softswitch.call.switch import Switch

Give = Callable[[Callable[[float], list[Effect]]], None]


class PromiseControl:
    """Snapshots and commands. `give` runs a command in the core and raises what it refuses."""

    def __init__(self, switch: Switch, give: Give) -> None:
        self._switch = switch
        self._give = give

    def promises(self) -> Sequence[Promise]:
        """All of them, those who wait the longest first."""
        return self._switch.promises()

    def cancel(self, number: str, by: str) -> None:
        """Take one back."""
        self._give(lambda now: self._switch.cancel_promise(number, by, now))
