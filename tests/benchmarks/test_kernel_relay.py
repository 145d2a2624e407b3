"""The benchmark of kernel forwarding on a small scale: every packet is counted, and the program's time."""

from __future__ import annotations

import pytest

from benchmarks import kernel_relay, relay
from tests.support.kernel_forwarding import lacking

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(bool(lacking()), reason=lacking())]


def test_the_kernel_returns_every_packet() -> None:
    calls, rounds, run_s = 14, 3, 0.1
    with kernel_relay.counted(), kernel_relay.forwarded(calls, processes=2) as party:
        before_s = party.other_s()
        for _ in range(rounds):
            party.load(run_s)
        assert party.sent == party.distinct == rounds * 5 * 2 * calls
        assert party.other_s() > before_s > 0.0


def test_without_a_switch_every_packet_arrives() -> None:
    (party,) = relay.in_turns([kernel_relay.nobody], 7, 2, 0.1)
    assert party.sent == party.distinct == 2 * 5 * 2 * 7
