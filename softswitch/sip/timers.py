"""The timers of SIP transactions (RFC 3261 17.1.1.2 and appendix A; L and M by RFC 6026 section 7).

Invariant: every value derives from T1, T2 and T4, so a test or a fast network changes three numbers and no
more.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """T1 (round trip), T2 (longest retransmission interval), T4 (life of a message in the network), in
    seconds.

    `trying_s` is how long the user of an INVITE server transaction may think before it sends 100 by itself.
    """

    t1_s: float = 0.5
    t2_s: float = 4.0
    t4_s: float = 5.0
    trying_s: float = 0.2

    @property
    def give_up_s(self) -> float:
        """64 x T1: timers B, F, H, L, M, and J over UDP."""
        return 64 * self.t1_s

    def duration_s(self, timer: str, reliable: bool) -> float | None:
        """How long a timer runs when it starts; 0 fires at once, None is not started at all."""
        if timer in ("a", "e", "g"):
            return None if reliable else self.t1_s
        if timer == "d":
            return 0.0 if reliable else self.give_up_s
        if timer in ("i", "k"):
            return 0.0 if reliable else self.t4_s
        if timer == "j":
            return 0.0 if reliable else self.give_up_s
        if timer == "100":
            return self.trying_s
        return self.give_up_s  # b, f, h, l, m and the wait after a CANCEL (9.1)
