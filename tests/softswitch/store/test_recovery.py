"""After a kill: what was open is closed, in the log and in the records, once."""

import asyncio
import signal
import sqlite3
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from acd.events import Kind, LogEvent
from softswitch.call.call import OwnPart
from softswitch.call.record import CallRecord, Disposition
from softswitch.store import EventFilter, Recovered, SqliteReader, Writer
from softswitch.store.kept import KEEP_CALL, Kept
from softswitch.store.open_state import AGENT_STATE_KINDS, AgentState, CallState
from tests.softswitch.call.test_keeping import talk
from tests.support.centre import Centre

HISTORY = [
    LogEvent(90.0, Kind.SYSTEM_START),
    LogEvent(90.0, Kind.AGENTLOGIN, agent="old", data={"phone": "203", "by": "cli"}),
    LogEvent(100.0, Kind.SYSTEM_START),
    LogEvent(101.0, Kind.AGENTLOGIN, agent="anna", data={"phone": "201", "by": "agent"}),
    LogEvent(102.0, Kind.AGENTLOGIN, agent="boris", data={"phone": "202", "by": "agent"}),
    LogEvent(103.0, Kind.AGENTLOGIN, agent="vera", data={"phone": "204", "by": "agent"}),
    LogEvent(104.0, Kind.PAUSE, agent="vera", data={"reason": "lunch", "by": "agent"}),
    LogEvent(105.0, Kind.AGENTLOGIN, agent="gone", data={"phone": "205", "by": "agent"}),
    LogEvent(106.0, Kind.AGENTLOGOFF, agent="gone", data={"phone": "205", "by": "agent", "login_s": 1.0}),
    # t: talks with anna, and is on hold
    LogEvent(110.0, Kind.CALL_START, "t", data={"from": "1", "to": "600"}),
    LogEvent(110.0, Kind.MENU, "t", data={"flow": "main", "node": "welcome"}),
    LogEvent(115.0, Kind.ENTERQUEUE, "t", "sales", data={"caller": "1", "priority": 0, "position": 1}),
    LogEvent(116.0, Kind.OFFER, "t", "sales", "anna", {"offer": 1}),
    LogEvent(119.0, Kind.CONNECT, "t", "sales", "anna", {"offer": 1, "wait_s": 4.0, "ring_s": 3.0}),
    LogEvent(129.0, Kind.HOLD, "t", "sales", "anna"),
    LogEvent(131.0, Kind.UNHOLD, "t", "sales", "anna"),
    # o: rings at boris; w: waits behind, but is more important than x
    LogEvent(120.0, Kind.CALL_START, "o"),
    LogEvent(120.0, Kind.ENTERQUEUE, "o", "sales", data={"priority": 5, "position": 1}),
    LogEvent(121.0, Kind.OFFER, "o", "sales", "boris", {"offer": 2}),
    LogEvent(122.0, Kind.CALL_START, "x"),
    LogEvent(122.0, Kind.ENTERQUEUE, "x", "sales", data={"priority": 0, "position": 2}),
    LogEvent(123.0, Kind.CALL_START, "w"),
    LogEvent(123.0, Kind.ENTERQUEUE, "w", "sales", data={"priority": 0, "position": 3}),
    LogEvent(124.0, Kind.PRIORITY_CHANGED, "w", "sales", data={"priority": 1, "by": "cli"}),
    # d: an extension, dialled directly
    LogEvent(125.0, Kind.CALL_START, "d"),
    # who else is with t; one has left
    LogEvent(126.0, Kind.SUPERVISION, "t", "sales", "anna", {"supervisor": "300", "mode": "listen"}),
    LogEvent(127.0, Kind.PARTY_ADDED, "t", "sales", "anna", {"party": "302", "by": "lea"}),
    LogEvent(128.0, Kind.PARTY_ADDED, "t", "sales", "anna", {"party": "303", "by": "lea"}),
    LogEvent(128.0, Kind.SUPERVISION, "t", "sales", "anna", {"supervisor": "300", "mode": "barge"}),
    LogEvent(129.0, Kind.PARTY_LEFT, "t", "sales", "anna", {"party": "302", "joined_s": 2.0}),
    LogEvent(130.0, Kind.CONFERENCE_JOIN, "d", data={"conference": "team", "members": 1}),
    LogEvent(139.0, Kind.HOLD, "t", "sales", "anna"),
]
STARTED = {"t": 110.0, "o": 120.0, "x": 122.0, "w": 123.0, "d": 125.0}


