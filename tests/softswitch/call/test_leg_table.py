"""The table of a leg's session: every state with every event."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.call.leg import TABLE, Leg, LegEvent, LegState
from softswitch.sip.flow import Flow
from softswitch.sip.message import Request
from softswitch.sip.uri import Uri

FLOW = Flow("udp", ("10.0.0.1", 5060), ("10.0.0.2", 5060))
PAIRS = list(itertools.product(LegState, LegEvent))


def leg_in(state: LegState) -> Leg:
    return Leg(1, "in", Request("INVITE", Uri("sip", "600", None, "x")), FLOW, state, "tag")


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=[f"{s.name}-{e.name}" for s, e in PAIRS])
def test_each_state_with_each_event(state: LegState, event: LegEvent) -> None:
    leg = leg_in(state)
    after = TABLE[state].get(event)
    assert leg.move(event) is (after is not None)
    assert leg.state is (after or state)


def test_no_state_is_a_trap() -> None:
    """There is a way to the end that needs nothing but what always comes: our command, or a time-out."""
    ours = {LegEvent.HANG_UP, LegEvent.FAILED, LegEvent.ACK_MISSING}
    for state in LegState:
        seen, edge = {state}, {state}
        while edge:
            edge = {TABLE[s][e] for s in edge for e in TABLE[s] if e in ours} - seen
            seen |= edge
        assert LegState.ENDED in seen, state


@given(st.sampled_from(LegState), st.lists(st.sampled_from(LegEvent)))
def test_the_end_is_final(state: LegState, events: list[LegEvent]) -> None:
    leg = leg_in(state)
    ended = False
    for event in events:
        moved = leg.move(event)
        assert not (ended and moved)
        ended = leg.state is LegState.ENDED
