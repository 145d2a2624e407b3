"""Real workers with --kernel-forwarding between networks: two phones and the worker in network namespaces.

              far-a 198.18.1.2 ---- 198.18.1.1 here-a
one phone                                              the worker
              far-b 198.18.2.2 ---- 198.18.2.1 here-b
the other
              far-c 198.18.3.2 ---- 198.18.3.1 here-c
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from media.forwarding import BUDGET
from tests.support.kernel_forwarding import (
    ForwardingWorker,
    InKernel,
    WirePhone,
    bridge,
    lacking,
    obeyed,
    stopped,
    talk,
    until,
)
from tests.support.namespaces import Networks, Tap, frame_of, inside, udp_socket
from tests.support.rtp import rtp

WORKER = (sys.executable, "-m", "media.worker")
A, B, C = "198.18.1.2", "198.18.2.2", "198.18.3.2"
HERE = "198.18.1.1"
DSCP = 46


def lacking_networks() -> str:
    """Why there can be none here; "" where there can."""
    try:
        with Networks() as networks:
            one, other = networks.add(), networks.add()
            networks.join((one, "a", "198.18.0.1/24"), (other, "b", "198.18.0.2/24"))
            inside(one, lambda: None)
    except OSError as error:
        return f"no network namespaces can be made here: {error}"
    return ""


LACKING = lacking() or lacking_networks()
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING)


@dataclass
class Wires:
    """The namespaces, and `ip`."""

    networks: Networks
    here: str
    one: str
    other: str

    def worker(self, *options: str, forwards: bool = True) -> ForwardingWorker:
        program = self.networks.command(self.here, *WORKER)
        fixed = ("--address", HERE, "--dscp", str(DSCP))
        return ForwardingWorker(*fixed, *options, forwards=forwards, program=program)

    def phone(self, worker: ForwardingWorker, leg: int, where: str, address: str, **more: int) -> WirePhone:
        return WirePhone(worker, leg, made=udp_socket(where, address), switch=HERE, **more)

    def route(self, where: str, *words: str) -> None:
        self.networks.ip("-n", where, "route", *words)


@pytest.fixture
def wires() -> Iterator[Wires]:
    with Networks() as networks:
        here, one, other = (networks.add() for _ in range(3))
        networks.join((here, "here-a", "198.18.1.1/24"), (one, "far-a", "198.18.1.2/24"))
        networks.join((here, "here-b", "198.18.2.1/24"), (other, "far-b", "198.18.2.2/24"))
        networks.join((here, "here-c", "198.18.3.1/24"), (other, "far-c", "198.18.3.2/24"))
        made = Wires(networks, here, one, other)
        made.route(one, "add", "default", "via", "198.18.1.1")
        made.route(other, "add", "default", "via", "198.18.2.1")
        yield made


@dataclass
class Call:
    """Two phones that are bridged, and forwarded."""

    worker: ForwardingWorker
    inside: InKernel
    a: WirePhone
    b: WirePhone

    def talk(self, packets: int = 1) -> None:
        talk(self.a, self.b, packets)


@pytest.fixture(params=[HERE, "0.0.0.0"])
def call(wires: Wires, request: pytest.FixtureRequest) -> Iterator[Call]:
    with wires.worker("--bind", request.param) as worker:
        a, b = wires.phone(worker, 1, wires.one, A), wires.phone(worker, 2, wires.other, B)
        if request.param == "0.0.0.0":  # the other one knows it by the address of its own network
            b.switch = "198.18.2.1"
        made = Call(worker, worker.inside(), a, b)
        bridge(worker, a, b)
        made.inside.until_forwards(2)
        yield made


def test_phones_of_two_networks_are_forwarded(call: Call) -> None:
    before = call.inside.forwarded
    with stopped(call.worker):
        call.talk(5)
    assert call.inside.forwarded == before + 10
    call.talk(5)


def test_what_goes_out_is_as_the_worker_sends_it(wires: Wires, call: Call) -> None:
    """Addresses, DSCP, time to live, checksums; the kernel's as the worker's."""
    for speaker, listener, where, interface in (
        (call.a, call.b, wires.other, "far-b"),
        (call.b, call.a, wires.one, "far-a"),
    ):
        tap = Tap(where, interface)
        try:
            found = []
            for by_worker in (False, True):
                if not by_worker:
                    with stopped(call.worker):
                        said = speaker.say()
                        found.append(tap.until(lambda frame, said=said: frame.payload[12:] == said))
                else:
                    call.inside.until_forwards(2)
                    speaker.send(
                        rtp(speaker.sequence, speaker.timestamp, speaker.ssrc, 101, b"\x01\x0a\0\xa0")
                    )
                    speaker.sequence += 1
                    said = speaker.say()
                    found.append(tap.until(lambda frame, said=said: frame.payload[12:] == said))
            for frame in found:
                assert frame.is_sound()
                assert frame.source == (listener.switch, listener.local)
                assert frame.destination == (listener.address, listener.port)
                assert (frame.tos, frame.time_to_live) == (DSCP << 2, 64)
            kernel, worker = (frame.header[:2] + frame.header[4:] for frame in found)
            assert kernel == worker
            call.inside.until_forwards(2)
        finally:
            tap.close()


@pytest.mark.parametrize("checksum", [True, False])
def test_checksums_are_right_when_they_come_computed(wires: Wires, call: Call, checksum: bool) -> None:
    """As from a network card, or with none at all: then there is none behind either."""
    out, into = Tap(wires.one, "far-a"), Tap(wires.other, "far-b")
    try:
        said = call.a.say()
        template = out.until(lambda frame: frame.payload[12:] == said)
        assert template.source == (A, call.a.port)
        into.until(lambda frame: frame.payload[12:] == said)
        call.inside.until_forwards(2)
        before = call.inside.forwarded
        for number in range(300):
            if number % BUDGET == 0:
                call.inside.until_forwards(2)
            payload = os.urandom(1 + number % 171)
            if number % 3 == 0:
                payload = (b"\xff\xff", b"\0\0", b"\0")[number // 3 % 3] * (number % 80 + 1)
            packet = call.a.next(payload, marker=number % 7 == 0)
            out.socket.send(frame_of(template, packet, checksum=checksum))
            frame = into.until(
                lambda frame, payload=payload: frame.payload[12 : 12 + len(payload)] == payload
            )
            assert not frame.unfinished and frame.is_sound()
            assert bool(frame.checksum) is checksum
            while call.b.hear().payload != payload:
                pass
        assert call.inside.forwarded == before + 300
    finally:
        out.close()
        into.close()


def test_a_route_that_changes_is_followed(wires: Wires, call: Call) -> None:
    """To the same phone by another interface, and back."""
    via_b, via_c = Tap(wires.other, "far-b"), Tap(wires.other, "far-c")
    try:
        for words, tap in (
            (("add", "198.18.2.2/32", "via", "198.18.3.2"), via_c),
            (("delete", "198.18.2.2/32"), via_b),
        ):
            wires.route(wires.here, *words)

            def gone(tap: Tap = tap) -> bool:
                said = call.a.say()
                call.b.hear_until(said)
                seen = [one for one in (via_b, via_c) if _saw(one, said)]
                return seen == [tap]

            until(gone, "packets go by the other interface")
            call.inside.until_forwards(2)
            with stopped(call.worker):
                said = call.a.say()
                assert call.b.hear_until(said)
                frame = tap.until(lambda frame, said=said: frame.payload[12:] == said)
                assert frame.is_sound() and frame.destination == (B, call.b.port)
    finally:
        via_b.close()
        via_c.close()


def _saw(tap: Tap, said: bytes) -> bool:
    """Has it come by there, once it is heard?"""
    tap.socket.settimeout(0.05)
    try:
        tap.until(lambda frame: frame.payload[12:] == said)
    except TimeoutError:
        return False
    finally:
        tap.socket.settimeout(10)
    return True


FRAME_S = 0.02


def test_an_unreachable_peer_and_back(wires: Wires, call: Call) -> None:
    """Without a route nothing is forwarded, and nothing is broken; with one again it goes on."""
    wires.networks.ip("-n", wires.here, "link", "set", "dev", "here-b", "down")
    until(lambda: call.a.say() and call.inside.legs() < 2, "nothing is forwarded there", FRAME_S)
    obeyed(call.worker)
    wires.networks.ip("-n", wires.here, "link", "set", "dev", "here-b", "up")

    def forwarded(speaker: WirePhone, listener: WirePhone) -> bool:
        before = call.inside.forwarded
        said = speaker.say()
        listener.hear_until(said)
        return call.inside.forwarded == before + 1

    for speaker, listener in ((call.a, call.b), (call.b, call.a)):
        until(partial(forwarded, speaker, listener), "it is forwarded again", FRAME_S)


def test_an_interface_that_comes_later_is_the_workers(wires: Wires, call: Call) -> None:
    """The program is not there; the worker relays what leaves by it."""
    here, far = (wires.here, "here-d", "198.18.4.1/24"), (wires.other, "far-d", "198.18.4.2/24")
    wires.networks.join(here, far)
    wires.route(wires.here, "add", "198.18.2.2/32", "via", "198.18.4.2")
    until(lambda: not call.inside.on, "nothing is forwarded", FRAME_S)
    before = call.inside.forwarded
    for speaker, listener in ((call.a, call.b), (call.b, call.a)):
        said = speaker.say()
        listener.hear_until(said)
    assert call.inside.forwarded == before
    wires.networks.ip("-n", wires.here, "link", "delete", "here-d")
    until(lambda: call.a.say() and call.b.say() and call.inside.on == 2, "it is forwarded again", FRAME_S)
    call.a.hear_until(call.b.say())
    call.b.hear_until(call.a.say())


def test_a_phone_on_the_machine_itself_and_one_outside(wires: Wires) -> None:
    """What it says leaves by the kernel; what it hears comes by the worker."""
    with wires.worker("--bind", "0.0.0.0") as worker:
        near = WirePhone(worker, 1, made=udp_socket(wires.here, "127.0.0.1"))
        far = wires.phone(worker, 2, wires.one, A)
        call = Call(worker, worker.inside(), near, far)
        bridge(worker, near, far)
        call.talk(5)
        before = call.inside.forwarded
        tap = Tap(wires.one, "far-a")
        try:
            said = near.say()
            frame = tap.until(lambda frame: frame.payload[12:] == said)
            assert frame.is_sound() and frame.source == (HERE, far.local)
            assert far.hear().payload == said
        finally:
            tap.close()
        call.talk(5)
        assert call.inside.forwarded >= before
        own = wires.phone(worker, 3, wires.here, HERE)  # by its other address
        call = Call(worker, call.inside, own, far)
        bridge(worker, own, far)
        call.talk(5)


def test_strangers_of_another_network_are_not_heard(wires: Wires, call: Call) -> None:
    """Who has the phone's port, but not its address; and who has both, but comes to another address."""
    before = call.inside.forwarded
    with udp_socket(wires.other, C) as stranger:
        stranger.sendto(rtp(call.a.sequence, call.a.timestamp, call.a.ssrc), (HERE, call.a.local))
        obeyed(call.worker)
        call.inside.until_forwards(2)
        call.talk(3)
    assert call.inside.forwarded == before + 6


