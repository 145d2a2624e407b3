"""The whole configuration as one immutable object, and the questions that the switch asks it.

Invariant: a `Config` from `load` is consistent: every name in it leads to something.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, Strict

from acd.agent import AgentConfig
from acd.queue import QueueConfig
from acd.rules import QueueRules
from ivr.condition import World
from ivr.flow import Flow
from ivr.messages import Prompt
from ivr.nodes.language import Language
from ivr.prompt import Catalogue, every, in_language
from ivr.template import is_plain
from softswitch.call.callers import Numbering, Status, Statuses
from softswitch.call.clients import Clients
from softswitch.call.routing import Asked, Rules
from softswitch.call.settings import Target
from softswitch.call.whisper import BEEP, pieces
from softswitch.config.centre import Agent, Extension, FlowConfig, Peer, Queue, Route
from softswitch.config.client_file import CLIENTS_FILE, ClientTable
from softswitch.config.conferences import Conference
from softswitch.config.fields import FlowName, LanguageTag, Name, Number, Section, listen_host
from softswitch.config.recordings import Recordings
from softswitch.config.routing import (
    CalendarSection,
    NumberListSection,
    OptionalTimeZone,
    local_zone,
    zone_of,
)
from softswitch.config.rules import Listed, make_clients, make_rules, read_list
from softswitch.config.sections import (
    Api,
    FeatureCodes,
    LogSettings,
    Media,
    Pauses,
    PromptSettings,
    Sip,
    Store,
)
from softswitch.config.services import Database, Service, Speech, Webhook
from softswitch.config.tls import Tls
from softswitch.config.voicemail import Mail, Mailbox, Voicemail
from softswitch.config.waiting import CallerList, Numbers
from softswitch.prompt_clips import clips_of
from softswitch.system_prompts import LANGUAGES

Verb = Literal["login", "logout", "ready", "pause", "extend", "voicemail", "listen", "whisper", "barge"]
_SUPERVISING: tuple[Verb, ...] = ("listen", "whisper", "barge")


def _section(description: str) -> Any:
    """A section that may be left out.

    Its default is an empty table, not an object made at import: its paths start at the file's directory too.
    """
    return Field({}, description=description)


class Feature(NamedTuple):
    """What a dialled feature code means; `argument` is the reason of a pause or the id of the agent who logs
    in, empty if none was dialled."""

    verb: Verb
    argument: str = ""


class Config(Section):
    """The configuration."""

    language: LanguageTag = Field(
        "en",
        description="language of the switch's own announcements, one of "
        f"{', '.join(f'`{one}`' for one in sorted(LANGUAGES))}, and of texts that name none",
    )
    sip: Sip = _section("signalling")
    tls: Tls = _section("encrypted signalling")
    media: Media = _section("RTP")
    store: Store = _section("the database")
    api: Api = _section("the control surface")
    recordings: Recordings = _section("recorded calls")
    prompts: PromptSettings = _section("what callers hear")
    log: LogSettings = _section("the server's own log")
    pauses: Pauses = _section("why agents pause")
    feature_codes: FeatureCodes = _section("what agents dial")
    extensions: dict[Number, Extension] = Field({}, description="the phones, by number")
    agents: dict[Name, Agent] = Field({}, description="who answers, by id")
    queues: dict[Name, Queue] = Field({}, description="where callers wait, by name")
    flows: dict[FlowName, FlowConfig] = Field({}, description="the voice menus, by name")
    routes: Annotated[tuple[Route, ...], Strict(False)] = Field((), description="which number leads where")
    peers: dict[Name, Peer] = Field({}, description="other switches, by name")
    databases: dict[Name, Database] = Field({}, description="SQLite files that menus look up in, by name")
    services: dict[Name, Service] = Field({}, description="web services that menus look up in, by name")
    webhooks: dict[Name, Webhook] = Field({}, description="other systems that are told of calls, by name")
    speech: Speech = _section("words that callers say")
    numbers: Numbers = _section("how numbers are written")
    callers: dict[Name, CallerList] = Field({}, description="what some callers are to us, by list")
    time_zone: OptionalTimeZone = Field(
        "",
        description="the IANA's name of the time zone of calendars and conditions, such as `Europe/Moscow`; "
        "that of the machine if absent",
    )
    calendars: dict[Name, CalendarSection] = Field({}, description="opening hours, by name")
    lists: dict[Name, NumberListSection] = Field({}, description="lists of telephone numbers, by name")
    clients: ClientTable = Field({}, description="for whom we answer, by id", json_schema_extra=CLIENTS_FILE)
    conferences: dict[Name, Conference] = Field({}, description="rooms where several talk, by name")
    mailboxes: dict[Name, Mailbox] = Field({}, description="where callers leave messages, by name")
    voicemail: Voicemail = _section("messages")
    mail: Mail = _section("the mail server")

    # ----- menus and prompts

    @cached_property
    def menus(self) -> Mapping[str, Flow]:
        """The flows as `ivr.session.Session` takes them."""
        flows = {name: Flow(name, flow.start, flow.nodes, flow.language) for name, flow in self.flows.items()}
        return MappingProxyType(flows)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Where the clips of all prompts are."""
        settings = self.prompts
        return Catalogue(
            str(settings.directory),
            str(settings.cache),
            self.language,
            settings.voices,
            settings.speed_wpm,
            clips_of(self.sound_files(), settings.cache, settings.loudness_lufs),
            settings.loudness_lufs,
        )

    def sound_files(self) -> tuple[Path, ...]:
        """Every sound file that is named, each once: prompts and music."""
        directory = self.prompts.directory
        whispers = [prompt for queue in self.queues.values() for prompt in queue.whisper]
        said = every([*self.all_prompts(), *whispers])
        found = [directory / prompt.file for prompt in said if prompt.file]
        found += [file for file in (self.prompts.music, *(q.music for q in self.queues.values())) if file]
        return tuple(dict.fromkeys(found))

    def all_prompts(self) -> tuple[Prompt, ...]:
        """Everything that the flows may say, and all that agents may hear of a caller, each once."""
        said = [prompt for flow in self.menus.values() for prompt in flow.prompts()]
        said += [prompt for queue in self.queues.values() for prompt in queue.comfort]
        said += self.recordings.announce
        said += [
            prompt for box in self.mailboxes.values() for prompt in in_language(box.greeting, box.language)
        ]
        return tuple(dict.fromkeys([*said, *self.whisper_prompts()]))

    def whisper_prompts(self) -> Iterator[Prompt]:
        """What the whispers are put together of, but for digits and tones."""
        for name, queue in self.queues.items():
            for prompt in queue.whisper:
                texts = pieces(prompt.text, name) if prompt.text != BEEP else ()
                for text in texts:
                    if text == "{call_type}":
                        yield from (replace(prompt, text=call_type) for call_type in self.call_types)
                    elif text != "{caller}":
                        yield replace(prompt, text=text)

    @cached_property
    def call_types(self) -> tuple[str, ...]:
        """Every call type that a route or a node of a menu gives, but those that hold a caller's own data."""
        nodes = [node for flow in self.flows.values() for node in flow.nodes.values()]
        found = [route.call_type for route in self.routes]
        found += [str(getattr(node, "call_type", "")) for node in nodes]
        return tuple(call_type for call_type in dict.fromkeys(found) if call_type and is_plain(call_type))

    # ----- the distributor

    def acd_queues(self) -> list[QueueConfig]:
        """The queues as the distributor takes them."""
        shared = [field.name for field in fields(QueueConfig) if field.name != "name"]
        queues = []
        for name, queue in self.queues.items():
            values = {field: getattr(queue, field) for field in shared}
            # Who asks for announcements without saying when the first comes means the same interval.
            if values["announce_first_s"] is None:
                values["announce_first_s"] = queue.announce_position_s
            queues.append(QueueConfig(name=name, **values))
        return queues

    def acd_agents(self) -> list[AgentConfig]:
        """The agents as the distributor takes them."""
        return [
            AgentConfig(name, dict(agent.queues), dict(agent.skills), agent.weight, agent.wrapup_s)
            for name, agent in self.agents.items()
        ]

    def pause_limits_s(self) -> dict[str, float]:
        """The longest pause of each reason that has a limit."""
        return {reason: limit_s for reason, limit_s in self.pauses.reasons.items() if limit_s}

    def acd_rules(self) -> dict[str, QueueRules]:
        """What the queues want beyond that."""
        return {name: queue.acd_rules(self.catalogue.clip) for name, queue in self.queues.items()}

    # ----- callers

    @cached_property
    def numbering(self) -> Numbering:
        """How numbers are brought to one form."""
        return Numbering(self.numbers.country, self.numbers.trunk, self.numbers.international)

    def statuses(self) -> Statuses:
        """What callers are to us, by their numbers; reads the files of the lists."""
        by_number: dict[str, Status] = {}
        for name, found in self.callers.items():
            values = (name, found.priority, found.max_wait_s, found.required, found.blocked, found.language)
            status = Status(*values, found.to)
            by_number |= {self.numbering.normal(number): status for number in found.all_numbers()}
        return Statuses(self.numbering, by_number)

    def number_list(self, name: str) -> Listed:
        """A list of numbers, and what stands in it and is none; read once. Raises OSError, ValueError,
        csv.Error."""
        if name not in self._number_lists:
            self._number_lists[name] = read_list(self.lists[name], self.numbering)
        return self._number_lists[name]

    @cached_property
    def _number_lists(self) -> dict[str, Listed]:
        return {}

    @cached_property
    def world(self) -> World:
        """What conditions know besides the call; reads the files of the lists."""
        zone = zone_of(self.time_zone) if self.time_zone else local_zone()
        calendars = {name: section.calendar(zone) for name, section in self.calendars.items()}
        lists = {name: self.number_list(name)[0] for name in self.lists}
        return World(calendars, lists, zone, self.numbering.normal)

    def known_clients(self) -> Clients:
        """For whom we answer."""
        return make_clients(self.clients, self.numbering.normal)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages in which the switch itself speaks to callers, its own first."""
        found = [self.language, *(route.language for route in self.routes)]
        found += [flow.language for flow in self.flows.values()]
        nodes = (node for flow in self.flows.values() for node in flow.nodes.values())
        found += [node.language for node in nodes if isinstance(node, Language)]
        found += [one.language for one in self.callers.values()]
        found += [one.language for one in self.clients.values()]
        found += [box.language for box in self.mailboxes.values()]
        spoken = [language.partition("-")[0] for language in found]
        return tuple(dict.fromkeys(language for language in spoken if language in LANGUAGES))

    def overflow(self, queue: str, reason: str) -> Target | None:
        """Where a caller goes who leaves the queue unserved for `reason`; None: he is told to try later."""
        rules = self.queues[queue]
        special = {
            "timeout": rules.overflow_timeout,
            "full": rules.overflow_full,
            "empty": rules.overflow_empty,
            "closed": rules.overflow_closed,
        }
        return special.get(reason) or rules.overflow

    # ----- numbers

    @cached_property
    def agent_of_extension(self) -> Mapping[str, str]:
        """Extension -> id of the agent who usually works there."""
        return MappingProxyType({a.extension: name for name, a in self.agents.items() if a.extension})

    def feature(self, number: str) -> Feature | None:
        """What a dialled number means as a feature code; None if it is none."""
        codes = self.feature_codes
        if not number:
            return None
        exact: dict[str, Verb] = {
            codes.login: "login",
            codes.logout: "logout",
            codes.ready: "ready",
            codes.pause: "pause",
            codes.extend: "extend",
            **({codes.voicemail: "voicemail"} if self.mailboxes else {}),
        }
        if verb := exact.get(number):
            return Feature(verb)
        box = number.removeprefix(codes.voicemail)
        if codes.voicemail and number.startswith(codes.voicemail) and box in self.mailboxes:
            return Feature("voicemail", box)
        for verb in _SUPERVISING:
            code: str = getattr(codes, verb)
            if code and number.startswith(code) and number.removeprefix(code) in self.extensions:
                return Feature(verb, number.removeprefix(code))
        digit = number.removeprefix(codes.pause)
        reasons = list(self.pauses.reasons)
        if (
            codes.pause
            and len(digit) == 1
            and digit in "123456789"
            and digit != number
            and int(digit) <= len(reasons)
        ):
            return Feature("pause", reasons[int(digit) - 1])
        if codes.login and (agent := self._agent_of_number.get(number.removeprefix(codes.login))):
            return Feature("login", agent) if number.startswith(codes.login) else None
        return None

    @cached_property
    def _agent_of_number(self) -> Mapping[str, str]:
        """Agent's number -> his id."""
        return {agent.number: name for name, agent in self.agents.items() if agent.number}

    @cached_property
    def rules(self) -> Rules:
        """The routes as calls ask for them."""
        return make_rules(self.routes, self.numbering.normal)

    def route(self, number: str, *, guest: bool = False, peer: str | None = None) -> Route | None:
        """The first route that takes a dialled number, its condition apart; `guest`: the caller has no
        account, `peer`: he comes from it.
        """
        rule = self.rules.first(Asked(number, guest, peer, normal=self.numbering.normal))
        return self.routes[rule.place] if rule is not None else None

    def peer_of(self, address: str) -> str | None:
        """The peer that a message from this IP address comes from; the most narrow network decides."""
        if address in self._peer_of_address:
            return self._peer_of_address[address]
        try:
            source = ip_address(address)
        except ValueError:
            return None
        fitting = (
            (network.prefixlen, name)
            for name, peer in self.peers.items()
            for network in peer.address
            if source in network and network.num_addresses > 1
        )
        return max(fitting, default=(0, None))[1]

    @cached_property
    def _peer_of_address(self) -> Mapping[str, str]:
        """The peers' single addresses, for the usual case."""
        return {
            str(network.network_address): name
            for name, peer in self.peers.items()
            for network in peer.address
            if network.num_addresses == 1
        }

    @property
    def media_address(self) -> str:
        """Where RTP over IPv4 is listened for: as configured, else as SIP is; "" if that is on IPv6 alone."""
        return self.media.address or self._listen_address(4)

    @property
    def media_ipv6_address(self) -> str:
        """Where RTP over IPv6 is listened for: as configured, else as SIP is; "" if that is on IPv4 alone."""
        return self.media.ipv6_address or self._listen_address(6)

    def _listen_address(self, version: int) -> str:
        """Rather on a network than on loopback."""
        hosts = [ip_address(listen_host(listen)) for listen in self.sip.listen]
        ours = [host for host in hosts if host.version == version]
        return str(min(ours, key=lambda host: host.is_loopback)) if ours else ""

    @property
    def media_workers(self) -> int:
        """How many media processes there are on this machine."""
        return self.media.workers or max(1, (os.cpu_count() or 2) - 1)

    @property
    def media_ports(self) -> tuple[int, int]:
        """First and last UDP port for RTP."""
        low, _, high = self.media.ports.partition("-")
        return int(low), int(high)
