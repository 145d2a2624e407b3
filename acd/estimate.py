"""How long a caller will wait: max(0, position - idle agents) x AHT / sum of the agents' shares.

AHT is (talk + hold + wrap-up) / handled over the last SAMPLE conversations of the queue. An agent who is at
work (logged in, neither paused nor away) in n queues counts 1/n in each. There is no estimate below a minimum
sample, and none without agents at work: silence is better than a lie.
"""

from __future__ import annotations

from collections import deque

SAMPLE = 200


class Workload:
    """What the estimate needs to know of one queue: its last conversations, and who works."""

    __slots__ = ("_durations_s", "_sum_s", "at_work")

    def __init__(self) -> None:
        self._durations_s: deque[float] = deque()
        self._sum_s = 0.0
        self.at_work: dict[int, int] = {}  # number of an agent's queues -> how many such agents are at work

    @property
    def handled(self) -> int:
        """Conversations in the sample."""
        return len(self._durations_s)

    @property
    def aht_s(self) -> float | None:
        """Average handling time of the sample."""
        return self._sum_s / len(self._durations_s) if self._durations_s else None

    def talked(self, duration_s: float) -> None:
        """A conversation of `duration_s`, hold included, is over."""
        self._durations_s.append(duration_s)
        self._sum_s += duration_s
        if len(self._durations_s) > SAMPLE:
            self._durations_s.popleft()
            self._sum_s = sum(self._durations_s)

    def wrapped(self, wrapup_s: float) -> None:
        """The wrap-up of one of the conversations is over."""
        if self._durations_s:
            self._durations_s[-1] += wrapup_s
            self._sum_s += wrapup_s

    def work(self, queues: int, change: int) -> None:
        """An agent of `queues` queues begins (1) or ends (-1) to be at work."""
        self.at_work[queues] = self.at_work.get(queues, 0) + change

    @property
    def shares(self) -> float:
        """Agents at work, each by his share."""
        return sum(count / queues for queues, count in self.at_work.items())

    def estimate_s(self, position: int, idle: int, least: int) -> float | None:
        """Seconds until the caller at `position` (1 = next) is served, with `idle` agents ready; None below
        `least` conversations.
        """
        aht_s, shares = self.aht_s, self.shares
        if aht_s is None or len(self._durations_s) < least or shares <= 0:
            return None
        return max(0, position - idle) * aht_s / shares