@pytest.mark.parametrize("forwards", [False, True])
def test_who_says_that_he_is_on_the_machine_itself_is_not_heard(wires: Wires, forwards: bool) -> None:
    """What has an address of loopback and comes by a wire never gets to a socket (RFC 1122 3.2.1.3)."""
    with wires.worker("--bind", "0.0.0.0", forwards=forwards) as worker:
        near = WirePhone(worker, 1, made=udp_socket(wires.here, "127.0.0.1"))
        far = wires.phone(worker, 2, wires.one, A)
        bridge(worker, near, far)
        heard = heard_after(worker, Tap(wires.one, "far-a"), near, far, ("127.0.0.1", near.local))
        assert heard == near.sent[-1:]


@pytest.mark.parametrize("forwards", [False, True])
def test_who_comes_from_the_wrong_side_is_not_heard(wires: Wires, forwards: bool) -> None:
    """Where the kernel looks whether an answer would go where a packet comes from (rp_filter, RFC 3704)."""

    def look() -> None:
        for name in ("all", "here-a", "here-b", "here-c"):
            Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").write_text("1", "ascii")

    inside(wires.here, look)
    with wires.worker(forwards=forwards) as worker:
        a, b = wires.phone(worker, 1, wires.one, A), wires.phone(worker, 2, wires.other, B)
        bridge(worker, a, b)
        assert heard_after(worker, Tap(wires.other, "far-b"), a, b, (HERE, a.local)) == a.sent[-1:]


def heard_after(
    worker: ForwardingWorker, tap: Tap, victim: WirePhone, peer: WirePhone, to: tuple[str, int]
) -> list[bytes]:
    """What the peer hears of the victim when somebody at the tap, at the peer's wire, sends in the victim's
    name, and then the victim something itself: RTP, but for the header."""
    try:
        said = peer.say()
        mine = tap.until(lambda frame: frame.payload[12:] == said)
        victim.hear_until(said)
        if worker.forwards:
            kernel = worker.inside()
            until(lambda: kernel.on and kernel.settled(), "the kernel forwards")
        forged = rtp(victim.sequence, victim.timestamp, victim.ssrc, payload=b"forged" * 20)
        tap.socket.send(frame_of(mine.between((victim.address, victim.port), to), forged))
        obeyed(worker)
        found = peer.hear_until(victim.say())
        return [victim.sent[-1][:12] + one.payload for one in found]
    finally:
        tap.close()
