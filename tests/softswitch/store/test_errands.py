"""Promises to call back, in the database."""

from pathlib import Path

import msgspec

from acd.events import Kind, LogEvent
from softswitch.call.errand import Errand
from softswitch.call.record import CallRecord, Disposition
from softswitch.store import Writer

ERRAND = Errand(number="+74951234567", place="p1", queue="sales", entered_at=100.0, first="caller", of="c1")


async def test_they_are_there_after_a_restart_until_they_are_done(path: Path) -> None:
    writer = await Writer.open(path, flush_s=0.01)
    assert writer.errands == ()
    writer.errand_kept(ERRAND)
    writer.errand_kept(msgspec.structs.replace(ERRAND, attempt=1, place="p2"))
    writer.errand_kept(msgspec.structs.replace(ERRAND, number="300", entered_at=50.0))
    await writer.close()

    writer = await Writer.open(path, flush_s=0.01)
    assert [(e.number, e.place, e.attempt) for e in writer.errands] == [
        ("300", "p1", 0),
        ("+74951234567", "p2", 1),
    ]
    writer.errand_over("300")
    await writer.close()

    writer = await Writer.open(path, flush_s=0.01)
    assert [errand.number for errand in writer.errands] == ["+74951234567"]
    await writer.close()


async def test_who_talked_with_whom(path: Path) -> None:
    writer = await Writer.open(path, flush_s=0.01)
    talk = CallRecord(
        id="a",
        started_at=100.0,
        answered_at=110.0,
        ended_at=120.0,
        from_number="300",
        to_number="600",
        queue="sales",
        agent="anna",
        disposition=Disposition.ANSWERED,
    )
    back = msgspec.structs.replace(
        talk, id="b", started_at=200.0, ended_at=230.0, direction="outbound", to_number="301", agent="boris"
    )
    unanswered = msgspec.structs.replace(talk, id="c", answered_at=None)
    for record in (talk, back, unanswered):
        writer.call_closed(record)
    await writer.flush()
    assert await writer.recent_agents(0.0) == [("300", "anna", 120.0), ("301", "boris", 230.0)]
    assert await writer.recent_agents(150.0) == [("301", "boris", 230.0)]
    await writer.close()


async def test_who_was_cut_off_by_the_end_of_the_switch(path: Path) -> None:
    writer = await Writer.open(path, flush_s=0.01)
    for name, number, cause in (("a", "300", "shutdown"), ("b", "301", "media worker lost")):
        writer.call_closed(CallRecord(id=name, started_at=90.0, ended_at=130.0, from_number=number))
        data = {"cause": cause, "position": 1, "entry_position": 1, "wait_s": 30.0}
        writer.append(LogEvent(130.0, Kind.EXITSYSTEM, name, "sales", data=data))
    await writer.flush()
    assert await writer.lost_callers(100.0) == [("sales", "300", 100.0)]
    assert await writer.lost_callers(131.0) == []
    await writer.close()
