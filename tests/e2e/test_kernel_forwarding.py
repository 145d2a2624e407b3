"""A whole switch whose kernel forwards: two phones hear each other without a gap, through hold, a supervisor
who listens, and the death of the signalling process; who looks sees how much went that way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.e2e.test_faults import Again, kill
from tests.e2e.test_rooms import CONFERENCE
from tests.e2e.test_supervisor import cc
from tests.e2e.test_takeover import kept, recorded, silent
from tests.support.audio import write_tone_wav
from tests.support.kernel_forwarding import lacking
from tests.support.phones import PhoneMaker
from tests.support.switch import CENTRE, PASSWORD, RunningSwitch

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(bool(lacking()), reason=lacking())]

FORWARDS = CENTRE.replace("workers = 1", "workers = 1\nkernel_forwarding = true")
PACKETS = 100


async def forwards(switch: RunningSwitch) -> None:
    """Wait until it forwards now."""
    (worker,) = await switch.get("workers")
    enough = worker["forwarded"] + PACKETS
    await switch.until(lambda all_: all_[0]["forwarded"] >= enough, "workers", timeout_s=20)


async def test_two_phones_talk(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    first = await switches(text=FORWARDS, extra=CONFERENCE.format(keys=""))
    await first.wait_line(r" info +media +media-worker .*event=kernel_forwarding interfaces='lo", 10)
    made = {}
    for number, hz in (("201", 1000), ("203", 440)):
        tone = write_tone_wav(tmp_path / f"{number}.wav", hz, 2)
        made[number] = await phones(auto_answer_after_s=0, play=str(tone), play_loop=True)
        await made[number].register(first.address, number, PASSWORD)
    boss = await phones(auto_answer_after_s=0)
    await boss.register(first.address, "204", PASSWORD)
    heard = {number: tmp_path / f"heard-by-{number}.wav" for number in made}
    await made["201"].call(first.uri("203"))
    call = await first.only_call("talking")
    await forwards(first)
    for number, phone in made.items():
        await phone.record(heard[number])
    await cc(first, "calls", "listen", call["id"], "--with", "204")
    await boss.record(tmp_path / "boss.wav")
    await recorded(tmp_path / "boss.wav")
    await boss.hangup()
    await forwards(first)
    await kept(first, 1, 1)
    await kill(first)
    async with Again(first) as second:
        assert (await second.only_call("talking"))["id"] == call["id"]
        await forwards(second)
        for number, phone in made.items():
            await recorded(heard[number])
            await phone.record(None)
        await made["201"].hold()
        await second.only_call("held")
        await made["201"].resume()
        await second.only_call("talking")
        await forwards(second)
        assert "by the kernel" in await cc(second, "workers", "list")
        await made["201"].hangup()
        await made["203"].wait("ended", 10)
        records = await second.until(
            lambda all_: len(all_) == 2 and all(one["ended_at"] for one in all_), "log", "calls"
        )
        legs = next(one for one in records if one["id"] == call["id"])["legs"]
        (received, _, lost, *_), other = (leg["quality"] for leg in legs)
        assert min(received, other[0]) > 4 * PACKETS and lost == other[2] == 0
        assert "Traceback" not in first.output + second.output
    for number, hz in (("201", 440.0), ("203", 1000.0)):
        gaps, windows = silent(heard[number], hz)
        assert windows > 10 and gaps == 0, (number, gaps, windows)