async def written(path: Path, alive_at: float) -> None:
    """The history above in a database whose writer was last alive at `alive_at`."""
    writer = await Writer.open(path, clock=lambda: alive_at)
    for event in HISTORY:
        writer.append(event)
    for call, started_at in STARTED.items():
        writer.call_opened(CallRecord(id=call, started_at=started_at))
    writer.call_opened(CallRecord(id="d", started_at=STARTED["d"], answered_at=130.0, agent="207"))
    await writer.close()


async def read(path: Path, after: int = 0) -> tuple[dict[str, CallRecord], list[LogEvent]]:
    async with await SqliteReader.open(path) as reader:
        records = {call: await reader.call(call) for call in STARTED}
        events = [stored.event async for stored in reader.events(EventFilter(after=after))]
    return {call: record for call, record in records.items() if record is not None}, events


async def test_who_is_busy_and_not_logged_in_is_idle_again(path: Path) -> None:
    """He was entering the PIN by which he logs in. A row that cannot be read stops nothing."""
    await written(path, 140.0)
    writer = await Writer.open(path, clock=lambda: 150.0)
    centre = Centre()  # what the switch itself keeps, so that nobody's idea of it is tested
    centre.log_in("201")
    talk(centre, "300", "201")
    (kept,) = centre.kept_calls.values()
    assert kept.course is not None
    own = dict.fromkeys(("olga", "anna"), OwnPart("outbound"))
    kept = structs.replace(kept, course=structs.replace(kept.course, own_call_of=own))
    for agent in ("olga", "anna"):
        writer.append(LogEvent(151.0, Kind.AGENT_BUSY, agent=agent, data={"direction": "outbound"}))
    writer.call_kept("p", kept)
    writer.put((KEEP_CALL, ("q", "broken")))
    await writer.close()
    for _ in range(2):
        writer = await Writer.open(path, clock=lambda: 160.0)
        await writer.close()
    _, events = await read(path)
    idle = [event.agent for event in events if event.kind is Kind.AGENT_IDLE]
    assert sorted(idle) == ["anna", "olga"]


async def test_everything_open_is_closed_at_the_last_sign_of_life(path: Path) -> None:
    await written(path, 140.0)
    writer = await Writer.open(path, clock=lambda: 99_999.0)
    assert writer.recovered == Recovered(at=140.0, calls=5, waiting=3, talking=1, agents=3)
    await writer.close()
    records, events = await read(path, after=len(HISTORY))

    assert all(event.at == 140.0 for event in events)
    ends = [event for event in events if event.kind is Kind.CALL_END]
    assert sorted(event.call for event in ends) == sorted(STARTED)
    assert ends[0].data == {"disposition": "restart", "cause": "restart", "ended_by": "system"}
    assert [
        (event.call, event.data["position"], event.data["entry_position"], event.data["wait_s"])
        for event in events
        if event.kind is Kind.EXITSYSTEM
    ] == [("o", 1, 1, 20.0), ("x", 3, 2, 18.0), ("w", 2, 3, 17.0)]
    (complete,) = [event for event in events if event.kind is Kind.COMPLETESYSTEM]
    assert (complete.call, complete.agent) == ("t", "anna")
    assert complete.data == {
        "wait_s": 4.0,
        "talk_s": 18.0,
        "hold_s": 3.0,
        "entry_position": 1,
        "cause": "restart",
    }
    rooms = (Kind.SUPERVISION_END, Kind.PARTY_LEFT, Kind.CONFERENCE_LEAVE)
    left = [(event.kind, event.call, event.agent, event.data) for event in events if event.kind in rooms]
    supervised = {"supervisor": "300", "mode": "listen", "listened_s": 14.0, "cause": "restart"}
    added = {"party": "303", "by": "lea", "joined_s": 12.0, "cause": "restart"}
    joined = {"conference": "team", "members": 1, "joined_s": 10.0, "cause": "restart"}
    assert left == [
        (Kind.SUPERVISION_END, "t", "anna", supervised),
        (Kind.PARTY_LEFT, "t", "anna", added),
        (Kind.CONFERENCE_LEAVE, "d", "", joined),
    ]
    (ringing,) = [event for event in events if event.kind is Kind.RINGCANCELED]
    assert (ringing.call, ringing.agent, ringing.data["ring_s"]) == ("o", "boris", 19.0)
    assert [event.agent for event in events if event.kind is Kind.AGENTLOGOFF] == ["anna", "boris", "vera"]
    (pause,) = [event for event in events if event.kind is Kind.UNPAUSE]
    assert pause.data == {"by": "restart", "pause_s": 36.0, "reason": "lunch"}

    assert {record.disposition for record in records.values()} == {Disposition.RESTART}
    assert {record.ended_at for record in records.values()} == {140.0}
    talked = records["t"]
    assert (talked.answered_at, talked.queue, talked.agent) == (119.0, "sales", "anna")
    assert talked.path == ("main.welcome",)
    assert (talked.menu_s, talked.wait_s, talked.ring_s) == (5.0, 4.0, 3.0)
    assert (talked.talk_s, talked.hold_s) == (18.0, 3.0)
    assert (records["x"].wait_s, records["x"].talk_s, records["x"].answered_at) == (18.0, None, None)
    assert (records["d"].talk_s, records["d"].agent, records["d"].wait_s) == (10.0, "207", None)


