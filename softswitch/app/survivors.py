"""Which calls of a switch that has died go on: those that the media workers still carry, and that the
configuration still knows.

Invariant: it is decided once, before the log is closed behind the last run; whatever does not go on is closed
there, and ended at its phones.
"""

from __future__ import annotations

from collections.abc import Mapping

from media.messages import Rejoined
from softswitch.call.kept import KeptCall
from softswitch.call.taking_over import going_on
from softswitch.config import Config
from softswitch.net.media_link import MediaLink
from softswitch.store.kept import Kept


class Survivors:
    """What was found of the last run."""

    def __init__(self, config: Config, media: MediaLink) -> None:
        self._config = config
        self._media = media
        self.present: dict[int, Rejoined] = {}
        """By worker that was taken over."""
        self.calls: Mapping[str, frozenset[str]] = {}
        """Those that go on, each with the guests of its talk."""
        self.recordings: frozenset[str] = frozenset()
        """The ids of recordings that still run."""

    async def find(self, kept: Kept) -> Mapping[str, frozenset[str]]:
        """The calls that go on, each with the guests of its talk."""
        self.present = await self._media.rejoin()
        talking = {agent.after_call for agent in kept.agents if agent.wrapup_until is None}
        self.calls = going_on((call for call in kept.calls if self._fits(call, talking)), self.present)
        alive = [call for call in kept.calls if call.id in self.calls]
        tapes = [call.talk.taping.tape for call in alive if call.talk and call.talk.taping]
        tapes += [call.member.tape for call in alive if call.member]
        self.recordings = frozenset(tape.id for tape in tapes if tape is not None)
        return self.calls

    def _fits(self, call: KeptCall, talking: set[str]) -> bool:
        """Whether its menu, its queue, and its agent, if it has one, can be put back into it: they are
        configured."""
        if call.member is not None:
            return call.member.conference in self._config.conferences
        if call.menu is not None:
            return call.menu.start in self._config.flows
        if call.wait is not None:
            return call.wait.asked.queue in self._config.queues
        if call.anew is not None or call.guest is not None:
            return True
        talk = call.talk
        if talk is None:
            return False
        if not talk.agent:
            return True
        known = talk.talk is not None and talk.talk.queue in self._config.queues
        return known and talk.agent in self._config.agents and call.id in talking
