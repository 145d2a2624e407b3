"""Asterisk's queue_log format, so that report tools made for it keep working.

A line is `epoch|callid|queue|agent|event|data1|data2...`, whole seconds, NONE where a field does not apply.
The order of the data fields is Asterisk's for each event; events that Asterisk does not know are left out.
Its `calltime` includes hold. Values cannot break a line: what would (a bar, a control character) becomes a
space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from acd.events import Kind, LogEvent

Fields = Callable[[LogEvent], tuple[Any, ...]]


def _s(event: LogEvent, key: str) -> int:
    """A duration in whole seconds, rounded down like Asterisk's clock."""
    return int(float(event.data.get(key, 0.0)))


def _exit(event: LogEvent) -> tuple[Any, ...]:
    return (event.data.get("position", 0), event.data.get("entry_position", 0), _s(event, "wait_s"))


def _call_s(event: LogEvent) -> int:
    return int(float(event.data.get("talk_s", 0.0)) + float(event.data.get("hold_s", 0.0)))


def _complete(event: LogEvent) -> tuple[Any, ...]:
    return (_s(event, "wait_s"), _call_s(event), event.data.get("entry_position", 0))


def _ring_ms(event: LogEvent) -> tuple[Any, ...]:
    return (round(float(event.data.get("ring_s", 0.0)) * 1000),)


FIELDS: Mapping[Kind, tuple[str, Fields]] = {
    # url|callerid|position
    Kind.ENTERQUEUE: (
        "ENTERQUEUE",
        lambda e: ("", e.data.get("caller", ""), e.data.get("position", 0)),
    ),
    # holdtime|bridged channel|ringtime in seconds; the offer stands for the agent's channel
    Kind.CONNECT: (
        "CONNECT",
        lambda e: (_s(e, "wait_s"), f"offer-{e.data.get('offer', '')}", _s(e, "ring_s")),
    ),
    # holdtime|calltime|origposition
    Kind.COMPLETEAGENT: ("COMPLETEAGENT", _complete),
    Kind.COMPLETECALLER: ("COMPLETECALLER", _complete),
    # Asterisk has no name for what the switch itself ended; without a line, the call would stay open for ever
    Kind.COMPLETESYSTEM: ("COMPLETEAGENT", _complete),
    # extension|context|holdtime|calltime|origposition
    Kind.BLINDTRANSFER: ("BLINDTRANSFER", lambda e: (e.data.get("cause", ""), "", *_complete(e))),
    # method|identifier|holdtime|calltime|origposition
    Kind.ATTENDEDTRANSFER: ("ATTENDEDTRANSFER", lambda e: ("BRIDGE", e.call, *_complete(e))),
    # position|origposition|waittime
    Kind.ABANDON: ("ABANDON", _exit),
    Kind.EXITSYSTEM: ("ABANDON", _exit),
    Kind.EXITEMPTY: ("EXITEMPTY", _exit),
    Kind.EXITWITHTIMEOUT: ("EXITWITHTIMEOUT", _exit),
    # key|position|origposition|waittime
    Kind.EXITWITHKEY: ("EXITWITHKEY", lambda e: (e.data.get("key", ""), *_exit(e))),
    # ringtime in milliseconds
    Kind.RINGNOANSWER: ("RINGNOANSWER", _ring_ms),
    Kind.RINGCANCELED: ("RINGCANCELED", _ring_ms),
    # channel, and the seconds logged in
    Kind.AGENTLOGIN: ("AGENTLOGIN", lambda e: (e.data.get("phone", ""),)),
    Kind.AGENTLOGOFF: ("AGENTLOGOFF", lambda e: (e.data.get("phone", ""), _s(e, "login_s"))),
    # our pauses are for all queues
    Kind.PAUSE: ("PAUSEALL", lambda e: (e.data.get("reason", ""),)),
    Kind.UNPAUSE: ("UNPAUSEALL", lambda e: (e.data.get("reason", ""),)),
    Kind.SYSTEM_START: ("QUEUESTART", lambda e: ()),
    Kind.CONFIGRELOAD: ("CONFIGRELOAD", lambda e: ()),
}


def line(event: LogEvent) -> str | None:
    """The event as Asterisk would have written it, without a newline; None if it knows no such event."""
    found = FIELDS.get(event.kind)
    if found is None:
        return None
    name, fields = found
    head = (int(event.at), event.call or "NONE", event.queue or "NONE", event.agent or "NONE", name)
    return "|".join(_clean(value) for value in (*head, *fields(event)))


def lines(events: Iterable[LogEvent]) -> Iterator[str]:
    """All that Asterisk knows, in the order given."""
    for event in events:
        text = line(event)
        if text is not None:
            yield text


def _clean(value: object) -> str:
    return "".join(" " if c == "|" or not c.isprintable() else c for c in str(value))
