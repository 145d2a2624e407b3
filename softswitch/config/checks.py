"""What one section says about another: every name leads somewhere, nothing takes the same thing twice.

Invariant: each check looks at what could be read and never complains about a name whose section is merely
wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path

from ivr.flow import suggest
from ivr.prompt import every
from media.codecs.codec import Codec
from softswitch.config.check_agents import check_agents
from softswitch.config.check_calls import check_flows, check_overflows, check_peers, check_routes, no_such
from softswitch.config.check_codecs import check_codecs
from softswitch.config.check_recordings import check_recordings
from softswitch.config.check_rooms import check_rooms
from softswitch.config.check_routing import check_routing
from softswitch.config.check_services import check_services
from softswitch.config.check_tls import check_tls
from softswitch.config.check_voicemail import check_voicemail
from softswitch.config.check_voices import check_voices
from softswitch.config.check_waiting import check_agent_routes, check_callers, check_waiting
from softswitch.config.draft import Draft, Fault
from softswitch.config.fields import listen_host
from softswitch.system_prompts import LANGUAGES

PAIRS_A_WORKER = 2
"""Fewer pairs of RTP and RTCP ports are no use to a media process, which would not start."""
MAX_SOCKET_PATH = 107
"""Bytes of a Unix socket's path (unix(7): 108 with the final zero)."""


def check(draft: Draft, strategies: Mapping[str, object], codecs: Mapping[str, Codec]) -> list[Fault]:
    """Every fault in the relations between sections."""
    faults: list[Fault] = []
    checks: tuple[Callable[[Draft], Iterator[Fault]], ...] = (
        _machine,
        check_tls,
        _extensions,
        _agents,
        check_agents,
        check_overflows,
        check_waiting,
        check_callers,
        check_flows,
        check_routes,
        check_routing,
        check_agent_routes,
        check_peers,
        check_voicemail,
        check_recordings,
        check_rooms,
        check_services,
        _feature_codes,
        _pauses,
        _sounds,
        check_voices,
    )
    for one in checks:
        faults += one(draft)
    faults += check_codecs(draft, codecs)
    for name, queue in draft.config.queues.items():
        if queue.strategy not in strategies:
            message = f"{queue.strategy!r} is not a strategy; {suggest(queue.strategy, strategies)}"
            faults.append((("queues", name, "strategy"), message))
    return faults


def _machine(draft: Draft) -> Iterator[Fault]:
    config = draft.config
    if config.language not in LANGUAGES:
        message = (
            f"the switch has no announcements in {config.language!r}; {suggest(config.language, LANGUAGES)}"
        )
        yield ("language",), message
    sip = config.sip
    if not sip.min_expires_s <= sip.default_expires_s <= sip.max_expires_s:
        yield ("sip", "default_expires_s"), "must lie between min_expires_s and max_expires_s"
    if sip.t1_ms > sip.t2_ms:
        yield ("sip", "t1_ms"), f"must not be above t2_ms ({sip.t2_ms})"
    seen: set[str] = set()
    low, high = config.media_ports
    for index, listen in enumerate(sip.listen):
        transport, port = listen.partition(":")[0], listen.rpartition(":")[2]
        if listen in seen and port != "0":
            yield ("sip", "listen", index), f"{listen} is listed twice"
        seen.add(listen)
        if transport == "udp" and low <= int(port) <= high:
            yield (
                ("sip", "listen", index),
                f"port {port} is inside media.ports ({config.media.ports}); keep them apart",
            )
    yield from _media_address(draft, "address", config.media_address, 4)
    yield from _media_address(draft, "ipv6_address", config.media_ipv6_address, 6)
    pairs, workers = (high - low + 1) // 2, config.media_workers
    if pairs // workers < PAIRS_A_WORKER:
        many = f"{workers} workers" if workers > 1 else "one worker"
        message = f"{config.media.ports} has {pairs} pairs of ports for {many}"
        yield (
            ("media", "ports"),
            f"{message}; give each two at least, such as {low}-{min(low + 1999, 65535)} for all",
        )
    yield from _processors(config.media.cpus)
    if len(str(config.api.socket).encode()) > MAX_SOCKET_PATH:
        message = (
            f"{config.api.socket} is longer than the {MAX_SOCKET_PATH} bytes of a Unix socket; shorten it"
        )
        yield ("api", "socket"), message


