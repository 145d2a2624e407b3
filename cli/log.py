"""`cc log`: what has been; works with and without a running switch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.moments import span
from cli.options import ConfigOption, DatabaseOption, JsonOption, SinceOption, SocketOption, UntilOption
from cli.output import duration, moment, print_fields, print_json, print_table
from cli.place import refuse_unknown
from cli.refusals import BadUsage

if TYPE_CHECKING:
    from acd.events import Kind
    from softswitch.call.record import CallRecord, Disposition
    from softswitch.store.query import StoredEvent

log_app = typer.Typer(help="Read and export the log.", no_args_is_help=True, rich_markup_mode=None)

QueueOption = Annotated[str, typer.Option("--queue", metavar="QUEUE", help="Of this queue only.")]
AgentOption = Annotated[str, typer.Option("--agent", metavar="AGENT", help="Of this agent only.")]
LimitOption = Annotated[
    int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many, the newest.")
]


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(log_app, name="log")


@log_app.command()
def calls(
    call: Annotated[
        str, typer.Argument(metavar="[CALL]", help="Tell the whole story of this call.", show_default=False)
    ] = "",
    since: SinceOption = "",
    until: UntilOption = "",
    queue: QueueOption = "",
    agent: AgentOption = "",
    number: Annotated[str, typer.Option(metavar="NUMBER", help="Caller or called; * is any rest.")] = "",
    client: Annotated[str, typer.Option(metavar="CLIENT", help="To this client only.")] = "",
    disposition: Annotated[str, typer.Option(metavar="WORD", help="That ended so: answered ...")] = "",
    limit: LimitOption = 50,
    config: ConfigOption = None,
    socket: SocketOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show the call records, newest first, or all that is known of one call."""
    from cli.source import open_source
    from softswitch.store.query import CallFilter

    source = open_source(config, socket, database)
    if call:
        _tell(*source.call(call), json)
        return
    start, end = span(since, until, time.time())
    wanted = CallFilter(
        since=start,
        until=end,
        queue=queue,
        agent=agent,
        client=client,
        number=number,
        disposition=_disposition(disposition),
        limit=limit,
    )
    records = list(source.calls(wanted))
    if not records:
        refuse_unknown(config, socket, database, queue=queue, agent=agent)
    if json:
        print_json(records)
        return
    print_table(
        (
            "call",
            "started",
            "from",
            "to",
            "type",
            "queue",
            "agent",
            "end",
            "menu>",
            "wait>",
            "talk>",
            "hold>",
            "wrap-up>",
        ),
        (
            (
                record.id,
                moment(record.started_at),
                record.from_number or record.from_name,
                record.to_number,
                record.call_type,
                record.queue,
                record.agent,
                record.disposition.value,
                duration(record.menu_s),
                duration(record.wait_s),
                duration(record.talk_s),
                duration(record.hold_s),
                duration(record.wrapup_s),
            )
            for record in records
        ),
        empty="The log has no such calls.",
    )


