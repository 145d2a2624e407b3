"""What the switch tells of a call's sound is what happened to it: one direction through a bad line of which
every packet is known, the other through a sound one."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from media import mos
from media.messages import Quality
from softswitch.call.record import LegRecord
from tests.e2e.conftest import SwitchMaker
from tests.support.audio import write_tone_wav
from tests.support.bad_line import BadLine
from tests.support.phones import PhoneMaker
from tests.support.ports import free_port, free_rtp_port
from tests.support.processes import Program
from tests.support.switch import PASSWORD, ROOT, RunningSwitch

pytestmark = pytest.mark.e2e

PACKETS = 300
MEASURED_S = 60.0  # a leg that lives tells how it is about four times a minute


async def cc(switch: RunningSwitch, *arguments: str) -> Any:
    """What a command tells programs."""
    command = Program(sys.executable, "-m", "cli.main", *arguments, "--json", "-c", switch.config, cwd=ROOT)
    async with command as program:
        assert await program.wait(30) == 0, program.output
    return json.loads(program.output)


def qualities(legs: Any) -> dict[str, Quality]:
    """By role of the leg, from JSON."""
    found = msgspec.convert(legs, tuple[LegRecord, ...])
    return {leg.role: leg.quality for leg in found if leg.quality is not None}


def jitter_ms(sent: list[tuple[float, int]]) -> tuple[float, float]:
    """RFC 3550 A.8 of packets sent at these seconds with these timestamps: at the end, and at most."""
    jitter = highest = 0.0
    for (before, first), (now, second) in pairwise(sent):
        step = (second - first + 2**31) % 2**32 - 2**31
        jitter += (abs((now - before) * 1000.0 - step / 8.0) - jitter) / 16.0
        highest = max(highest, jitter)
    return jitter, highest


def unharmed_mos(told: Quality) -> float:
    """The E-model's score if all had come, with the delay that there was."""
    one_way_ms = max(told.round_trip_ms, 0.0) / 2.0 + mos.FRAME_DELAY_MS + told.buffer_ms
    return mos.score(mos.rating(one_way_ms, 0.0))


def check_bad(line: BadLine, told: Quality) -> None:
    """What came over the line."""
    assert told.packets_received == line.passed
    assert told.packets_lost == line.dropped == PACKETS // 25
    assert told.packets_duplicated == line.doubled == PACKETS // 25
    assert told.packets_reordered == line.held == 2 * PACKETS // 25
    # Those that are held for 160 ms are late until the buffer waits for them, if that is worth it.
    assert 1 <= told.packets_late <= line.held
    # One frame for each that was lost or late; less what served to shorten the delay, and more where the
    # buffer waited and at the end, when nothing came any more.
    assert 20 * line.dropped / 2 <= told.concealed_ms <= 20 * (line.dropped + 2 * line.held + 12)
    final, highest = jitter_ms(line.sent)
    assert told.jitter_ms == pytest.approx(final, rel=0.3, abs=3.0)
    assert told.max_jitter_ms == pytest.approx(highest, rel=0.3, abs=3.0)
    assert 5.0 < told.buffer_ms < 480.0
    assert 2.0 < told.mos < unharmed_mos(told) - 0.15


def check_sound(told: Quality, other: Quality) -> None:
    """What came the other way."""
    assert told.packets_received > PACKETS
    assert (told.packets_lost, told.packets_duplicated, told.packets_reordered) == (0, 0, 0)
    assert told.packets_late <= 5 and told.concealed_ms <= 200, "a busy machine may lag"
    assert told.jitter_ms < other.jitter_ms
    assert told.mos == pytest.approx(unharmed_mos(told), abs=0.06)


async def test_a_bad_line_is_told_packet_by_packet(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    """Packets dropped, doubled, overtaken and held, on the way from the caller alone; told while the call
    lives and of its record, to the packet."""
    switch = await switches(lost_s=300)
    agent = await phones(
        auto_answer_after_s=0, play=str(write_tone_wav(tmp_path / "agent.wav", 1000, 2)), play_loop=True
    )
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    port = free_port()
    caller = await phones(
        sip_port=port,
        rtp_port=free_rtp_port(4),
        play=str(write_tone_wav(tmp_path / "caller.wav", 440, 2)),
        play_loop=True,
    )
    async with BadLine(port, switch.port) as line:
        await caller.call(f"sip:601@{line.address}")
        call = await switch.only_call("talking")
        await line.spoil(PACKETS, 60)

        def all_told(answer: Any) -> bool:
            told = {role: one.packets_received for role, one in qualities(answer["legs"]).items()}
            return told.get("caller") == line.passed and told.get("agent", 0) > PACKETS

        await switch.until(all_told, "calls", call["id"], timeout_s=MEASURED_S)
        live = qualities((await cc(switch, "calls", "show", call["id"]))["legs"])
        check_bad(line, live["caller"])
        check_sound(live["agent"], live["caller"])
        await agent.hangup()
        await caller.wait("ended", 10)
        record = await switch.record()
    legs = (await cc(switch, "log", "calls", record["id"]))["record"]["legs"]
    after = qualities(legs)
    check_bad(line, after["caller"])
    check_sound(after["agent"], after["caller"])
    assert record["caller_mos"] == after["caller"].mos and record["agent_mos"] == after["agent"].mos
    share = 100.0 * line.dropped / (line.passed + line.dropped)
    assert record["caller_loss_percent"] == pytest.approx(share)
    assert record["agent_loss_percent"] == 0.0
