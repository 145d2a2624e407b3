"""The caller in a menu: his walk through a flow, joined to what he hears and presses, and to what his nodes
ask of the switch and of the world around it.

Invariant: an ask is open while `Call.asked` holds its number, which no other ask of this switch ever has; the
answer to any other is dropped.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import partial

from acd.events import Kind
from ivr import messages as ivr
from ivr.session import Session
from ivr.standing import Standing
from softswitch.call import carrying
from softswitch.call.attributes import look_for
from softswitch.call.call import Call, Heard, Stage
from softswitch.call.events import Asked
from softswitch.call.hub import Hub
from softswitch.call.record import Disposition
from softswitch.call.settings import Target
from softswitch.call.speaking import Speaking
from softswitch.call.steps import Steps
from softswitch.call.text import printable
from softswitch.errors import LocalError

Answerer = Callable[[Call, int, ivr.Request, float], None]
"""Carries out a request: `(call, ask, request, now)`; gives the answer by `Menu.answered(ask, ...)`, at
once or later, or never."""
Stopper = Callable[[Call, int, float], None]
"""Nobody waits for this ask any more (the caller is gone, or somewhere else): `(call, ask, now)`."""


class Menu:
    """Runs the sessions of all callers."""

    def __init__(self, hub: Hub, steps: Steps) -> None:
        self.hub = hub
        self.steps = steps
        self.answerers: dict[type[ivr.Request], Answerer] = {}
        """Who carries out which type of request; a part of the switch enters itself here. `to_shell` hands
        the request to the shell around the switch."""
        self.stoppers: dict[type[ivr.Request], Stopper] = {}
        """Who wants to know that a request of this type is not waited for any more."""
        self.speaking = Speaking(hub)
        self._asks = itertools.count(1)
        self._open: dict[int, tuple[Call, Session, int, ivr.Request]] = {}

    def skip_numbers(self, ask: int) -> None:
        """Asks up to this one are of an earlier process."""
        self._asks = itertools.count(ask + 1)

    def enter(self, call: Call, flow: str, now: float) -> None:
        """The caller starts a flow."""
        call.enter(Stage.MENU, now)
        call.story.begin("menu", now)
        session = self._session(call, flow)
        self._run(call, session.handle(ivr.Start(), now), now)

    def resume(self, call: Call, standing: Standing, now: float) -> None:
        """He was in a flow in a process that has died: he hears the node that he was at once more."""
        session = self._session(call, standing.start)
        self._run(call, session.resume(standing, now), now)

    def _session(self, call: Call, flow: str) -> Session:
        look = partial(look_for, call, self.hub)
        variables = {"caller": str(look("caller") or ""), "number": call.story.to_number}
        language = call.language or self.hub.settings.language
        variables |= {"status": call.status.name, "language": language}
        call.menu_due = None
        settings = self.hub.settings
        call.menu_clip = settings.clip
        call.session = Session(settings.flows, flow, variables, look, settings.world)
        return call.session

    def digit(self, call: Call, digit: str, now: float) -> None:
        """The caller pressed a key."""
        if call.session is not None:
            self._run(call, call.session.handle(ivr.Key(digit), now), now)

    def played(self, call: Call, now: float) -> None:
        """The prompt was heard to its end."""
        if call.session is not None:
            self._run(call, call.session.handle(ivr.PlayDone(call.menu_play), now), now)

    # ----- what nodes ask for

    def to_shell(self, call: Call, ask: int, request: ivr.Request, now: float) -> None:
        """An answerer for requests that the shell carries out: it is given `Asked`."""
        self.hub.emit([Asked(call.id, ask, request)])

    def answered(self, ask: int, values: Mapping[str, str], error: str, now: float) -> None:
        """The answer to an ask: what was found, or why there is nothing. Safe to call from an answerer."""
        self.hub.post(ivr.Answer(ask, values, error))

    def take_answer(self, answer: ivr.Answer, now: float) -> None:
        """Hand the answer to whoever still waits for it."""
        call, session, ask, _ = self._open.pop(answer.ask, (None, None, 0, None))
        if call is None or session is None:
            return
        call.asked = 0
        if call.session is session and call.stage is Stage.MENU:
            if answer.error:
                self.hub.warn("a menu got no answer", call=call.id, node=session.place, reason=answer.error)
            self._run(call, session.handle(ivr.Answer(ask, answer.values, answer.error), now), now)

    def over(self, call: Call, now: float) -> None:
        """The caller has left: nobody waits for what was asked."""
        self._withdraw(call, now)
        self.speaking.forget(call.speaking)

    def is_secret(self, call: Call) -> bool:
        """Whether what he presses now must not be written down."""
        return call.session is not None and call.session.is_secret

    def _ask(self, call: Call, session: Session, asked: ivr.Ask, now: float) -> None:
        ask = call.asked = next(self._asks)
        self._open[ask] = (call, session, asked.ask, asked.request)
        carry_out = self.answerers.get(type(asked.request))
        if carry_out is not None:
            carry_out(call, ask, asked.request, now)
        else:
            self.answered(ask, {}, f"nobody here carries out {type(asked.request).__name__}", now)

    def _withdraw(self, call: Call, now: float) -> None:
        ask, call.asked = call.asked, 0
        _, _, _, request = self._open.pop(ask, (None, None, 0, None))
        if request is not None and (stop := self.stoppers.get(type(request))) is not None:
            stop(call, ask, now)

    # ----- the walk

    def _due(self, call: Call, session: Session, armed_for: float, now: float) -> None:
        if call.session is session and call.stage is Stage.MENU and call.menu_due == armed_for:
            call.menu_due = None
            self._run(call, session.handle_timer(now), now)

    def _run(self, call: Call, outputs: list[ivr.Output], now: float) -> None:
        session = call.session
        for output in outputs:
            match output:
                case ivr.Play(play, prompts):
                    if session is not None:
                        self._hear(call, session, play, prompts, now)
                case ivr.StopPlay():
                    self._hush(call)
                case ivr.Ask():
                    if session is not None:
                        self._ask(call, session, output, now)
                case ivr.Withdraw():
                    self._withdraw(call, now)
                case ivr.Entered(flow, node, data):
                    call.story.node(flow, node)
                    self.hub.log(now, Kind.MENU, call, flow=flow, node=node, **data)
                    self.hub.keep(call)
                case _:
                    self._leave(call, output, now)
                    return
        if session is not None and (deadline := session.deadline()) is not None:
            self._arm(call, session, deadline)

    def _hear(
        self, call: Call, session: Session, play: int, prompts: tuple[ivr.Prompt, ...], now: float
    ) -> None:
        """Let him hear the prompts as soon as they are there."""
        if any(prompt.live for prompt in prompts):
            self._hush(call)
        call.menu_play = play
        self.speaking.forget(call.speaking)
        then = partial(self._play, call, session, play)
        call.speaking = self.speaking.make(prompts, call.menu_clip, then, now)

    def _play(self, call: Call, session: Session, play: int, clips: tuple[str, ...], now: float) -> None:
        if call.session is not session or call.stage is not Stage.MENU or call.menu_play != play:
            return
        call.speaking = 0
        if clips:
            call.heard = Heard.PROMPT
            self.hub.emit(self.hub.plane.play(call.leg, clips))
        else:  # nothing is left of it
            self._hush(call)
            self.hub.at(now, lambda at: self._silent(call, session, play, at))

    def _silent(self, call: Call, session: Session, play: int, now: float) -> None:
        if call.session is session and call.stage is Stage.MENU and call.menu_play == play:
            self._run(call, session.handle(ivr.PlayDone(play), now), now)

    def _hush(self, call: Call) -> None:
        self.speaking.forget(call.speaking)
        call.speaking = 0
        if call.heard is Heard.PROMPT:
            self.hub.emit(self.hub.plane.stop(call.leg))
        call.heard = Heard.NOTHING

    def _arm(self, call: Call, session: Session, deadline: float) -> None:
        """One timer a caller, however many keys he presses: it is set again when it comes too early."""
        if call.menu_due is None or deadline < call.menu_due:
            call.menu_due = deadline
            self.hub.at(deadline, lambda at: self._due(call, session, deadline, at))

    def _leave(self, call: Call, output: ivr.EnterQueue | ivr.Transfer | ivr.HangUp, now: float) -> None:
        secrets: frozenset[str] = frozenset()
        if call.session is not None:
            call.language = call.session.language or call.language
            secrets = call.session.secrets
        call.session = None
        self.hub.keep(call)
        call.story.stop("menu", now)
        match output:
            case ivr.EnterQueue(queue, priority, call_type, carry):
                call.priority = priority or call.priority
                self._send_on(call, f"queue:{queue}", call_type, carry, secrets, now)
            case ivr.Transfer(target, call_type, fallback, wait_s, carry):
                if target.startswith("agent:"):
                    call.fallback = Target.parse(fallback) if fallback else None
                    call.agent_wait_s = wait_s
                self._send_on(call, target, call_type, carry, secrets, now)
            case ivr.HangUp(cause, detail):
                if cause == "failure":
                    self.hub.warn("a menu failed", call=call.id, detail=detail)
                    call.story.disposition = Disposition.FAILED
                self.steps.farewell(call, (), cause, now)

    def _send_on(
        self,
        call: Call,
        target: str,
        call_type: str,
        carry: Mapping[str, str],
        secrets: frozenset[str],
        now: float,
    ) -> None:
        """With what was chosen, and what was learned; of `secrets` the log has the names only."""
        try:
            parsed = Target.parse(target)
        except LocalError as error:
            self.hub.warn("a menu failed", call=call.id, detail=str(error))
            call.story.disposition = Disposition.FAILED
            self.steps.farewell(call, (), "failure", now)
            return
        call.story.call_type = printable(call_type) or call.story.call_type
        if added := carrying.carry(call.carried, carry):
            call.secrets |= secrets & added.keys()
            shown = {name: "?" if name in secrets else value for name, value in added.items()}
            self.hub.log(now, Kind.CARRIED, call, **shown)
        self.steps.go(call, parsed, now)
