"""Reports on clients: what became of the calls to each, counted from the call records.

Invariant: memory does not grow with the length of the log; calls that go on are counted as offered only.
"""

from __future__ import annotations

import msgspec

from softswitch.call.record import CallRecord, Disposition
from softswitch.store.query import CallFilter, LogReader

_ABANDONED = frozenset((Disposition.ABANDONED, Disposition.SHORT_ABANDON, Disposition.MENU_ABANDONED))


class ClientReport(msgspec.Struct, frozen=True, kw_only=True):
    """One client; `client` is empty for the calls that were to none. Durations in seconds, None where there
    is nothing to divide by.
    """

    client: str
    calls: int
    answered: int
    abandoned: int
    """By their caller, in a menu or in a queue."""
    short_abandons: int
    """Among the abandoned: before the queue's short_abandon_s."""
    self_service: int
    overflow: int
    refused: int
    other: int
    asa_s: float | None
    """Average time in queues of those who were answered."""
    abandon_percent: float | None
    menu_s: float
    talk_s: float
    hold_s: float
    wrapup_s: float
    aht_s: float | None
    """Talk, hold and wrap-up by answered call."""


class _Count:
    """The growing figures of one client."""

    def __init__(self) -> None:
        self.by: dict[Disposition, int] = {}
        self.wait_s = self.menu_s = self.talk_s = self.hold_s = self.wrapup_s = 0.0

    def add(self, record: CallRecord) -> None:
        self.by[record.disposition] = self.by.get(record.disposition, 0) + 1
        self.menu_s += record.menu_s or 0.0
        self.talk_s += record.talk_s or 0.0
        self.hold_s += record.hold_s or 0.0
        self.wrapup_s += record.wrapup_s or 0.0
        if record.disposition is Disposition.ANSWERED:
            self.wait_s += record.wait_s or 0.0

    def report(self, client: str) -> ClientReport:
        calls, by = sum(self.by.values()), self.by.get
        answered = by(Disposition.ANSWERED, 0)
        abandoned = sum(by(one, 0) for one in _ABANDONED)
        told = (Disposition.SELF_SERVICE, Disposition.OVERFLOW, Disposition.REFUSED)
        served, overflow, refused = (by(one, 0) for one in told)
        handled_s = self.talk_s + self.hold_s + self.wrapup_s
        return ClientReport(
            client=client,
            calls=calls,
            answered=answered,
            abandoned=abandoned,
            short_abandons=by(Disposition.SHORT_ABANDON, 0),
            self_service=served,
            overflow=overflow,
            refused=refused,
            other=calls - answered - abandoned - served - overflow - refused,
            asa_s=self.wait_s / answered if answered else None,
            abandon_percent=100.0 * abandoned / calls if calls else None,
            menu_s=self.menu_s,
            talk_s=self.talk_s,
            hold_s=self.hold_s,
            wrapup_s=self.wrapup_s,
            aht_s=handled_s / answered if answered else None,
        )


async def client_reports(
    log: LogReader, since: float | None, until: float | None
) -> tuple[ClientReport, ...]:
    """All clients that were called, by name. Raises LocalError where the log cannot be read."""
    counts: dict[str, _Count] = {}
    async for record in log.calls(CallFilter(since=since, until=until)):
        counts.setdefault(record.client, _Count()).add(record)
    return tuple(counts[name].report(name) for name in sorted(counts))
