"""The driver and the clock, on a real event loop whose time the test owns."""

import asyncio
from collections.abc import Callable, Iterable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.net.clock import Clock
from softswitch.net.driver import Driver


class Core:
    """Answers with what it was told to; its deadlines are data."""

    def __init__(self) -> None:
        self.deadlines: list[float] = []
        self.fired: list[float] = []
        self.fails = False

    def deadline(self) -> float | None:
        return min(self.deadlines, default=None)

    def handle_timer(self, now: float) -> Iterable[str]:
        if self.fails:
            raise RuntimeError("timer broke")
        due = sorted(d for d in self.deadlines if d <= now)
        self.deadlines = [d for d in self.deadlines if d > now]
        self.fired += due
        return [f"due {d:g}" for d in due]


class FakeHandle:
    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when = when
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """The part of a loop that the driver uses, with time as a number."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.handles: list[FakeHandle] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeHandle:
        handle = FakeHandle(when, callback)
        self.handles.append(handle)
        return handle

    def armed(self) -> list[FakeHandle]:
        return [handle for handle in self.handles if not handle.cancelled]

    def advance(self) -> None:
        """To the earliest timer, and run it."""
        handle = min(self.armed(), key=lambda h: h.when)
        self.handles.remove(handle)
        self.now = max(self.now, handle.when)
        handle.call()


class Rig:
    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.clock = Clock(wall=lambda: 5000.0, monotonic=lambda: self.loop.now)
        self.core = Core()
        self.done: list[str] = []
        self.driver: Driver[str] = Driver(
            self.core, self.clock, cast(asyncio.AbstractEventLoop, self.loop), self.execute
        )

    def execute(self, effect: str) -> None:
        self.done.append(effect)
        if effect == "feed again":
            self.driver.feed(lambda now: ["inner"])
            self.done.append("fed")
        if effect == "fail":
            raise ValueError("effect broke")

    def wake_at(self, when: float) -> None:
        def call(now: float) -> list[str]:
            self.core.deadlines.append(when)
            return []

        assert self.driver.feed(call)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_the_core_gets_the_clock_and_its_effects_are_carried_out_in_order(rig: Rig) -> None:
    seen: list[float] = []

    def call(now: float) -> list[str]:
        seen.append(now)
        return ["a", "feed again", "b"]

    assert rig.driver.feed(call)
    assert seen == [5000.0]
    assert rig.done == ["a", "feed again", "fed", "b", "inner"]


def test_timers_fire_at_their_deadlines_with_one_timer_armed(rig: Rig) -> None:
    for when in (5003.0, 5001.0, 5002.0):
        rig.wake_at(when)
        assert len(rig.loop.armed()) == 1
    for expected in (5001.0, 5002.0, 5003.0):
        rig.loop.advance()
        assert rig.clock.now() == expected
    assert rig.done == ["due 5001", "due 5002", "due 5003"]
    assert rig.loop.armed() == []


def test_a_later_deadline_does_not_touch_the_timer(rig: Rig) -> None:
    rig.wake_at(5001.0)
    (armed,) = rig.loop.armed()
    rig.wake_at(5009.0)
    rig.core.deadlines = [5005.0]
    rig.driver.feed(lambda now: [])
    assert rig.loop.handles == [armed]
    rig.loop.advance()  # finds nothing due, and goes on to the real one
    assert rig.done == []
    rig.loop.advance()
    assert rig.done == ["due 5005"]


def test_a_core_that_fails_loses_what_it_was_given_and_nothing_else(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(now: float) -> list[str]:
        raise KeyError("core broke")

    assert not rig.driver.feed(broken)
    assert "core broke" in capsys.readouterr().err
    assert rig.driver.feed(lambda now: ["fail", "after"])
    assert rig.done == ["fail", "after"]
    assert "effect broke" in capsys.readouterr().err


def test_a_failing_timer_is_tried_again_but_does_not_spin(rig: Rig) -> None:
    rig.core.fails = True
    rig.wake_at(5001.0)
    rig.loop.advance()
    before = rig.loop.now
    rig.loop.advance()
    assert rig.loop.now >= before + 0.99
    rig.core.fails = False
    rig.loop.advance()
    assert rig.done == ["due 5001"]


def test_a_deadline_in_the_past_leaves_the_loop_time_for_others(rig: Rig) -> None:
    rig.wake_at(1.0)
    (armed,) = rig.loop.armed()
    assert armed.when > rig.loop.now


def test_after_close_nothing_runs(rig: Rig) -> None:
    rig.wake_at(5001.0)
    rig.driver.close()
    assert rig.loop.armed() == []
    assert not rig.driver.feed(lambda now: ["late"])
    assert rig.done == []


async def test_on_a_real_loop() -> None:
    core = Core()
    fired = asyncio.Event()
    driver: Driver[str] = Driver(core, Clock(), asyncio.get_running_loop(), lambda effect: fired.set())

    def soon(now: float) -> list[str]:
        core.deadlines.append(now + 0.01)
        return []

    driver.feed(soon)
    async with asyncio.timeout(10):
        await fired.wait()
    driver.close()


@given(st.lists(st.floats(5000, 5100), min_size=1, max_size=30))
def test_every_deadline_fires_once_and_never_early(deadlines: list[float]) -> None:
    rig = Rig()
    for when in deadlines:
        rig.wake_at(when)
    while rig.core.deadlines:
        rig.loop.advance()
        assert all(when <= rig.clock.now() for when in rig.core.fired)
    assert sorted(rig.core.fired) == sorted(deadlines)
    assert rig.loop.armed() == []


@given(st.lists(st.floats(0, 1e9), min_size=2).map(sorted), st.lists(st.floats(0, 2e9), min_size=1))
def test_the_clock_ignores_jumps_of_the_wall_clock(ticks: list[float], wall: list[float]) -> None:
    times, walls = iter(ticks), iter(wall)
    clock = Clock(wall=lambda: next(walls), monotonic=lambda: next(times))
    readings = [clock.now() for _ in ticks[1:]]
    assert readings == sorted(readings)
