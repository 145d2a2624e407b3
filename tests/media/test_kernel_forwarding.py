"""Real workers with --kernel-forwarding on loopback: the kernel passes on what the worker would have."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from pylibsrtp import Policy, Session

from media.forwarding import BUDGET
from media.g711 import encode_ulaw
from media.messages import (
    Allocate,
    Allocated,
    Connect,
    Digit,
    Disconnect,
    Latched,
    MediaLost,
    Ping,
    Play,
    Played,
    Pong,
    Quality,
    Record,
    Recorded,
    Release,
    Released,
    SendDigits,
    SetRemote,
    Speaking,
    SrtpKeys,
    StopRecord,
    WatchSpeech,
)
from media.srtp import PROFILES
from tests.support.audio import read_wav
from tests.support.kernel_forwarding import (
    LOOPBACK,
    ForwardingWorker,
    Heard,
    InKernel,
    WirePhone,
    lacking,
    obeyed,
    programs_at,
    programs_of,
    stopped,
    until,
)
from tests.support.rtp import event, rtp

LACKING = lacking()
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING)


@pytest.fixture
def worker() -> Iterator[ForwardingWorker]:
    with ForwardingWorker() as made:
        yield made


@pytest.fixture
def inside(worker: ForwardingWorker) -> InKernel:
    return worker.inside()


@pytest.fixture
def pair(worker: ForwardingWorker, inside: InKernel) -> Iterator[tuple[WirePhone, WirePhone]]:
    """Bridged, each hearing the other, and the kernel forwards."""
    both = WirePhone(worker, 1), WirePhone(worker, 2)
    bridge(worker, *both)
    inside.until_forwards(2)
    yield both


def bridge(worker: ForwardingWorker, one: WirePhone, other: WirePhone) -> None:
    worker.send(Connect(one.leg, other.leg))
    obeyed(worker)
    talk(one, other)


def talk(one: WirePhone, other: WirePhone, packets: int = 1) -> None:
    """Each says something, and hears the other, and nothing else."""
    for _ in range(packets):
        for speaker, listener in ((one, other), (other, one)):
            said = speaker.say()
            assert listener.hear().payload == said


def quality(worker: ForwardingWorker, leg: int) -> Quality:
    worker.send(Release(leg))
    return worker.wait_for(Released, lambda released: released.leg == leg).quality


def counted(found: Quality) -> tuple[int, ...]:
    return (
        found.packets_received,
        found.packets_sent,
        found.packets_lost,
        found.packets_duplicated,
        found.packets_reordered,
    )


# ----- the same bytes as without it

Chunks = Iterator[list[bytes]]
"""What is sent at once; of each, the last one must arrive."""


def on_and_on(phone: WirePhone) -> Chunks:
    for _ in range(12):
        yield [phone.next(), phone.next(marker=True), phone.next()]


def odd_sizes(phone: WirePhone) -> Chunks:
    for size in (1, 2, 3, 20, 33, 80, 159, 240, 320, 640, 1000, 1331, 1332):
        yield [phone.next(bytes([size & 0xFF]) * size), phone.next()]
    yield [phone.next(bytes(1333)), phone.next()]  # too long for the worker


def numbers_wrap(phone: WirePhone) -> Chunks:
    phone.ssrc, phone.sequence, phone.timestamp = 0xFFFFFFFE, 65526, 2**32 - 800
    for _ in range(10):
        yield [phone.next(), phone.next()]


def some_are_lost(phone: WirePhone) -> Chunks:
    for gap in (0, 1, 2, 7, 30, 68, 69, 70, 71, 150):
        yield [phone.next()]
        phone.sequence += gap
        phone.timestamp += 160 * gap
        yield [phone.next()]


def some_overtake(phone: WirePhone) -> Chunks:
    for size in (2, 3, 4):
        yield [phone.next() for _ in range(size)][::-1]
        yield [phone.next()]
    late = phone.next()
    for _ in range(12):
        yield [phone.next(), phone.next()]
    yield [late, phone.next()]
    very_late = phone.next()
    for _ in range(20):
        yield [phone.next(), phone.next()]
    yield [very_late, phone.next()]


def some_come_twice(phone: WirePhone) -> Chunks:
    for _ in range(5):
        again = phone.next()
        yield [again, again, phone.next()]
        yield [again, phone.next()]


def timestamps_stand_still(phone: WirePhone) -> Chunks:
    for step in (-160, 0, 8000, -8320, 2**31):
        phone.timestamp += step
        yield [phone.next(), phone.next()]


def another_source(phone: WirePhone) -> Chunks:
    for ssrc in (0xFFFFFFFF, 1, 0x80000000):
        yield [phone.next(), phone.next()]
        phone.ssrc, phone.sequence, phone.timestamp = ssrc, ssrc & 0xFFFF, 77
        yield [phone.next()]
        yield [phone.next(), phone.next()]


def a_jump(phone: WirePhone) -> Chunks:
    for jump in (5000, 30000, -2000):
        yield [phone.next(), phone.next()]
        phone.sequence += jump
        yield [phone.next(), phone.next(), phone.next()]
        yield [phone.next(), phone.next()]


def a_lone_jump(phone: WirePhone) -> Chunks:
    yield [phone.next()]
    yield [rtp(phone.sequence + 20000, phone.timestamp, phone.ssrc, payload=b"astray"), phone.next()]
    yield [phone.next()]


def a_key(phone: WirePhone) -> Chunks:
    yield [phone.next(), phone.next()]
    start = phone.timestamp
    for duration, end in ((160, False), (320, False), (480, True), (480, True), (480, True)):
        made = rtp(phone.sequence, start, phone.ssrc, 101, event(5, duration, end))
        phone.sequence += 1
        phone.timestamp += 160
        phone.sent.append(made)
        yield [made, phone.next()]
    yield [phone.next(), phone.next()]


def comfort_noise(phone: WirePhone) -> Chunks:
    for _ in range(3):
        yield [phone.next(), phone.next()]
        yield [phone.next(bytes([60, phone.sequence & 0x7F]), kind=13), phone.next()]


def control_on_the_port(phone: WirePhone) -> Chunks:
    report = struct.pack(">BBHI", 0x80, 201, 1, phone.ssrc)
    for _ in range(3):
        yield [phone.next(), report, phone.next()]


def another_kind(phone: WirePhone) -> Chunks:
    for _ in range(3):
        yield [phone.next(), phone.next(kind=96), phone.next()]


def extended_and_padded(phone: WirePhone) -> Chunks:
    def bits(data: bytes, extra: int, between: bytes = b"", behind: bytes = b"") -> bytes:
        return bytes([data[0] | extra]) + data[1:12] + between + data[12:] + behind

    for _ in range(3):
        yield [phone.next(), bits(phone.next(), 0x10, b"\xbe\xde\0\1abcd"), phone.next()]
        yield [bits(phone.next(), 0x20, behind=b"\0\0\0\4"), phone.next()]
        yield [bits(phone.next(), 0x02, b"abcdefgh"), phone.next()]


def rubbish(phone: WirePhone) -> Chunks:
    for what in (b"", b"x", bytes(12), bytes(40), b"\x80\x00", phone.next()[:12], b"\xff" * 200):
        yield [phone.next(), what, phone.next()]


SCENES = [
    on_and_on,
    odd_sizes,
    numbers_wrap,
    some_are_lost,
    some_overtake,
    some_come_twice,
    timestamps_stand_still,
    another_source,
    a_jump,
    a_lone_jump,
    a_key,
    comfort_noise,
    control_on_the_port,
    another_kind,
    extended_and_padded,
    rubbish,
]


def compared(heard: list[Heard], sent: list[bytes]) -> list[tuple[object, ...]]:
    """What does not depend on chance or time: what our stream begins with is random, and where it goes over
    to another source (told by a marker) its timestamp moves on by the time that passed."""
    first, of = heard[0], {one[12:]: Heard.of(one) for one in sent}
    found, since = [], 0
    for one in heard:
        shift = 0
        if (known := of.get(one.payload)) is not None:
            shift = (one.timestamp - known.timestamp) & 0xFFFFFFFF
            if one.kind & 0x80 > known.kind & 0x80:
                since = shift
        found.append(((one.sequence - first.sequence) & 0xFFFF, shift - since, one.kind, one.payload))
        assert one.ssrc == first.ssrc
    return found


Workers = tuple[ForwardingWorker, ForwardingWorker]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """One that relays all, and one that forwards."""
    with ForwardingWorker(forwards=False) as relaying, ForwardingWorker() as forwarding:
        yield relaying, forwarding


def performed(
    scene: Callable[[WirePhone], Chunks], worker: ForwardingWorker, inside: InKernel | None
) -> tuple[list[tuple[object, ...]], list[tuple[int, ...]]]:
    """What the peer heard, and both legs' statistics."""
    template = SetRemote(0, "", 0, 0, "PCMU", 0, 101, comfort_noise=True)
    legs = [next(LEGS), next(LEGS)]
    a, b = (WirePhone(worker, leg, remote=template, mark=place) for place, leg in enumerate(legs))
    worker.send(Connect(*legs))
    obeyed(worker)
    heard = b.hear_until(a.say())
    before, chunks = inside.forwarded if inside is not None else 0, 0
    for chunk in scene(a):
        chunks += 1
        if inside is not None:
            inside.until_forwards(1)
        a.send(*chunk)
        heard += b.hear_until(chunk[-1][12:])
    assert inside is None or 3 * (inside.forwarded - before) >= chunks
    return compared(heard, a.sent), [counted(quality(worker, leg)) for leg in legs]


