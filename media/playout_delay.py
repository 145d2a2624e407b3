"""How much delay a jitter buffer adds: it is lengthened and shortened as the histograms of slack say.

Where packets land relative to the clock is counted in `media.slack`, which says how many come too late. A
late packet after whose turn nothing was played turns the clock back, as if it had been waited for: no frame
is lost, and the delay has grown; not beyond what `late_share` needs, unless a longer way through the network
lasts (`media.stall`). Where that is not enough the clock is held. The delay shrinks by passing over a frame
that has not come, else by skipping one in which nobody speaks (`media.lull`), after a while any.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from media.lull import Lulls
from media.playout import ONE, Int32, Int64, Octets, Playout, Slots
from media.slack import START_REACH, SlackHistograms
from media.stall import Stalls

ADAPT_EVERY: Final = 16  # ticks between two looks at the histograms
LULL_LEGS: Final = 64  # of which the next frame is listened to in a tick
LATE_SHARE: Final = 0.01  # of the packets may be late before the delay grows
SURE_LOOKS: Final = 2  # in a row that find the delay too long, before a frame is skipped for it
PATIENCE_LOOKS: Final = 6  # for which the delay that could shrink waits for a silence
_THREE: Final = np.uint64(3)


class PlayoutDelay:
    """State per slot. `skipped` int64[capacity]: frames that were dropped to shorten the delay. `law` as of
    JitterBuffer."""

    def __init__(self, capacity: int, playout: Playout, law: Octets, late_share: float) -> None:
        self._playout = playout
        self._law = law
        self.skipped = np.zeros(capacity, np.int64)
        self.tick = 0
        self.reach = np.zeros(capacity, np.int64)
        """Frames by which the clock may go back to a late packet."""
        self.leaps = np.zeros(capacity, np.bool_)
        """A missing frame is passed over at once, to shorten."""
        self.stalls = Stalls(capacity)
        self.slack = SlackHistograms(capacity, playout.depth, late_share)
        self._looks = np.zeros(capacity, np.int32)  # in a row at which the delay could have shrunk
        self._spare = np.zeros(capacity, np.int64)  # frames to skip before the next look
        self._shrinking = False  # does any have some?
        self._lulls = Lulls(capacity)

    # ----- what happens to a leg

    def forget(self, slots: Slots) -> None:
        """Another source begins."""
        self._spare[slots] = 0
        self.slack.clear(slots)
        self._lulls.forget(slots)
        self.stalls.forget(slots)

    def first(self, slots: Slots) -> None:
        """A first packet is there."""
        self._looks[slots] = 0
        self.know_nothing(slots)

    def know_nothing(self, slots: Slots) -> None:
        """A new timeline begins."""
        self.reach[slots] = START_REACH
        self._spare[slots] = 0
        self.leaps[slots] = False

    def placed(self, slots: Slots, slack: Int32) -> None:
        """Packets have come in time."""
        ahead_of_turn = slack.astype(np.int64)
        if self._playout.holding:
            ahead_of_turn += self._playout.hold.take(slots)
        if self.stalls.busy:
            counts = self.stalls.count(slots, self.tick)
            slots, ahead_of_turn = slots[counts], ahead_of_turn[counts]
        self.slack.add(slots, ahead_of_turn)

    def missed(self, slots: Slots, slack: Int32) -> None:
        """Packets have come too late, of distinct slots."""
        counts = self.stalls.count(slots, self.tick)
        slots, slack = slots[counts], slack[counts]
        self.slack.add(slots, slack + self._playout.hold[slots])
        self.slack.miss(slots)

    def turned_back(self, slots: Slots, frames: Int64) -> None:
        """The clocks have gone back, the delay has grown."""
        self.reach[slots] -= frames
        self._spare[slots] = 0
        self.slack.longer(slots, frames)

    # ----- at every tick

    def advance(self, slots: Slots, here: slice | Slots) -> None:
        """A tick begins: look at the histograms if it is time, and shorten where nobody speaks."""
        self.tick += 1
        self.stalls.busy = False
        if self.tick % ADAPT_EVERY == 0:
            self._adapt(slots, here)
            self.slack.forget()
        if self._shrinking:
            self._skip_lulls(slots[self._spare[here] > 0])

    def _adapt(self, slots: Slots, here: slice | Slots) -> None:
        """Lengthen or shorten the delay of each slot as its histogram says."""
        playout = self._playout
        verdict = self.slack.look(slots, here)
        grow, spare = verdict.grow, verdict.spare
        self.leaps[here] = verdict.leaps
        waiting = np.bitwise_count(playout.mask[here]).astype(np.int64)
        np.minimum(grow, np.maximum(playout.depth * 3 // 4 - waiting - playout.hold[here], 0), out=grow)
        spare[(grow > 0) | (playout.hold[here] > 0)] = 0
        self.reach[here] = verdict.reach - grow
        if grow.any():
            playout.hold[here] += grow
            playout.holding = True
            self.slack.longer(slots, grow)
        self._looks[here] = np.where(spare > 0, self._looks[here] + 1, 0)
        self._spare[:] = 0
        self._spare[here] = np.where(self._looks[here] >= SURE_LOOKS, np.minimum(spare, 1), 0)
        long = spare > 0
        if long.any():
            self._shrink(slots[long], spare[long])
        self._shrinking = bool(np.count_nonzero(self._spare))

    def _shrink(self, slots: Slots, spare: Int64) -> None:
        """Pass over a frame that is not there; after a while skip any, and the sooner the more frames
        (int64[n]) the delay is too long."""
        missing = self._playout.mask[slots] & ONE == 0
        self.skip(slots[missing | (self._looks[slots] * spare >= PATIENCE_LOOKS)])

    def _skip_lulls(self, slots: Slots) -> None:
        """Of these, whose delay is too long, skip a frame in which nobody speaks if the next one has come; if
        they are many, of another part of them at every tick."""
        playout = self._playout
        turns = -(-slots.size // LULL_LEGS) or 1
        slots = slots[self.tick % turns :: turns]
        slots = slots[playout.mask[slots] & _THREE == _THREE]
        if slots.size:
            frames = playout.frames[playout.places_of(slots, 0)]
            lull = self._lulls.hear(slots, frames, self._law[slots], self._spare > 0)
            self.skip(slots[lull])

    def skip(self, slots: Slots) -> None:
        """Go on by a frame: the delay is one shorter."""
        self.skipped[slots] += self._playout.pass_over(slots).astype(np.int64)
        self._looks[slots] = 0
        self._spare[slots] = np.maximum(self._spare[slots] - 1, 0)
        self.reach[slots] += 1
        self.leaps[slots] = False
        self.slack.shorter(slots)
