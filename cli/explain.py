"""`cc explain`: why a call went to this agent, and what kept the others from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli.options import CallArgument, ConfigOption, DatabaseOption, JsonOption, SocketOption
from cli.output import duration, moment, plain, print_json, print_table, share

if TYPE_CHECKING:
    from softswitch.explanation import ExplainedOffer

RULES = {
    "best-skill": "the best at what the call wants",
    "fewest-calls": "the one with the fewest calls today",
    "least-occupancy": "the one who was busy for the smallest share of the last hour",
    "least-talk-time": "the one who has talked least today",
    "linear": "the first in the order of the configuration",
    "longest-idle": "the one whose last conversation ended longest ago",
    "random": "anyone, by chance",
    "ring-all": "everyone at once",
    "ring-progressively": "one more from time to time",
    "round-robin": "the next in turn",
    "weighted-random": "anyone, by chance and weight",
}


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("explain")(explain)


def explain(
    call: CallArgument,
    config: ConfigOption = None,
    socket: SocketOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Say why a call went to this agent: every candidate with his figures, and what excluded the others.

    Calls of long ago are explained from the log, which knows no skills and levels.
    """
    from cli.source import open_source

    found = open_source(config, socket, database).explain(call)
    if json:
        print_json(found)
        return
    if not found.offers:
        print(f"{plain(call)} was never offered to an agent.")
    for number, offer in enumerate(found.offers):
        if number:
            print()
        _print(offer, from_log=found.source == "log")


def _print(offer: ExplainedOffer, from_log: bool) -> None:
    rule = RULES.get(offer.strategy)
    print(f"{moment(offer.at)} offered to {plain(offer.agent)}, queue {plain(offer.queue)}: {offer.outcome}")
    print(f"Strategy {plain(offer.strategy)}" + (f": {rule}." if rule else "."))
    if from_log:
        print("From the log: skills, levels and wishes of that time are not known.")
    elif not offer.is_complete:
        print("Long ago: what some agents were then is no longer remembered.")
    print()
    print_table(
        ("candidate", "level>", "idle>", "calls>", "talked>", "skills>", "occupancy>"),
        (
            (
                ("-> " if one.agent == offer.agent else "   ") + one.agent,
                one.level,
                duration(one.idle_s),
                one.calls,
                duration(one.talk_s),
                one.score,
                share(one.occupancy),
            )
            for one in offer.candidates
        ),
        empty="",
    )
    if offer.excluded:
        print()
        print_table(("not", "because"), sorted(offer.excluded.items()), empty="")
