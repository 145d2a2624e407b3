"""A whole call centre without a socket: the real switch core, phones made of the real user agent, a
scripted worker.

Time is a number that the test moves. `Centre.settle` delivers everything that is under way;
`Centre.advance` steps from deadline to deadline. Nothing sleeps.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from acd import messages as acd
from acd.agent import AgentConfig
from acd.dispatcher import Acd
from acd.events import Kind, LogEvent
from acd.queue import QueueConfig
from acd.restart import AgentSnapshot
from acd.rules import QueueRules
from ivr.flow import Flow as Menu
from ivr.messages import Prompt
from ivr.nodes import BUILT_IN
from media import messages as m
from media.endpoints.messages import LOOPBACK
from softswitch.call import events
from softswitch.call.call import Call
from softswitch.call.endpoint import Endpoint
from softswitch.call.errand import Errand
from softswitch.call.events import (
    Accepted,
    AgentKept,
    Append,
    CallbackKept,
    CallbackOver,
    CallKept,
    Closed,
    Confirmed,
    Effect,
    Ended,
    Incoming,
    LegOutput,
    Media,
    Opened,
    PhoneKept,
    Progress,
    QueueKept,
    Reoffer,
    Warn,
)
from softswitch.call.kept import KeptCall
from softswitch.call.leg import Leg
from softswitch.call.record import CallRecord
from softswitch.call.routing import Asked, Explain, Step
from softswitch.call.settings import AgentCare, Feature, Peer, Phone, QueueCare, Route, Settings, Target
from softswitch.call.switch import Switch
from softswitch.call.tape import Tape, TapeKept, TapeReady
from softswitch.call.terminating import EndpointProcess
from softswitch.call.user_agent import UserAgent
from softswitch.call.voicemail_box import FileGone, Message, MessageGone, MessageKept, MessageReady, Speak
from softswitch.errors import PeerError
from softswitch.sdp.crypto import Crypto, SrtpPolicy
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import PCMA, PCMU, Codec, LocalMedia, make_answer, make_offer
from softswitch.sip.digest import DigestServer
from softswitch.sip.flow import Flow, Places
from softswitch.sip.headers import NameAddr
from softswitch.sip.layer import TransactionLayer
from softswitch.sip.message import Response
from softswitch.sip.outputs import Send
from softswitch.sip.parser import parse
from softswitch.sip.registrar import Binding, Registrar
from softswitch.sip.timers import Timers
from softswitch.sip.uri import Uri
from softswitch.store.rows import encode_json

SWITCH = ("10.0.0.1", 5060)


class Plan:
    """A dial plan of literal numbers."""

    def __init__(self, routes: Mapping[str, Target | Route], peers: Mapping[str, str]) -> None:
        self.routes = routes
        self.peers = peers

    def feature(self, number: str) -> tuple[Feature, str] | None:
        codes: dict[str, Feature] = {
            "*11": "login",
            "*12": "logout",
            "*13": "ready",
            "*14": "pause",
            "*31": "listen",
            "*32": "whisper",
            "*33": "barge",
            "*98": "voicemail",
        }
        return (codes[number[:3]], number[3:]) if number[:3] in codes else None

    def route(self, asked: Asked) -> Route | None:
        found = self.routes.get(asked.dialled)
        return Route(found) if isinstance(found, Target) else found

    def trace(self, asked: Asked, explain: Explain) -> tuple[Step, ...]:
        return ()

    def peer_of(self, address: str) -> str | None:
        return self.peers.get(address)


class Handset:
    """A phone at a fixed address, made of the switch's own user agent. It does what the test tells it."""

    def __init__(self, centre: Centre, number: str, host: str) -> None:
        self.centre = centre
        self.number = number
        self.address = (host, 5060)
        self.flow = Flow("udp", self.address, SWITCH)
        tokens = (f"{number}x{n}" for n in itertools.count(1))
        layer = TransactionLayer(Timers(), token=tokens.__next__)
        endpoint = Endpoint(
            layer, addresses=Places(), product="handset", token=tokens.__next__, timers=Timers()
        )
        self.ua = UserAgent(endpoint)
        self.legs: list[Leg] = []
        self.events: list[LegOutput] = []
        self.codecs: tuple[Codec, ...] = (PCMU, PCMA)
        """What it speaks."""
        self._reinvited = ""
        self.on_incoming: Callable[[Leg], None] | None = None
        self.srtp: SrtpPolicy = "off"
        self.crypto: tuple[Crypto, ...] = ()
        """The keys that it has, while it speaks SRTP."""

    # ----- what a person does with it

    def call(self, number: str, *, sdp: bool = True) -> Leg:
        """Dial."""
        caller = NameAddr(Uri("sip", self.number, None, self.address[0]))
        target = Uri("sip", number, None, *SWITCH)
        leg = self.ua.new_leg(target, self.flow, caller, NameAddr(target), [])
        self.legs.append(leg)
        self._do(self.ua.invite(leg, self.offer() if sdp else b"", self.centre.now))
        return leg

    def answer(self, leg: Leg) -> None:
        """Pick up."""
        body = leg.invite.body
        answer = make_answer(SessionDescription.parse(body), self._local())[0].serialise()
        self._do(self.ua.answer(leg, answer, self.centre.now))

    def ring(self, leg: Leg) -> None:
        """Make it ring."""
        self._do(self.ua.ring(leg, self.centre.now))

    def refuse(self, leg: Leg, status: int = 486) -> None:
        """Decline."""
        self._do(self.ua.refuse(leg, PeerError(status, "Busy Here"), self.centre.now))

    def hang_up(self, leg: Leg) -> None:
        """Put down, or give up."""
        self._do(self.ua.hang_up(leg, self.centre.now))

    def hold(self, leg: Leg, *, held: bool = True) -> None:
        """Put the switch on hold by re-INVITE, or take it back."""
        assert leg.dialog is not None
        local = self._local(version=2)
        if held:
            local = msgspec.structs.replace(local, direction="sendonly")
        body = make_offer(local).serialise()
        self._reinvited = leg.dialog.call_id
        request = leg.dialog.request("INVITE", [], body, "application/sdp")
        _, outputs = self.ua.ep.layer.request(
            request, self.flow, self.centre.now, self.ua.ep.sent_by(self.flow)
        )
        self._do([output for output in outputs if isinstance(output, Send)])

    # ----- what the network does to it

    def receive(self, data: bytes) -> None:
        """A message arrives. The switch's user agent makes no re-INVITE, so its 2xx is acknowledged here."""
        message = parse(data)
        dialog = next(
            (leg.dialog for leg in self.legs if leg.dialog and leg.dialog.call_id == message.call_id), None
        )
        reinvited = message.cseq.method == "INVITE" and self._reinvited == message.call_id
        if isinstance(message, Response) and message.status == 200 and reinvited and dialog is not None:
            ack = dialog.ack(message.cseq.number)
            self._do([self.ua.ep.layer.send_stateless(ack, self.flow, self.ua.ep.sent_by(self.flow))])
        self._do(self.ua.receive(data, self.flow, self.centre.now))

    def of(self, kind: type) -> list[LegOutput]:
        """Its events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def offer(self) -> bytes:
        """What it offers."""
        return make_offer(self._local()).serialise()

    def _local(self, version: int = 1) -> LocalMedia:
        return LocalMedia(
            self.address[0], 4000, 1, version, codecs=self.codecs, srtp=self.srtp, crypto=self.crypto
        )

    def _do(self, outputs: list[LegOutput]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self.centre.wire.append((self.address, SWITCH, output.data))
                continue
            self.events.append(output)
            if isinstance(output, Incoming):
                self.legs.append(output.leg)
                if self.on_incoming is not None:
                    self.on_incoming(output.leg)


@dataclass
class Worker:
    """A media worker that does as the protocol says, and notes what it was told."""

    number: int = 1
    live: set[int] = field(default_factory=set)
    heard: dict[int, m.Play] = field(default_factory=dict)
    bridges: list[tuple[int, int]] = field(default_factory=list)
    remotes: dict[int, m.SetRemote] = field(default_factory=dict)
    recordings: dict[int, m.Record] = field(default_factory=dict)
    paused: set[int] = field(default_factory=set)
    rooms: dict[int, m.Join] = field(default_factory=dict)
    """Who is in which room, by leg, and how."""
    allocated: int = 0
    released: int = 0

    def command(self, command: m.Command) -> list[m.Event]:
        match command:
            case m.Allocate(leg):
                assert leg not in self.live, "a leg id was used twice"
                self.live.add(leg)
                self.allocated += 1
                return [m.Allocated(leg, "10.0.0.1", 20000 + 2 * leg % 40000)]
            case m.Release(leg):
                assert leg in self.live, "released twice"
                self.live.discard(leg)
                self.released += 1
                self.rooms.pop(leg, None)
                ended = [one for one in self.recordings.values() if leg in (one.left, one.right)]
                for one in ended:
                    del self.recordings[one.recording]
                return [
                    *(m.Recorded(one.recording, one.path, 1000) for one in ended),
                    m.Released(leg, m.Quality(100, 100, 1, 2.0, 3.0)),
                ]
            case m.SetRemote(leg):
                self.remotes[leg] = command
            case m.Play(leg, play):
                old, self.heard[leg] = self.heard.get(leg), command
                if old is not None:
                    assert old.play != play, "a playback has the number of the one that it replaces"
                    return [m.Played(leg, old.play, "stopped")]
            case m.Stop(leg):
                stopped = self.heard.pop(leg, None)
                return [m.Played(leg, stopped.play, "stopped")] if stopped else []
            case m.Connect(a, b):
                self.bridges.append((a, b))
                self.heard.pop(a, None)
                self.heard.pop(b, None)
                self.rooms.pop(a, None)
                self.rooms.pop(b, None)
            case m.Join(leg):
                assert leg in self.live, "a leg joins that is not there"
                self.rooms[leg] = command
            case m.Leave(leg):
                self.rooms.pop(leg, None)
            case m.Record(recording):
                assert recording not in self.recordings, "it is already running"
                self.recordings[recording] = command
            case m.RecordRoom(recording, room, path):
                self.recordings[recording] = m.Record(recording, -room, -room, path)
            case m.PauseRecord(recording, paused):
                self.paused = (self.paused | {recording}) if paused else (self.paused - {recording})
            case m.StopRecord(recording):
                done = self.recordings.pop(recording, None)
                return [m.Recorded(recording, done.path, 1000)] if done else []
        return []


def default_menu() -> dict[str, Menu]:
    """One menu: 1 is sales, 2 is support, nothing is sales."""
    nodes = {
        "choose": BUILT_IN["menu"].model_validate(
            {
                "prompt": "Press 1 or 2.",
                "timeout_s": 4,
                "retries": 1,
                "keys": {"1": "sales", "2": "support"},
                "otherwise": "bye",
            }
        ),
        "sales": BUILT_IN["queue"].model_validate({"queue": "sales", "call_type": "sales"}),
        "support": BUILT_IN["queue"].model_validate({"queue": "support"}),
        "bye": BUILT_IN["hangup"].model_validate({}),
    }
    return {"main": Menu("main", "choose", nodes, "en")}


class Centre:
    """Switch, phones, worker and wire."""

    def __init__(
        self,
        *,
        agents: tuple[str, ...] = ("201", "202"),
        callers: tuple[str, ...] = ("300", "301", "302"),
        queue: Mapping[str, object] | None = None,
        care: QueueCare | None = None,
        ring_s: float = 30.0,
        routes: Mapping[str, Target | Route] | None = None,
        more: Mapping[str, Any] | None = None,
        pause_limits_s: Mapping[str, float] | None = None,
        rules: QueueRules | None = None,
        token: str = "t",
    ) -> None:
        """`more` are further fields of Settings, in place of those made here; `token` is what the switch's
        tokens begin with."""
        self.now = 1_000_000.0
        self.wire: deque[tuple[tuple[str, int], tuple[str, int], bytes]] = deque()
        self.workers = {1: Worker(1)}
        self.log: list[LogEvent] = []
        self.opened: dict[str, CallRecord] = {}
        self.records: dict[str, CallRecord] = {}
        self.warnings: list[Warn] = []
        self.kept: dict[str, AgentSnapshot | None] = {}
        self.kept_calls: dict[str, KeptCall] = {}
        self.closed: set[str] = set()
        self.kept_phones: dict[str, tuple[Binding, ...]] = {}
        self.errands: dict[str, Errand] = {}
        self.messages: dict[str, Message] = {}
        self.mailed: list[str] = []
        self.files_gone: list[str] = []
        self.spoken: list[str] = []
        self.live: list[str] = []
        """What was spoken for one caller, at once; unless `dumb` says why not (`never`: without a word)."""
        self.dumb = ""
        self.asked: list[events.Asked] = []
        self.tapes: dict[str, Tape] = {}
        self.taped: list[str] = []
        self.lose: Callable[[bytes], bool] = lambda data: False
        everybody = (*agents, *callers)
        hosts = {number: f"10.0.1.{place}" for place, number in enumerate(everybody, 1)}
        self.phones = {number: Handset(self, number, host) for number, host in hosts.items()}
        self._by_address = {phone.address: phone for phone in self.phones.values()}
        treatment = care or QueueCare(("/music.wav",))
        settings = Settings(
            plan=Plan(
                routes or {"600": Target("flow", "main"), "601": Target("queue", "sales")},
                {"10.0.9.9": "pbx"},
            ),
            phones={
                number: Phone(number, contact=Uri("sip", number, None, host, 5060))
                for number, host in hosts.items()
            },
            peers={"pbx": Peer("pbx")},
            queues={"sales": treatment, "support": treatment},
            agents={f"agent{number}": AgentCare() for number in agents},
            flows=default_menu(),
            phrases={name: Prompt(text=name) for name in ("logged-in", "position-1", "position-2")},
            clip=lambda prompt: f"/{prompt.text}.wav",
            music=("/music.wav",),
            guests=True,
            ring_s=ring_s,
            recordings="/recordings",
        )
        settings = replace(settings, **(more or {}))
        options = {"ring_s": 15.0, "wrapup_s": 5.0} | dict(queue or {})
        self.acd = Acd(
            [QueueConfig(name=name, **options) for name in ("sales", "support")],  # type: ignore[arg-type]
            [AgentConfig(name=f"agent{number}", queues={"sales": 0, "support": 0}) for number in agents],
            pause_limits_s=pause_limits_s or {},
            rules={} if rules is None else {"sales": rules, "support": rules},
        )
        tokens = (f"{token}{n}" for n in itertools.count(1))
        self.switch = Switch(
            settings,
            self.acd,
            digest=DigestServer("test", bytes(32)),
            registrar=Registrar(),
            addresses=Places([("udp", *SWITCH)]),
            bound=Places([("udp", *SWITCH)]),
            agents={number: f"agent{number}" for number in agents},
            token=tokens.__next__,
        )
        self._carry_out(self.switch.start(self.now))
        self._carry_out(self.switch.worker_ready(1, self.now))

    # ----- time and the wire

    def settle(self) -> None:
        """Deliver everything that is under way; no time passes."""
        while self.wire:
            source, target, data = self.wire.popleft()
            if self.lose(data):
                continue
            if target == SWITCH:
                flow = Flow("udp", SWITCH, source)
                self._carry_out(self.switch.receive(data, flow, self.now))
            elif (phone := self._by_address.get(target)) is not None:
                phone.receive(data)

    def advance(self, seconds: float) -> None:
        """Let time pass, from deadline to deadline."""
        end = self.now + seconds
        self.settle()
        while True:
            ticking: list[tuple[float | None, Handset | None]] = [(self.switch.deadline(), None)]
            ticking += [(phone.ua.deadline(), phone) for phone in self.phones.values()]
            due = [(when, who) for when, who in ticking if when is not None and when <= end]
            if not due:
                break
            when, who = min(due, key=lambda pair: pair[0])
            self.now = max(self.now, when)
            if who is None:
                self._carry_out(self.switch.handle_timer(self.now))
            else:
                who._do(who.ua.handle_timer(self.now))
            self.settle()
        self.now = end

    # ----- people

    def log_in(self, number: str) -> None:
        """The agent of this extension logs in."""
        self.command(acd.LogIn(f"agent{number}", number))

    def command(self, message: acd.Input) -> None:
        """An administrator's command."""
        self._carry_out(self.switch.command(message, self.now))
        self.settle()

    def key(self, call: Call, digit: str) -> None:
        """The caller presses a key."""
        self.media_event(m.Digit(call.leg.id, digit, "rfc4733"))

    def heard(self, call: Call) -> m.Play | None:
        """What the caller hears."""
        return self.workers[1].heard.get(call.leg.id)

    def heard_names(self, call: Call) -> list[str]:
        """What the caller hears, as names of phrases."""
        play = self.heard(call)
        return [clip.strip("/").removesuffix(".wav") for clip in play.clips] if play is not None else []

    def play_out(self, call: Call) -> None:
        """What the caller hears comes to its end."""
        play = self.workers[1].heard.pop(call.leg.id)
        self.media_event(m.Played(play.leg, play.play, "finished"))

    def media_event(self, event: m.Event, worker: int = 1) -> None:
        """A worker says something."""
        self._carry_out(self.switch.media(worker, event, self.now))
        self.settle()

    def endpoint(self, number: int, codecs: tuple[Codec, ...]) -> Handset:
        """A pjsua2 process that speaks these, and answers at once."""
        process = Handset(self, f"endpoint{number}", LOOPBACK)
        process.address = (LOOPBACK, 30000 + number)
        process.flow = Flow("udp", process.address, SWITCH)
        process.codecs = codecs
        process.on_incoming = process.answer
        self._by_address[process.address] = process
        said = EndpointProcess(30000 + number, 0, f"secret{number}")
        self._carry_out(self.switch.endpoint_ready(number, said, self.now))
        return process

    def lose_endpoint(self, number: int) -> None:
        """The process dies."""
        del self._by_address[LOOPBACK, 30000 + number]
        self._carry_out(self.switch.endpoint_lost(number, "killed", self.now))
        self.settle()

    def kill_worker(self) -> None:
        """The worker dies; another takes its place."""
        self.workers[1] = Worker(1)
        self._carry_out(self.switch.worker_lost(1, "killed", self.now))
        self._carry_out(self.switch.worker_ready(1, self.now))
        self.settle()

    def stop(self) -> None:
        """The switch is stopped in good order."""
        self._carry_out(self.switch.stop(self.now))
        self.settle()

    @property
    def call(self) -> Call:
        """The only live call."""
        (call,) = self.switch.calls.values()
        return call

    @property
    def record(self) -> CallRecord:
        """The only record."""
        (record,) = self.records.values()
        return record

    def kinds(self, call: str | None = None) -> list[Kind]:
        """What the log tells, in order."""
        return [event.kind for event in self.log if call is None or event.call == call]

    def check_empty(self) -> None:
        """Nothing of any call is left anywhere."""
        hub = self.switch.hub
        assert not hub.calls and not hub.attempts and not hub.offers and not hub.todo
        assert self.acd.is_idle()
        assert self.switch.is_settled
        assert not self.workers[1].live
        assert not hub.ua.ep.dialogs
        assert sorted(self.opened) == sorted(self.records)
        ends = [event.call for event in self.log if event.kind is Kind.CALL_END]
        assert sorted(ends) == sorted(self.records)

    def _carry_out(self, effects: list[Effect]) -> None:
        said: list[tuple[int, m.Event]] = []
        for effect in effects:
            match effect:
                case Send():
                    self.wire.append((SWITCH, effect.flow.remote, effect.data))
                case Media(number, command):
                    said += ((number, answer) for answer in self.workers[number].command(command))
                case Append(event):
                    self.log.append(event)
                case Opened(record):
                    self.opened[record.id] = record
                case Closed(record):
                    assert record.id not in self.records, "a call was closed twice"
                    self.records[record.id] = record
                case CallbackKept(errand):
                    self.errands[errand.number] = errand
                case CallbackOver(number):
                    self.errands.pop(number, None)
                case MessageKept(message):
                    self.messages[message.id] = message
                case MessageGone(message):
                    self.messages.pop(message.id, None)
                    self.files_gone.append(message.file)
                case FileGone(file):
                    self.files_gone.append(file)
                case MessageReady(message):
                    self.mailed.append(message.id)
                case Speak(prompts):
                    self.spoken += [prompt.text for prompt in prompts]
                case CallKept(name, kept):
                    if kept is None:
                        del self.kept_calls[name]
                    else:  # as the database has it
                        self.kept_calls[name] = msgspec.json.decode(encode_json(kept), type=KeptCall)
                case AgentKept(name, snapshot):
                    self.kept[name] = snapshot
                case QueueKept(queue, is_open):
                    self.closed = (self.closed - {queue}) | (set() if is_open else {queue})
                case PhoneKept(number, bindings):
                    self.kept_phones[number] = bindings
                case events.Speak(key, prompts):
                    self.live += [prompt.text for prompt in prompts]
                    if self.dumb != "never":
                        self._carry_out(self.switch.spoken(key, self.dumb, self.now))
                case TapeKept(tape):
                    self.tapes[tape.id] = tape
                case TapeReady(tape):
                    self.taped.append(tape.id)
                case events.Asked():
                    self.asked.append(effect)
                case Warn():
                    self.warnings.append(effect)
        for worker, answer in said:  # a worker is another process: it is heard after all of this
            self._carry_out(self.switch.media(worker, answer, self.now))


__all__ = ["Accepted", "Centre", "Confirmed", "Ended", "Handset", "Incoming", "Progress", "Reoffer"]
