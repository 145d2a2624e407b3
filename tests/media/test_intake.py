"""What waits for the tick is put into the jitter buffers as if it had not waited."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media.intake import LARGE, ROOM, Intake
from media.jitter import JitterBuffer
from media.packet import HEADER_BYTES, STRIDE

LEGS = 4


class Bench:
    """An intake; `at_once` settles after every batch, as if nothing waited."""

    def __init__(self, at_once: bool, capacity: int = LEGS) -> None:
        self.jitter = JitterBuffer(capacity)
        self.intake = Intake(capacity, self.jitter)
        self.at_once = at_once

    def put(self, *packets: tuple[int, int, int, int]) -> None:
        """One batch: leg, number of the packet, samples, stream; all different legs."""
        data = np.zeros((len(packets), STRIDE), np.uint8)
        for row, (leg, number, samples, _) in enumerate(packets):
            data[row, HEADER_BYTES : HEADER_BYTES + samples] = (leg * 64 + number) % 256
        legs, numbers, sizes, streams = (np.array(column) for column in zip(*packets, strict=True))
        self.intake.put(
            legs.astype(np.intp),
            np.arange(len(packets)),
            (sizes + HEADER_BYTES).astype(np.int32),
            (numbers * 160).astype(np.uint32),
            data,
            streams.astype(np.int64),
        )
        data[:] = 0  # the shell uses it again
        if self.at_once:
            self.intake.settle()

    def get(self) -> list[list[int] | None]:
        """20 ms of every leg."""
        self.intake.settle()
        frames, present = self.jitter.get(np.arange(LEGS))
        return [frame.tolist() if there else None for frame, there in zip(frames, present, strict=True)]


STEP = st.one_of(
    st.just("tick"),
    st.dictionaries(
        st.integers(0, LEGS - 1),
        st.tuples(
            st.integers(-1, 2), st.sampled_from([160] * 8 + [80, 240]), st.sampled_from([0] * 20 + [1])
        ),
        min_size=1,
    ),
    st.tuples(st.sampled_from(["begin", "reset"]), st.integers(0, LEGS - 1)),
)


@given(st.lists(STEP, max_size=60))
def test_to_wait_changes_nothing_that_is_heard(steps: list[object]) -> None:
    benches = [Bench(at_once=False), Bench(at_once=True)]
    numbers, streams = [0] * LEGS, [0] * LEGS
    for step in steps:
        if step == "tick":
            heard = [bench.get() for bench in benches]
            assert heard[0] == heard[1]
        elif isinstance(step, dict):
            batch = []
            for leg, (ahead, samples, change) in step.items():
                numbers[leg] += ahead
                streams[leg] += change
                batch.append((leg, 100 + numbers[leg], samples, streams[leg]))
            for bench in benches:
                bench.put(*batch)
        elif isinstance(step, tuple):
            for bench in benches:
                getattr(bench.intake, step[0])(step[1])


def test_packets_of_a_tick_keep_their_order_and_their_payloads() -> None:
    bench = Bench(at_once=False)
    bench.put((0, 1, 160, 0), (1, 1, 160, 0))  # the first of their streams do not wait, as they begin one
    for number in (2, 3, 4):
        bench.put((1, number, 160, 0), (0, number, 160, 0))
    heard = [bench.get() for _ in range(4)]
    assert [frames[0] for frames in heard] == [[number] * 160 for number in (1, 2, 3, 4)]
    assert [frames[1] for frames in heard] == [[64 + number] * 160 for number in (1, 2, 3, 4)]


def test_what_waits_of_a_leg_is_not_heard_of_the_next_one_in_its_slot() -> None:
    bench = Bench(at_once=False)
    bench.put((0, 1, 160, 0))
    bench.put((0, 2, 160, 0))
    bench.intake.reset(0)
    assert bench.get()[0] is None


def test_room_and_large_batches() -> None:
    """Nothing is lost where more comes in a tick than there is room for."""
    bench = Bench(at_once=False, capacity=LARGE + 1)
    legs = range(LARGE + 1)
    bench.put(*((leg, 1, 160, 0) for leg in legs))
    bench.put(*((leg, 2, 160, 0) for leg in legs[:LARGE]))
    few = legs[: LARGE // 2]
    rounds = 2 * ROOM // len(few)
    for number in range(3, 3 + rounds):
        bench.put(*((leg, number, 160, 0) for leg in few))
    bench.intake.settle()
    assert bench.jitter.received[: len(few)].tolist() == [2 + rounds] * len(few)
    assert bench.jitter.received[len(few) :].tolist() == [2] * (LARGE - len(few)) + [1]