@pytest.mark.parametrize(
    ("staying", "leave"),
    [
        (set(), [Kind.SUPERVISION_END, Kind.PARTY_LEFT]),
        ({"300"}, [Kind.PARTY_LEFT]),
        ({"300", "303"}, []),
    ],
)
async def test_guests_whose_calls_do_not_go_on_leave_a_talk_that_does(
    path: Path, staying: set[str], leave: list[Kind]
) -> None:
    await written(path, 140.0)

    async def alive(_: Kept) -> dict[str, set[str]]:
        return {"t": staying}

    writer = await Writer.open(path, clock=lambda: 99_999.0, alive=alive)
    assert (writer.recovered.calls, writer.recovered.alive) == (4, 1)
    await writer.close()
    records, events = await read(path, after=len(HISTORY))
    assert records["t"].ended_at is None
    assert [(event.kind, event.at, event.data["cause"]) for event in events if event.call == "t"] == [
        (kind, 140.0, "restart") for kind in leave
    ]


async def test_who_waits_or_confers_on_is_left_there_and_the_phone_that_rang_for_him_is_free(
    path: Path,
) -> None:
    await written(path, 140.0)

    async def alive(_: Kept) -> dict[str, set[str]]:
        return {"o": set(), "x": set(), "d": set()}

    writer = await Writer.open(path, clock=lambda: 99_999.0, alive=alive)
    assert (writer.recovered.waiting, writer.recovered.alive) == (1, 3)
    await writer.close()
    records, events = await read(path, after=len(HISTORY))
    assert records["o"].ended_at is records["x"].ended_at is None
    (event,) = [event for event in events if event.call in ("o", "x", "d")]
    assert (event.kind, event.agent, event.at) == (Kind.RINGCANCELED, "boris", 140.0)
    assert event.data == {"offer": 2, "ring_s": 19.0, "reason": "restart"}


@pytest.mark.parametrize(
    "told", [{"disposition": "of-a-later-version"}, {"disposition": None, "cause": 7}, {}]
)
async def test_an_end_that_this_version_does_not_understand_stops_no_start(
    path: Path, told: dict[str, object]
) -> None:
    writer = await Writer.open(path, clock=lambda: 150.0)
    writer.call_opened(CallRecord(id="late", started_at=141.0))
    writer.append(LogEvent(142.5, Kind.CALL_END, "late", data=told))
    await writer.close()
    await (await Writer.open(path, clock=lambda: 160.0)).close()
    async with await SqliteReader.open(path) as reader:
        record = await reader.call("late")
    assert record is not None
    assert (record.ended_at, record.disposition, record.cause) == (142.5, Disposition.RESTART, "restart")


async def test_a_call_that_had_ended_keeps_its_end(path: Path) -> None:
    """The record follows CALL_END by as long as the media need for their last figures."""
    await written(path, 140.0)
    writer = await Writer.open(path, clock=lambda: 150.0)
    writer.call_opened(CallRecord(id="late", started_at=141.0))
    told = {"disposition": "abandoned", "cause": "hung up", "ended_by": "caller"}
    writer.append(LogEvent(141.0, Kind.CALL_START, "late"))
    writer.append(LogEvent(142.5, Kind.CALL_END, "late", data=told))
    await writer.close()
    await (await Writer.open(path, clock=lambda: 160.0)).close()
    async with await SqliteReader.open(path) as reader:
        record = await reader.call("late")
        ends = [stored async for stored in reader.events(EventFilter(call="late"))]
    assert record is not None
    assert (record.ended_at, record.disposition, record.cause) == (142.5, Disposition.ABANDONED, "hung up")
    assert record.ended_by == "caller"
    assert [stored.event.kind for stored in ends] == [Kind.CALL_START, Kind.CALL_END]