LEGS = count(100)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_it_is_as_without(scene: Callable[[WirePhone], Chunks], workers: Workers) -> None:
    relaying, forwarding = workers
    expected = performed(scene, relaying, None)
    assert performed(scene, forwarding, forwarding.inside()) == expected


# ----- that it is the kernel


def test_a_stopped_worker_forwards_for_a_while(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    """So many packets a leg, and no more; the others wait, and none is lost, or counted twice."""
    a, b = pair
    with stopped(worker):
        said = [a.say() for _ in range(BUDGET + 16)]
        answered = [b.say() for _ in range(BUDGET)]
        assert [one.payload for one in b.at_hand()] == said[:BUDGET]
        assert [one.payload for one in a.at_hand()] == answered
        assert not b.at_hand()
    heard = b.hear_until(said[-1])
    assert [one.payload for one in heard] == said[BUDGET:]
    talk(a, b)
    inside.until_forwards(2)
    with stopped(worker):
        talk(a, b, 3)
    # Each of them latched with one, too; the other's first was heard before the bridge.
    sent, came = len(a.sent), len(b.sent)
    assert counted(quality(worker, 1)) == (sent, came - 1, 0, 0, 0)
    assert counted(quality(worker, 2)) == (came, sent - 1, 0, 0, 0)


def test_headers_go_on_from_worker_to_kernel_and_back(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    a, b = pair
    heard = []
    for _ in range(4):
        before = inside.forwarded
        with stopped(worker):
            said = [a.say() for _ in range(3)]
            heard += b.hear_until(said[-1])
        assert inside.forwarded == before + 3
        worker.send(WatchSpeech(1))  # somebody listens: the worker's
        obeyed(worker)
        said = [a.say() for _ in range(3)]
        heard += b.hear_until(said[-1])
        assert inside.forwarded == before + 3
        worker.send(WatchSpeech(1, False))
        obeyed(worker)
        inside.until_forwards(2)
    assert [one.payload for one in heard] == [one[12:] for one in a.sent[-len(heard) :]]
    for one, after in pairwise(heard):
        assert (after.sequence - one.sequence) & 0xFFFF == 1
        assert (after.timestamp - one.timestamp) & 0xFFFFFFFF == 160
        assert (after.ssrc, after.kind) == (one.ssrc, one.kind)


def test_nothing_overtakes_what_waits_in_the_socket(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    """A command takes the legs from the kernel for a moment: what comes meanwhile waits for the worker, and
    what comes later may not go before it."""
    a, b = pair
    met = 0
    for number in range(400):
        inside.until_forwards(2)
        worker.send(*(Ping(number) for _ in range(100)), Ping(-1))  # enough to do
        while inside.enabled and not select.select([worker.control], [], [], 0)[0]:
            pass
        said = [a.say()]
        waits = not inside.enabled
        at_once(lambda: inside.enabled)
        said.append(a.say())
        assert [b.hear().payload, b.hear().payload] == said, f"in round {number}"
        worker.wait_for(Pong, lambda pong: pong.token == -1)
        worker.events.clear()
        met += waits
        if met == 10:
            break
    assert met == 10
    assert quality(worker, 1).packets_reordered == 0


def at_once(holds: Callable[[], bool]) -> None:
    """Wait without a pause: it may soon be over."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline


def test_jitter_is_measured_where_packets_arrive(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    """RFC 3550 A.8, by the time that the kernel took them at: as if by the timestamps of the sockets."""
    a, b = pair
    for _ in range(12):
        inside.until_forwards(2)
        with stopped(worker):  # what counts is when they came, not when it sees them
            said = [a.say() for _ in range(4)]
            b.hear_until(said[-1])
    jitter_s = 0.0
    for before, after in pairwise(a.sent_at):
        jitter_s += (abs(after - before - 0.02) - jitter_s) / 16
    assert quality(worker, 1).jitter_ms == pytest.approx(1000 * jitter_s, abs=2.0)
    assert jitter_s > 0.005


# ----- who is heard, and who is not


def test_strangers_are_not_heard(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    a, b = pair
    before = inside.forwarded
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other_port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other_address,
    ):
        other_port.bind(("127.0.0.1", 0))
        other_address.bind(("127.0.0.2", a.port))
        for stranger in (other_port, other_address):
            for local in {a.local, b.local}:
                stranger.sendto(
                    rtp(a.sequence, a.timestamp, a.ssrc, payload=b"s" * 160), ("127.0.0.1", local)
                )
                stranger.sendto(
                    rtp(b.sequence, b.timestamp, b.ssrc, payload=b"s" * 160), ("127.0.0.1", local)
                )
        # The same source to another port of the worker.
        a.socket.sendto(rtp(a.sequence, a.timestamp, a.ssrc, payload=b"s" * 160), ("127.0.0.1", a.local + 1))
        obeyed(worker)
        inside.until_forwards(2)
        talk(a, b, 3)
        assert not a.at_hand() and not b.at_hand()
    assert inside.forwarded == before + 6
    assert counted(quality(worker, 1)) == (len(a.sent), len(b.sent) - 1, 0, 0, 0)


def flushed(worker: ForwardingWorker, phone: WirePhone) -> None:
    """Wait until the worker has dealt with what the phone sent: with a key behind it."""
    for end in (False, True, True, True):
        phone.send(rtp(phone.sequence, phone.timestamp, phone.ssrc, 101, event(1, 160, end)))
        phone.sequence += 1
    phone.timestamp += 320
    worker.wait_for(Digit, lambda digit: digit.leg == phone.leg)


def test_disconnected_legs_are_not_heard_and_bridged_again_they_are(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    a, b = pair
    for _ in range(3):
        worker.send(Disconnect(1))
        obeyed(worker)
        before = inside.forwarded
        for one in pair:
            one.say()
            flushed(worker, one)
        assert inside.forwarded == before and not a.at_hand() and not b.at_hand()
        bridge(worker, a, b)
        inside.until_forwards(2)
        before = inside.forwarded
        talk(a, b, 2)
        assert inside.forwarded == before + 4


@pytest.mark.parametrize("changed", [{"receive": False}, {"send": False}, {"address": "0.0.0.0"}])
def test_hold(
    worker: ForwardingWorker,
    inside: InKernel,
    pair: tuple[WirePhone, WirePhone],
    changed: dict[str, object],
) -> None:
    """A direction that is held is not forwarded; the other is."""
    a, b = pair
    worker.send(msgspec.structs.replace(a.remote, **changed))
    obeyed(worker)
    deaf, heard = (a, b) if "receive" not in changed else (b, a)  # who hears nothing
    inside.until_forwards(1)
    before = inside.forwarded
    heard_by = heard if deaf is a else a
    said = a.say() if deaf is a else b.say()
    assert heard_by.hear().payload == said
    assert inside.forwarded == before + 1
    silenced = b if deaf is a else a
    silenced.say()
    flushed(worker, silenced)
    assert not deaf.at_hand() and inside.forwarded == before + 1
    worker.send(a.remote)
    obeyed(worker)
    talk(a, b)
    inside.until_forwards(2)
    before = inside.forwarded
    talk(a, b)
    assert inside.forwarded == before + 2


def test_a_leg_that_hears_something_else_does_not_hear_its_peer(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    """Its peer hears it all the while, and it hears its peer again afterwards, in one stream."""
    a, b = pair
    said = a.say()
    last = b.hear()
    assert last.payload == said
    worker.send(Play(2, 7, ("tone:beep", "silence:100")))
    obeyed(worker)
    inside.until_forwards(1)
    while not any(isinstance(one, Played) for one in worker.events):
        a.say()
        said = b.say()
        assert a.hear().payload == said
        worker.pump(0.02)
    assert worker.wait_for(Played).reason == "finished"
    flushed(worker, a)
    while not (found := [one for one in b.at_hand() if one.payload == a.sent[-1][12:]]):
        a.say()
        worker.pump(0.02)
    inside.until_forwards(2)
    said = a.say()
    after = b.hear_until(said)[-1]
    assert after.ssrc == last.ssrc == found[0].ssrc
    assert (after.sequence - last.sequence) & 0xFFFF < 200


def test_keys_are_sent_to_a_forwarded_leg(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    a, b = pair
    worker.send(SendDigits(2, "7", 60, 40))
    heard: list[Heard] = []
    while len([one for one in heard if one.kind & 0x7F == 101 and one.payload[1] & 0x80]) < 3:
        heard.append(b.hear())
    until(lambda: b.hear_until(a.say()) if inside.legs() == 2 else a.say() and False, "it forwards again")
    before = inside.forwarded
    with stopped(worker):
        said = a.say()
        last = b.hear_until(said)[-1]
    assert inside.forwarded == before + 1
    assert last.ssrc == heard[0].ssrc and 0 < (last.sequence - heard[-1].sequence) & 0xFFFF < 1000


def test_a_key_is_told_and_passes(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    a, b = pair
    for key in range(3):
        start = a.timestamp
        for duration, end in ((160, False), (320, False), (480, True), (480, True), (480, True)):
            a.send(rtp(a.sequence, start, a.ssrc, 101, event(key, duration, end)))
            a.sequence += 1
        a.timestamp += 480
        heard = b.hear_until(a.say())
        assert [one.kind & 0x7F for one in heard] == [101] * 5 + [0]
        assert worker.wait_for(Digit) == Digit(1, str(key), "rfc4733")
        inside.until_forwards(2)


def test_speech_is_watched_of_a_leg_that_was_forwarded(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone]
) -> None:
    a, b = pair
    loud = np.random.default_rng(1).normal(0, 6000, 160 * 200).clip(-32000, 32000)
    loud *= np.sign(np.sin(np.arange(loud.size) / 400)) + 1.0
    coded = encode_ulaw(loud.astype(np.int16)).tobytes()
    worker.send(WatchSpeech(1), Play(2, 1, ("tone:ringback",), loop=True))
    at = 0
    while not any(isinstance(one, Speaking) for one in worker.events):
        b.hear()  # the ringback is the clock
        a.say(coded[at : at + 160])
        at = (at + 160) % len(coded)
        worker.pump(0)
    assert worker.wait_for(Speaking) == Speaking(1, True)


def test_a_recording_has_all_from_its_beginning(
    worker: ForwardingWorker, inside: InKernel, pair: tuple[WirePhone, WirePhone], tmp_path: Path
) -> None:
    a, b = pair
    path = tmp_path / "call.wav"
    clock = WirePhone(worker, 3)
    worker.send(Play(3, 1, ("tone:ringback",), loop=True))
    tone = np.sin(2 * np.pi * 1000 * np.arange(160) / 8000) * 8000
    coded = encode_ulaw(tone.astype(np.int16)).tobytes()
    for _ in range(5):
        clock.hear()
        for one, other in ((a, b), (b, a)):
            one.say(b"\x80" * 160)  # full scale: nothing of it may be in the recording
            other.hear()
    assert inside.forwarded >= 10
    before = inside.forwarded
    worker.send(Record(4, 1, 2, str(path)))
    obeyed(worker)
    for _ in range(50):
        clock.hear()
        a.say(coded)
        assert b.hear().payload == coded
    assert inside.forwarded == before
    clock.hear()
    worker.send(StopRecord(4))
    worker.wait_for(Recorded)
    _, channels = read_wav(path)
    assert np.count_nonzero(np.abs(channels[0]) > 0.01) >= 0.75 * 49 * 160  # of 8 samples, 2 are 0
    assert np.max(np.abs(channels[0])) < 0.5 and np.max(np.abs(channels[1])) < 0.5
    a.say(b"\x80" * 160)
    b.hear()
    inside.until_forwards(2)


# ----- legs that come and go


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


# ----- several workers, and none


def test_a_killed_worker_leaves_nothing_behind(
    worker: ForwardingWorker, pair: tuple[WirePhone, WirePhone]
) -> None:
    a, b = pair
    ours = programs_of(worker.process.pid)
    assert ours and ours <= programs_at(LOOPBACK)
    worker.process.kill()
    assert worker.process.wait(10) == -signal.SIGKILL
    until(lambda: not ours & programs_at(LOOPBACK), "the program is gone")
    a.say()
    assert not b.at_hand()


def test_a_worker_that_ends_leaves_nothing_behind() -> None:
    with ForwardingWorker() as worker:
        obeyed(worker)
        ours = programs_of(worker.process.pid)
        assert ours and ours <= programs_at(LOOPBACK)
        worker.process.terminate()
        assert worker.process.wait(10) == 0
        until(lambda: not ours & programs_at(LOOPBACK), "the program is gone")


def test_two_workers_at_once() -> None:
    """Each with a call of its own, and one that goes through both."""
    with ForwardingWorker() as first, ForwardingWorker() as second:
        workers = (first, second)
        calls = [(WirePhone(one, 1), WirePhone(one, 2)) for one in workers]
        kernels = [one.inside() for one in workers]
        for one, call, inside in zip(workers, calls, kernels, strict=True):
            bridge(one, *call)
            inside.until_forwards(2)
            with stopped(one):
                talk(*call, 5)
        for call in calls:
            talk(*call, 5)
        a, b = WirePhone(first, 3), WirePhone(second, 3)
        second.send(Allocate(4, "127.0.0.1"))
        there = second.wait_for(Allocated).port
        first.send(Allocate(4, "127.0.0.1", there))
        here = first.wait_for(Allocated).port
        first.send(SetRemote(4, "127.0.0.1", there, there + 1, "PCMU", 0, 101), Connect(3, 4))
        second.send(SetRemote(4, "127.0.0.1", here, here + 1, "PCMU", 0, 101), Connect(4, 3))
        obeyed(first)
        obeyed(second)
        for _ in range(50):
            talk(a, b)
        for one in workers:
            for leg in (3, 4):
                found = quality(one, leg)
                assert (found.packets_lost, found.packets_reordered, found.packets_duplicated) == (0, 0, 0)
                assert found.packets_received >= 50
        for call in calls:
            talk(*call, 2)


def test_a_call_that_goes_through_the_same_worker_twice(worker: ForwardingWorker, inside: InKernel) -> None:
    """Two legs are one another's remote: what the kernel passes on to a leg, the worker takes from there."""
    a, b = WirePhone(worker, 1), WirePhone(worker, 4)
    worker.send(Allocate(2, "127.0.0.1"))
    there = worker.wait_for(Allocated).port
    worker.send(Allocate(3, "127.0.0.1", there))
    here = worker.wait_for(Allocated).port
    worker.send(
        SetRemote(2, "127.0.0.1", here, here + 1, "PCMU", 0, 101),
        SetRemote(3, "127.0.0.1", there, there + 1, "PCMU", 0, 101),
        Connect(1, 2),
        Connect(3, 4),
    )
    obeyed(worker)
    talk(a, b, 40)
    assert inside.forwarded > 0
    for leg in (1, 2, 3, 4):
        found = quality(worker, leg)
        assert (found.packets_lost, found.packets_reordered, found.packets_duplicated) == (0, 0, 0)


def test_many_calls_that_come_and_go(worker: ForwardingWorker, inside: InKernel) -> None:
    """Whatever is ordered, everybody hears the one whom he is bridged with, in order; nothing is lost."""
    random = np.random.default_rng(5)
    legs = count(1)
    calls = [(WirePhone(worker, next(legs)), WirePhone(worker, next(legs))) for _ in range(8)]
    for call in calls:
        bridge(worker, *call)
    for _ in range(40):
        one, two = random.choice(len(calls), 2, replace=False).tolist()
        order = int(random.integers(4))
        if order == 0:  # the two change their partners
            (a, b), (c, d) = calls[one], calls[two]
            calls[one], calls[two] = (a, d), (c, b)
            worker.send(Connect(a.leg, d.leg), Connect(c.leg, b.leg))
        elif order == 1:  # another call from the same phone
            a, b = calls[one]
            worker.send(Release(a.leg))
            released = worker.wait_for(Released).quality
            assert (released.packets_lost, released.packets_reordered) == (0, 0)
            assert released.packets_received == len(a.sent)
            calls[one] = WirePhone(worker, next(legs)), b
            worker.send(Connect(calls[one][0].leg, b.leg))
        elif order == 2:
            worker.send(Disconnect(calls[one][0].leg), Connect(calls[one][1].leg, calls[one][0].leg))
        else:
            worker.send(WatchSpeech(calls[one][0].leg, bool(random.integers(2))))
        obeyed(worker)
        for call in calls:
            talk(*call, 2)
    assert inside.forwarded > 100
    for phone in (one for call in calls for one in call):
        found = quality(worker, phone.leg)
        assert (found.packets_lost, found.packets_reordered, found.packets_duplicated) == (0, 0, 0)
        assert found.packets_received == len(phone.sent)


WITHOUT_RIGHTS = """
import ctypes, sys
class Header(ctypes.Structure): _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]
WORDS = ("effective", "permitted", "kept")
class Data(ctypes.Structure): _fields_ = [(name, ctypes.c_uint32) for name in WORDS]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.capset(ctypes.byref(Header(0x20080522, 0)), (Data * 2)()) == 0
from media.worker import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_the_right_the_worker_relays_and_says_what_is_missing() -> None:
    with ForwardingWorker(program=(sys.executable, "-c", WITHOUT_RIGHTS)) as worker:
        a, b = WirePhone(worker, 1), WirePhone(worker, 2)
        bridge(worker, a, b)
        talk(a, b, 3)
        worker.control.close()
        assert worker.process.wait(10) == 0
        assert worker.process.stderr is not None
        told = worker.process.stderr.read().decode()
    assert "event=no_kernel_forwarding" in told and "CAP_BPF" in told
