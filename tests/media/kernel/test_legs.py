"""Real workers on loopback: legs that come, go and move, and those that the kernel has no way for."""

from __future__ import annotations

import os
import socket

import msgspec
import pytest
from pylibsrtp import Policy, Session

from media.messages import (
    Allocate,
    Allocated,
    Connect,
    Latched,
    MediaLost,
    Release,
    Released,
    SetRemote,
    SrtpKeys,
)
from media.srtp import PROFILES
from tests.support.kernel_forwarding import (
    ForwardingWorker,
    Heard,
    InKernel,
    WirePhone,
    bridge,
    flushed,
    lacking,
    obeyed,
    quality,
    talk,
)

LACKING = lacking()
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING)


def test_the_next_leg_of_the_same_phone(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    """Same local port, same source, and the phone goes on as if nothing had happened."""
    a, b = pair
    talk(a, b, 3)
    worker.send(Release(1), Allocate(3, a.address, a.port), msgspec.structs.replace(a.remote, leg=3))
    a.say()
    assert worker.wait_for(Allocated, lambda one: one.leg == 3).port == a.local
    first = worker.wait_for(Released).quality
    assert first.packets_received in (len(a.sent) - 1, len(a.sent)) and first.packets_lost == 0
    a.say()
    worker.wait_for(Latched, lambda one: one.leg == 3)
    obeyed(worker)
    a.leg = 3
    b.at_hand()  # one that came before it was released
    a.say()
    flushed(worker, a)
    assert not b.at_hand(), "nobody has bridged it"
    worker.send(Connect(3, 2))
    obeyed(worker)
    began = len(a.sent)
    talk(a, b)
    inside.until_forwards(2)
    before = inside.forwarded
    talk(a, b, 5)
    assert inside.forwarded == before + 10
    second = quality(worker, 3)
    assert second.packets_received >= len(a.sent) - began
    assert (second.packets_lost, second.packets_reordered, second.packets_sent) == (0, 0, 6)


def test_a_phone_that_moves(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    """By a re-INVITE: what comes from where it was is heard no more."""
    a, b = pair
    old = a.socket
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(10)
        port = made.getsockname()[1]
        worker.send(msgspec.structs.replace(a.remote, port=port, rtcp_port=port + 1))
        obeyed(worker)
        old.sendto(a.next(b"old" * 20), (a.switch, a.local))
        a.socket = made
        said = a.say()
        assert b.hear().payload == said
        talk(a, b)
        inside.until_forwards(2)
        before = inside.forwarded
        old.sendto(a.next(b"old" * 20), (a.switch, a.local))
        talk(a, b, 3)
        assert inside.forwarded == before + 6
    old.close()


def test_other_payload_types_and_laws(worker: ForwardingWorker, inside: InKernel) -> None:
    """A payload type is made another by the kernel; a law is not."""
    kinds = [("PCMU", 0), ("PCMU", 112), ("PCMA", 8), ("PCMA", 120)]
    settled = [SetRemote(0, "", 0, 0, codec, kind, 101) for codec, kind in kinds]
    phones = [WirePhone(worker, leg, remote=one) for leg, one in enumerate(settled, 1)]
    for one, other, forwarded in ((0, 1, True), (2, 3, True), (0, 2, False)):
        a, b = phones[one], phones[other]
        worker.send(Connect(a.leg, b.leg))
        obeyed(worker)
        for speaker, listener in ((a, b), (b, a)):
            speaker.say()
            listener.hear()
        inside.until_forwards(2 if forwarded and one == 0 else 4 if forwarded else 0)
        before = inside.forwarded
        for speaker, listener in ((a, b), (b, a)):
            speaker.send(speaker.next(marker=True))
            found = listener.hear()
            assert found.kind == listener.remote.payload_type | 0x80
            assert (found.payload == speaker.sent[-1][12:]) is forwarded
        assert inside.forwarded == before + (2 if forwarded else 0)


def ipv6_missing() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
            one.bind(("::1", 0))
    except OSError:
        return True
    return False


@pytest.mark.skipif(ipv6_missing(), reason="this machine has no ::1")
def test_legs_of_ipv6_are_relayed_by_the_worker() -> None:
    with ForwardingWorker("--ipv6-address", "::1") as worker:
        a = WirePhone(worker, 1, at="::1", switch="::1")
        b = WirePhone(worker, 2, at="::1", switch="::1")
        c = WirePhone(worker, 3)
        inside = worker.inside()
        for one, other in ((a, b), (a, c)):
            worker.send(Connect(one.leg, other.leg))
            obeyed(worker)
            talk(one, other, 5)
        assert (inside.forwarded, inside.legs()) == (0, 0)


def test_encrypted_legs_are_relayed_by_the_worker(worker: ForwardingWorker, inside: InKernel) -> None:
    suite = "AES_CM_128_HMAC_SHA1_80"
    keys = SrtpKeys(suite, os.urandom(30), os.urandom(30))
    out = Session(Policy(keys.inbound, Policy.SSRC_ANY_OUTBOUND, 0, PROFILES[suite]))
    into = Session(Policy(keys.outbound, Policy.SSRC_ANY_INBOUND, 0, PROFILES[suite]))
    secure = SetRemote(0, "", 0, 0, "PCMU", 0, 101, srtp=keys)
    a, b = WirePhone(worker, 1, remote=secure, latched=False), WirePhone(worker, 2)
    a.send(out.protect(a.next()))
    worker.wait_for(Latched, lambda one: one.leg == 1)
    worker.send(Connect(1, 2))
    obeyed(worker)
    for _ in range(5):
        a.send(out.protect(a.next()))
        assert b.hear().payload == a.sent[-1][12:]
        said = b.say()
        assert Heard.of(into.unprotect(a.socket.recv(2048))).payload == said
    a.send(a.next())  # not encrypted: for nobody
    a.send(out.protect(a.next()))
    assert b.hear().payload == a.sent[-1][12:]
    assert (inside.forwarded, inside.legs()) == (0, 0)
    # A leg that becomes one during the call.
    c = WirePhone(worker, 3)
    bridge(worker, b, c)
    inside.until_forwards(2)
    worker.send(msgspec.structs.replace(c.remote, srtp=keys))
    obeyed(worker)
    before = inside.forwarded
    b.say()
    assert len(c.socket.recv(2048)) == 12 + 160 + 10
    assert inside.forwarded == before


@pytest.mark.parametrize("flows", [True, False])
def test_lost_media_is_told_of_the_leg_that_fell_silent(flows: bool) -> None:
    with ForwardingWorker("--media-timeout-s", "1") as worker:
        a, b = WirePhone(worker, 1), WirePhone(worker, 2)
        bridge(worker, a, b)
        inside = worker.inside()
        inside.until_forwards(2)
        before, spoken = inside.forwarded, 0
        while not any(isinstance(one, MediaLost) for one in worker.events):
            said = a.say()
            assert b.hear().payload == said
            spoken += 1
            worker.pump(0.02)
        assert inside.forwarded == before + spoken
        lost = worker.wait_for(MediaLost)
        assert lost.leg == 2 and 1.0 <= lost.silent_s < 5.0
        if flows:  # comes back
            talk(a, b)
        assert worker.wait_for(MediaLost).leg in ((1, 2) if flows else (1,))
