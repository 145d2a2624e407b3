"""`cc report`: how the queues and the agents did; works with and without a running switch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cli.log import AgentOption, QueueOption
from cli.moments import span
from cli.options import ConfigOption, DatabaseOption, JsonOption, SinceOption, SocketOption, UntilOption
from cli.output import duration, moment, print_json, print_table, share
from cli.place import refuse_unknown
from cli.refusals import BadUsage

if TYPE_CHECKING:
    from softswitch.client_report import ClientReport
    from softswitch.report import AgentReport, QueueReport, Report


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("report")(report)


def report(
    since: SinceOption = "today",
    until: UntilOption = "",
    queue: QueueOption = "",
    agent: AgentOption = "",
    formula: Annotated[str, typer.Option(metavar="F1..F5", help="Formula of the service level.")] = "F4",
    interval: Annotated[
        int | None, typer.Option(metavar="MINUTES", min=1, help="The queues for each so many minutes, too.")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="client", help="Report on the clients that were called, instead.")
    ] = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Report on queues and agents, or on clients.

    Queues: offered, answered, abandoned, ASA, service level (with its formula), AHT. Agents: calls, times,
    occupancy.
    """
    from acd.service_level import TEXT, Formula
    from cli.source import open_source
    from softswitch.report import ReportQuery

    if queue and agent:
        raise BadUsage("--queue and --agent exclude one another: a report is on queues or on agents")
    if by not in ("", "client"):
        raise BadUsage(f"--by {by!r}: a report is by client, or on queues and agents without --by")
    if by and (queue or agent or interval is not None):
        raise BadUsage("--by excludes --queue, --agent and --interval")
    try:
        chosen = Formula(formula.upper())
    except ValueError:
        known = ", ".join(f"{name} {text}" for name, text in TEXT.items())
        raise BadUsage(f"--formula {formula!r} is unknown: there are {known}") from None
    now = time.time()
    start, end = span(since, until, now)
    if interval is not None and start is None:
        raise BadUsage("--interval needs a beginning: give --since too")
    wanted = ReportQuery(
        since=start,
        until=now if end is None and interval is not None else end,
        queue=queue,
        agent=agent,
        formula=chosen,
        interval_s=None if interval is None else interval * 60.0,
        by="client" if by else "",
    )
    made = open_source(config, socket, database).report(wanted)
    if not made.queues and not made.agents and not by:
        refuse_unknown(config, socket, database, queue=queue, agent=agent)
    if json:
        print_json(made)
    else:
        _print(made, bool(by))


def _print(made: Report, by_client: bool = False) -> None:
    start = moment(made.since) if made.since is not None else "the beginning"
    end = moment(made.until) if made.until is not None else "now"
    print(f"From {start} to {end}\n")
    if by_client:
        _print_clients(made.clients)
        return
    if made.queues or not made.agents:
        _print_queues("Queues", made.queues)
    for interval in made.intervals:
        if interval.queues:
            _print_queues(f"From {moment(interval.since)}", interval.queues)
    if made.agents:
        _print_agents(made.agents)


def _print_queues(title: str, queues: tuple[QueueReport, ...]) -> None:
    print_table(
        (
            "queue",
            "offered>",
            "answered>",
            "abandoned>",
            "short>",
            "overflow>",
            "refused>",
            "ASA>",
            "longest>",
            "abandoned %>",
            "service level>",
            "AHT>",
        ),
        (
            (
                one.queue,
                one.offered,
                one.answered,
                one.abandoned,
                one.short_abandons,
                one.timed_out + one.emptied,
                sum(one.refused.values()),
                duration(one.asa_s),
                duration(one.max_wait_s),
                _percent(one.abandon_percent),
                _percent(one.service_level_percent),
                duration(one.aht_s),
            )
            for one in queues
        ),
        title=title,
        empty="No caller entered a queue in this time.",
    )
    for label in dict.fromkeys(one.service_level_label for one in queues):
        named = [one.queue for one in queues if one.service_level_label == label]
        print(f"Service level of {', '.join(named)}: {label}")
    if queues:
        print("A answered, B abandoned, a and b those within the time, s short abandons\n")


def _print_agents(agents: tuple[AgentReport, ...]) -> None:
    print_table(
        (
            "agent",
            "calls>",
            "missed>",
            "logged in>",
            "idle>",
            "ringing>",
            "talk>",
            "hold>",
            "wrap-up>",
            "own calls>",
            "paused>",
            "AHT>",
            "occupancy>",
        ),
        (
            (
                one.agent,
                one.handled,
                one.missed + one.refused + one.unreachable,
                duration(one.login_s),
                duration(one.idle_s),
                duration(one.ringing_s),
                duration(one.talk_s),
                duration(one.hold_s),
                duration(one.wrapup_s),
                duration(one.own_call_s),
                duration(sum(one.paused_s.values())),
                duration(one.aht_s),
                share(one.occupancy),
            )
            for one in agents
        ),
        title="Agents",
        empty="",
    )


def _print_clients(clients: tuple[ClientReport, ...]) -> None:
    print_table(
        (
            "client",
            "calls>",
            "answered>",
            "abandoned>",
            "short>",
            "self-service>",
            "overflow>",
            "refused>",
            "other>",
            "ASA>",
            "abandoned %>",
            "talk>",
            "AHT>",
        ),
        (
            (
                one.client or "(none)",
                one.calls,
                one.answered,
                one.abandoned,
                one.short_abandons,
                one.self_service,
                one.overflow,
                one.refused,
                one.other,
                duration(one.asa_s),
                _percent(one.abandon_percent),
                duration(one.talk_s),
                duration(one.aht_s),
            )
            for one in clients
        ),
        title="Clients",
        empty="There was no call in this time.",
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} %"
