"""One caller's walk through the flows: sans-IO, moved by `handle(input, now)` and `handle_timer(now)`.

Invariant: one call of either does a bounded amount of work and leaves the session waiting (for the end of a
playback, a key, a deadline) or done; done is final, with exactly one of EnterQueue, Transfer and HangUp as
the last output. Whatever a node does wrong ends this walk with HangUp("failure"), never the switch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from ivr.condition import Look, World
from ivr.flow import Flow
from ivr.messages import (
    Answer,
    Ask,
    Entered,
    EnterQueue,
    HangUp,
    Input,
    Key,
    Output,
    Play,
    PlayDone,
    Prompt,
    Request,
    Start,
    StopPlay,
    Transfer,
    Withdraw,
)
from ivr.node import FLOW_PREFIX, KEYS, Enter, Event, Go, Leave, Step, Timeout, Visit, Wait
from ivr.prompt import for_caller
from ivr.standing import Standing
from ivr.template import clean, render
from ivr.trail import Trail
from ivr.way import NOWHERE, Way

MAX_KEYS_AHEAD = 16
"""Keys kept for later nodes; what is pressed beyond that is dropped."""

MAX_STEPS = 500
"""Nodes entered in one walk. A caller who presses keys for ever is cut here, so that the log stays
bounded.
"""


class Session:
    """The walk of one caller, from the start node of `flows[start]` on.

    `flows` must be free of problems (`ivr.flow.check`). Feed `Start` first. `variables` is what the call
    knows already; the nodes read and write it. `look` gives what is not a variable, `world` what conditions
    are judged by.
    """

    __slots__ = (
        "_asked",
        "_has_secret",
        "_ignored",
        "_keys",
        "_look",
        "_next_ask",
        "_next_play",
        "_node",
        "_now",
        "_outputs",
        "_playing",
        "_secrets",
        "_steps",
        "_visit",
        "_wait",
        "_way",
        "_world",
        "done",
        "flow",
        "flows",
        "start",
        "variables",
    )

    def __init__(
        self,
        flows: Mapping[str, Flow],
        start: str,
        variables: Mapping[str, str] | None = None,
        look: Look | None = None,
        world: World | None = None,
    ) -> None:
        self.flows = flows
        self.start = start
        self.flow = flows[start]
        self.variables = dict(variables or {})
        self.done = False
        self._look = look
        self._world = world or World()
        self._asked = 0
        self._secrets: frozenset[str] | None = None
        self._has_secret = False
        self._next_ask = 1
        self._node = ""
        self._visit: Visit | None = None
        self._wait = Wait()
        self._now = 0.0
        self._playing = 0
        self._next_play = 1
        self._keys: deque[str] = deque()
        self._ignored: tuple[str, float] | None = None
        self._way = Way(flows, self.variables)
        self._steps = 0
        self._outputs: list[Output] = []

    # ----- for the switch

    @property
    def place(self) -> str:
        """The node that the caller is at, `flow.node`."""
        return f"{self.flow.name}.{self._node}"

    @property
    def standing(self) -> Standing:
        """Where the walk is, for `resume` in another process."""
        if self._has_secret:  # another variable may hold it by now, or what was found by it
            return Standing(self.start)
        trail = self._way.trail
        known = {name: str(value) for name, value in self.variables.items()}  # a third party's may be no text
        return Standing(self.start, self.flow.name, self._node, self._steps, known, trail.menus, trail.calls)

    def resume(self, standing: Standing, now: float) -> list[Output]:
        """In the place of Start: what follows from visiting the node of `standing` once more; there is no
        Entered for it. Where there is none, or no longer, the walk starts from the beginning.
        """
        if not self._way.knows((standing.flow, standing.node)):
            return self.handle(Start(), now)
        self._now = now
        self.flow, self._node, self._steps = self.flows[standing.flow], standing.node, standing.steps
        self.variables.clear()
        self.variables.update(standing.variables)
        menus = [menu for menu in standing.menus if self._way.knows(menu[0])]
        self._way.trail = Trail(menus, standing.calls)
        if self._visit_node():
            step = self._proceed()
            if step is not None:
                self._run(step)
        return self._take_outputs()

    def handle(self, event: Input, now: float) -> list[Output]:
        """What follows from an input. Inputs that no longer matter (an old PlayDone, anything once done) do
        nothing.
        """
        self._now = now
        if self.done:
            return []
        if isinstance(event, Start):
            if self._visit is None:
                self._run(Go(FLOW_PREFIX + self.start))
        elif self._visit is None:
            return []
        elif isinstance(event, Key):
            self._key(event)
        elif isinstance(event, PlayDone) and event.play == self._playing:
            self._playing = 0
            self._resume(event)
        elif isinstance(event, Answer) and event.ask == self._asked:
            self._asked = 0
            self._resume(event)
        return self._take_outputs()

    def deadline(self) -> float | None:
        """When `handle_timer` wants to be called, in seconds of the clock that `handle` is given; None:
        never.
        """
        return None if self.done or self._visit is None else self._wait.until

    def handle_timer(self, now: float) -> list[Output]:
        """What follows from the passing of time; nothing before the deadline."""
        until = self.deadline()
        if until is None or now < until:
            return []
        self._now = now
        self._resume(Timeout())
        return self._take_outputs()

    # ----- for the nodes (`ivr.node.Walk`)

    @property
    def now(self) -> float:
        """The time of the event that is being handled, in seconds."""
        return self._now

    @property
    def has_keys(self) -> bool:
        """Whether keys were pressed ahead and not used yet."""
        return bool(self._keys)

    def play(self, prompts: Iterable[Prompt]) -> int:
        """Play, replacing what is heard; gives the id."""
        self._playing = self._next_play
        self._next_play += 1
        heard = for_caller(prompts, self.look, self.language, self.flow.language)
        self._outputs.append(Play(self._playing, heard))
        return self._playing

    @property
    def language(self) -> str:
        """The language in force."""
        return self.variables.get("language", "")

    @property
    def is_secret(self) -> bool:
        """Whether what is pressed now must not be written down: it is a secret, or pressed ahead, where
        something in these flows will want a secret.
        """
        if self.done or self._wait.secret or self._wait.keys:
            return not self.done and self._wait.secret
        return bool(self.secrets)

    @property
    def secrets(self) -> frozenset[str]:
        """The variables that hold what must not be written down, or a copy of it."""
        if self._secrets is None:
            nodes = [node for flow in self.flows.values() for node in flow.nodes.values()]
            copies = [copy for node in nodes for copy in node.copies()]
            found = {name for node in nodes if getattr(node, "secret", False) for name in node.sets()}
            while more := {name for name, other in copies if other in found} - found:
                found |= more
            self._secrets = frozenset(found)
        return self._secrets

    def render(self, template: str) -> str:
        """A text with the variables of this call filled in."""
        return render(template, self.look, self.language)

    def carried(self, names: Iterable[str]) -> dict[str, str]:
        """Those of these variables that have a value."""
        values = ((name, clean(self.look(name))) for name in names)
        return {name: value for name, value in values if value}

    @property
    def world(self) -> World:
        """Calendars, number lists and the time zone."""
        return self._world

    def look(self, name: str) -> object | None:
        """A variable, or else what the switch knows by this name."""
        if name in self.variables:
            return self.variables[name]
        return self._look(name) if self._look is not None else None

    def ask(self, request: Request) -> int:
        """Want something of the outside world, in the place of what was asked before."""
        self.withdraw()
        self._asked = self._next_ask
        self._next_ask += 1
        self._outputs.append(Ask(self._asked, request))
        return self._asked

    def withdraw(self) -> None:
        """Give up what was asked."""
        if self._asked:
            self._outputs.append(Withdraw(self._asked))
            self._asked = 0

    def stop(self) -> None:
        """Stop what is heard."""
        if self._playing:
            self._outputs.append(StopPlay(self._playing))
            self._playing = 0

    def take_key(self) -> str:
        """The oldest key that was pressed ahead, or an empty string."""
        return self._keys.popleft() if self._keys else ""

    def ignore(self, key: str, until: float) -> None:
        """Drop this key if it is the next one and comes before `until`."""
        self._ignored = (key, until)

    def forget_keys(self) -> None:
        """Throw the keys pressed ahead away."""
        self._keys.clear()

    # ----- the walk

    def _key(self, key: Key) -> None:
        if key.digit not in KEYS:
            return
        ignored, self._ignored = self._ignored, None
        if ignored is not None and ignored[0] == key.digit and self._now < ignored[1]:
            return
        if self._wait.keys:
            self._resume(key)
            return
        if len(self._keys) < MAX_KEYS_AHEAD:
            self._keys.append(key.digit)
        if self._wait.barge_in:
            self._resume(Timeout())

    def _resume(self, event: Event) -> None:
        """Let the node go on until it waits for something that is not there yet; follow it wherever it
        goes.
        """
        step = self._advance(event)
        while step is None and self._wait.keys and self._keys:
            step = self._advance(Key(self._keys.popleft()))
        if step is not None:
            self._run(step)

    def _run(self, step: Step) -> None:
        """Follow steps from node to node until one waits or the walk ends."""
        following: Step | None = step
        while following is not None and not self.done:
            self.withdraw()
            if isinstance(following, Leave):
                self._end(following.output)
                return
            if not self._enter(following):
                return
            following = self._proceed()

    def _proceed(self) -> Step | None:
        """Begin the visit, with the keys that were pressed ahead; None if it waits."""
        step = self._advance(None)
        while step is None and self._wait.keys and self._keys and not self.done:
            step = self._advance(Key(self._keys.popleft()))
        return step

    def _advance(self, event: Event | None) -> Step | None:
        """Resume the visit once: None if it waits, otherwise its step."""
        assert self._visit is not None
        try:
            try:
                self._wait = next(self._visit) if event is None else self._visit.send(event)
            finally:
                self._has_secret = self._has_secret or any(map(self.variables.get, self.secrets))
        except StopIteration as stop:
            if isinstance(stop.value, Go | Leave | Enter):
                return stop.value
            return self._failure(f"visit() returned {stop.value!r}, not Go, Leave or Enter")
        except Exception as error:  # noqa: BLE001 - a third party's node may raise anything; the call must go on
            return self._failure(f"{type(error).__name__}: {error}")
        if self._wait.until is None and not self._playing:
            return self._failure("it waits for nothing that is sure to come (no playback, no time limit)")
        return None

    def _enter(self, step: Go | Enter) -> bool:
        """Make the target the current node; False if the walk ended instead."""
        place = self._way.follow(step, (self.flow.name, self._node) if self._steps else NOWHERE)
        if isinstance(place, HangUp):
            self._end(place)
            return False
        if self._steps >= MAX_STEPS:
            self._end(HangUp("too-long", f"{MAX_STEPS} nodes entered in one call"))
            return False
        flow, name = place
        self.flow, self._node = self.flows[flow], name
        self._steps += 1
        self._outputs.append(Entered(flow, name, step.data))
        return self._visit_node()

    def _visit_node(self) -> bool:
        """Make the visit of the current node; False if the walk ended instead."""
        try:
            self._visit = self.flow.nodes[self._node].visit(self)
        except Exception as error:  # noqa: BLE001 - as in _advance
            self._end(self._failure(f"{type(error).__name__}: {error}").output)
            return False
        return True

    def _failure(self, why: str) -> Leave:
        return Leave(HangUp("failure", f"node {self.flow.name}.{self._node}: {why}"))

    def _end(self, output: EnterQueue | Transfer | HangUp) -> None:
        self.stop()
        self.withdraw()
        self.done = True
        self._keys.clear()
        self._outputs.append(output)

    def _take_outputs(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs
