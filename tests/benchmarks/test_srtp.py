"""The benchmark of encrypted calls on a small scale: what comes back is authentic, and what was sent."""

from __future__ import annotations

import pytest

from benchmarks import srtp
from benchmarks.relay import in_turns
from media import mmsg

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not mmsg.AVAILABLE, reason="no sendmmsg on this system"),
]


def test_the_worker_returns_every_packet_encrypted_anew() -> None:
    calls, rounds, run_s = 7, 2, 0.1
    [party] = in_turns([srtp.worker], calls, rounds, run_s)
    assert party.sent == rounds * 5 * 2 * calls
    assert party.loss == 0.0
    assert party.proved == party.samples == party.sent
