"""The agent's table: every state with every step, and every state with every command."""

from __future__ import annotations

import pytest

from acd.agent import TABLE, Agent, AgentConfig, State, Step
from acd.errors import AcdError
from acd.messages import Ended, Input, LogIn, LogOut, OwnCall, Pause, PhoneState, Ready
from acd.queue import QueueConfig
from tests.acd.centre import START, Centre


@pytest.mark.parametrize("step", list(Step))
@pytest.mark.parametrize("state", list(State))
def test_every_step_in_every_state_leads_on_or_is_refused(state: State, step: Step) -> None:
    agent = Agent("anna", {}, 0, state=state)
    if step in TABLE[state]:
        assert agent.next(step, START) in set(State)
    else:
        with pytest.raises(AcdError, match="anna"):
            agent.next(step, START)
    assert agent.state is state


def test_only_a_ready_agent_is_offered_and_only_a_ringing_one_is_connected() -> None:
    assert [state for state in State if Step.OFFERED in TABLE[state]] == [State.READY]
    assert [state for state in State if Step.CONNECTED in TABLE[state]] == [State.RINGING]
    assert [state for state in State if Step.FINISHED in TABLE[state]] == [State.TALKING]


def test_flags_are_settled_in_their_order() -> None:
    agent = Agent("anna", {}, 0)
    assert agent.settled(START) is State.READY
    agent.rest_until = START + 1
    assert agent.settled(START) is State.UNREACHABLE
    assert agent.settled(START + 1) is State.READY
    agent.reachable = False
    assert agent.settled(START + 1) is State.UNREACHABLE
    agent.pause = ""
    assert agent.settled(START) is State.PAUSED
    agent.own_call = True
    assert agent.settled(START) is State.OWN_CALL
    agent.leaving = "agent"
    assert agent.settled(START) is State.LOGGED_OUT


@pytest.mark.parametrize(
    ("name", "queues"), [("", {"sales": 0}), ("anna", {"sales": -1})], ids=["no name", "negative level"]
)
def test_a_wrong_agent_is_refused(name: str, queues: dict[str, int]) -> None:
    with pytest.raises(AcdError):
        AgentConfig(name, queues)


COMMANDS: dict[str, Input] = {
    "log in": LogIn("anna", "phone-anna"),
    "log out": LogOut("anna"),
    "pause": Pause("anna", "lunch"),
    "ready": Ready("anna"),
    "own call": OwnCall("anna", True),
    "own end": OwnCall("anna", False, talk_s=3.0),
    "lost": PhoneState("anna", False),
    "found": PhoneState("anna", True),
}

OUT, RDY, RNG, TLK = State.LOGGED_OUT, State.READY, State.RINGING, State.TALKING
WRP, PSD, OWN, UNR = State.WRAPUP, State.PAUSED, State.OWN_CALL, State.UNREACHABLE
NO = "refused"

#                 log in, log out, pause, ready, own call, own end, lost, found
EXPECTED: dict[State, tuple[State | str, ...]] = {
    OUT: (RDY, NO, NO, NO, OUT, OUT, OUT, OUT),
    RDY: (RDY, OUT, PSD, RDY, OWN, RDY, UNR, RDY),
    RNG: (RNG, OUT, PSD, RNG, OWN, RNG, UNR, RNG),
    TLK: (TLK, TLK, TLK, TLK, TLK, TLK, TLK, TLK),
    WRP: (WRP, OUT, WRP, RDY, WRP, WRP, WRP, WRP),
    PSD: (PSD, OUT, PSD, RDY, OWN, PSD, PSD, PSD),
    OWN: (OWN, OUT, OWN, OWN, OWN, RDY, OWN, OWN),
    UNR: (UNR, OUT, PSD, UNR, OWN, UNR, UNR, RDY),
}


def bring_into(state: State) -> Centre:
    """A centre whose agent anna is in that state."""
    centre = Centre(QueueConfig("sales"), agents={"anna": ["sales"]})
    if state is OUT:
        return centre
    centre.log_in("anna")
    if state in (RNG, TLK, WRP):
        centre.call("c1")
    if state in (TLK, WRP):
        centre.answer("anna")
    if state is WRP:
        centre.do(Ended("c1", "caller"), 10.0)
    commands: dict[State, Input] = {
        PSD: Pause("anna", "tea"),
        OWN: OwnCall("anna", True),
        UNR: PhoneState("anna", False),
    }
    if state in commands:
        centre.do(commands[state])
    assert centre.state("anna") == state.value
    return centre


@pytest.mark.parametrize("column", range(len(COMMANDS)), ids=list(COMMANDS))
@pytest.mark.parametrize("state", list(State))
def test_every_command_in_every_state(state: State, column: int) -> None:
    centre = bring_into(state)
    command, expected = list(COMMANDS.values())[column], EXPECTED[state][column]
    before = centre.acd.agents(centre.now), centre.acd.queues(centre.now), centre.acd.deadline()
    if expected == NO:
        with pytest.raises(AcdError, match="anna"):
            centre.do(command)
        assert (centre.acd.agents(centre.now), centre.acd.queues(centre.now), centre.acd.deadline()) == before
        assert centre.do(PhoneState("anna", True)) == []
    else:
        centre.do(command)
        assert centre.state("anna") == expected
        assert bool(centre.live) is (expected is RNG)
