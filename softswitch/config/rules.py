"""The routes, lists and clients of the configuration as calls ask for them.

Invariant: a rule's place is that of its route in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ivr.number_list import BadRow, NumberList, make_list
from softswitch.call import clients
from softswitch.call.callers import Numbering
from softswitch.call.routing import Rule, Rules
from softswitch.call.settings import Route, Target
from softswitch.config import centre
from softswitch.config.routing import Client, NumberListSection

Listed = tuple[NumberList, list[BadRow]]
"""A list of numbers, and what stands in it and is none."""


def make_rules(routes: Iterable[centre.Route], normal: Callable[[str], str]) -> Rules:
    """The rules, found by number in its one form."""
    return Rules([_rule(place, route) for place, route in enumerate(routes)], normal)


def _rule(place: int, route: centre.Route) -> Rule:
    made = Route(
        route.to,
        route.priority,
        route.call_type,
        route.language,
        route.fallback,
        route.agent_wait_s,
        route.sip_status,
        route.name or f"routes.{place}",
        route.record,
    )
    return Rule(place, route.number, made, route.name, route.guests, route.peers, route.when)


def read_list(section: NumberListSection, numbering: Numbering) -> Listed:
    """A list with its file. Raises OSError, ValueError, csv.Error."""
    return make_list(section.rows(), numbering.normal, numbering.prefix)


def make_clients(sections: Mapping[str, Client], normal: Callable[[str], str]) -> clients.Clients:
    """The clients by name and by number."""
    by_number = {normal(number): name for name, one in sections.items() for number in one.numbers}
    return clients.Clients({name: _client(name, one) for name, one in sections.items()}, by_number, normal)


def _client(name: str, one: Client) -> clients.Client:
    first = Target("queue", one.queues[0]) if one.queues else None
    return clients.Client(
        name,
        one.name or name,
        one.greeting,
        one.language,
        one.to or first,
        one.queues,
        one.script,
        one.hours,
        one.closed,
        one.call_type,
        one.priority,
        one.guests,
    )
