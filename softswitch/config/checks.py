"""What one section says about another: every name leads somewhere, nothing takes the same thing twice.

Invariant: each check looks at what could be read and never complains about a name whose section is merely
wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path

from ivr import flow as graph
from ivr.flow import Flow, suggest
from softswitch.config.draft import Draft, Fault
from softswitch.config.fields import Target, parse_target
from softswitch.system_prompts import LANGUAGES

MAX_SOCKET_PATH = 107
"""Bytes of a Unix socket's path (unix(7): 108 with the final zero)."""

_OVERFLOWS = ("overflow", "overflow_timeout", "overflow_full", "overflow_empty")


def check(draft: Draft, strategies: Mapping[str, object]) -> list[Fault]:
    """Every fault in the relations between sections."""
    faults: list[Fault] = []
    checks: tuple[Callable[[Draft], Iterator[Fault]], ...] = (
        _machine,
        _extensions,
        _agents,
        _overflows,
        _flows,
        _routes,
        _peers,
        _feature_codes,
        _pauses,
        _sounds,
    )
    for one in checks:
        faults += one(draft)
    for name, queue in draft.config.queues.items():
        if queue.strategy not in strategies:
            message = f"{queue.strategy!r} is not a strategy; {suggest(queue.strategy, strategies)}"
            faults.append((("queues", name, "strategy"), message))
    return faults


def _nothing(draft: Draft, kind: str, name: str) -> str:
    names = draft.names(f"{kind}s")
    return f"there is no {kind} {name!r}; {suggest(name, names)}"


def _target(draft: Draft, target: Target) -> str:
    """What is wrong with a target; empty if it leads somewhere."""
    section = {"flow": "flows", "queue": "queues", "extension": "extensions", "peer": "peers"}.get(
        target.kind
    )
    if section is None:
        return ""
    names = draft.names(section)
    if target.name not in names:
        return f"there is no {target.kind} {target.name!r}; {suggest(target.name, names)}"
    if (
        target.kind == "peer"
        and target.name in draft.config.peers
        and not draft.config.peers[target.name].target
    ):
        return f"calls to the peer {target.name!r} have nowhere to go; give peers.{target.name}.target"
    return ""


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
        transport, _, rest = listen.partition(":")
        host, _, port = rest.rpartition(":")
        if listen in seen and port != "0":
            yield ("sip", "listen", index), f"{listen} is listed twice"
        seen.add(listen)
        if transport == "udp" and low <= int(port) <= high:
            yield (
                ("sip", "listen", index),
                f"port {port} is inside media.ports ({config.media.ports}); keep them apart",
            )
        if ip_address(host.strip("[]")).is_unspecified and not sip.external_address:
            yield (
                ("sip", "listen", index),
                f"peers cannot be told {host}; give sip.external_address, or listen on one address",
            )
    if ip_address(config.media.address).is_unspecified and not config.media.external_address:
        yield (
            ("media", "address"),
            f"peers cannot be told {config.media.address}; give media.external_address too",
        )
    if (high - low + 1) // 2 < max(1, config.media.workers):
        yield (
            ("media", "ports"),
            f"{config.media.ports} has no pair of ports for each of {config.media.workers} workers",
        )
    if len(str(config.api.socket).encode()) > MAX_SOCKET_PATH:
        message = (
            f"{config.api.socket} is longer than the {MAX_SOCKET_PATH} bytes of a Unix socket; shorten it"
        )
        yield ("api", "socket"), message


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
                    _nothing(draft, "extension", agent.extension),
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
                    f"there is no queue {queue!r}; {suggest(queue, draft.names('queues'))}",
                )


def _overflows(draft: Draft) -> Iterator[Fault]:
    for name, queue in draft.config.queues.items():
        for key in _OVERFLOWS:
            target: Target | None = getattr(queue, key)
            if target is None:
                continue
            if message := _target(draft, target):
                yield ("queues", name, key), message
        for reason in ("full", "empty"):
            if circle := _refusal_circle(draft, name, reason):
                special = f"overflow_{reason}"
                key = special if getattr(queue, special) is not None else "overflow"
                yield (
                    ("queues", name, key),
                    f"who is refused ({reason}) goes round for ever ({' -> '.join(circle)}); lead one of them elsewhere",
                )


def _refusal_circle(draft: Draft, queue: str, reason: str) -> list[str]:
    """The queues through which a refused caller comes back to `queue` without hearing anything; empty if
    none.

    Reported at the first queue of the circle only (in the order of names).
    """
    config = draft.config
    passed: list[str] = []
    here: str | None = queue
    while here is not None and here in config.queues and here not in passed:
        passed.append(here)
        here = _queue_at_once(draft, config.overflow(here, reason))
    return [*passed, queue] if here == queue and queue == min(passed) else []


