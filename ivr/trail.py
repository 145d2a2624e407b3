"""The ways back of one walk: `@back` to the menu before, `@return` to the flow that called this one.

Invariant: a place that is gone back to is no longer ahead: going to a menu that is on the trail shortens it
to there, and who comes back from a flow that was called forgets the menus inside it. Calls are at most
MAX_CALLS deep.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Place = tuple[str, str]
"""(flow, node)"""


@dataclass(frozen=True, slots=True)
class Call:
    """A flow was called by `flow` and leads to its target `then`; the language in force was `before`, and
    `during` is that of the flow that was called.
    """

    flow: str
    then: str
    before: str = ""
    during: str = ""


MAX_CALLS = 16


class Trail:
    """Where the caller came from."""

    __slots__ = ("_calls", "_menus")

    def __init__(self, menus: Iterable[tuple[Place, int]] = (), calls: Iterable[Call] = ()) -> None:
        """As `menus` and `calls` of another trail tell it."""
        self._menus = list(menus)
        self._calls = list(calls)

    @property
    def menus(self) -> tuple[tuple[Place, int], ...]:
        """The menus that were left, and how many calls deep each is."""
        return tuple(self._menus)

    @property
    def calls(self) -> tuple[Call, ...]:
        """The flows that were called and are not over, the outermost first."""
        return tuple(self._calls)

    def went(self, here: Place, there: Place, *, is_menu: bool) -> None:
        """From here, a menu perhaps, to there."""
        menus = [menu for menu, _ in self._menus]
        if is_menu and here not in menus:
            self._menus.append((here, len(self._calls)))
            menus.append(here)
        if there in menus:
            del self._menus[menus.index(there) :]

    def back(self) -> tuple[Place | None, list[Call]]:
        """The menu before (None: there is none), and the calls that are left for it, the outermost first."""
        if not self._menus:
            return None, []
        place, depth = self._menus.pop()
        left = self._calls[depth:]
        del self._calls[depth:]
        return place, left

    def call(self, call: Call) -> bool:
        """Another flow is called. False: too deep."""
        if len(self._calls) >= MAX_CALLS:
            return False
        self._calls.append(call)
        return True

    def over(self) -> Call | None:
        """The flow that was called is over; None if none was called."""
        if not self._calls:
            return None
        call = self._calls.pop()
        self._menus = [menu for menu in self._menus if menu[1] <= len(self._calls)]
        return call
