"""Where calls go: every target leads somewhere, no route hides another, nobody is refused in a circle.

Invariant: as in `checks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivr import flow as graph
from ivr.flow import Flow, suggest
from softswitch.call.settings import Target
from softswitch.config.centre import Route
from softswitch.config.draft import Draft, Fault
from softswitch.config.fields import parse_target

_OVERFLOWS = ("overflow", "overflow_timeout", "overflow_full", "overflow_empty", "overflow_closed")

_NAMED = {"list": "lists", "calendar": "calendars", "database": "databases", "mailbox": "mailboxes"}
_NAMED |= {"service": "services", "webhook": "webhooks"}
"""What nodes name that is no target: kind -> section."""


def no_such(draft: Draft, kind: str, name: str) -> str:
    """What is said of a name that stands nowhere in the file; `kind` is the section in the singular."""
    names = draft.names(_NAMED.get(kind, f"{kind}s"))
    return f"there is no {kind} {name!r}; {suggest(name, names)}"


def target_fault(draft: Draft, target: Target) -> str:
    """What is wrong with a target; empty if it leads somewhere."""
    if target.kind in ("hangup", "callback"):
        return ""
    if target.kind == "voicemail":
        return "" if target.name in draft.names("mailboxes") else no_such(draft, "mailbox", target.name)
    if target.name not in draft.names(f"{target.kind}s"):
        return no_such(draft, target.kind, target.name)
    if target.kind == "agent":
        return _agent_fault(draft, target)
    if target.kind == "peer":
        peer = draft.config.peers.get(target.name)
        if peer is not None and not peer.target:
            return f"calls to the peer {target.name!r} have nowhere to go; give peers.{target.name}.target"
    return ""


def _agent_fault(draft: Draft, target: Target) -> str:
    agent = draft.config.agents.get(target.name)
    if target.number and target.number not in draft.names("queues"):
        return no_such(draft, "queue", target.number)
    if agent is not None and not agent.queues:
        return f"the agent {target.name!r} is in no queue; give agents.{target.name}.queues"
    return ""


def check_overflows(draft: Draft) -> Iterator[Fault]:
    """The overflows of the queues."""
    for name, queue in draft.config.queues.items():
        for key in _OVERFLOWS:
            target: Target | None = getattr(queue, key)
            if target is None:
                continue
            if message := target_fault(draft, target):
                yield ("queues", name, key), message
        for key, following in _refusals(draft, name):
            if name in _refused_to(draft, following):
                message = f"who is refused here goes to {following!r} and comes back at once, for ever"
                yield ("queues", name, key), f"{message}; lead one of them elsewhere"


def _refusals(draft: Draft, name: str) -> Iterator[tuple[str, str]]:
    """Where the queue sends a caller whom it does not let in, if that is a queue: (key, queue)."""
    queue = draft.config.queues.get(name)
    if queue is None:
        return
    for reason, possible in (("full", queue.max_length is not None), ("empty", queue.join_empty == "no")):
        following = _queue_at_once(draft, draft.config.overflow(name, reason))
        if possible and following is not None:
            special = f"overflow_{reason}"
            yield special if getattr(queue, special) is not None else "overflow", following


def _refused_to(draft: Draft, name: str) -> set[str]:
    """The queues that a caller may be sent to, one refusing him after the other, with the first one."""
    reached = {name}
    ahead = [name]
    while ahead:
        for _, following in _refusals(draft, ahead.pop()):
            if following not in reached:
                reached.add(following)
                ahead.append(following)
    return reached


def _queue_at_once(draft: Draft, target: Target | None) -> str | None:
    """The queue that a target leads to at once: itself, or a flow that begins with a mute queue node."""
    if target is None:
        return None
    if target.kind == "queue":
        return target.name
    flow = draft.config.flows.get(target.name) if target.kind == "flow" else None
    node = flow.nodes.get(flow.start) if flow else None
    if node is None or node.prompts() or not node.ends:
        return None
    queues = [r.target.removeprefix("queue:") for r in node.references() if r.target.startswith("queue:")]
    return queues[0] if len(queues) == 1 else None


def check_flows(draft: Draft) -> Iterator[Fault]:
    """The menus, as graphs and by what they name."""
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
            kind, _, named = reference.target.partition(":")
            try:
                if (section := _NAMED.get(kind)) is not None:
                    known = draft.names(section)
                    message = "" if named in known else f"no {kind} {named!r}; {suggest(named, known)}"
                else:
                    message = target_fault(draft, parse_target(reference.target))
            except ValueError as error:
                message = str(error)
            if message:
                yield _flow_path(path), message


def _flow_path(path: str) -> tuple[str, ...]:
    """`flows.NAME.nodes.NAME.keys.1` as a path; the names of flows and nodes hold no dots."""
    return tuple(path.split("."))


def check_routes(draft: Draft) -> Iterator[Fault]:
    """The dial plan."""
    routes = draft.config.routes
    patterns: list[int] = []
    same: dict[str, list[int]] = {}
    for position, (index, route) in enumerate(zip(draft.routes_kept, routes, strict=True)):
        if message := target_fault(draft, route.to):
            yield ("routes", index, "to"), message
        for which, peer in enumerate(route.peers):
            if peer not in draft.names("peers"):
                yield (
                    ("routes", index, "peers", which),
                    no_such(draft, "peer", peer),
                )
        if message := _pattern_fault(route.number):
            yield ("routes", index, "number"), message
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
        # Only a pattern or the same number can hide a route, and thousands of routes are usual.
        normal = draft.config.numbering.normal(route.number) or route.number
        earlier_ones = [*patterns, *same.setdefault(normal, [])]
        hiding = min((other for other in earlier_ones if _hides(routes[other], route)), default=None)
        if hiding is not None:
            first = f"routes.{draft.routes_kept[hiding]} ({routes[hiding].number})"
            message = f"never reached: {first} takes these calls"
            yield ("routes", index, "number"), f"{message}; put this one first, or remove it"
        same[normal].append(position)
        if route.number.endswith("*"):
            patterns.append(position)


_ASTERISK = re.compile(r"_([0-9A-D+*#-]*)([XxZzNn.!][0-9XxZzNn.!+*#-]*)?")
_STAR_CODE = re.compile(r"\*[0-9]{1,3}")


def _pattern_fault(number: str) -> str:
    """What is wrong with a route's number as a pattern: `*` is one at the end only, and a code such as `*98`
    is meant literally. Empty if all is well.
    """
    if found := _ASTERISK.fullmatch(number):
        literal, pattern = found.groups()
        instead = f"{literal}*" if pattern else literal
        meaning = (
            f"{literal} and any rest" if literal and pattern else "any number" if pattern else "without _"
        )
        message = f"Asterisk's patterns are not read here, and {number!r} would be one number"
        return f"{message}; write {instead!r} ({meaning}), or a route for each number"
    body = number.removesuffix("*")
    if "*" not in body or _STAR_CODE.fullmatch(body):
        return ""
    before = body.partition("*")[0]
    instead = f"write {before + '*'!r}" if before else "write the numbers one by one"
    return f"'*' stands for any rest only as the last character; {instead}, or a route for each number"


def _hides(earlier: Route, later: Route) -> bool:
    """Whether every call that fits the later route fits the earlier one."""
    if later.guests and not earlier.guests:
        return False
    if earlier.when is not None and earlier.when != later.when:
        return False
    if earlier.peers and not (later.peers and set(later.peers) <= set(earlier.peers)):
        return False
    if earlier.to.kind == "peer" and not earlier.peers and (later.peers or later.to.kind != "peer"):
        return False
    if later.number.endswith("*"):
        return earlier.number.endswith("*") and later.number.startswith(earlier.number[:-1])
    if earlier.number.endswith("*"):
        return later.number.startswith(earlier.number[:-1])
    return True  # the same number, in whatever form


def check_peers(draft: Draft) -> Iterator[Fault]:
    """An address means one peer."""
    owner: dict[object, str] = {}
    for name, peer in draft.config.peers.items():
        for network in peer.address:
            if network in owner:
                yield (
                    ("peers", name, "address"),
                    f"{network} is the peer {owner[network]!r}'s already; calls could be either's",
                )
            owner.setdefault(network, name)