async def test_recovery_happens_once(path: Path) -> None:
    await written(path, 140.0)
    await (await Writer.open(path)).close()
    _, events = await read(path)
    writer = await Writer.open(path)
    assert (writer.recovered.calls, writer.recovered.agents) == (0, 0)
    await writer.close()
    _, again = await read(path)
    assert again == events


async def test_a_new_database_has_nothing_to_recover(path: Path) -> None:
    writer = await Writer.open(path)
    assert writer.recovered == Recovered()
    await writer.close()


@given(st.lists(st.tuples(st.sampled_from(list(Kind)), st.integers(0, 2)), max_size=60))
def test_any_history_of_a_call_and_an_agent_can_be_closed_once(history: list[tuple[Kind, int]]) -> None:
    """Whatever the log says, its closing is finite, is never negative, and closes."""
    events = [
        LogEvent(100.0 + number, kind, "c", "q", "anna", {"offer": offer, "priority": offer, "phone": "1"})
        for number, (kind, offer) in enumerate(history)
    ]
    call, agent = CallState.of(events), AgentState.of("anna", events)
    end = 100.0 + len(events)
    closing = call.ending("c", end, 1) + agent.ending(end)
    for event in closing:
        assert all(value >= 0 for key, value in event.data.items() if key.endswith("_s"))
    assert CallState.of(events + closing).ending("c", end, 1) == []
    assert AgentState.of("anna", events + closing).ending(end) == []
    last = {event.kind: event for event in events if event.kind in AGENT_STATE_KINDS}
    in_order = sorted(last.values(), key=lambda event: event.at)
    assert AgentState.of("anna", in_order).ending(end) == agent.ending(end)
    record = call.record(CallRecord(id="c", started_at=100.0), end)
    for name in ("menu_s", "wait_s", "ring_s", "talk_s", "hold_s"):
        seconds = getattr(record, name)
        assert seconds is None or 0 <= seconds <= len(events)


KILLED = """
import asyncio, sys, time
from pathlib import Path
from acd.events import Kind, LogEvent
from softswitch.call.record import CallRecord
from softswitch.store import Writer

async def main():
    writer = await Writer.open(Path(sys.argv[1]))
    number = 0
    while True:
        number += 1
        call = f"c{number}"
        at = time.time()
        writer.append(LogEvent(at, Kind.CALL_START, call, data={"number": number}))
        writer.call_opened(CallRecord(id=call, started_at=at))
        if number % 2:
            writer.append(LogEvent(at, Kind.CALL_END, call, data={"disposition": "failed"}))
            writer.call_closed(CallRecord(id=call, started_at=at, ended_at=at))
        print(number, at, flush=True)
        await asyncio.sleep(0.001)

asyncio.run(main())
"""


@pytest.mark.parametrize("calls_before_kill", [1, 60, 333])
async def test_a_kill_loses_at_most_the_last_200_ms_and_corrupts_nothing(
    path: Path, calls_before_kill: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(path), stdout=asyncio.subprocess.PIPE, cwd=Path.cwd()
    )
    assert process.stdout is not None
    handed_over: dict[int, float] = {}
    async with asyncio.timeout(50):
        while len(handed_over) < calls_before_kill:
            number, at = (await process.stdout.readline()).split()
            handed_over[int(number)] = float(at)
        process.send_signal(signal.SIGKILL)
        for line in (await process.stdout.read()).splitlines():
            number, at = line.split()
            handed_over[int(number)] = float(at)
        await process.wait()

    writer = await Writer.open(path)
    await writer.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM calls WHERE ended_at IS NULL").fetchone() == (0,)
        kept = {row[0] for row in connection.execute("SELECT id FROM calls")}
        started = {row[0] for row in connection.execute("SELECT call FROM events WHERE kind = 'CALL_START'")}
        ended = [row[0] for row in connection.execute("SELECT call FROM events WHERE kind = 'CALL_END'")]
    assert kept == started == set(ended)  # what was handed over together is there together
    assert len(ended) == len(kept)
    times = sorted(handed_over.values())
    last_at = times[-1]
    stalled = max((b - a for a, b in pairwise(times)), default=0.0)  # the machine's doing, not the writer's
    lost = [at for number, at in handed_over.items() if f"c{number}" not in kept]
    assert all(last_at - at <= 0.2 + stalled for at in lost)
    assert writer.recovered.calls == sum(1 for call in kept if int(call[1:]) % 2 == 0)
