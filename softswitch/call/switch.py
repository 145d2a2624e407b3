"""The switch: one sans-IO core for everything between SIP messages, media workers and administrators.

Feed it by the methods below; each returns effects to be carried out in order. `deadline` tells when
`handle_timer` wants to be called. `now` is the epoch-anchored clock in seconds.

Invariant: one input is handled to its end, with all that follows from it in other parts, before the next.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping

from acd import messages as acd
from acd.dispatcher import Acd
from acd.errors import AcdError
from acd.events import Kind
from acd.restart import AgentSnapshot
from ivr.messages import Answer
from media import messages as m
from softswitch.call.allowance import EVERY_S
from softswitch.call.audio_news import AudioNews
from softswitch.call.call import Attempt, Call
from softswitch.call.desk import Desk
from softswitch.call.endpoint import Endpoint
from softswitch.call.errand import Errand
from softswitch.call.events import (
    Accepted,
    Append,
    CallKept,
    Confirmed,
    Effect,
    Ended,
    Incoming,
    InfoDigit,
    Progress,
    Registering,
    Reoffer,
    Replied,
    Subscribing,
)
from softswitch.call.following import follow
from softswitch.call.hub import Hub, Todo
from softswitch.call.identity import Identities
from softswitch.call.kept import keep
from softswitch.call.leg import Leg
from softswitch.call.media import MediaPlane
from softswitch.call.orders import Orders
from softswitch.call.record import Disposition
from softswitch.call.settings import Settings
from softswitch.call.taking_over import LastRun, TakingOver
from softswitch.call.terminating import EndpointProcess
from softswitch.call.user_agent import UserAgent
from softswitch.call.voicemail_box import Message
from softswitch.errors import LocalError, PeerError
from softswitch.sip.digest import DigestServer
from softswitch.sip.flow import Flow, Places, Transport
from softswitch.sip.layer import TransactionLayer
from softswitch.sip.message import Response
from softswitch.sip.outputs import Send
from softswitch.sip.registrar import Binding, Registrar
from softswitch.sip.timers import Timers


class Switch(Orders):
    """All calls of one process.

    `addresses` is what we call ourselves (Via, Contact) where that differs from `bound`, where we listen.
    `agents` names the agent of each extension. `token` gives a new unguessable token at each call.
    """

    def __init__(
        self,
        settings: Settings,
        distributor: Acd,
        *,
        digest: DigestServer,
        registrar: Registrar,
        addresses: Places,
        bound: Places,
        agents: Mapping[str, str],
        token: Callable[[], str],
        timers: Timers | None = None,
        product: str = "cc-softswitch",
    ) -> None:
        timers = timers or Timers()
        layer = TransactionLayer(timers, token=token)
        endpoint = Endpoint(layer, addresses=addresses, product=product, token=token, timers=timers)
        identities = Identities(settings, digest, registrar)
        plane = MediaPlane(token, settings.srtp_suites, comfort_noise=settings.comfort_noise)
        self.hub = Hub(settings, UserAgent(endpoint), plane, distributor, identities, token)
        self.desk = Desk(self.hub, bound, dict(agents))
        self._taking_over: TakingOver | None = None
        self._audio_news = AudioNews(self.desk)
        self._stopping = False

    # ----- the beginning and the end

    def start(self, now: float) -> list[Effect]:
        """The first input."""
        self.hub.log(now, Kind.SYSTEM_START)
        return self.finish(now)

    def restore(
        self,
        agents: Iterable[AgentSnapshot],
        phones: Iterable[tuple[str, tuple[Binding, ...]]],
        now: float,
        closed: Iterable[str] = (),
        last: LastRun | None = None,
    ) -> list[Effect]:
        """Once, after `start`: the agents, registrations, closed queues and calls of the last run (see
        AgentKept, PhoneKept, QueueKept, CallKept)."""
        last = last or LastRun()
        self.desk.queueing.keeping.phones_were(phones, now)
        talks = [one.talk.talk for one in last.going_on if one.talk and one.talk.talk]
        self.desk.queueing.restore(agents, closed, now, talks)
        self._taking_over = TakingOver(self.desk, last, self._defect)
        self._taking_over.run(now)
        return self.finish(now)

    def restore_errands(self, errands: Iterable[Errand], now: float) -> list[Effect]:
        """Once, after `start`: who was promised to be called back and was not reached yet."""
        self.desk.callbacks.restore(errands, now)
        return self.finish(now)

    def restore_messages(self, messages: Iterable[Message], now: float) -> list[Effect]:
        """Once, after `start`: what the mailboxes hold."""
        self.desk.voicemail.restore(messages)
        return self.finish(now)

    def lead_on(self, now: float) -> list[Effect]:
        """Once, after all else of the last run: callers who were in menus and mailboxes go on."""
        if self._taking_over is not None:
            self._taking_over.lead_on(now)
            self._taking_over = None
        return self.finish(now)

    def remember_agents(self, talks: Iterable[tuple[str, str, float]]) -> None:
        """Once: which agent talked with which number, and when (epoch seconds), the oldest first."""
        for number, agent, at in talks:
            normal = self.hub.settings.statuses.numbering.normal(number)
            self.desk.queueing.last_agents.talked(normal, agent, at)

    def remember_places(self, lost: Iterable[tuple[str, str, float]], now: float) -> None:
        """Once: who waited when the last run ended, (queue, number, epoch seconds of his entry)."""
        for queue, number, since in lost:
            normal = self.hub.settings.statuses.numbering.normal(number)
            self.hub.acd.remember_place(queue, normal, since, now)

    def reload(
        self,
        settings: Settings,
        agents: Mapping[str, str],
        change: Callable[[float], list[acd.Output]],
        by: str,
        now: float,
    ) -> list[Effect]:
        """Go on with another configuration; `change` gives it to the distributor, `agents` is as at the
        start. Calls go on as they were; callers in a menu stay in the old one. Raises LocalError: it is
        refused, and nothing has changed."""
        try:
            outputs = change(now)
        except AcdError as error:
            raise LocalError(str(error)) from error
        before, self.hub.settings = self.hub.settings, settings
        self.hub.identities.settings = settings
        self.hub.log(now, Kind.CONFIGRELOAD, by=by)
        self.desk.reconfigured(outputs, agents, now)
        self.desk.voicemail.reconfigured(before, now)
        return self.finish(now)

    def stop(self, now: float) -> list[Effect]:
        """End all calls; new ones are refused from now on."""
        self._stopping = True
        for call in list(self.hub.calls.values()):
            self.desk.end(call, None, "shutdown", "system", now)
        effects = self.finish(now)
        self.hub.log(now, Kind.SYSTEM_STOP)
        return effects + self.finish(now)

    # ----- from the wire, the workers and DNS

    def receive(self, data: bytes, flow: Flow, now: float) -> list[Effect]:
        """One SIP message, whatever a peer sent."""
        self.hub.do(self.hub.ua.receive(data, flow, now))
        return self.finish(now)

    def transport_failed(self, flow: Flow, now: float) -> list[Effect]:
        """A flow is broken."""
        self.hub.do(self.hub.ua.transport_failed(flow, now))
        for number, _ in self.hub.identities.registrar.flow_failed(flow):
            self.desk.queueing.phone_state(number, now)
        return self.finish(now)

    def resolved(self, key: int, places: list[tuple[Transport, str, int]], now: float) -> list[Effect]:
        """The answer to a Resolve: (transport, IP address, port) in order of preference; empty for none."""
        self.desk.ringing.resolved(key, places, now)
        return self.finish(now)

    def answered(self, ask: int, values: Mapping[str, str], error: str, now: float) -> list[Effect]:
        """The answer to an Asked: what was found, or why there is nothing (`error` not empty)."""
        self.desk.menu.answered(ask, values, error, now)
        return self.finish(now)

    def spoken(self, key: int, error: str, now: float) -> list[Effect]:
        """The answer to a Speak: its clips are there, or why not."""
        self.desk.menu.speaking.spoken(key, error, now)
        return self.finish(now)

    def endpoint_ready(self, number: int, process: EndpointProcess, now: float) -> list[Effect]:
        """A pjsua2 process takes calls."""
        self.hub.terminating.process_ready(number, process)
        return self.finish(now)

    def endpoint_lost(self, number: int, reason: str, now: float) -> list[Effect]:
        """A pjsua2 process died: what it spoke is spoken by another one, or ends."""
        self.hub.terminating.process_lost(number, reason, now)
        return self.finish(now)

    def worker_ready(self, worker: int, now: float) -> list[Effect]:
        """A media worker takes legs."""
        self.hub.plane.worker_ready(worker)
        return self.finish(now)

    def worker_lost(self, worker: int, reason: str, now: float) -> list[Effect]:
        """A media worker died: its calls are over, their log is complete."""
        self.hub.warn("a media worker is lost; its calls end", worker=str(worker), reason=reason)
        self.desk.worker_lost(self.hub.plane.worker_lost(worker), f"media worker lost: {reason}", now)
        return self.finish(now)

    def media(self, worker: int, event: m.Event, now: float) -> list[Effect]:
        """Something happened in a media worker."""
        match event:
            case m.Released():
                self._released(event)
            case m.Recorded() | m.RecordFailed():
                self._recorded(event, now)
            case m.RecordSilent():
                self.desk.voicemail.scripts.silent(event, now)
            case m.Pong():
                self.hub.plane.pool.reported(worker, event)
            case m.Rejoined():
                pass  # the link itself reads it, before the switch begins (softswitch.net.media_link)
            case _:
                terminal = self.hub.terminating.of(event.leg)
                leg = terminal.leg if terminal is not None else self.hub.plane.leg(event.leg)
                if leg is not None and self.hub.terminating.concerns(event.leg, event):
                    self._heard(leg, event, now)
        return self.finish(now)

    def _released(self, event: m.Released) -> None:
        self.hub.terminating.released(event)
        if (leg := self.hub.plane.released(event)) is not None:
            self.desk.closing.released(leg)

    def _recorded(self, event: m.Recorded | m.RecordFailed, now: float) -> None:
        """A message, what a recogniser listened to, or the recording of a call."""
        if self.desk.voicemail.recorded(event, now) or self.desk.listening.recorded(event, now):
            return
        if (call := self.desk.recordings.recorded(event, now)) is not None:
            self.desk.conferences.recorded(event.recording)
            self.desk.closing.recorded(call)

    def _heard(self, leg: Leg, event: m.Event, now: float) -> None:
        try:
            self._audio_news.heard(leg, event, now)
        except Exception as error:  # noqa: BLE001 - see _defect
            self._defect(error, leg, now)

    # ----- time

    def deadline(self) -> float | None:
        """When `handle_timer` is due, None while nothing is pending."""
        hub = self.hub
        earliest = hub.ua.deadline()  # asked after every input: no generator
        for time in (hub.acd.deadline(), hub.timer_deadline(), hub.identities.registrar.deadline()):
            if time is not None and (earliest is None or time < earliest):
                earliest = time
        return earliest

    def handle_timer(self, now: float) -> list[Effect]:
        """Do what is due."""
        self.hub.do(self.hub.ua.handle_timer(now))
        self.desk.queueing.handle_timer(now)
        while (action := self.hub.take_due(now)) is not None:
            try:
                action(now)
            except Exception as error:  # noqa: BLE001 - see _defect
                self._defect(error, None, now)
        for number, _ in self.hub.identities.registrar.expire(now):
            self.desk.queueing.phone_state(number, now)
        return self.finish(now)

    # ----- how it stands

    @property
    def is_settled(self) -> bool:
        """Whether every call that is over has its record."""
        return not self.hub.calls and self.desk.closing.is_settled and self.desk.voicemail.is_settled

    @property
    def registrations(self) -> Mapping[str, tuple[Binding, ...]]:
        """Where each extension is registered."""
        return self.hub.identities.registrar.records()

    @property
    def calls_total(self) -> int:
        """Calls since the start, those that the switch makes to somebody too."""
        return self.hub.calls_total

    @property
    def calls(self) -> Mapping[str, Call]:
        """The live calls."""
        return self.hub.calls

    # ----- inside

    def finish(self, now: float) -> list[Effect]:
        """Handle what the parts left for one another; then all effects."""
        todo, changed = self.hub.todo, self.hub.changed
        while todo or changed:
            while todo:
                item = todo.popleft()
                try:
                    self._handle(item, now)
                except Exception as error:  # noqa: BLE001 - see _defect
                    self._defect(error, getattr(item, "leg", None), now)
            while changed:
                _, call = changed.popitem()
                try:
                    self._keep(call)
                except Exception as error:  # noqa: BLE001 - see _defect
                    self._defect(error, call.leg, now)
        return self.hub.take_effects()

    def _keep(self, call: Call) -> None:
        """Have what another process would need of this call stored, or forgotten."""
        hub, kept = self.hub, None
        if call.id in hub.calls:
            place = self.desk.place(call)
            kept = keep(hub, call, self.desk.recordings.tape_of(call), place)
        if kept is not None:
            hub.kept.add(call.id)
        elif call.id in hub.kept:
            hub.kept.discard(call.id)
        else:
            return
        hub.emit([CallKept(call.id, kept)])

    def _handle(self, item: Todo, now: float) -> None:
        match item:
            case Incoming():
                self._incoming(item, now)
            case Registering():
                self._register(item, now)
            case Progress(leg):
                if (attempt := self.hub.attempts.get(leg.id)) is not None:
                    self.desk.ringing.progress(attempt, item, now)
            case Accepted(leg):
                self._accepted(item, now)
            case Confirmed(leg):
                if (call := self.hub.call_of(leg)) is not None:
                    self.desk.arrivals.confirmed(call, item, now)
            case Reoffer(leg):
                self._reoffer(item, now)
            case InfoDigit(leg, digit):
                self.desk.digit(leg, digit, "info", now)
            case Ended(leg):
                self._ended(item, now)
            case Attempt():
                self.desk.nobody(item, now)
            case Subscribing():
                self._subscribe(item, now)
            case Replied(transaction, status):
                self.desk.voicemail.mwi.replied(transaction, status, now)
            case Send() | Append():
                self.hub.emit([item])
            case Answer():
                self.desk.menu.take_answer(item, now)
            case _:
                self._tell_distributor(item, now)

    def _defect(self, error: Exception, leg: Leg | None, now: float) -> None:
        """A mistake of ours costs the call in which it shows, and is told in full; it leaves no call hanging
        and keeps no other from being served."""
        trace = "".join(traceback.format_exception(error))
        call = self.hub.call_of(leg) if leg is not None else None
        self.hub.warn("a defect in the switch; please report it", call=call.id if call else "", trace=trace)
        if call is not None:
            self.desk.end(call, Disposition.FAILED, "a defect in the switch", "system", now)
            self.desk.ringing.sweep(call, now)

    def _tell_distributor(self, message: acd.Input, now: float) -> None:
        try:
            self.desk.queueing.handle(message, now)
        except AcdError as error:
            self.hub.warn("the distributor refused a fact", fact=type(message).__name__, error=str(error))

    def _incoming(self, event: Incoming, now: float) -> None:
        if self._stopping:
            error = PeerError(503, "Shutting down", (("Retry-After", "10"),))
            event.leg.gone = True
            self.hub.do(self.hub.ua.refuse(event.leg, error, now))
        else:
            self.desk.arrivals.incoming(event, now)

    def _accepted(self, event: Accepted, now: float) -> None:
        leg = event.leg
        attempt = self.hub.attempts.get(leg.id)
        if (terminal := self.hub.terminating.of(leg.id)) is not None and leg is not terminal.leg:
            self.hub.terminating.accepted(terminal, event, now)
        elif attempt is None:
            self.hub.let_go(leg, now)
        elif self.desk.ringing.accepted(attempt, event, now):
            self.desk.answered(attempt, leg, now)

    def _ended(self, event: Ended, now: float) -> None:
        leg = event.leg
        call = self.hub.call_of(leg)
        terminal = self.hub.terminating.of(leg.id)
        if terminal is not None and leg is not terminal.leg:
            self.hub.terminating.ended(terminal, event.reason, now)
        elif (attempt := self.hub.attempts.get(leg.id)) is not None:
            self.desk.ringing.ended(attempt, event, now)
        elif call is not None:
            self.desk.leg_ended(call, event, now)

    def _reoffer(self, event: Reoffer, now: float) -> None:
        call = self.hub.call_of(event.leg)
        try:
            if call is None or event.leg.audio is None or event.leg.audio.local is None:
                raise PeerError(491, "Request Pending")
            # Each may be a row of the log; who holds may always take back.
            if not event.leg.audio.held and not event.leg.reoffers.take(now):
                raise PeerError(500, "Too Many Changes", (("Retry-After", str(round(EVERY_S))),))
            self.desk.talking.reoffer(call, event, now)
            self.desk.held(call)
        except PeerError as error:
            self.hub.do(self.hub.ua.respond_error(event.transaction, event.request, error, now))

    def _subscribe(self, event: Subscribing, now: float) -> None:
        try:
            self.desk.voicemail.mwi.subscribe(event, now)
        except PeerError as error:
            self.hub.warn_of_login(error, event.flow, now)
            self.hub.do(self.hub.ua.respond_error(event.transaction, event.request, error, now))

    def _register(self, event: Registering, now: float) -> None:
        try:
            number, registered = self.hub.identities.register(event.request, event.flow, now)
        except PeerError as error:
            self.hub.warn_of_login(error, event.flow, now)
            self.hub.do(self.hub.ua.respond_error(event.transaction, event.request, error, now))
            return
        headers = registered.contact_headers(now)
        response = Response.answering(event.request, 200, to_tag=self.hub.token(), headers=headers)
        self.hub.do(self.hub.ua.respond(event.transaction, response, now))
        if self.hub.ua.ep.stranded and event.flow.reliable:
            follow(self.hub, number, event.flow, now)
        if registered.changes:
            self.desk.queueing.keeping.phone(number, now)
        if any(change.kind == "added" for change in registered.changes):
            self.desk.voicemail.mwi.registered(number, now)
        self.desk.queueing.phone_state(number, now)