def _queue_at_once(draft: Draft, target: Target) -> str | None:
    """The queue that a target leads to without a pause: itself, or the start of a flow that is a mute queue
    node.
    """
    if target.kind == "queue":
        return target.name
    if target.kind != "flow" or target.name not in draft.config.flows:
        return None
    flow = draft.config.flows[target.name]
    node = flow.nodes.get(flow.start)
    if node is None or node.prompts():
        return None
    named = [r.target.removeprefix("queue:") for r in node.references() if r.target.startswith("queue:")]
    return named[0] if node.ends and len(named) == 1 else None


def _flows(draft: Draft) -> Iterator[Fault]:
    flows: dict[str, Flow] = {}
    for name, flow in draft.config.flows.items():
        nodes = draft.raw["flows"][name].get("nodes")
        broken = frozenset(nodes if isinstance(nodes, dict) else ()) - flow.nodes.keys()
        flows[name] = Flow(name, flow.start, flow.nodes, flow.language, broken)
    unreadable = {
        name: Flow(name, "", {}, "", frozenset([""])) for name in draft.names("flows") if name not in flows
    }
    for problem in graph.check(flows | unreadable):
        yield _flow_path(problem.path), problem.message
    for readable in flows.values():
        for path, reference in readable.references():
            try:
                message = _target(draft, parse_target(reference.target))
            except ValueError as error:
                message = str(error)
            if message:
                yield _flow_path(path), message


def _flow_path(path: str) -> tuple[str, ...]:
    """`flows.NAME.nodes.NAME.keys.1` as a path. Names may hold dots, so the known words are looked for."""
    _, _, rest = path.partition("flows.")
    name, nodes, node = rest.partition(".nodes.")
    if not nodes:
        name, _, key = rest.rpartition(".")
        return ("flows", name, key)
    return ("flows", name, "nodes", *node.split("."))


def _routes(draft: Draft) -> Iterator[Fault]:
    routes = draft.config.routes
    for position, (index, route) in enumerate(zip(draft.routes_kept, routes, strict=True)):
        if message := _target(draft, route.to):
            yield ("routes", index, "to"), message
        for which, peer in enumerate(route.peers):
            if peer not in draft.names("peers"):
                yield (
                    ("routes", index, "peers", which),
                    f"there is no peer {peer!r}; {suggest(peer, draft.names('peers'))}",
                )
        if route.guests and not draft.config.sip.guests:
            yield (
                ("routes", index, "guests"),
                "guests are not let in at all; set sip.guests = true, or remove this",
            )
        if route.number in draft.config.extensions:
            yield (
                ("routes", index, "number"),
                f"{route.number} is an extension too, which is reached without a route",
            )
        for earlier_index, earlier in zip(draft.routes_kept[:position], routes[:position], strict=True):
            wider = (earlier.guests or not route.guests) and (
                not earlier.peers or set(route.peers) <= set(earlier.peers) != set()
            )
            pattern = route.number.rstrip("*") if earlier.number.endswith("*") else route.number
            if wider and earlier.covers(pattern) and not (earlier.peers and not route.peers):
                yield (
                    ("routes", index, "number"),
                    f"never reached: routes.{earlier_index} ({earlier.number}) takes these calls; put this one first",
                )
                break


def _peers(draft: Draft) -> Iterator[Fault]:
    owner: dict[object, str] = {}
    for name, peer in draft.config.peers.items():
        for network in peer.address:
            if network in owner:
                yield (
                    ("peers", name, "address"),
                    f"{network} is the peer {owner[network]!r}'s already; calls could be either's",
                )
            owner.setdefault(network, name)


def _feature_codes(draft: Draft) -> Iterator[Fault]:
    codes = {key: code for key, code in draft.config.feature_codes.model_dump().items() if code}
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
    reasons = draft.config.pauses.reasons
    for index, reason in enumerate(reasons):
        if not reason or len(reason) > 64 or not reason.isprintable():
            yield ("pauses", "reasons", index), "a reason is a printable word of at most 64 characters"
        elif reason in reasons[:index]:
            yield ("pauses", "reasons", index), f"{reason!r} is listed twice"


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
            for prompt in content.prompts():
                file = Path(config.prompts.directory, prompt.file)
                if prompt.file and not file.is_file():
                    yield (
                        ("flows", name, "nodes", node),
                        f"the sound file {file} does not exist; put it there, or write a text",
                    )
