"""When a media worker wakes: ticks every 20 ms, and batches of datagrams on a grid that ends with each tick.

The grid has two reasons. Phones send every 20 ms, so that a packet of a stream always waits equally long for
its batch, and leaves with the jitter it came with. And a tick finds a processor that a batch has just awoken:
one that slept has cold caches, for which each waking pays as much as for a hundred packets.

Sans-IO: `now` is seconds, never going back.
"""

from __future__ import annotations

import math

from media.packet import TICK_S

PACES = ((0.0, 1), (60_000.0, 2), (200_000.0, 6), (math.inf, 4))
"""Where so many packets a second go on as they come, so many batches a tick: one where all that comes is only
heard here, by a mixer or a key detector, which wait for the tick anyway; seldom where little is to be won by
haste, often where the working off of a batch adds to the delay, and large where a processor has no more to
spare."""
CATCH_UP_S = 0.0025
"""Missed ticks follow one another so closely."""
GIVE_UP_TICKS_S = 0.2
"""A worker that was stopped for longer than this (a suspended machine) leaves the missed ticks out."""


def batches_a_tick(packets_a_s: float) -> int:
    """How often datagrams are fetched when they are sent on at this rate."""
    return next(batches for most, batches in PACES if packets_a_s <= most)


class Pace:
    """The next tick and the next batch. A tick is the last step of its grid."""

    def __init__(self, now: float) -> None:
        self.next_batch = self.next_tick = self._due = now + TICK_S
        self._batches = 1
        self._packets = 0

    def wait_s(self, now: float) -> float:
        """How long there is nothing to do."""
        return max(min(self.next_batch, self.next_tick) - now, 0.0)

    def moved(self, packets: int, now: float) -> None:
        """A batch was worked off at `now`, of which so many packets were sent on: the next is due at the next
        step that leaves it time to gather."""
        self._packets += packets
        step = TICK_S / self._batches
        steps_left = max(math.floor((self.next_tick - now) / step - 0.25), 0)
        self.next_batch = self.next_tick - steps_left * step

    def late_s(self, now: float) -> float:
        """How long ago the tick should have been done."""
        return now - self._due

    def due(self, now: float) -> float:
        """The time of the tick that is to be done at `now`: earlier where some were missed."""
        if now - self._due > GIVE_UP_TICKS_S:
            self._due = now
        return self._due

    def ticked(self, now: float) -> None:
        """The tick was done at `now`."""
        self._batches = batches_a_tick(self._packets / TICK_S)
        self._packets = 0
        self._due += TICK_S
        self.next_tick = self._due if self._due > now else now + CATCH_UP_S
        self.moved(0, now)
