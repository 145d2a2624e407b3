"""The commonest call: a caller finds the agent by the menu, both speak, the caller hangs up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli.softphone.client import Softphone
from tests.support.audio import write_tone_wav
from tests.support.baresip import Baresip
from tests.support.phones import PhoneMaker
from tests.support.switch import PASSWORD, RunningSwitch


async def agent_of(switch: RunningSwitch, phones: PhoneMaker, heard: Path) -> Softphone:
    """Anna's phone, with G.711 alone; she is logged in. What it hears is recorded."""
    agent = await phones(auto_answer_after_s=0.2, record=str(heard), codecs=("PCMU",))
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    return agent


async def talk_by_menu(switch: RunningSwitch, caller: Baresip, uri: str, agent: Softphone, says: Path) -> Any:
    """The call and its record; the agent says 1 000 Hz for three seconds, which are written to `says`."""
    async with caller:
        await caller.event("REGISTER_OK", 10)
        await caller.dial(uri)
        await caller.event("CALL_ESTABLISHED", 10)
        await switch.only_call("menu")
        await caller.digits("1")
        await switch.only_call("talking")
        await agent.play(write_tone_wav(says, 1000, 3))
        await agent.wait("played", 20)
        await caller.hangup()
        await caller.event("CALL_CLOSED", 10)
    record = await switch.record()
    assert (record["disposition"], record["agent"], record["queue"]) == ("answered", "anna", "sales")
    await agent.close()
    return record
