"""A small call centre without telephones: a real distributor and a real log behind the real API.

Callers enter and agents answer by method calls, when the test says so; all else is the product's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec

from acd import messages as acd
from acd.agent import AgentConfig
from acd.dispatcher import Acd
from acd.events import Kind, LogEvent
from acd.explain import Explanation
from acd.queue import QueueConfig
from softswitch.api.control import Control, Refused
from softswitch.api.routes import build_app
from softswitch.api.server import ApiServer
from softswitch.api.types import (
    AgentStatus,
    CallStatus,
    MediaEndpointStatus,
    MediaWorkerStatus,
    QueueStatus,
    Status,
    StoreStatus,
)
from softswitch.call.promises import Promise
from softswitch.call.record import CallRecord, Disposition
from softswitch.call.workers import Workers
from softswitch.errors import LocalError
from softswitch.store import SqliteReader, Writer

EXTENSIONS = {"anna": "201", "boris": "202"}


class AcdCentre(Control):
    """Two queues, two agents. `now` is the clock, moved by the test."""

    def __init__(self, writer: Writer, path: Path, now: float) -> None:
        self.now = now
        self._writer = writer
        self._path = path
        self._started_at = now
        self._acd = Acd(
            [QueueConfig("sales", wrapup_s=3.0), QueueConfig("support", strategy="least-occupancy")],
            [AgentConfig(name, {"sales": 0, "support": 0}) for name in EXTENSIONS],
        )
        self.media = Workers()
        self.media.ready(0)
        self.media.ready(1)
        self._calls: dict[str, CallStatus] = {}
        self._total = 0
        writer.append(LogEvent(now, Kind.SYSTEM_START))

    # ----- what happens

    def give(self, fact: acd.Input) -> None:
        """Tell the distributor, and log and obey what it says; every offer is answered at once."""
        for output in self._acd.handle(fact, self.now):
            match output:
                case acd.Log(event):
                    self._writer.append(event)
                case acd.Offer(offer=offer):
                    self.give(acd.Answered(offer))
                case acd.Moved(call=call, queue=queue):
                    self._change(call, queue=queue)
                case acd.Bridge(call=call, agent=agent):
                    self._change(call, state="talking", since=self.now, agent=agent)

    def arrive(self, call: str, queue: str, number: str) -> None:
        """A caller dials and enters a queue."""
        self._total += 1
        self._calls[call] = CallStatus(
            id=call,
            state="waiting",
            since=self.now,
            started_at=self.now,
            from_number=number,
            to_number="600",
            queue=queue,
        )
        self._writer.append(LogEvent(self.now, Kind.CALL_START, call, data={"from": number, "to": "600"}))
        self._writer.call_opened(
            CallRecord(id=call, started_at=self.now, from_number=number, to_number="600", queue=queue)
        )
        self.give(acd.Enqueue(call, queue, number))

    def hangup(self, call: str, by: str) -> None:
        """The call is over, whatever it was doing."""
        status = self._calls.pop(call)
        talked = status.state == "talking"
        self.give(acd.Ended(call, "caller") if talked else acd.Withdraw(call))
        disposition = Disposition.ANSWERED if talked else Disposition.ABANDONED
        data = {"disposition": str(disposition), "cause": by, "ended_by": "caller"}
        self._writer.append(LogEvent(self.now, Kind.CALL_END, call, data=data))
        self._writer.call_closed(
            CallRecord(
                id=call,
                started_at=status.started_at,
                answered_at=status.since if talked else None,
                ended_at=self.now,
                from_number=status.from_number,
                to_number=status.to_number,
                queue=status.queue,
                agent=status.agent,
                disposition=disposition,
                cause=by,
                ended_by="caller",
                wait_s=(status.since if talked else self.now) - status.started_at,
                talk_s=self.now - status.since if talked else None,
            )
        )

    def pass_time(self, seconds: float) -> None:
        """Move the clock, stopping at every deadline of the distributor."""
        end = self.now + seconds
        while (deadline := self._acd.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            for output in self._acd.handle_timer(self.now):
                if isinstance(output, acd.Log):
                    self._writer.append(output.event)
        self.now = end

    def _change(self, call: str, **fields: object) -> None:
        self._calls[call] = msgspec.structs.replace(self._calls[call], **fields)

    # ----- Control

    def status(self) -> Status:
        health = self._writer.health()
        return Status(
            version="1.2.3",
            pid=42,
            started_at=self._started_at,
            uptime_s=self.now - self._started_at,
            calls_active=len(self._calls),
            calls_total=self._total,
            waiting=sum(len(queue.waiting) for queue in self.queues()),
            agents={"ready": sum(agent.state == "ready" for agent in self.agents())},
            registrations=2,
            listeners=("udp:127.0.0.1:5060",),
            media=tuple(self.workers()),
            endpoints=MediaEndpointStatus(configured=2, processes=1, legs=1, free=1, lost=3),
            store=StoreStatus(path=str(self._path), queued=0, lost=health.lost, failing=health.failing),
        )

    def workers(self) -> Sequence[MediaWorkerStatus]:
        """Of a real pool; what a worker would report is made up."""
        pool = self.media
        return [
            MediaWorkerStatus(
                name=f"worker-{number}",
                pid=43,
                alive=True,
                legs=legs,
                ports=1,
                late_ms=0.5,
                late_ticks=3,
                forwarded=5_000,
                busy=0.07,
                drained=number in pool.drained,
            )
            for number, legs in pool.legs.items()
        ]

    def drain(self, name: str, drained: bool, by: str) -> None:
        self.media.drain(int(name.removeprefix("worker-")), drained)

    def restart(self, name: str, by: str) -> None:
        raise Refused(f"{name} takes calls", f"cc workers drain {name}, and wait until its calls are over")

    def agents(self) -> Sequence[AgentStatus]:
        return [AgentStatus.of(view, view.name.title()) for view in self._acd.agents(self.now)]

    def agent_login(self, name: str, phone: str | None, by: str) -> None:
        if phone is not None and phone not in EXTENSIONS.values():
            raise LocalError(f"no extension {phone}: use 201 or 202")
        self.give(acd.LogIn(name, phone or EXTENSIONS[name], by=by))

    def agent_logout(self, name: str, by: str) -> None:
        self.give(acd.LogOut(name, by))

    def agent_pause(self, name: str, reason: str, by: str) -> None:
        if reason == "holiday":
            raise Refused("no pause of this reason", "use lunch")
        self.give(acd.Pause(name, reason, by))

    def agent_ready(self, name: str, by: str) -> None:
        self.give(acd.Ready(name, by))

    def agent_extend(self, name: str, extra_s: float, by: str) -> None:
        self.give(acd.ExtendWrapup(name, extra_s, by))

    def explain(self, call: str) -> Sequence[Explanation]:
        return self._acd.explain(call)

    def queue_open(self, name: str, is_open: bool, by: str) -> None:
        self.give(acd.OpenQueue(name, is_open, by))

    def call_move(self, call: str, queue: str, by: str) -> None:
        self.give(acd.MoveCall(call, queue, by))

    def call_priority(self, call: str, priority: int, by: str) -> None:
        self.give(acd.SetPriority(call, priority, by))

    def call_hand(self, call: str, agent: str, by: str) -> None:
        self.give(acd.HandCall(call, agent, by))

    def promises(self) -> Sequence[Promise]:
        return [
            Promise(
                place.number,
                "",
                place.queue,
                "waiting" if place.next_at is None else "later",
                place.since,
                place.next_at,
                place.failed,
                3,
                place.position,
                "agent",
                "",
                "",
            )
            for place in self._acd.places()
        ]

    def cancel(self, number: str, by: str) -> None:
        place = next(place for place in self._acd.places() if place.number == number)
        self.give(acd.Withdraw(place.place, "system", cause=f"cancelled by {by}"))

    def queues(self) -> Sequence[QueueStatus]:
        return [QueueStatus.of(view) for view in self._acd.queues(self.now)]

    def calls(self) -> Sequence[CallStatus]:
        places = {place.call: place for view in self._acd.queues(self.now) for place in view.waiting}
        return [
            msgspec.structs.replace(call, position=place.position, priority=place.priority)
            if (place := places.get(call.id)) is not None
            else call
            for call in self._calls.values()
        ]

    def call(self, call: str) -> CallStatus | None:
        return next((status for status in self.calls() if status.id == call), None)


class _InLoop:
    """Calls the centre's methods in the loop that it lives in, from the test's thread."""

    def __init__(self, centre: AcdCentre, loop: asyncio.AbstractEventLoop) -> None:
        self._centre = centre
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*arguments: object) -> Any:
            return getattr(self._centre, name)(*arguments)

        return lambda *arguments: asyncio.run_coroutine_threadsafe(call(*arguments), self._loop).result(20)


@contextmanager
def serving(socket: Path, database: Path, now: float) -> Iterator[AcdCentre]:
    """A centre whose control surface listens on `socket`, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="centre")
    thread.start()

    async def start() -> tuple[AcdCentre, Writer, SqliteReader, ApiServer]:
        writer = await Writer.open(database, clock=lambda: now)
        reader = await SqliteReader.open(database)
        centre = AcdCentre(writer, database, now)
        app = build_app(centre, reader, flush=writer.flush, promises=centre, workers=centre)
        return centre, writer, reader, await ApiServer.start(app, socket)

    async def stop(writer: Writer, reader: SqliteReader, server: ApiServer) -> None:
        await server.stop()
        await reader.close()
        await writer.close()

    try:
        centre, writer, reader, server = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
        try:
            yield cast(AcdCentre, _InLoop(centre, loop))
        finally:
            asyncio.run_coroutine_threadsafe(stop(writer, reader, server), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
