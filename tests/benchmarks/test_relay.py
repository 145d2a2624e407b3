"""The relay benchmark on a small scale: its load reaches the worker and comes back, every packet counted."""

from __future__ import annotations

import pytest

from benchmarks import relay
from benchmarks.rtp_load import SLICES, Load, address_of
from media import mmsg

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not mmsg.AVAILABLE, reason="no sendmmsg on this system"),
]


def test_the_worker_and_the_bare_loop_return_every_packet() -> None:
    calls, rounds, run_s = 7, 2, 0.1
    for party in relay.in_turns([relay.worker, relay.bare], calls, rounds, run_s):
        assert party.sent == rounds * 5 * 2 * calls
        assert party.loss == 0.0
        assert len(party.costs_us) == rounds


def test_each_stream_has_its_own_address_and_payload() -> None:
    """More streams than slices, and not a multiple of them, sent to a slice's own socket."""
    load = Load(2 * SLICES + 3)
    port = load.ports[0]
    for stream in range(load.count):
        load.direct(stream, port)
    load.receive(0)  # what latched
    assert len(set(load.ports)) == SLICES
    sources = load.arrived.names[: load.count].view(">u4")[:, 1].tolist()
    assert sorted(sources) == [address_of(stream) for stream in range(load.count)]
    for one in load.sockets:
        one.close()
