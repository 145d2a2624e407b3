"""The shell around a sans-IO core: gives it the time, carries out its effects, keeps its one timer.

Invariant: the core runs at once and never inside itself; effects are carried out in the order in which the
core gave them, also when carrying one out feeds the core again. One armed timer at most, at or before the
core's deadline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from softswitch.log import logger
from softswitch.net.clock import Clock

Effect = TypeVar("Effect")
EffectOut = TypeVar("EffectOut", covariant=True)

# The finest timer: a core whose deadline stays in the past cannot keep the loop from its sockets.
_GRAIN_S = 0.001
# After a failed timer the core's deadline is likely still there: not again before this.
_AFTER_FAILURE_S = 1.0

log = logger("driver")


class Core(Protocol[EffectOut]):
    """What a core must have to be driven."""

    def deadline(self) -> float | None:
        """When `handle_timer` wants to be called (seconds of the clock), or None."""

    def handle_timer(self, now: float) -> Iterable[EffectOut]:
        """Do what is due."""


class Driver(Generic[Effect]):
    """Owns the clock and the timer of one core. Not for use from several threads."""

    def __init__(
        self,
        core: Core[Effect],
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        execute: Callable[[Effect], None],
    ) -> None:
        self._core = core
        self._clock = clock
        self._loop = loop
        self._execute = execute
        self._effects: deque[Effect] = deque()
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._armed_at = float("inf")
        self._closed = False

    def feed(self, call: Callable[[float], Iterable[Effect]]) -> bool:
        """Run `call(now)` on the core, carry out its effects, arm the timer.

        Returns False when the core raised: the failure is logged, what was fed is dropped, and the loop goes
        on. Called from within an effect, the core runs at once and its effects queue behind those that are
        pending.
        """
        if self._closed:
            return False
        done = self._run(call)
        if not self._draining:
            self._drain()
            self._arm()
        return done

    def close(self) -> None:
        """Disarm; nothing is fed any more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self, call: Callable[[float], Iterable[Effect]]) -> bool:
        try:
            self._effects.extend(call(self._clock.now()))
        except Exception:
            log.exception(
                "the core failed; what it was given is dropped", call=getattr(call, "__qualname__", "")
            )
            return False
        return True

    def _drain(self) -> None:
        self._draining = True
        effects = self._effects
        while effects:
            effect = effects.popleft()
            try:
                self._execute(effect)
            except Exception:
                log.exception("an effect could not be carried out", effect=type(effect).__name__)
        self._draining = False

    def _arm(self, not_before: float = 0.0) -> None:
        # Lazy: an armed timer that is early enough stays, even if its reason is gone; it then finds nothing
        # due.
        try:
            deadline = self._core.deadline()
        except Exception:
            log.exception("the core failed to tell its deadline")
            deadline, not_before = 0.0, self._clock.now() + _AFTER_FAILURE_S
        if deadline is None or self._closed:
            return
        deadline = max(deadline, not_before)
        if deadline >= self._armed_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed_at = deadline
        delay_s = max(deadline - self._clock.now(), _GRAIN_S)
        self._timer = self._loop.call_at(self._loop.time() + delay_s, self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._armed_at = float("inf")
        not_before = 0.0
        now = self._clock.now()
        try:
            deadline = self._core.deadline()
            if deadline is not None and deadline <= now:
                self._effects.extend(self._core.handle_timer(now))
        except Exception:
            log.exception("the core failed in its timer; tried again later", retry_s=_AFTER_FAILURE_S)
            not_before = now + _AFTER_FAILURE_S
        self._drain()
        self._arm(not_before)
