"""The jitter buffer: order, no repetition, bounded delay, recovery, and counters that add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.jitter import JitterBuffer
from media.odd_packets import RESTART_TICKS, RESYNC_RUN, START_DELAY

DEPTH = 24


@dataclass(frozen=True)
class Packet:
    """`number` is its place in the stream, in frames; it is also what its payload says."""

    number: int
    sequence: int
    timestamp: int
    slot: int = 0


@dataclass
class Line:
    """A buffer and what came out of it: per slot, (tick, number) of every frame played."""

    legs: int = 1
    tick: int = 0
    played: list[list[tuple[int, int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.buffer = JitterBuffer(self.legs, DEPTH)
        self.played = [[] for _ in range(self.legs)]

    def run(self, packets: Iterable[Packet] = ()) -> None:
        """One tick: packets in, a frame of every leg out."""
        group = list(packets)
        payloads = np.zeros((len(group), 160), dtype=np.uint8)
        for payload, packet in zip(payloads, group, strict=True):
            payload[:4] = np.array([packet.number], dtype=">u4").view(np.uint8)
        self.buffer.put(
            np.array([packet.slot for packet in group], dtype=np.intp),
            np.array([packet.sequence % 2**16 for packet in group], dtype=np.uint16),
            np.array([packet.timestamp % 2**32 for packet in group], dtype=np.uint32),
            payloads,
        )
        frames, present = self.buffer.get(np.arange(self.legs))
        for slot in np.flatnonzero(present).tolist():
            self.played[slot].append((self.tick, int(frames[slot, :4].copy().view(">u4")[0])))
        self.tick += 1

    def numbers(self, slot: int = 0) -> list[int]:
        return [number for _, number in self.played[slot]]


def packet(number: int, sequence: int = 0, timestamp: int = 0, slot: int = 0) -> Packet:
    """The packet of that place in a stream that begins with this sequence number and timestamp."""
    return Packet(number, sequence + number, timestamp + number * 160, slot)


def test_a_perfect_network() -> None:
    line = Line()
    for number in range(200):
        line.run([packet(number)])
    assert line.numbers()[:20] == list(range(20))
    assert line.numbers() == sorted(line.numbers())
    assert line.played[0][0] == (START_DELAY, 0)
    assert line.played[0][-1] == (199, 199), "without jitter nothing has to wait"
    counters = line.buffer
    assert counters.received[0] == 200
    assert (counters.late[0], counters.lost[0], counters.duplicated[0], counters.resyncs[0]) == (0, 0, 0, 0)
    assert counters.skipped[0] == START_DELAY


@pytest.mark.parametrize(("sequence", "timestamp"), [(65500, 2**32 - 3000), (32750, 2**31 - 1600)])
def test_numbers_that_wrap(sequence: int, timestamp: int) -> None:
    line = Line()
    for number in range(60):
        line.run([packet(number, sequence, timestamp)])
    assert line.numbers()[:30] == list(range(30))
    assert (line.buffer.lost[0], line.buffer.late[0], line.buffer.resyncs[0]) == (0, 0, 0)


def test_reordered_and_repeated_packets() -> None:
    line = Line()
    line.run([packet(1), packet(0), packet(1)])
    line.run([packet(3), packet(2), packet(2), packet(3)])
    for number in range(4, 12, 2):
        line.run([packet(number + 1), packet(number), packet(number - 1)])
        line.run()
    assert line.numbers() == sorted(set(line.numbers()))
    assert line.numbers()[:4] == [0, 1, 2, 3]
    assert line.buffer.duplicated[0] == 3 + 4


def test_a_lost_packet_is_counted_and_leaves_a_hole() -> None:
    line = Line()
    for number in range(30):
        line.run([] if number == 10 else [packet(number)])
    assert 10 not in line.numbers()
    assert {9, 11} <= set(line.numbers())
    assert line.buffer.lost[0] == 1


def test_a_late_packet_is_counted_and_not_played() -> None:
    line = Line()
    for number in range(20):
        line.run([] if number == 10 else [packet(number)])
    line.run([packet(20), packet(10)])
    line.run([packet(21)])
    assert 10 not in line.numbers()
    assert line.buffer.late[0] == 1


def test_the_delay_grows_with_the_jitter_and_shrinks_after_it() -> None:
    line = Line()
    number = 0
    for _ in range(60):  # bursts: five packets every 100 ms
        for quarter in range(5):
            line.run([packet(number + at) for at in range(5)] if quarter == 4 else [])
        number += 5
    rough = line.numbers()
    assert len(rough) > 0.9 * number - DEPTH
    gaps = np.diff(rough[-100:])
    assert (gaps == 1).mean() > 0.97, "once adapted, bursts play without holes"
    for _ in range(1000):
        line.run([packet(number)])
        number += 1
    assert line.buffer.delay_frames(np.array([0]))[0] <= 2
    assert line.numbers()[-1] >= number - 3


def test_a_jump_of_the_timestamp_alone() -> None:
    """A sender that switches its source: sequence numbers go on, timestamps jump anywhere."""
    for jump in (-10 * 160, 3 * 160 + 77, 40_000, 10**9, -(10**9)):
        line = Line()
        for number in range(20):
            line.run([packet(number)])
        for number in range(20, 60):
            line.run([packet(number, timestamp=jump)])
        after = [number for number in line.numbers() if number >= 20]
        assert after[-1] >= 55, jump
        assert len(after) >= 40 - RESYNC_RUN - DEPTH // 6, jump
        assert line.numbers() == sorted(set(line.numbers()))


def test_a_new_source() -> None:
    """Another SSRC: sequence numbers and timestamps both jump."""
    for sequence in (100, 30_000, 60_000):
        line = Line()
        for number in range(20):
            line.run([packet(number, 1000, 5000)])
        for number in range(20, 60):
            line.run([packet(number, sequence, 3_000_000_000)])
        after = [number for number in line.numbers() if number >= 20]
        assert len(after) >= 40 - RESYNC_RUN - START_DELAY
        assert line.buffer.resyncs[0] == 1


def test_a_pause_after_which_the_timestamp_goes_on_as_if_nothing_had_been() -> None:
    line = Line()
    for number in range(20):
        line.run([packet(number)])
    for _ in range(RESTART_TICKS + 10):
        line.run()
    for number in range(20, 40):
        line.run([packet(number)])
    assert [number for number in line.numbers() if number >= 20] == list(range(20, 40))
    assert line.buffer.resyncs[0] == 0


def test_silence_suppression() -> None:
    """A pause in which the timestamp runs on: nothing is lost, nothing is late."""
    line = Line()
    for number in range(20):
        line.run([packet(number)])
    for _ in range(30):
        line.run()
    for number in range(50, 70):
        line.run([Packet(number, number - 30, number * 160)])
    after = [number for number in line.numbers() if number >= 50]
    assert after[0] == 50
    assert len(after) >= 18
    assert (line.buffer.lost[0], line.buffer.late[0]) == (0, 0)


def test_legs_do_not_touch_one_another() -> None:
    line = Line(legs=40)
    for number in range(50):
        line.run(packet(number, 7 * slot, 1000 * slot, slot) for slot in range(39) if (number + slot) % 13)
    assert line.numbers(39) == []
    for slot in range(39):
        assert line.numbers(slot) == sorted(set(line.numbers(slot)))
        assert len(line.numbers(slot)) >= 50 - 50 // 13 - 4


def test_reset() -> None:
    line = Line()
    for number in range(10):
        line.run([packet(number)])
    line.buffer.reset(0)
    assert line.buffer.received[0] == 0
    line.run()
    assert line.numbers()[-1] == 9 - START_DELAY
    for number in range(100, 110):
        line.run([packet(number, 9, 9)])
    assert line.numbers()[-8:] == list(range(102 - START_DELAY, 110 - START_DELAY))


@pytest.mark.parametrize("frames", [3, 65])
def test_the_size_is_checked(frames: int) -> None:
    with pytest.raises(ValueError, match="4 to 64 frames"):
        JitterBuffer(1, frames)


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    sequence=st.sampled_from([0, 65530, 32760]),
    timestamp=st.sampled_from([0, 2**32 - 800, 2**31 - 800]),
    jitter=st.floats(0.0, 8.0),
)
def test_any_network(data: st.DataObject, sequence: int, timestamp: int, jitter: float) -> None:
    """Loss, repetition, jitter, and then a gap of any length; at last the network is good again."""
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    loss, repeated = data.draw(st.floats(0.0, 0.5)), data.draw(st.floats(0.0, 0.3))
    rough, gap, good = data.draw(st.integers(0, 120)), data.draw(st.integers(0, 200)), 60
    due: dict[int, list[Packet]] = {}
    for number in range(rough):
        for _ in range((random.random() >= loss) + (random.random() < repeated)):
            due.setdefault(int(number + random.uniform(0.0, jitter)), []).append(
                packet(number, sequence, timestamp)
            )
    begin = rough + gap + 10
    sent_at = {number: number for number in range(rough)}
    for number in range(rough + gap, rough + gap + good):
        due.setdefault(begin + number - rough - gap, []).append(packet(number, sequence, timestamp))
        sent_at[number] = begin + number - rough - gap
    line = Line()
    for tick in range(begin + good):
        line.run(due.get(tick, []))
        assert int(line.buffer.delay_frames(np.array([0]))[0]) <= DEPTH
    numbers = line.numbers()
    assert numbers == sorted(set(numbers)), "in order, none twice"
    for tick, number in line.played[0]:
        assert tick - sent_at[number] <= DEPTH + 8 + START_DELAY, (
            "delay bounded by the ring and the network's own"
        )
    recovered = [number for number in numbers if number >= rough + gap]
    assert recovered[-1] >= rough + gap + good - DEPTH
    assert len(recovered) >= good - DEPTH
    buffer = line.buffer
    accepted = buffer.received[0] - buffer.late[0] - buffer.duplicated[0]
    assert len(numbers) <= accepted


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), near=st.booleans())
def test_hostile_packets(seed: int, near: bool) -> None:
    """Arbitrary numbers, floods of one slot: no error, and the books stay right."""
    random = np.random.default_rng(seed)
    buffer = JitterBuffer(5, 8)
    for _ in range(25):
        count = int(random.integers(0, 50))
        slots = random.integers(0, 4, count).astype(np.intp)
        span = (40, 40 * 160) if near else (2**16, 2**32)
        buffer.put(
            slots,
            random.integers(0, span[0], count).astype(np.uint16),
            random.integers(0, span[1], count).astype(np.uint32),
            np.zeros((count, 160), dtype=np.uint8),
        )
        chosen = np.flatnonzero(random.random(5) < 0.9)
        frames, present = buffer.get(chosen)
        assert frames.shape == (len(chosen), 160)
        assert not present[chosen == 4].any()
        waiting = buffer.delay_frames(np.arange(5))
        assert (waiting >= 0).all()
        assert (waiting <= 8).all()


@pytest.mark.parametrize("ppm", [-1000, -300, 300, 1000])
def test_clocks_that_differ(ppm: int) -> None:
    """The delay does not grow with the hours: frames are skipped, or a tick has none, as it must be."""
    line, due = Line(), 0.0
    step = 1.0 + ppm * 1e-6
    number = 0
    for tick in range(12_000):
        group = []
        while due <= tick:
            group.append(packet(number))
            number, due = number + 1, due + step
        line.run(group)
        assert line.buffer.delay_frames(np.array([0]))[0] <= 3
    assert len(line.numbers()) >= 0.985 * number
    assert line.numbers() == sorted(set(line.numbers()))
    assert line.buffer.resyncs[0] == 0


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_packets_of_many_frames(frames: int) -> None:
    """40, 60, 100 ms: what comes at once is played one after the other, without holes once it is known."""
    line = Line()
    for number in range(0, 600, frames):
        line.run(packet(number + at) for at in range(frames))
        for _ in range(frames - 1):
            line.run()
    gaps = np.diff(line.numbers()[60:]) - 1
    assert gaps.sum() <= 1, "one frame may be skipped, as the first was held back"
    assert line.buffer.delay_frames(np.array([0]))[0] <= frames


def test_a_longer_way_costs_few_packets_and_a_shorter_one_no_lasting_delay() -> None:
    line, due = Line(), {}
    for number in range(2600):
        way = 6 if 700 <= number < 1400 else 0
        due.setdefault(number + way, []).append(packet(number))
    for tick in range(2600):
        line.run(due.get(tick, []))
    played = line.numbers()
    assert len([number for number in played if 700 <= number < 1400]) >= 690
    assert played == sorted(set(played))
    assert line.played[0][-1][0] - played[-1] <= 1, "the delay is back where it was"


def test_a_restart_forgets_the_source_and_not_the_counters() -> None:
    line = Line()
    for number in range(20):
        line.run([packet(number)])
    line.buffer.restart(np.array([0]))
    for number in range(100, 120):
        line.run([packet(number, 777, 123_456)])
    after = [number for number in line.numbers() if number >= 100]
    assert after == list(range(100, 120 - START_DELAY))
    assert line.buffer.received[0] == 40 and line.buffer.resyncs[0] == 0


def test_what_is_late_is_waited_for_if_nothing_else_was_played() -> None:
    """A packet that comes a tick late is played all the same, and so is all that follows."""
    line = Line()
    for number in range(10):
        line.run([packet(number)])
    line.run()
    line.run([packet(11), packet(10)])
    for number in range(12, 30):
        line.run([packet(number)])
    assert line.numbers()[:25] == list(range(25))
    assert (line.buffer.late[0], line.buffer.lost[0]) == (0, 0)


def test_packets_that_overtake_others_make_the_delay_grow() -> None:
    """One in ten comes three frames late, after its successors: it cannot be waited for when it is noticed,
    so the delay has to be long enough before."""
    line, random, due = Line(), np.random.default_rng(4), {}
    for number in range(4000):
        due.setdefault(number + 3 * int(random.random() < 0.1), []).append(packet(number))
    for tick in range(4000):
        line.run(due.get(tick, []))
    late = [number for number in range(2000, 3990) if number not in set(line.numbers())]
    assert len(late) < 0.02 * 1990
