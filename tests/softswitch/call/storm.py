"""A call centre in bad weather, for the soak test: messages are lost, doubled and overtake one another, media
workers answer late and die, and everybody does at random what people and phones do.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable

from acd import messages as acd
from acd.rules import CallbackRules, ExitKey, QueueRules
from ivr.messages import Prompt
from media import messages as m
from softswitch.call.call import Call, Stage
from softswitch.call.callers import Status, Statuses
from softswitch.call.events import Effect, Media
from softswitch.call.leg import Leg, LegState
from softswitch.call.settings import CallbackCare, QueueCare, Route, Target
from softswitch.errors import LocalError
from softswitch.sip.flow import Flow
from softswitch.system_prompts import system_prompts
from tests.support.centre import SWITCH, Centre, Handset, Worker

AGENTS = ("201", "202", "203", "204")
CALLERS = tuple(str(number) for number in range(300, 312))
NUMBERS = (
    "600",
    "600",
    "600",
    "601",
    "601",
    "602",
    "603",
    "201",
    "300",
    "999",
    "*11",
    "*12",
    "*13",
    "*14lunch",
)
LIVE = frozenset(LegState) - {LegState.ENDED}


class BadWorker(Worker):
    """Now and then it has no port left, or cannot record."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(1)
        self.dice = dice

    def command(self, command: m.Command) -> list[m.Event]:
        unlucky = self.dice.random() < 0.01
        if isinstance(command, m.Allocate) and unlucky:
            return [m.AllocateFailed(command.leg, "no port is left")]
        if isinstance(command, m.Record) and unlucky:
            return [m.RecordFailed(command.recording, command.path, "the disk is full")]
        if isinstance(command, m.Release) and command.leg not in self.live:
            return []  # it was never given a port
        return super().command(command)


class Storm(Centre):
    """The centre with a bad network and a worker that answers in its own time."""

    def __init__(self, dice: random.Random, **options: object) -> None:
        self.dice = dice
        self.loss = self.doubling = self.overtaking = 0.0
        self.unplugged: set[tuple[str, int]] = set()
        self.from_worker: deque[m.Event] = deque()
        super().__init__(**options)  # type: ignore[arg-type]
        self.workers[1] = BadWorker(dice)

    def settle(self) -> None:
        """Deliver what is under way, in an order that the weather makes."""
        while self.wire or self.from_worker:
            if self.from_worker and (not self.wire or self.dice.random() < 0.5):
                self._carry_out(self.switch.media(1, self.from_worker.popleft(), self.now))
                continue
            place = 0
            if len(self.wire) > 1 and self.dice.random() < self.overtaking:
                place = self.dice.randrange(min(4, len(self.wire)))
            source, target, data = self.wire[place]
            if self.dice.random() >= self.doubling:
                del self.wire[place]
            if self.dice.random() < self.loss or source in self.unplugged or target in self.unplugged:
                continue
            if target == SWITCH:
                self._carry_out(self.switch.receive(data, Flow("udp", SWITCH, source), self.now))
            else:
                self._by_address[target].receive(data)

    def kill_worker(self) -> None:
        """What it had not said yet is never heard."""
        self.from_worker.clear()
        self.workers[1] = BadWorker(self.dice)
        self._carry_out(self.switch.worker_lost(1, "killed", self.now))
        self._carry_out(self.switch.worker_ready(1, self.now))
        self.settle()

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Media):
                self.from_worker += self.workers[1].command(effect.command)
            else:
                super()._carry_out([effect])


