"""The core of a running switch, made of its configuration: the distributor and the switch around it.

Invariant: nothing here opens a socket, a file or a process.
"""

from __future__ import annotations

import secrets

from acd.dispatcher import Acd
from softswitch import plugins
from softswitch.app.process import local_offset_s, told_address
from softswitch.app.tokens import Tokens
from softswitch.call.settings import Settings
from softswitch.call.switch import Switch
from softswitch.config import Config
from softswitch.net.media_link import MediaSettings
from softswitch.sip.digest import DigestServer
from softswitch.sip.flow import Places
from softswitch.sip.registrar import Registrar
from softswitch.sip.timers import Timers


def make_distributor(config: Config) -> Acd:
    """Who gets which call."""
    return Acd(
        config.acd_queues(),
        config.acd_agents(),
        plugins.strategies(),
        utc_offset_s=local_offset_s(),
        rules=config.acd_rules(),
        pause_limits_s=config.pause_limits_s(),
    )


def make_switch(config: Config, settings: Settings, distributor: Acd, bound: Places) -> Switch:
    """All calls. `bound` are the addresses at which it is reached."""
    sip = config.sip
    # Without an entry, peers are told the address that they reached, which is right with several of them.
    addresses = Places(
        (transport, told, port)
        for transport, host, port in bound
        if (told := told_address(host, sip.external_address)) != host
    )
    return Switch(
        settings,
        distributor,
        digest=DigestServer(sip.realm, secrets.token_bytes(32), sip.digest),
        registrar=Registrar(sip.min_expires_s, sip.max_expires_s, sip.default_expires_s),
        addresses=addresses,
        bound=bound,
        agents=config.agent_of_extension,
        token=Tokens(),
        timers=Timers(sip.t1_ms / 1000, sip.t2_ms / 1000, sip.t4_ms / 1000),
        product=sip.user_agent,
    )


def media_settings(config: Config) -> MediaSettings:
    """What the media workers are started with."""
    media, bind, ipv6_bind = config.media, config.media_address, config.media_ipv6_address
    external = media.external_address or config.sip.external_address
    told = told_address(bind, external) if bind else ""
    ipv6_told = told_address(ipv6_bind, external) if ipv6_bind else ""
    return MediaSettings(
        told,
        config.media_ports,
        config.media_workers,
        bind=bind if bind != told else None,
        ipv6_address=ipv6_told,
        ipv6_bind=ipv6_bind if ipv6_bind != ipv6_told else None,
        capacity=media.capacity,
        media_timeout_s=media.lost_s,
        jitter_max_ms=media.jitter_max_ms,
        dscp=media.dscp,
        cpus=media.cpus,
        realtime=media.realtime,
        kernel_forwarding=media.kernel_forwarding,
        homes=config.api.socket.with_name(config.api.socket.name + ".media"),
        grace_s=media.grace_s,
    )
