"""The media workers as administrators see them: `softswitch.api.workers.MediaWorkers` over the link."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from softswitch.api.control import Refused
from softswitch.api.types import MediaWorkerStatus
from softswitch.call.events import Effect
from softswitch.call.switch import Switch
from softswitch.net.media_link import MediaLink

_PREFIX = "worker-"


class WorkerControl:
    """`give` runs a command in the core."""

    def __init__(
        self,
        switch: Switch,
        media: MediaLink,
        give: Callable[[Callable[[float], list[Effect]]], None],
    ) -> None:
        self._switch = switch
        self._media = media
        self._give = give

    def workers(self) -> Sequence[MediaWorkerStatus]:
        """Those that run."""
        drained = self._switch.hub.plane.pool.drained
        return [self._status(number, number in drained) for number in self._media.workers]

    def drain(self, name: str, drained: bool, by: str) -> None:
        """Let it take no new calls, or again."""
        number = _number(name)
        self._give(lambda now: self._switch.drain(number, drained, by, now))

    def restart(self, name: str, by: str) -> None:
        """End a worker that is drained and carries nothing; a new one takes its place."""
        number = _number(name)
        pool = self._switch.hub.plane.pool
        if number not in pool.drained:
            raise Refused(
                f"{name} takes calls", f"cc workers drain {name}, and wait until its calls are over"
            )
        if legs := pool.legs.get(number, 0):
            raise Refused(f"{name} still carries {legs} legs", "wait until its calls are over")
        self._media.restart(number, by)

    def _status(self, number: int, drained: bool) -> MediaWorkerStatus:
        load = self._media.load(number)
        pid, pong = self._media.process_id(number), load.pong
        return MediaWorkerStatus(
            name=f"{_PREFIX}{number}",
            pid=pid or 0,
            alive=pid is not None,
            legs=load.legs,
            ports=pong.ports if pong is not None else 0,
            late_ms=pong.late_ms if pong is not None else None,
            late_ticks=load.late_ticks,
            forwarded=load.forwarded,
            busy=pong.busy if pong is not None else None,
            drained=drained,
        )


def _number(name: str) -> int:
    """Of a worker that was found by this name."""
    return int(name.removeprefix(_PREFIX))
