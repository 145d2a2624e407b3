"""Callers in queues: what the distributor decides, carried out on legs; what happens to legs, told to it."""

from __future__ import annotations

from collections.abc import Iterable

from acd import messages as acd
from acd.events import Kind
from acd.restart import AgentSnapshot, GoingOn, StillWaiting
from softswitch.call.asking import Questions
from softswitch.call.call import Attempt, Call, Heard, Stage
from softswitch.call.callbacks import Callbacks
from softswitch.call.callers import LastAgents
from softswitch.call.events import Append
from softswitch.call.hearing import Hearing
from softswitch.call.hub import Hub
from softswitch.call.keeping import Keeping
from softswitch.call.record import Disposition
from softswitch.call.ringing import Ringing
from softswitch.call.settings import QueueCare, Target
from softswitch.call.steps import Steps

MOST_RETURNS = 30
"""How often a caller comes back from an overflow that cannot be reached."""


class Queueing:
    """Between calls and the distributor."""

    def __init__(
        self,
        hub: Hub,
        ringing: Ringing,
        hearing: Hearing,
        callbacks: Callbacks,
        questions: Questions,
        steps: Steps,
    ) -> None:
        self.hub = hub
        self.ringing = ringing
        self.hearing = hearing
        self.callbacks = callbacks
        self.questions = questions
        self.steps = steps
        self.last_agents = LastAgents()
        self.keeping = Keeping(hub)

    # ----- to the distributor

    def enter(
        self,
        call: Call,
        queue: str,
        now: float,
        *,
        agent: str = "",
        agent_wait_s: float | None = None,
        max_wait_s: float | None = None,
        place_since: float | None = None,
    ) -> None:
        """The caller begins to wait; for `agent` alone, at first, if one is named. `place_since`: his place
        counts from then."""
        call.enter(Stage.QUEUE, now)
        if call.waited_since is None:
            call.waited_since = now
        call.story.queue = queue
        call.story.begin("wait", now)
        self.hearing.begin(call, now)
        number, status = self._number(call), call.status
        within_s = self.hub.settings.queues[queue].last_agent_within_s
        last = self.last_agents.of(number, within_s, now) if within_s is not None and not agent else ""
        enqueue = acd.Enqueue(
            call.id,
            queue,
            number,
            call.priority + status.priority,
            status.max_wait_s if max_wait_s is None else max_wait_s,
            status.required,
            agent=agent,
            agent_wait_s=agent_wait_s,
            last_agent=last,
            entered_at=place_since,
        )
        self.handle(enqueue, now)

    def enter_for(self, call: Call, target: Target, now: float) -> None:
        """The caller waits for one agent: then, if his fallback is a queue (or he has none), among those who
        wait there; any other fallback takes him after the time, or at once if the agent is not here.
        """
        agent, fallback = target.name, call.fallback
        call.fallback = None
        if fallback is not None and not self.hub.settings.has(fallback):  # a reload has taken it away
            fallback = None
        queue = self.hub.settings.queue_of(target)
        if fallback is None or fallback.kind == "queue":
            queue = fallback.name if fallback is not None else queue
            self.enter(call, queue, now, agent=agent, agent_wait_s=call.agent_wait_s)
        elif not self.hub.acd.is_logged_in(agent):
            self.steps.go(call, fallback, now)
        else:
            wait_s = call.agent_wait_s
            if wait_s is None:
                wait_s = self.hub.settings.queues[queue].agent_wait_s
            call.fallback = fallback
            self.enter(call, queue, now, agent=agent, agent_wait_s=wait_s + 1.0, max_wait_s=wait_s)

    def _number(self, call: Call) -> str:
        return self.hub.settings.statuses.numbering.normal(call.identity.number)

    def talked(self, call: Call, now: float) -> None:
        """A caller has talked with an agent, whom he may want again."""
        self.last_agents.talked(self._number(call), call.agent, now)

    def digit(self, call: Call, digit: str, now: float) -> None:
        """A waiting caller pressed a key: one that leads out of the queue is followed."""
        exits = self.hub.acd.exits(call.id, now)
        if digit not in exits:
            return
        target = Target.parse(exits[digit])
        if target.kind == "callback":
            self.questions.begin(call, digit, now)
            return
        self.handle(acd.Withdraw(call.id, "key", digit), now)
        call.then, call.came_from = (), (call.story.queue, call.since)
        call.story.end(now)
        self.hub.emit(self.hub.plane.stop(call.leg))
        call.heard = Heard.NOTHING
        self.steps.go(call, target, now)

    def handle(self, message: acd.Input, now: float) -> None:
        """Tell the distributor, and do what it says. Raises AcdError when it refuses."""
        outputs = self.hub.acd.handle(message, now)
        self._look(outputs, getattr(message, "agent", ""))
        self._carry_out(outputs, now)
        if isinstance(message, acd.LogIn):
            self.phone_state(message.phone, now)

    def phone_busy(self, number: str, now: float) -> None:
        """An agent's phone cannot take a call, until `phone_state` says otherwise."""
        if (agent := self.hub.acd.agent_of_phone(number)) is not None:
            self.handle(acd.PhoneState(agent, False), now)

    def phone_state(self, number: str, now: float) -> None:
        """Whether the phone at which an agent is logged in can be reached at this moment."""
        agent = self.hub.acd.agent_of_phone(number)
        if agent is not None:
            reachable = bool(self.hub.identities.reach(number, now))
            self.handle(acd.PhoneState(agent, reachable), now)

    def handle_timer(self, now: float) -> None:
        """Offers that expire, wrap-ups that end, waits that are too long."""
        outputs = self.hub.acd.handle_timer(now)
        self._look(outputs)
        self._carry_out(outputs, now)

    def restore(
        self,
        agents: Iterable[AgentSnapshot],
        closed: Iterable[str],
        now: float,
        talks: Iterable[GoingOn] = (),
    ) -> None:
        """Once, at the start: agents are what they were, at their phones, if these can be reached, and in the
        talks that go on; queues that were closed still are."""
        agents = tuple(agents)
        usable = self.keeping.agents_were(agents)
        outputs = self.hub.acd.restore(
            usable, now, closed=self.keeping.closed_were(tuple(closed)), talks=talks
        )
        self.keeping.look(one.agent for one in agents)
        self._carry_out(outputs, now)
        for one in usable:
            self.phone_state(one.phone, now)

    def wait_on(self, callers: Iterable[StillWaiting], now: float) -> None:
        """Callers of an earlier process wait on; their calls are there."""
        self._carry_out(self.hub.acd.wait_on(callers, now), now)

    def reconfigured(self, outputs: list[acd.Output], now: float) -> None:
        """Carry out what another configuration has led to; phones may be reached in another way now."""
        self._look(outputs)
        self._carry_out(outputs, now)
        for view in self.hub.acd.agents(now):
            if view.phone:
                self.phone_state(view.phone, now)

    def _look(self, outputs: list[acd.Output], agent: str = "") -> None:
        names = dict.fromkeys(output.agent for output in outputs if isinstance(output, acd.AgentChanged))
        self.keeping.look({**names, agent: None} if agent else names)

    def answered(self, attempt: Attempt, now: float) -> None:
        """The offered phone was answered."""
        if attempt.call.errand is not None and not attempt.call.reached:
            self.callbacks.picked_up(attempt, now)
            return
        self.handle(acd.Answered(attempt.offer), now)

    # ----- from the distributor

    def _carry_out(self, outputs: list[acd.Output], now: float) -> None:
        for output in outputs:
            match output:
                case acd.Log(event):
                    self.hub.emit([Append(event)])
                    self._keep(event.call)
                    if event.kind is Kind.CALLBACK_DROPPED:
                        self.callbacks.dropped(event.call)
                    elif event.kind in (Kind.QUEUE_OPEN, Kind.QUEUE_CLOSE):
                        self.keeping.door(event)
                case acd.Offer(call=name):
                    if (call := self.hub.calls.get(name)) is not None:
                        self.ringing.offer(call, output, now)
                    else:
                        self.callbacks.offer(output, now)
                case acd.DialBack():
                    self.callbacks.dial_back(output, now)
                case acd.PauseExceeded(agent, reason, limit_s):
                    self.hub.warn("a pause is too long", agent=agent, reason=reason, limit_s=f"{limit_s:g}")
                case acd.CancelOffer(offer):
                    if (attempt := self.hub.offers.get(offer)) is not None:
                        self.ringing.cancel(attempt, now)
                case acd.Bridge():
                    self._bridge(output, now)
                case acd.LeaveQueue(call=name):
                    if (call := self.hub.calls.get(name)) is not None:
                        self._overflow(call, output, now)
                case acd.Moved(call=name, queue=queue):
                    if (call := self.hub.calls.get(name)) is not None:
                        call.story.queue = queue
                        if call.asking is None:
                            self.hearing.music(call)
                case acd.Announce(call=name):
                    if (call := self.hub.calls.get(name)) is not None:
                        self.hub.keep(call)  # no estimate is announced as rising
                        self.hearing.announce(call, output)
                case acd.Comfort(call=name, message=clip):
                    if (call := self.hub.calls.get(name)) is not None:
                        self.hearing.tell(call, (clip,))

    def _keep(self, name: str) -> None:
        """The log tells something of this call: of its place in the queue, or of who is rung for it."""
        if (call := self.hub.calls.get(name)) is not None:
            self.hub.keep(call)

    def _bridge(self, bridge: acd.Bridge, now: float) -> None:
        attempt = self.hub.offers.get(bridge.offer)
        leg = next(iter(attempt.legs.values()), None) if attempt is not None else None
        if attempt is None or leg is None or attempt.call.stage is Stage.OVER:
            # The switch never confirms an offer that it has taken back, so this cannot be; the log must not
            # lie.
            self.hub.warn("a bridge without its legs", call=bridge.call, agent=bridge.agent)
            self.hub.post(acd.Ended(bridge.call, "system", "no leg"))
            return
        self.ringing.connected(attempt, now)
        attempt.call.asking = None
        self.steps.talk(attempt.call, leg, bridge.agent, bridge.agent, now)

    def _overflow(self, call: Call, leave: acd.LeaveQueue, now: float) -> None:
        call.story.end(now)
        if call.errand is not None and not call.reached:
            self.steps.end(call, Disposition.FAILED, f"queue {leave.queue}: {leave.reason}", "system", now)
            return
        call.overflowed = True
        care = self.hub.settings.queues.get(leave.queue)
        self._note_steps(call, leave, care)
        if self.questions.left(call, leave, now):
            return
        target = care.overflow.get(leave.reason) if care is not None else None
        if leave.reason == "timeout" and call.fallback is not None:
            target, call.fallback = call.fallback, None
        self.hub.emit(self.hub.plane.stop(call.leg))
        call.heard = Heard.NOTHING
        if target is not None and target.kind == "callback":
            call.enter(Stage.MENU, now)
            self.questions.begin(call, "", now, left=leave)
            return
        if target is not None:
            self.steps.go(call, target, now)
            return
        clips = self.hearing.say(call, "try-later") or ("tone:busy",)
        self.steps.farewell(call, clips, f"queue {leave.queue}: {leave.reason}", now)

    def _note_steps(self, call: Call, leave: acd.LeaveQueue, care: QueueCare | None) -> None:
        """Where he goes if the overflow cannot be reached; who waited too long may come back to his place."""
        back, since = call.came_from or ("", 0.0)
        call.came_from = None
        call.then = care.then.get(leave.reason, ()) if care is not None else ()
        if leave.reason == "timeout":
            call.came_from = (leave.queue, since if back == leave.queue else call.since)

    def next_step(self, call: Call, now: float) -> bool:
        """The overflow that has him cannot be reached: on to the next one, or back to his place in the queue.
        False: no overflow has sent him there, or nothing is left to try."""
        self.hub.emit(self.hub.plane.stop(call.leg))
        call.heard = Heard.NOTHING
        if call.then:
            target, *rest = call.then
            call.then = tuple(rest)
            if target.kind == "callback":
                call.enter(Stage.MENU, now)
                self.questions.begin(call, "", now, left=acd.LeaveQueue(call.id, call.story.queue, "timeout"))
            else:
                self.steps.go(call, target, now)
            return True
        if call.came_from is None or call.came_from[0] not in self.hub.settings.queues:
            return False
        queue, since = call.came_from
        call.hops += 1
        if call.hops > MOST_RETURNS:
            return False
        self.enter(call, queue, now, place_since=since)
        return True