class Day:
    """One day: `run` until so many calls have come, then `drain`."""

    def __init__(self, seed: int) -> None:
        dice = self.dice = random.Random(seed)
        elsewhere: tuple[Target | None, ...] = (
            None,
            None,
            None,
            Target("queue", "support"),
            Target("queue", "sales"),
            Target("flow", "main"),
            Target("extension", "311"),
            Target("hangup"),
        )
        reasons = ("timeout", "empty", "full", "closed")
        overflow = {reason: target for reason in reasons if (target := dice.choice(elsewhere)) is not None}
        queue = {
            "strategy": dice.choice(("longest-idle", "least-occupancy", "ring-all", "round-robin")),
            "ring_s": dice.choice((3.0, 10.0)),
            "wrapup_s": dice.choice((0.0, 2.0, 8.0)),
            "max_wait_s": dice.choice((None, 10.0, 60.0)),
            "max_length": dice.choice((None, 3)),
            "missed_limit": dice.choice((1, 3)),
            "join_empty": dice.choice(("yes", "yes", "no")),
            "leave_empty": dice.random() < 0.3,
            "announce_first_s": dice.choice((None, 2.0)),
            "announce_position_s": dice.choice((None, 7.0)),
        }
        routes = {
            "600": Target("flow", "main"),
            "601": Target("queue", "sales"),
            "602": Target("queue", "support"),
            "603": Route(
                Target("agent", "agent202"),
                fallback=dice.choice((None, Target("queue", "support"), Target("extension", "311"))),
                agent_wait_s=4.0,
            ),
        }
        if dice.random() < 0.3:
            overflow["timeout"] = Target("callback")
        back = CallbackCare(
            "9", 1.0, 5.0, first=dice.choice(("agent", "caller")), ring_s=8.0, attempts=2, retry_s=20.0
        )
        care = QueueCare(
            ("/music.wav",), overflow, record="always" if dice.random() < 0.5 else "no", callback=back
        )
        self.centre = Storm(
            dice,
            agents=AGENTS,
            callers=CALLERS,
            queue=queue,
            care=care,
            ring_s=12.0,
            routes=routes,
            rules=self._rules(dice),
            more={
                "statuses": Statuses(by_number={"301": Status("vip", 5), "302": Status("slow", -3, 20.0)}),
                "agent_queues": {f"agent{number}": "sales" for number in AGENTS},
                "phrases": {name: Prompt(text=name) for name in system_prompts("en")},
            },
        )
        if dice.random() < 0.7:
            self.centre.loss, self.centre.doubling = dice.choice((0.0, 0.05, 0.3)), dice.choice((0.0, 0.1))
            self.centre.overtaking = dice.choice((0.0, 0.2))
        self.hasty = dice.choice((0.2, 1.0, 5.0))  # mean seconds between two things that happen
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._tie = itertools.count()
        self._held: set[tuple[str, int]] = set()
        for number in AGENTS:
            self.centre.phones[number].on_incoming = lambda leg, number=number: self._rings(number, leg)
        for number in CALLERS:
            self.centre.phones[number].on_incoming = lambda leg, number=number: self._rings(number, leg)
        self._actions: list[tuple[float, Callable[[], None]]] = [
            (30, self._call),
            (8, self._hang_up),
            (20, self._key),
            (8, self._clip_ends),
            (12, self._hold),
            (8, self._agent_command),
            (0.5, self._media_lost),
            (1.5, self._unplug),
            (0.5, self._hang_up_by_admin),
            (0.1, self.centre.kill_worker),
        ]
        for number in AGENTS[: dice.randrange(5)]:
            self.centre.log_in(number)

    @staticmethod
    def _rules(dice: random.Random) -> QueueRules:
        exit_keys = {
            "0": ExitKey("extension:311"),
            "2": ExitKey("queue:support"),
            "9": ExitKey("callback", 1.0),
        }
        return QueueRules(
            ageing_s=dice.choice((None, 20.0)),
            level_after_s=dice.choice(((), (5.0,))),
            agent_wait_s=5.0,
            comfort=("/comfort.wav",),
            comfort_first_s=3.0,
            comfort_every_s=7.0,
            estimate_from=2,
            exit_keys=dice.choice(({}, exit_keys, exit_keys)),
            return_s=dice.choice((None, 60.0)),
            callback=CallbackRules(attempts=2, retry_s=20.0),
        )

    # ----- the course of the day

    def run(self, calls: int) -> None:
        """Until this many calls have come."""
        weights = [weight for weight, _ in self._actions]
        actions = [action for _, action in self._actions]
        while self.centre.switch.calls_total < calls:
            self._pass(self.dice.expovariate(1 / self.hasty))
            self.dice.choices(actions, weights)[0]()
            self.centre.settle()
            self._forget_what_is_over()

    def drain(self) -> None:
        """The weather clears, everybody goes home; in some minutes all must be over."""
        centre = self.centre
        self._later.clear()
        centre.loss = centre.doubling = centre.overtaking = 0.0
        centre.unplugged.clear()
        for phone in centre.phones.values():
            phone.on_incoming = lambda leg, phone=phone: phone.refuse(leg)
            for leg in phone.legs:
                phone.hang_up(leg)
        centre.advance(40)
        for call in list(centre.switch.calls.values()):  # those whose phone was gone for too long
            centre.media_event(m.MediaLost(call.leg.id, 30.0))
        for place in list(centre.switch.desk.callbacks.errands):
            if place in centre.switch.calls:
                centre._carry_out(centre.switch.hang_up(place, "admin", centre.now))
            else:
                centre.command(acd.Withdraw(place, "system", cause="the end of the day"))
        for _ in range(10):
            centre.advance(40)
        self._forget_what_is_over()

    def _pass(self, seconds: float) -> None:
        end = self.centre.now + seconds
        while self._later and self._later[0][0] <= end:
            when, _, action = heapq.heappop(self._later)
            self.centre.advance(max(0.0, when - self.centre.now))
            action()
            self.centre.settle()
        self.centre.advance(max(0.0, end - self.centre.now))

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._later, (self.centre.now + seconds, next(self._tie), action))

    def _forget_what_is_over(self) -> None:
        for phone in self.centre.phones.values():
            phone.events.clear()
            phone.legs[:] = [leg for leg in phone.legs if leg.state in LIVE]

    # ----- what people do

    def _phone(self) -> Handset:
        return self.centre.phones[self.dice.choice(CALLERS if self.dice.random() < 0.9 else AGENTS)]

    def _call(self) -> None:
        phone = self._phone()
        if len(phone.legs) < 2:
            number = self.dice.choice(NUMBERS if phone.number in AGENTS else NUMBERS[:10])
            phone.call(number, sdp=self.dice.random() < 0.97)

    def _hang_up(self) -> None:
        phone = self.centre.phones[self.dice.choice(AGENTS + CALLERS)]
        for leg in phone.legs:
            phone.hang_up(leg)

    def _rings(self, number: str, leg: Leg) -> None:
        phone = self.centre.phones[number]
        mood = self.dice.random()
        if mood < 0.05:
            return  # says nothing at all
        if mood < 0.15:
            phone.refuse(leg, self.dice.choice((302, 401, 480, 486, 488, 503, 600, 603)))
            return
        phone.ring(leg)
        if mood < 0.9:
            self._after(self.dice.choice((0.0, 1.0, 3.0, 9.999, 10.0, 12.0, 20.0)), lambda: phone.answer(leg))
        if self.dice.random() < 0.5:
            self._after(self.dice.uniform(1, 60), lambda: phone.hang_up(leg))

    def _hold(self) -> None:
        phone = self.centre.phones[self.dice.choice(AGENTS + CALLERS)]
        for leg in phone.legs:
            if leg.state is LegState.CONFIRMED:
                key = (phone.number, leg.id)
                held = key not in self._held or self.dice.random() < 0.1
                (self._held.add if held else self._held.discard)(key)
                phone.hold(leg, held=held)

    def _agent_command(self) -> None:
        number = self.dice.choice(AGENTS)
        agent = f"agent{number}"
        choices: tuple[acd.Input, ...] = (
            *(acd.LogIn(agent, number), acd.Ready(agent)) * 2,
            acd.Pause(agent),
            acd.LogOut(agent),
            acd.PhoneState(agent, reachable=False),  # its registration ran out
            acd.PhoneState(agent, reachable=True),  # and it registered again
        )
        with contextlib.suppress(LocalError):  # refused, as it would be on the command line
            self.centre.command(self.dice.choice(choices))

    def _hang_up_by_admin(self) -> None:
        if (call := self._some_call()) is not None:
            self.centre._carry_out(self.centre.switch.hang_up(call.id, "admin", self.centre.now))

    # ----- what the media do

    def _some_call(self) -> Call | None:
        calls = list(self.centre.switch.calls.values())
        return self.dice.choice(calls) if calls else None

    def _key(self) -> None:
        calls = [c for c in self.centre.switch.calls.values() if c.stage in (Stage.MENU, Stage.QUEUE)]
        if calls:
            call = self.dice.choice(calls)
            self.centre.key(call, self.dice.choice("111129*#303" if call.asking is not None else "1212990"))

    def _clip_ends(self) -> None:
        for call in list(self.centre.switch.calls.values()):
            play = self.centre.heard(call)
            if play is not None and not play.loop:
                self.centre.play_out(call)

    def _media_lost(self) -> None:
        if (call := self._some_call()) is not None and call.leg.audio is not None:
            leg = self.dice.choice([call.leg, call.partner or call.leg])
            self.centre.media_event(m.MediaLost(leg.id, 30.0))

    def _unplug(self) -> None:
        """A phone is without its network for a while."""
        address = self._phone().address
        self.centre.unplugged.add(address)
        self._after(self.dice.uniform(5, 60), lambda: self.centre.unplugged.discard(address))
