"""From the configuration to what calls want to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from ipaddress import ip_address
from pathlib import Path

from acd.stats import Thresholds
from ivr.prompt import in_language
from media.codecs.codec import Codec
from softswitch import config as toml
from softswitch import plugins
from softswitch.app.whispers import make_whisper
from softswitch.call.codecs import described
from softswitch.call.routing import Asked, Explain, Step
from softswitch.call.settings import (
    AgentCare,
    CallbackCare,
    ConferenceCare,
    Feature,
    Peer,
    Phone,
    QueueCare,
    Route,
    Settings,
)
from softswitch.call.tape import TapingCare
from softswitch.call.voicemail_box import Box, VoicemailCare
from softswitch.sip.uri import Uri
from softswitch.system_prompts import system_prompts


def make_thresholds(config: toml.Config) -> dict[str, Thresholds]:
    """The queues' times for reports."""
    return {
        name: Thresholds(queue.service_level_s, queue.short_abandon_s)
        for name, queue in config.queues.items()
    }


class ConfiguredPlan:
    """The dial plan of the configuration."""

    def __init__(self, config: toml.Config) -> None:
        self._config = config

    def feature(self, number: str) -> tuple[Feature, str] | None:
        """The verb of a feature code, and the reason of a pause or the agent who logs in."""
        found = self._config.feature(number)
        return None if found is None else (found.verb, found.argument)

    def route(self, asked: Asked) -> Route | None:
        """The first route that takes the call."""
        found = self._config.rules.first(asked)
        return found.route if found is not None else None

    def trace(self, asked: Asked, explain: Explain) -> Iterable[Step]:
        """The routes up to that one, each with its reason."""
        return self._config.rules.trace(asked, explain)

    def peer_of(self, address: str) -> str | None:
        """The peer that sends from this address."""
        return self._config.peer_of(address)


def make_boxes(config: toml.Config) -> dict[str, Box]:
    """The mailboxes; who answers the phones whose mailbox it is listens to it too."""
    owners: dict[str, list[str]] = {}
    for number, extension in config.extensions.items():
        owners.setdefault(extension.voicemail, []).append(number)
    return {
        name: Box(
            name,
            tuple(dict.fromkeys((*owners.get(name, ()), *box.extensions))),
            box.pin.get_secret_value(),
            in_language(box.greeting, box.language),
            box.language,
            box.max_message_s,
            box.min_message_s,
            box.silence_s,
            box.max_messages,
            bool(box.email),
        )
        for name, box in config.mailboxes.items()
    }


def make_settings(config: toml.Config, default_music: Path) -> Settings:
    """What the switch must know. `default_music` is played where the configuration names no music."""
    music = (config.catalogue.sound(config.prompts.music or default_music),)
    codecs = plugins.codecs()
    return Settings(
        plan=ConfiguredPlan(config),
        phones={number: _phone(number, one, codecs) for number, one in config.extensions.items()},
        peers={name: _peer(name, peer, codecs) for name, peer in config.peers.items()},
        queues={name: _care(config, name, music) for name in config.queues},
        flows=config.menus,
        phrases=system_prompts(config.language),
        phrases_in={language: system_prompts(language) for language in config.languages},
        statuses=config.statuses(),
        world=config.world,
        clients=config.known_clients(),
        agent_queues={
            name: next(iter(agent.queues)) for name, agent in config.agents.items() if agent.queues
        },
        clip=config.catalogue.clip,
        music=music,
        guests=config.sip.guests,
        max_calls=config.sip.max_calls,
        recordings=str(config.recordings.directory),
        taping=TapingCare(
            in_language(config.recordings.announce, config.language),
            config.recordings.pause_keys,
            config.recordings.record_keys,
        ),
        codecs=described(config.media.codecs, codecs),
        comfort_noise=config.media.comfort_noise,
        srtp=config.media.srtp,
        srtp_suites=config.media.srtp_suites,
        inner_address=_inner(config.media_address),
        agents={name: _agent(agent) for name, agent in config.agents.items()},
        wrapup_extra_s=config.pauses.wrapup_extra_s,
        add_code=config.feature_codes.add,
        link_address=_inner(config.media_address),
        mailboxes=make_boxes(config),
        voicemail=VoicemailCare(str(config.voicemail.directory), config.voicemail.notify == "registered"),
        conferences={name: _conference(one, music) for name, one in config.conferences.items()},
        language=config.language,
        utc_offset_s=_offset_in(config.world.time_zone),
    )


