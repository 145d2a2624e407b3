"""What routes, menus and clients name of calendars, lists and one another.

Invariant: as in `checks`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from ivr.choice import WORDS
from ivr.condition import Condition
from ivr.names import ATTRIBUTES, is_attribute, unknown
from softswitch.call.settings import Target
from softswitch.config.check_calls import no_such, target_fault
from softswitch.config.check_waiting import no_language
from softswitch.config.draft import Draft, Fault
from softswitch.system_prompts import LANGUAGES

_DIALLED = re.compile(r"\+?[0-9*#]+")
MAX_TOLD = 20
"""Bad numbers of one list that are named; a file may have a million."""


def check_routing(draft: Draft) -> Iterator[Fault]:
    """Calendars, lists, clients, and the conditions of routes."""
    yield from _lists(draft)
    yield from _clients(draft)
    for index, route in zip(draft.routes_kept, draft.config.routes, strict=True):
        where: tuple[str | int, ...] = ("routes", index)
        if route.when is not None:
            for key, message in condition_faults(draft, route.when):
                yield (*where, "when", *key.split(".")), message
        if "sip_status" in route.model_fields_set and route.to.kind != "hangup":
            yield (*where, "sip_status"), 'only a route that refuses has it; write to = "hangup"'
    for name, callers in draft.config.callers.items():
        if callers.to is not None:
            where = ("callers", name, "to")
            if not callers.blocked:
                yield (
                    where,
                    "only for blocked callers; write blocked = true, or a route with when = { status = ... }",
                )
            elif message := _target(draft, callers.to):
                yield where, message


def condition_faults(draft: Draft, condition: Condition) -> Iterator[tuple[str, str]]:
    """(attribute, message) for each name in a condition of a route that leads nowhere."""
    for key, target in condition.references():
        if message := reference_fault(draft, target):
            yield key, message
    for name in sorted(condition.attributes()):
        if name.startswith("queue.") and is_attribute(name):
            queue = name.removeprefix("queue.").rpartition(".")[0]
            if queue not in draft.names("queues"):
                yield name, no_such(draft, "queue", queue)
        elif not is_attribute(name):
            meant = unknown(name, (*ATTRIBUTES, *WORDS, "header.NAME"))
            yield name, f"a call has no attribute {name!r}; {meant}"


def reference_fault(draft: Draft, target: str) -> str:
    """What is wrong with `calendar:NAME` or `list:NAME`; empty if it is there."""
    kind, _, name = target.partition(":")
    if name in draft.names(f"{kind}s"):
        return ""
    message = no_such(draft, kind, name)
    if kind == "list" and name in draft.names("callers"):
        return f"{message}; callers.{name} is a status: write status = {name!r}"
    return message


def _lists(draft: Draft) -> Iterator[Fault]:
    for name, found in draft.config.lists.items():
        where = ("lists", name)
        if not found.numbers and found.file is None:
            yield where, "it names nobody; give numbers, or a file"
        try:
            _, bad = draft.config.number_list(name)
        except OSError as error:
            yield (
                (*where, "file"),
                f"{found.file} cannot be read: {error.strerror}; check the path and its rights",
            )
            continue
        except (ValueError, csv.Error) as error:
            yield (*where, "file"), f"{found.file} is no CSV file in UTF-8: {error}"
            continue
        for row in bad[:MAX_TOLD]:
            if row.line:
                yield (*where, "file"), f"{found.file}, {row}"
            else:
                yield (*where, "numbers"), f"{row.text!r} {row.why}"
        if len(bad) > MAX_TOLD:
            yield (
                (*where, "file"),
                f"{len(bad) - MAX_TOLD} more rows are bad; `cc lists import` names them all",
            )


def _clients(draft: Draft) -> Iterator[Fault]:
    numbering = draft.config.numbering
    owner: dict[str, str] = {}
    for name, client in draft.config.clients.items():
        where = ("clients", name)
        for number in client.numbers:
            normal = numbering.normal(number)
            other = owner.setdefault(normal, name)
            if not _DIALLED.fullmatch(normal):
                yield (
                    (*where, "numbers"),
                    f"{number!r} is no number; write digits, and spaces and hyphens between them",
                )
            elif other != name:
                yield (
                    (*where, "numbers"),
                    f"{number} is the client {other!r}'s already; a number means one client",
                )
        for queue in client.queues:
            if queue not in draft.names("queues"):
                yield (*where, "queues"), no_such(draft, "queue", queue)
        for key, target in (("to", client.to), ("closed", client.closed)):
            if target is not None and (message := _target(draft, target)):
                yield (*where, key), message
        if client.numbers and client.to is None and not client.queues:
            yield where, 'its calls lead nowhere; give to, such as "flow:main", or queues'
        if client.hours and client.hours not in draft.names("calendars"):
            yield (*where, "hours"), no_such(draft, "calendar", client.hours)
        if client.closed is not None and not client.hours:
            yield (*where, "closed"), "without hours it is never closed; give hours, the name of a calendar"
        if client.language and client.language.partition("-")[0] not in LANGUAGES:
            yield (*where, "language"), no_language(client.language)
        if client.guests and not draft.config.sip.guests:
            yield (*where, "guests"), "guests are not let in at all; set sip.guests = true, or remove this"


def _target(draft: Draft, target: Target) -> str:
    if target.kind == "callback":
        return "a callback is for those who wait; write it in exits or overflow of a queue"
    return target_fault(draft, target)
