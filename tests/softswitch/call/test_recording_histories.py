"""Random histories of one recorded talk: orders, keys, hold, announcements, a disk that fails."""

from __future__ import annotations

import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ivr.messages import Prompt
from media import messages as m
from softswitch.call.settings import QueueCare
from softswitch.call.tape import Order, TapingCare
from softswitch.errors import LocalError
from tests.support.centre import Centre

ORDERS: tuple[Order, ...] = ("start", "stop", "pause", "resume")


class Talk(RuleBasedStateMachine):
    """A talk of a queue that records on demand, after an announcement."""

    def __init__(self) -> None:
        super().__init__()
        care = TapingCare((Prompt(text="recorded"),), "*7", "*8")
        self.centre = Centre(care=QueueCare(("/music.wav",), record="on-demand"), more={"taping": care})
        self.centre.log_in("201")
        self.centre.phones["300"].call("601")
        self.centre.settle()
        self.agent = self.centre.phones["201"]
        self.agent.answer(self.agent.legs[-1])
        self.centre.settle()
        self.call = self.centre.call
        self.announced = False

    @property
    def live(self) -> bool:
        return bool(self.centre.switch.calls)

    @rule(what=st.sampled_from(ORDERS))
    def order(self, what: Order) -> None:
        with contextlib.suppress(LocalError):
            self.centre._carry_out(self.centre.switch.record(self.call.id, what, "boss", self.centre.now))
            self.centre.settle()

    @rule(keys=st.sampled_from(["*7", "*8", "7", "*"]), caller=st.booleans())
    def press(self, keys: str, caller: bool) -> None:
        leg = self.call.leg if caller else self.call.partner
        assert leg is not None
        for key in keys:
            self.centre.media_event(m.Digit(leg.id, key, "rfc4733"))

    @rule(held=st.booleans())
    def hold(self, held: bool) -> None:
        self.agent.hold(self.agent.legs[-1], held=held)
        self.centre.settle()

    @rule(reason=st.sampled_from(["finished", "failed", "stopped"]))
    def played(self, reason: str) -> None:
        play = self.centre.workers[1].heard.get(self.call.leg.id)
        if play is None or play.loop:
            return
        if reason != "stopped":
            del self.centre.workers[1].heard[self.call.leg.id]
            self.announced |= reason == "finished" and play.clips == ("/recorded.wav",)
        self.centre.media_event(m.Played(play.leg, play.play, reason))  # type: ignore[arg-type]

    @precondition(lambda self: bool(self.centre.workers[1].recordings))
    @rule()
    def the_disk_fails(self) -> None:
        number, record = self.centre.workers[1].recordings.popitem()
        self.centre.workers[1].paused.discard(number)
        self.centre.media_event(m.RecordFailed(number, record.path, "full"))

    @rule(seconds=st.sampled_from([0.5, 4.0]))
    def wait(self, seconds: float) -> None:
        self.centre.advance(seconds)

    def hang_up(self) -> None:
        caller = self.centre.phones["300"]
        caller.hang_up(caller.legs[0])
        self.centre.settle()

    @invariant()
    def nothing_is_recorded_unannounced(self) -> None:
        assert self.announced or not self.centre.tapes

    @invariant()
    def the_worker_does_what_the_core_believes(self) -> None:
        worker, taping = self.centre.workers[1], self.call.taping
        assert taping is not None and len(worker.recordings) <= 1
        assert set(worker.recordings) == ({taping.number} if taping.number else set())
        if taping.number:
            assert (taping.number in worker.paused) == taping.paused

    def teardown(self) -> None:
        if self.live:
            self.hang_up()
        self.centre.advance(60)
        self.centre.check_empty()
        assert not self.centre.switch.desk.recordings._running
        assert all(tape.state in ("waiting", "failed") for tape in self.centre.tapes.values())
        assert sorted(self.centre.taped) == sorted(
            tape.id for tape in self.centre.tapes.values() if tape.state == "waiting"
        )


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=60, stateful_step_count=25)