def _offset_in(zone: tzinfo) -> Callable[[float], float]:
    """How far the time in a zone is ahead of UTC, by epoch seconds."""

    def offset_s(at: float) -> float:
        found = datetime.fromtimestamp(at, zone).utcoffset()
        return found.total_seconds() if found is not None else 0.0

    return offset_s


def _inner(bound: str) -> str:
    """The IPv4 address that the media workers are bound to; where it is every one, or none is configured,
    that of this machine alone."""
    return "127.0.0.1" if not bound or ip_address(bound).is_unspecified else bound


def _phone(number: str, extension: toml.Extension, codecs: Mapping[str, Codec]) -> Phone:
    contact = Uri.parse(extension.contact) if extension.contact else None
    if contact is not None and contact.user is None:
        contact = Uri(contact.scheme, number, None, contact.host, contact.port, contact.params)
    password = extension.password.get_secret_value()
    return Phone(
        number,
        extension.name,
        password,
        contact,
        extension.max_contacts,
        extension.auto_answer,
        extension.voicemail,
        extension.voicemail_after_s,
        extension.record,
        extension.supervises,
        extension.srtp,
        described(extension.codecs, codecs),
        extension.endpoint,
    )


def _agent(agent: toml.Agent) -> AgentCare:
    outside = str(agent.phone) if agent.phone is not None else ""
    pin = agent.pin.get_secret_value()
    return AgentCare(outside, agent.confirm, agent.auto_answer, pin, name=agent.name)


def _conference(conference: toml.Conference, music: Sequence[str]) -> ConferenceCare:
    return ConferenceCare(
        conference.pin.get_secret_value(),
        conference.moderator_pin.get_secret_value(),
        conference.max_members,
        conference.beep,
        tuple(music) if conference.music else (),
        conference.record,
    )


def _peer(name: str, peer: toml.Peer, codecs: Mapping[str, Codec]) -> Peer:
    target = Uri.parse(peer.target) if peer.target else None
    spoken = described(peer.codecs, codecs)
    return Peer(name, target, peer.max_calls, peer.data, peer.srtp, spoken, peer.endpoint)


def _care(config: toml.Config, name: str, music: Sequence[str]) -> QueueCare:
    queue = config.queues[name]
    overflow = {reason: config.overflow(name, reason) for reason in ("timeout", "empty", "full", "closed")}
    targets = {reason: target for reason, target in overflow.items() if target is not None}
    clips = (config.catalogue.sound(queue.music),) if queue.music else tuple(music)
    return QueueCare(
        clips,
        targets,
        queue.record,
        queue.short_abandon_s,
        whisper=make_whisper(config, name),
        display=queue.display,
        estimate=queue.announce_estimate,
        then=dict.fromkeys(targets, queue.overflow_then),
        agent_wait_s=queue.agent_wait_s,
        callback=_callback(queue),
        last_agent_within_s=queue.last_agent_within_s,
        announce_recording=queue.announce_recording,
    )


def _callback(queue: toml.Queue) -> CallbackCare:
    rules = queue.callback
    offer_s = rules.after_s if queue.callback_key else None
    return CallbackCare(
        queue.callback_key,
        offer_s,
        rules.offer_every_s,
        rules.first,
        rules.via,
        rules.caller_id,
        rules.ring_s,
        rules.attempts,
        rules.retry_s,
    )
