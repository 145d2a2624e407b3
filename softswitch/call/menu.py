"""The caller in a menu: his walk through a flow, joined to what he hears and presses."""

from __future__ import annotations

from acd.events import Kind
from ivr import messages as ivr
from ivr.session import Session
from softswitch.call.call import Call, Heard, Stage
from softswitch.call.hub import Hub
from softswitch.call.record import Disposition
from softswitch.call.settings import Target
from softswitch.call.steps import Steps


class Menu:
    """Runs the sessions of all callers."""

    def __init__(self, hub: Hub, steps: Steps) -> None:
        self.hub = hub
        self.steps = steps

    def enter(self, call: Call, flow: str, now: float) -> None:
        """The caller starts a flow."""
        call.enter(Stage.MENU, now)
        call.story.begin("menu", now)
        variables = {"caller": call.identity.number, "number": call.story.to_number}
        variables |= {"status": call.status.name, "language": call.language}
        call.menu_due = None
        call.session = Session(self.hub.settings.flows, flow, variables)
        self._run(call, call.session.handle(ivr.Start(), now), now)

    def digit(self, call: Call, digit: str, now: float) -> None:
        """The caller pressed a key."""
        if call.session is not None:
            self._run(call, call.session.handle(ivr.Key(digit), now), now)

    def played(self, call: Call, now: float) -> None:
        """The prompt was heard to its end."""
        if call.session is not None:
            self._run(call, call.session.handle(ivr.PlayDone(call.menu_play), now), now)

    def _due(self, call: Call, session: Session, armed_for: float, now: float) -> None:
        if call.session is session and call.stage is Stage.MENU and call.menu_due == armed_for:
            call.menu_due = None
            self._run(call, session.handle_timer(now), now)

    def _run(self, call: Call, outputs: list[ivr.Output], now: float) -> None:
        session = call.session
        for output in outputs:
            match output:
                case ivr.Play(play, prompts):
                    call.menu_play = play
                    call.heard = Heard.PROMPT
                    clips = tuple(self.hub.settings.clip(prompt) for prompt in prompts)
                    self.hub.emit(self.hub.plane.play(call.leg, clips))
                case ivr.StopPlay():
                    call.heard = Heard.NOTHING
                    self.hub.emit(self.hub.plane.stop(call.leg))
                case ivr.Entered(flow, node, data):
                    call.story.node(flow, node)
                    self.hub.log(now, Kind.MENU, call, flow=flow, node=node, **data)
                case _:
                    self._leave(call, output, now)
                    return
        if session is not None and (deadline := session.deadline()) is not None:
            self._arm(call, session, deadline)

    def _arm(self, call: Call, session: Session, deadline: float) -> None:
        """One timer a caller, however many keys he presses: it is set again when it comes too early."""
        if call.menu_due is None or deadline < call.menu_due:
            call.menu_due = deadline
            self.hub.at(deadline, lambda at: self._due(call, session, deadline, at))

    def _leave(self, call: Call, output: ivr.EnterQueue | ivr.Transfer | ivr.HangUp, now: float) -> None:
        if call.session is not None:
            call.language = _language(call.session, call.language)
        call.session = None
        call.story.stop("menu", now)
        match output:
            case ivr.EnterQueue(queue, priority, call_type):
                call.priority = priority or call.priority
                call.story.call_type = call_type or call.story.call_type
                self.steps.go(call, Target("queue", queue), now)
            case ivr.Transfer(target, call_type):
                call.story.call_type = call_type or call.story.call_type
                self.steps.go(call, Target.parse(target), now)
            case ivr.HangUp(cause, detail):
                if cause == "failure":
                    self.hub.warn("a menu failed", call=call.id, detail=detail)
                    call.story.disposition = Disposition.FAILED
                self.steps.farewell(call, (), cause, now)


def _language(session: Session, before: str) -> str:
    """The caller's language after a menu: what a node has set, else that of the last flow he was in."""
    chosen = session.variables.get("language", "")
    return chosen if chosen and chosen != before else session.flow.language or before
