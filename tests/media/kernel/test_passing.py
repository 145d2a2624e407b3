"""Real workers on loopback: that it is the kernel that passes on, what, and when not."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from media.forwarding import BUDGET
from media.g711 import encode_ulaw
from media.messages import (
    Digit,
    Disconnect,
    Ping,
    Play,
    Played,
    Pong,
    Record,
    Recorded,
    SendDigits,
    Speaking,
    StopRecord,
    WatchSpeech,
)
from tests.support.audio import read_wav
from tests.support.kernel_forwarding import (
    ForwardingWorker,
    Heard,
    InKernel,
    WirePhone,
    bridge,
    counted,
    flushed,
    lacking,
    obeyed,
    quality,
    stopped,
    talk,
    until,
)
from tests.support.rtp import event, rtp

LACKING = lacking()
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING)


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
