"""The signalling process dies while callers wait: they hear their music all the time, and the next process
has them where they stood. Who hangs up meanwhile is found out."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.e2e.test_faults import Again, check_complete, closed_calls, kill, until
from tests.e2e.test_takeover import recorded, silent
from tests.support.audio import write_tone_wav
from tests.support.phones import PhoneMaker
from tests.support.switch import PASSWORD, RunningSwitch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

MUSIC_HZ = 700.0


async def kept(switch: RunningSwitch, waiting: int, ringing: int) -> None:
    """Wait until so many callers, and phones that ring for them, are on the disk."""
    asked = (
        "SELECT count(*) FILTER (WHERE data ->> 'wait' IS NOT NULL), "
        "coalesce(sum(json_array_length(data, '$.ringing')), 0) FROM calls_kept"
    )
    with contextlib.closing(sqlite3.connect(f"file:{switch.directory / 'cc.db'}?mode=ro", uri=True)) as data:
        await until(
            lambda: data.execute(asked).fetchone() == (waiting, ringing), "the calls are on the disk", 20
        )


async def states(switch: RunningSwitch, *wanted: str) -> list[str]:
    """Wait until the live calls are in these states; their ids, the oldest first."""
    calls = await switch.until(
        lambda all_: sorted(one["state"] for one in all_) == sorted(wanted), "calls", timeout_s=30
    )
    return [one["id"] for one in sorted(calls, key=lambda one: str(one["started_at"]))]


async def test_callers_wait_on(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """Three wait, and Anna's phone rings for the first; the second hangs up while nobody hears it."""
    write_tone_wav(tmp_path / "music.wav", MUSIC_HZ, 5)
    first = await switches(sales=f'music = "{tmp_path / "music.wav"}"\nshort_abandon_s = 0')
    anna = await phones()
    await anna.register(first.address, "201", PASSWORD)
    early, gone, late = [await phones() for _ in range(3)]
    for place, phone in enumerate((early, gone, late), 1):
        await phone.call(first.uri("601"))
        calls = await states(first, *["waiting"] * place)
    await first.post("agents", "anna", "login")
    await anna.wait("incoming", 10)
    await kept(first, 3, 1)
    heard = tmp_path / "heard.wav"
    await late.record(heard)
    await kill(first)
    await gone.hangup()
    async with Again(first) as second:
        await anna.wait("ended", 10)
        incoming = await anna.wait("incoming", 10)
        assert incoming.headers["X-Call-ID"] == calls[0], "the same caller, who was the first"
        abandoned = await second.until(lambda all_: [one for one in all_ if one["ended_at"]], "log", "calls")
        assert [(one["id"], one["disposition"]) for one in abandoned if one["ended_at"]] == [
            (calls[1], "abandoned")
        ]
        await recorded(heard)
        await late.record(None)
        await anna.answer()
        assert await states(second, "talking", "waiting") == [calls[0], calls[2]]
        await early.hangup()
        incoming = await anna.wait("incoming", 20)
        assert incoming.headers["X-Call-ID"] == calls[2]
        await anna.answer()
        await states(second, "talking")
        await late.hangup()
        records = {one["id"]: one for one in await closed_calls(second, 3)}
        assert [records[call]["disposition"] for call in calls] == ["answered", "abandoned", "answered"]
        for call in calls:
            events = (await second.get("log", "calls", call))["events"]
            entered = [event for event in events if event["kind"] == "ENTERQUEUE"]
            (left,) = [event for event in events if event["kind"] in ("CONNECT", "ABANDON")]
            assert len(entered) == 1 and left["data"]["wait_s"] == pytest.approx(
                left["at"] - entered[0]["at"]
            )
            assert records[call]["wait_s"] == pytest.approx(left["data"]["wait_s"])
        check_complete(await second.get("log", "events"))
        assert (await second.get("doctor"))["findings"] == []
        assert "Traceback" not in first.output + second.output
        gaps, windows = silent(heard, MUSIC_HZ)
        assert windows > 10 and gaps == 0, (gaps, windows)
