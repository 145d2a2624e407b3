"""Promises to call back, kept until they are done: one row a number."""

from __future__ import annotations

import aiosqlite
import msgspec

from softswitch.call.errand import Errand
from softswitch.store.rows import Statement, clean, encode_json

_DECODE = msgspec.json.Decoder(Errand)
KEEP = (
    "INSERT INTO callbacks (number, errand) VALUES (?, ?) "
    "ON CONFLICT (number) DO UPDATE SET errand = excluded.errand"
)
FORGET = "DELETE FROM callbacks WHERE number = ?"
MOST_AGENTS = 20_000


def keep_statement(errand: Errand) -> Statement:
    """Store the errand, in the place of an older one for its number."""
    return KEEP, (clean(errand.number), encode_json(errand))


def forget_statement(number: str) -> Statement:
    """The errand for this number is done."""
    return FORGET, (clean(number),)


async def load_errands(connection: aiosqlite.Connection) -> tuple[Errand, ...]:
    """All that are stored, those who have waited longest first; what cannot be read is left out."""
    errands = []
    for (text,) in await connection.execute_fetchall("SELECT errand FROM callbacks"):
        try:
            errands.append(_DECODE.decode(text))
        except msgspec.MsgspecError:
            continue
    return tuple(sorted(errands, key=lambda errand: errand.entered_at))


async def lost_callers(connection: aiosqlite.Connection, since: float) -> list[tuple[str, str, float]]:
    """(queue, number, epoch seconds of his entry) of callers whose wait ended with the switch since then."""
    rows = await connection.execute_fetchall(
        "SELECT e.queue, c.from_number, e.at - json_extract(e.data, '$.wait_s') FROM events e "
        "JOIN calls c ON c.id = e.call WHERE e.at >= ? AND e.kind = 'EXITSYSTEM' "
        "AND json_extract(e.data, '$.cause') IN ('restart', 'shutdown') ORDER BY e.id",
        (since,),
    )
    return [(str(queue), str(number), float(at)) for queue, number, at in rows if at is not None]


async def recent_agents(connection: aiosqlite.Connection, since: float) -> list[tuple[str, str, float]]:
    """(caller's number, agent, end of the talk in epoch seconds) of calls since then, the oldest first."""
    rows = await connection.execute_fetchall(
        "SELECT CASE direction WHEN 'outbound' THEN to_number ELSE from_number END, agent, ended_at "
        "FROM calls WHERE started_at >= ? AND agent <> '' AND queue <> '' AND answered_at IS NOT NULL "
        "AND ended_at IS NOT NULL ORDER BY started_at DESC LIMIT ?",
        (since, MOST_AGENTS),
    )
    return [(str(number), str(agent), float(at)) for number, agent, at in reversed(list(rows))]