@log_app.command()
def events(
    since: SinceOption = "",
    until: UntilOption = "",
    call: Annotated[str, typer.Option("--call", metavar="CALL", help="Of this call only.")] = "",
    queue: QueueOption = "",
    agent: AgentOption = "",
    kind: Annotated[
        list[str] | None, typer.Option("--kind", metavar="KIND", help="Of this kind only; repeatable.")
    ] = None,
    limit: LimitOption = 100,
    config: ConfigOption = None,
    socket: SocketOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show the newest events, oldest first."""
    from cli.source import open_source
    from softswitch.store.query import EventFilter

    start, end = span(since, until, time.time())
    wanted = EventFilter(
        since=start,
        until=end,
        call=call,
        queue=queue,
        agent=agent,
        kinds=_kinds(kind or []),
        limit=limit,
    )
    found = list(open_source(config, socket, database).events(wanted))
    if not found:
        refuse_unknown(config, socket, database, queue=queue, agent=agent)
    if json:
        print_json(found)
    else:
        _print_events(found, with_call=True)


@log_app.command()
def export(
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="csv|queue_log",
            help="csv (times in ISO 8601, UTC), or Asterisk's queue_log.",
        ),
    ] = "csv",
    what: Annotated[
        str, typer.Option("--what", metavar="calls|events", help="Which table, for csv.")
    ] = "calls",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Else standard output.")
    ] = None,
    since: SinceOption = "",
    until: UntilOption = "",
    config: ConfigOption = None,
    socket: SocketOption = None,
    database: DatabaseOption = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="One JSON object a line, times in epoch seconds, instead of a format."),
    ] = False,
) -> None:
    """Write the log in a format that other programs read, oldest first."""
    if file_format not in ("csv", "queue_log"):
        raise BadUsage(f"--format {file_format!r} is unknown: use csv or queue_log")
    if what not in ("calls", "events"):
        raise BadUsage(f"--what {what!r} is unknown: use calls or events")
    from cli.export import csv_of_calls, csv_of_events, json_lines, queue_log, write_lines
    from cli.source import open_source
    from softswitch.store.query import CallFilter, EventFilter

    start, end = span(since, until, time.time())
    source = open_source(config, socket, database)
    if what == "events" or (file_format == "queue_log" and not json):
        found = source.events(EventFilter(since=start, until=end))
        lines = (
            json_lines(found) if json else (queue_log if file_format == "queue_log" else csv_of_events)(found)
        )
    else:
        records = source.calls(CallFilter(since=start, until=end, oldest_first=True))
        lines = json_lines(records) if json else csv_of_calls(records)
    write_lines(lines, output)


def _tell(record: CallRecord, happened: list[StoredEvent], json: bool) -> None:
    if json:
        print_json({"record": record, "events": happened})
        return
    from cli.sound import codecs_spoken, encryption_lines, quality_lines

    print_fields(
        [
            ("call", record.id),
            ("started", moment(record.started_at)),
            ("ended", moment(record.ended_at) if record.ended_at is not None else "goes on"),
            ("end", ", ".join(part for part in (record.disposition.value, record.cause) if part)),
            ("ended by", record.ended_by),
            ("from", f"{record.from_number} {record.from_name}".strip()),
            ("to", record.to_number),
            ("direction", ", ".join(part for part in (record.direction, record.transport) if part)),
            ("menu", record.path),
            ("type", record.call_type),
            ("queue", record.queue),
            ("agent", record.agent),
            ("in the menu", duration(record.menu_s)),
            ("waited", duration(record.wait_s)),
            ("rang", duration(record.ring_s)),
            ("talked", duration(record.talk_s)),
            ("on hold", duration(record.hold_s)),
            ("wrap-up", duration(record.wrapup_s)),
            ("SIP status", record.sip_status or None),
            ("codecs", codecs_spoken(record.legs)),
            ("encryption", encryption_lines(record.legs)),
            ("sound", quality_lines(record.legs)),
            ("recording", record.recording),
        ]
    )
    print()
    _print_events(happened, with_call=False)


def _print_events(found: list[StoredEvent], *, with_call: bool) -> None:
    columns = ("time", "kind", *(("call",) if with_call else ()), "queue", "agent", "data")
    print_table(
        columns,
        (
            (
                moment(event.at),
                event.kind.value,
                *((event.call,) if with_call else ()),
                event.queue,
                event.agent,
                " ".join(f"{key}={_shown(value)}" for key, value in event.data.items()),
            )
            for event in found
        ),
        empty="The log has no such events.",
    )


def _shown(value: object) -> str:
    """A value of an event's data; durations to the millisecond."""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _disposition(word: str) -> Disposition | None:
    from softswitch.call.record import Disposition

    if not word:
        return None
    try:
        return Disposition(word)
    except ValueError:
        raise BadUsage(f"--disposition {word!r} is unknown: there are {', '.join(Disposition)}") from None


def _kinds(words: list[str]) -> tuple[Kind, ...]:
    from acd.events import Kind

    kinds = []
    for word in words:
        try:
            kinds.append(Kind(word.upper()))
        except ValueError:
            raise BadUsage(f"--kind {word!r} is unknown: there are {', '.join(Kind)}") from None
    return tuple(kinds)
