"""How callers wait: exits lead somewhere, numbers can be called back, lists of callers can be read.

Invariant: as in `checks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ivr.flow import suggest
from softswitch.config.centre import Queue
from softswitch.config.check_calls import no_such, target_fault
from softswitch.config.draft import Draft, Fault
from softswitch.config.fields import parse_target
from softswitch.system_prompts import LANGUAGES
from softswitch.waiting_prompts import KEYS


def check_waiting(draft: Draft) -> Iterator[Fault]:
    """The keys of queues about those who wait."""
    for name, queue in draft.config.queues.items():
        yield from _exits(draft, name, queue)
        yield from _callback(draft, name, queue)
        for prompt in queue.comfort:
            file = Path(draft.config.prompts.directory, prompt.file)
            if prompt.file and not file.is_file():
                message = f"the sound file {file} does not exist; put it there, or write a text"
                yield ("queues", name, "comfort"), message


def _exits(draft: Draft, name: str, queue: Queue) -> Iterator[Fault]:
    callbacks = []
    for key, target in queue.exits.items():
        path = ("queues", name, "exits", key)
        if target.kind == "callback":
            callbacks.append(key)
            if key not in KEYS:
                yield path, f"{key} cannot be announced; choose one of 0 to 9, * and #"
        elif message := target_fault(draft, target):
            yield path, message
    if len(callbacks) > 1:
        yield ("queues", name, "exits", callbacks[1]), f"{callbacks[0]} is the key of the callback already"


def _callback(draft: Draft, name: str, queue: Queue) -> Iterator[Fault]:
    via = queue.callback.via
    if not via:
        return
    path = ("queues", name, "callback", "via")
    if via not in draft.names("peers"):
        yield path, no_such(draft, "peer", via)
    elif (peer := draft.config.peers.get(via)) is not None and not peer.target:
        yield path, f"calls to the peer {via!r} have nowhere to go; give peers.{via}.target"


def check_callers(draft: Draft) -> Iterator[Fault]:
    """The lists of callers: a number stands in one of them, files can be read."""
    owner: dict[str, str] = {}
    numbering = draft.config.numbering
    for name, found in draft.config.callers.items():
        where: tuple[str, ...] = ("callers", name)
        if found.language and found.language.partition("-")[0] not in LANGUAGES:
            yield (*where, "language"), no_language(found.language)
        if not found.numbers and found.file is None:
            yield where, "it names nobody; give numbers, or a file"
        try:
            for number in found.all_numbers():
                normal = numbering.normal(number)
                other = owner.setdefault(normal, name)
                if not normal:
                    yield (*where, "numbers"), f"{number!r} is no number"
                elif other != name:
                    yield (
                        (*where, "numbers"),
                        f"{number} stands in callers.{other} already; one list a number",
                    )
        except OSError as error:
            message = f"{found.file} cannot be read: {error.strerror}; check the path and its rights"
            yield (*where, "file"), message
        except (ValueError, UnicodeError) as error:
            yield (*where, "file"), f"{found.file} is no CSV file in UTF-8: {error}"


def no_language(language: str) -> str:
    """What is said of a language in which the switch says nothing itself."""
    return f"the switch has no announcements in {language!r}; {suggest(language, LANGUAGES)}"


def check_agent_routes(draft: Draft) -> Iterator[Fault]:
    """Routes to one agent, and the languages of routes."""
    for index, route in zip(draft.routes_kept, draft.config.routes, strict=True):
        if route.to.kind == "callback":
            message = "a callback is for those who wait; write it in exits or overflow of a queue"
            yield ("routes", index, "to"), message
        if route.language and route.language.partition("-")[0] not in LANGUAGES:
            yield ("routes", index, "language"), no_language(route.language)
        for key in ("fallback", "agent_wait_s"):
            if getattr(route, key) is not None and route.to.kind != "agent":
                yield ("routes", index, key), 'only a route to an agent has it; write to = "agent:NAME"'
        if route.fallback is not None and route.fallback.kind == "callback":
            yield ("routes", index, "fallback"), "a callback is for those who wait; write it in a queue"
        elif route.fallback is not None and (message := target_fault(draft, route.fallback)):
            yield ("routes", index, "fallback"), message
    for name, flow in draft.config.flows.items():
        for node, content in flow.nodes.items():
            for reference in content.references():
                try:
                    kind = parse_target(reference.target).kind
                except ValueError:
                    continue  # told by check_flows
                if kind == "callback":
                    path = ("flows", name, "nodes", node, reference.key)
                    yield path, "a callback is for those who wait; lead to a queue that has it in its exits"
