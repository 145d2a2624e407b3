"""Media workers: one whose core is taken away warns; one is drained, restarted, and takes calls again."""

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import SwitchMaker
from tests.support.phones import PhoneMaker
from tests.support.ports import free_port
from tests.support.processes import Program
from tests.support.switch import CENTRE, PASSWORD

pytestmark = pytest.mark.e2e

SPIN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"
SPINNERS = 4


@contextlib.asynccontextmanager
async def busy(cpu: int) -> AsyncIterator[None]:
    """That processor has more to do than it can."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(SPINNERS):
            await stack.enter_async_context(Program(sys.executable, "-c", SPIN, str(cpu)))
        yield


def yield_to_others(process: int) -> None:
    """The kernel lets all others go first: as a process, and, where sessions are scheduled as groups
    (sched(7)), as a session."""
    os.setpriority(os.PRIO_PROCESS, process, 19)
    group = Path(f"/proc/{process}/autogroup")
    if group.exists():
        group.write_text("19")


async def test_ticks_that_come_late_are_told(switches: SwitchMaker) -> None:
    """In the log with the remedy, in the status, and to Prometheus over the network."""
    cpu = max(os.sched_getaffinity(0))
    metrics = f"127.0.0.1:{free_port()}"
    text = CENTRE.replace("workers = 1", f"workers = 1\ncpus = [{cpu}]").replace(
        'socket = "cc.sock"', f'socket = "cc.sock"\nmetrics = "{metrics}"'
    )
    switch = await switches(text=text)
    (worker,) = await switch.get("workers")
    assert os.sched_getaffinity(worker["pid"]) == {cpu}
    yield_to_others(worker["pid"])
    async with busy(cpu):
        await switch.wait_line(r"ticks of a media worker come late.*media.realtime = true", 30)
        await switch.until(lambda all_: all_[0]["late_ticks"] > 0, "workers", timeout_s=10)
    async with httpx.AsyncClient(trust_env=False) as http:
        told = (await http.get(f"http://{metrics}/metrics")).text
    lines = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))
    assert float(lines['cc_media_worker_late_ticks_total{worker="worker-1"}']) > 0
    assert switch.output.count("ticks of a media worker come late") == 1, "once a minute at most"


async def test_a_worker_is_drained_and_restarted(switches: SwitchMaker, phones: PhoneMaker) -> None:
    switch = await switches(text=CENTRE.replace("workers = 1", "workers = 2"))
    first, second = await phones(), await phones()
    await first.call(switch.uri("600"))
    await switch.only_call("menu")
    found = await switch.until(lambda ws: any(w["legs"] for w in ws), "workers")
    (on,) = (worker["name"] for worker in found if worker["legs"])
    assert (await switch.post("workers", on, "drain"))["drained"]
    await second.call(switch.uri("600"))
    await switch.until(lambda ws: sorted(w["legs"] for w in ws) == [1, 1], "workers")
    with pytest.raises(Exception, match="still carries 1 legs"):
        await switch.post("workers", on, "restart")
    assert len(await switch.get("calls")) == 2, "who was on it is still there"
    await first.hangup()
    await switch.until(lambda ws: next(w["legs"] for w in ws if w["name"] == on) == 0, "workers")
    await switch.post("workers", on, "restart", by="maria")
    after = await switch.until(lambda ws: len(ws) == 2 and on not in [w["name"] for w in ws], "workers")
    assert not any(worker["drained"] for worker in after)
    assert (await switch.get("status"))["media_lost"] == 0, "no failure"
    await first.call(switch.uri("600"))
    await switch.until(lambda ws: [w["legs"] for w in ws] == [1, 1], "workers")
    assert PASSWORD not in switch.output
