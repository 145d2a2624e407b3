"""RFC 4733 events: a press is one press, whatever the network does to its packets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.capture import read
from media.telephone_event import (
    LAST_CODE,
    MAX_QUEUED,
    MAX_ROUNDS,
    SEGMENT,
    TICK,
    EventReceiver,
    EventSender,
)


@dataclass(frozen=True)
class Packet:
    timestamp: int
    code: int
    duration: int
    end: bool = False
    slot: int = 0


def press(timestamp: int, code: int, duration_ms: int = 100, step: int = TICK, slot: int = 0) -> list[Packet]:
    """All packets of a press: growing durations, then three with the E bit."""
    total = duration_ms * 8
    growing = [Packet(timestamp, code, duration, slot=slot) for duration in range(step, total, step)]
    return growing + [Packet(timestamp, code, total, True, slot)] * 3


def receive(receiver: EventReceiver, packets: Iterable[Packet], batch: int = 1) -> list[tuple[int, int]]:
    """The presses reported, as (slot, code), when packets come `batch` at a time."""
    queue, found = list(packets), []
    for at in range(0, len(queue), batch):
        group = queue[at : at + batch]
        slots, codes = receiver.receive(
            np.array([p.slot for p in group], dtype=np.intp),
            np.array([p.timestamp % 2**32 for p in group], dtype=np.uint32),
            np.array(
                [[p.code, 0x8A if p.end else 0x0A, p.duration >> 8, p.duration & 255] for p in group],
                dtype=np.uint8,
            ),
        )
        found += list(zip(slots.tolist(), codes.tolist(), strict=True))
    return found


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_two_presses_of_one_key(batch: int) -> None:
    packets = press(1000, 5) + press(1000 + 1600, 5)
    assert receive(EventReceiver(1), packets, batch) == [(0, 5), (0, 5)]


@pytest.mark.parametrize("lost", [{0}, {0, 1, 2}, {0, 1, 2, 3, 4, 5}, {4, 5, 6}, {1, 2, 3, 4, 5, 6}])
def test_lost_packets(lost: set[int]) -> None:
    first, second = press(1000, 5), press(2600, 5)
    assert len(first) == 7
    packets = [p for at, p in enumerate(first) if at not in lost] + second
    assert receive(EventReceiver(1), packets) == [(0, 5), (0, 5)]


@settings(max_examples=200)
@given(
    data=st.data(),
    batch=st.integers(1, MAX_ROUNDS),
    start=st.sampled_from([0, 5000, 2**32 - 3000, 2**31 - 2000]),
)
def test_any_presses_under_loss_repetition_and_reordering(
    data: st.DataObject, batch: int, start: int
) -> None:
    """Of each of some legs: every press of which a packet arrives is reported, once, in order."""
    arriving: list[tuple[float, Packet]] = []
    expected: dict[int, list[int]] = {}
    for slot in range(data.draw(st.integers(1, 3))):
        timestamp = start
        for _ in range(data.draw(st.integers(1, 5))):
            code = data.draw(st.integers(0, 15))
            duration_ms = data.draw(st.integers(2, 12)) * 20
            packets = press(timestamp, code, duration_ms, slot=slot)
            copies = [data.draw(st.sampled_from([0, 1, 1, 1, 2])) for _ in packets]
            for number, (packet, count) in enumerate(zip(packets, copies, strict=True)):
                sent = timestamp / TICK + number
                # At most 45 ms late: less than the shortest pause between two presses. Copies come together.
                late = data.draw(st.floats(0.0, 2.2))
                arriving += [(sent + late, packet)] * count
            if any(copies):
                expected.setdefault(slot, []).append(code)
            timestamp += duration_ms * 8 + data.draw(st.integers(5, 20)) * TICK
    arriving.sort(key=lambda each: each[0])
    receiver = EventReceiver(3)
    found = receive(receiver, [packet for _, packet in arriving], batch)
    for slot in range(3):
        assert [code for at, code in found if at == slot] == expected.get(slot, [])


def test_a_straggler_of_the_former_press_is_not_a_press() -> None:
    packets = [*press(1000, 5), *press(2600, 7), Packet(1000, 5, 800, True), Packet(2600, 7, 800, True)]
    assert receive(EventReceiver(1), packets) == [(0, 5), (0, 7)]


def test_different_keys_with_one_timestamp() -> None:
    """A load generator that stamps all its keys alike."""
    packets = press(0, 1) + press(0, 2) + press(0, 3)
    assert receive(EventReceiver(1), packets) == [(0, 1), (0, 2), (0, 3)]
    straggler = [*press(0, 1), *press(0, 2)[:2], Packet(0, 1, 800, True), *press(0, 2)[2:]]
    assert receive(EventReceiver(1), straggler) == [(0, 1), (0, 2)]


@pytest.mark.parametrize("step", [160, 320])
def test_one_key_again_with_the_same_timestamp(step: int) -> None:
    packets = press(0, 4, 200, step) + press(0, 4, 200, step) + press(0, 4, 200, step)
    assert receive(EventReceiver(1), packets) == [(0, 4)] * 3


def test_a_late_packet_after_the_end_is_not_a_press() -> None:
    packets = press(0, 4)
    overtaken = [*packets[:3], *packets[4:6], packets[3], packets[6]]
    assert receive(EventReceiver(1), overtaken) == [(0, 4)]
    all_overtaken = [packets[4], *packets[:4], *packets[5:]]
    assert receive(EventReceiver(1), all_overtaken) == [(0, 4)]


def test_a_sender_that_advances_the_timestamp_with_every_packet() -> None:
    packets = [Packet(1000 + at * TICK, 6, (at + 1) * TICK) for at in range(6)]
    packets += [Packet(1000 + (6 + at) * TICK, 6, 6 * TICK, True) for at in range(3)]
    assert receive(EventReceiver(1), packets) == [(0, 6)]


def test_a_press_longer_than_a_segment() -> None:
    """RFC 4733 section 2.5.1.3: the next segment starts where the last one, full, ended."""
    first = [Packet(700, 9, duration) for duration in range(160, 65535, 160)] + [Packet(700, 9, 65535)]
    second = [Packet(700 + 65535, 9, duration) for duration in range(160, 3200, 160)]
    second += [Packet(700 + 65535, 9, 3200, True)] * 3
    assert receive(EventReceiver(1), first + second) == [(0, 9)]


@pytest.mark.parametrize("before", [1, 160, 400, 799, 65535])
def test_a_press_across_the_wrap_of_the_timestamp(before: int) -> None:
    """It begins so many units before the wrap; the second one after it."""
    start = 2**32 - before
    assert receive(EventReceiver(1), press(start, 5) + press(start + 2400, 5)) == [(0, 5), (0, 5)]
    advancing = [Packet(start + at * TICK, 6, (at + 1) * TICK) for at in range(6)]
    advancing += [Packet(start + (6 + at) * TICK, 6, 6 * TICK, True) for at in range(3)]
    assert receive(EventReceiver(1), advancing) == [(0, 6)], "a sender that advances it with every packet"
    first = [Packet(start, 9, duration) for duration in [*range(160, SEGMENT, 160), SEGMENT]]
    second = [Packet(start + SEGMENT, 9, duration, duration == 3200) for duration in range(160, 3360, 160)]
    assert receive(EventReceiver(1), first + second) == [(0, 9)], "a next segment beyond it"


def test_what_is_no_key_is_ignored() -> None:
    assert receive(EventReceiver(1), press(0, 17) + press(1600, 255)) == []


def test_a_new_timeline_far_behind() -> None:
    packets = press(4_000_000_000, 1) + press(4_000_000_000 - 800_000, 1)
    assert receive(EventReceiver(1), packets) == [(0, 1), (0, 1)]


def test_reset() -> None:
    receiver = EventReceiver(2)
    assert receive(receiver, press(0, 1, slot=1)) == [(1, 1)]
    receiver.reset(1)
    assert receive(receiver, press(0, 1, slot=1)) == [(1, 1)]


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 300))
def test_hostile_packets_are_bounded(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    slots = random.integers(0, 3, count).astype(np.intp)
    timestamps = random.choice([0, 1, 160, 2**31, 2**32 - 1, 65535, 80001], count).astype(np.uint32)
    payloads = random.integers(0, 256, (count, 4)).astype(np.uint8)
    payloads[:, 0] %= 20
    found, codes = EventReceiver(3).receive(slots, timestamps, payloads)
    assert (codes <= 16).all()
    assert (np.bincount(found, minlength=3) <= MAX_ROUNDS).all()


def send_all(sender: EventSender, ticks: int, clock: int = 50_000) -> list[Packet]:
    """The packets of so many ticks, stamped as the engine does it."""
    sent = []
    began: dict[int, int] = {}
    for tick in range(ticks):
        batch = sender.tick()
        for slot, payload, first in zip(
            batch.slots.tolist(), batch.payloads.tolist(), batch.marker.tolist(), strict=True
        ):
            if first:
                began[slot] = clock + tick * TICK
            duration = payload[2] << 8 | payload[3]
            sent.append(Packet(began[slot], payload[0], duration, payload[1] >= 0x80, slot))
    return sent


def test_a_key_on_the_wire() -> None:
    sender = EventSender(4)
    assert sender.send(2, [11], 100, 60) == 1
    assert sender.active.tolist() == [False, False, True, False]
    growing = [Packet(50_000, 11, duration, slot=2) for duration in (160, 320, 480, 640)]
    assert send_all(sender, 7) == growing + [Packet(50_000, 11, 800, True, 2)] * 3
    assert sender.active[2], "the gap is not over"
    batch = sender.tick()
    assert (len(batch.slots), batch.finished.tolist()) == (0, [2])
    assert not sender.active.any()


def test_keys_follow_one_another_with_their_gaps() -> None:
    sender = EventSender(1)
    sender.send(0, [1, 2], 40, 100)
    sender.send(0, [2], 60, 0)
    sent = send_all(sender, 40)
    starts = sorted({(packet.timestamp, packet.code) for packet in sent})
    assert starts == [(50_000, 1), (50_000 + 7 * TICK, 2), (50_000 + 14 * TICK, 2)]
    assert sum(packet.end for packet in sent) == 9


@given(st.lists(st.integers(0, 15), max_size=12), st.integers(0, 300), st.integers(0, 200))
def test_what_is_sent_is_received(codes: list[int], duration_ms: int, gap_ms: int) -> None:
    sender = EventSender(2)
    assert sender.send(1, codes, duration_ms, gap_ms) == len(codes)
    sent = send_all(sender, 14 * 30)
    assert receive(EventReceiver(2), sent, batch=5) == [(1, code) for code in codes]
    assert not sender.active.any()


def test_the_queue_is_bounded_and_takes_keys_only() -> None:
    sender = EventSender(1)
    assert sender.send(0, [99, -1, 17]) == 0
    assert not sender.active.any()
    assert sender.send(0, [1] * 500) == MAX_QUEUED
    assert (sender.send(0, [1]), sender.send(0, [1])) == (1, 0), "the key being sent does not wait"


def test_cancel() -> None:
    sender = EventSender(2)
    sender.send(0, [1, 2, 3])
    sender.send(1, [4])
    sender.tick()
    sender.cancel(0)
    sender.cancel(0)
    assert sender.tick().slots.tolist() == [1]
    sender.send(0, [7])
    batch = sender.tick()
    assert batch.payloads[batch.slots == 0, 0].tolist() == [7]


@settings(max_examples=100)
@given(
    presses=st.lists(
        st.tuples(st.integers(0, LAST_CODE), st.integers(2, 60), st.integers(5, 30)), min_size=1, max_size=6
    ),
    hz=st.sampled_from([8000, 16000, 48000]),
    start=st.sampled_from([0, 2**32 - 40_000, 2**31 - 40_000]),
    data=st.data(),
)
def test_presses_in_any_clock(
    presses: list[tuple[int, int, int]], hz: int, start: int, data: st.DataObject
) -> None:
    """Code, ticks held, ticks of pause; packets are lost, but not a whole press. In clocks above 8 kHz the
    longer ones go on in further segments."""
    tick, timestamp = hz // 50, start
    packets: list[Packet] = []
    for code, held, pause in presses:
        mine: list[Packet] = []
        begun, duration = timestamp, 0
        for _ in range(held):
            if duration + tick > SEGMENT:
                mine.append(Packet(begun, code, SEGMENT))
                begun, duration = begun + SEGMENT, duration - SEGMENT
            duration += tick
            mine.append(Packet(begun, code, duration))
        mine += [Packet(begun, code, duration, True)] * 3
        # Of a long press only what comes after its first packets may be lost: they are what joins segments.
        lost = data.draw(st.sets(st.integers(0, len(mine) - 1), max_size=3 if begun == timestamp else 0))
        packets += [packet for at, packet in enumerate(mine) if at not in lost]
        timestamp += (held + pause) * tick
    receiver = EventReceiver(1)
    receiver.clock(0, hz)
    assert [code for _, code in receive(receiver, packets, 3)] == [code for code, _, _ in presses]


@given(st.lists(st.integers(0, LAST_CODE), max_size=8), st.integers(0, 3000), st.sampled_from([8000, 48000]))
def test_what_is_sent_in_any_clock_is_received(codes: list[int], duration_ms: int, hz: int) -> None:
    sender, receiver = EventSender(1), EventReceiver(1)
    sender.clock(0, hz)
    receiver.clock(0, hz)
    assert sender.send(0, codes, duration_ms, 60) == len(codes)
    sent = send_all(sender, 8 * 160)
    assert all(0 < packet.duration <= SEGMENT for packet in sent)
    assert sum(packet.end for packet in sent) == 3 * len(codes)
    assert [code for _, code in receive(receiver, sent, batch=2)] == codes


@pytest.mark.parametrize("name", [*"0123456789", "star", "pound"])
@pytest.mark.parametrize("times", [1, 2])
def test_the_captures_of_a_load_generator(name: str, times: int) -> None:
    """SIPp's keys: one timestamp for all of a press (and for the next one), durations that grow by 320."""
    path = Path(f"/usr/share/sip-tester/dtmf_2833_{name}.pcap")
    if not path.exists():
        pytest.skip("apt-get install sip-tester")
    packets = []
    for one in read(path):
        timestamp = int.from_bytes(one.payload[4:8], "big")
        code, flags, high, low = one.payload[12:16]
        packets.append(Packet(timestamp, code, high << 8 | low, flags >= 0x80))
    code = {"star": 10, "pound": 11}[name] if len(name) > 1 else int(name)
    assert receive(EventReceiver(1), packets * times) == [(0, code)] * times