def _media_address(draft: Draft, key: str, address: str, version: int) -> Iterator[Fault]:
    """Where RTP is listened for in one family ("": it is not)."""
    if not address:
        return
    given = ip_address(address)
    if given.version != version:
        other = "address" if given.version == 4 else "ipv6_address"
        yield ("media", key), f"{address} is an IPv{given.version} address; give it as media.{other}"
        return
    hosts = [(ip_address(listen_host(one)), one) for one in draft.config.sip.listen]
    on_network = [one for host, one in hosts if host.version == version and not host.is_loopback]
    if on_network and given.is_loopback:
        message = f"{address} is reached from this machine only, but SIP listens on {on_network[0]}"
        yield ("media", key), f"{message}; leave the key out, or give an address of the network"


def _processors(cpus: tuple[int, ...]) -> Iterator[Fault]:
    there = (
        sorted(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else list(range(os.cpu_count() or 1))
    )
    for index, cpu in enumerate(cpus):
        if cpu not in there:
            known = ", ".join(str(one) for one in there)
            yield ("media", "cpus", index), f"this machine has no processor {cpu} for us; there are {known}"


def _extensions(draft: Draft) -> Iterator[Fault]:
    for number, extension in draft.config.extensions.items():
        if not extension.password.get_secret_value() and not extension.contact:
            yield (
                ("extensions", number),
                "nobody can register here; give a password, or a contact where it is reached",
            )


def _agents(draft: Draft) -> Iterator[Fault]:
    owner: dict[str, str] = {}
    for name, agent in draft.config.agents.items():
        if agent.extension:
            path = ("agents", name, "extension")
            if agent.extension not in draft.names("extensions"):
                yield (
                    path,
                    no_such(draft, "extension", agent.extension),
                )
            elif agent.extension in owner:
                yield (
                    path,
                    f"extension {agent.extension} is {owner[agent.extension]!r}'s already; give each his own",
                )
            owner.setdefault(agent.extension, name)
        raw = draft.raw["agents"][name].get("queues")
        for queue in agent.queues:
            if queue not in draft.names("queues"):
                key: str | int = raw.index(queue) if isinstance(raw, list) and queue in raw else queue
                yield (
                    ("agents", name, "queues", key),
                    no_such(draft, "queue", queue),
                )


def _feature_codes(draft: Draft) -> Iterator[Fault]:
    # The codes that the file gives come last: of two that clash, the one that somebody wrote is to be blamed.
    given = draft.names("feature_codes")
    all_codes: dict[str, str] = draft.config.feature_codes.model_dump()
    codes = {key: all_codes[key] for key in sorted(all_codes, key=lambda key: key in given) if all_codes[key]}
    reasons = len(draft.config.pauses.reasons)
    meaning: dict[str, str] = {}
    for key, code in codes.items():
        if code in meaning:
            yield ("feature_codes", key), f"{code} is the code of {meaning[code]!r} already"
        meaning.setdefault(code, key)
    pause = codes.get("pause", "")
    for key, code in codes.items():
        digit = code.removeprefix(pause)
        if (
            pause
            and code != pause
            and code.startswith(pause)
            and digit in [str(n) for n in range(1, reasons + 1)]
        ):
            yield (
                ("feature_codes", key),
                f"{code} is also the pause code {pause} with the reason {digit}; choose another",
            )
    for number in draft.names("extensions"):
        if draft.config.feature(number):
            yield (
                ("extensions", number),
                "is a feature code too; choose another number, or change [feature_codes]",
            )
    for index, route in zip(draft.routes_kept, draft.config.routes, strict=True):
        if draft.config.feature(route.number):
            yield ("routes", index, "number"), f"{route.number} is a feature code too; change one of them"


def _pauses(draft: Draft) -> Iterator[Fault]:
    pauses = draft.raw.get("pauses")
    given = pauses.get("reasons") if isinstance(pauses, dict) else None
    reasons = list(given) if isinstance(given, list | dict) else []
    for index, reason in enumerate(reasons):
        path = ("pauses", "reasons", reason if isinstance(given, dict) else index)
        if not isinstance(reason, str) or not reason or len(reason) > 64 or not reason.isprintable():
            yield path, "a reason is a printable word of at most 64 characters"
        elif reason in reasons[:index]:
            yield path, f"{reason!r} is listed twice"


def _sounds(draft: Draft) -> Iterator[Fault]:
    config = draft.config
    for path, file in (
        (("prompts", "music"), config.prompts.music),
        *((("queues", name, "music"), queue.music) for name, queue in config.queues.items()),
    ):
        if file is not None and not file.is_file():
            yield path, f"{file} does not exist; leave the key out for the built-in music"
    for name, flow in config.flows.items():
        for node, content in flow.nodes.items():
            for prompt in every(content.prompts()):
                file = Path(config.prompts.directory, prompt.file)
                if prompt.file and not file.is_file():
                    yield (
                        ("flows", name, "nodes", node),
                        f"the sound file {file} does not exist; put it there, or write a text",
                    )
