"""Real workers: what the kernel passes on, and what is counted, is as from the worker, whatever comes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from media.messages import (
    Connect,
    SetRemote,
)
from tests.support.kernel_forwarding import (
    ForwardingWorker,
    Heard,
    InKernel,
    WirePhone,
    counted,
    lacking,
    obeyed,
    quality,
)
from tests.support.rtp import event, rtp

LACKING = lacking()
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING)


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
