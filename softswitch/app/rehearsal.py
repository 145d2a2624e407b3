"""A switch made of a configuration that nothing runs: no socket, no worker, no database; only to be asked."""

from __future__ import annotations

from pathlib import Path

from acd.dispatcher import Acd
from softswitch import plugins
from softswitch.app.settings import make_settings
from softswitch.call.rehearsal import RouteAnswer, RouteQuestion, rehearse
from softswitch.call.switch import Switch
from softswitch.config import Config
from softswitch.sip.digest import DigestServer
from softswitch.sip.flow import Places
from softswitch.sip.registrar import Registrar


def idle_switch(config: Config) -> Switch:
    """A switch with nobody logged in and nobody waiting."""
    distributor = Acd(
        config.acd_queues(), config.acd_agents(), plugins.strategies(), rules=config.acd_rules()
    )
    return Switch(
        make_settings(config, Path("music.wav")),
        distributor,
        digest=DigestServer(config.sip.realm, bytes(32)),
        registrar=Registrar(),
        addresses=Places(),
        bound=Places(),
        agents=config.agent_of_extension,
        token=lambda: "rehearsal",
    )


def rehearse_offline(config: Config, question: RouteQuestion, now: float) -> RouteAnswer:
    """Where the call would go with nobody logged in and nobody waiting. Raises LocalError."""
    return rehearse(idle_switch(config).hub, question, now)
