"""Playing: every leg hears its own frames in its own law, to the end or for ever."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from media.clips import Clip
from media.errors import ClipError
from media.player import MAX_CLIPS, FramePool, Player


def clip(mark: int, frames: int) -> Clip:
    """Frame i of a clip holds (law, mark, i) in its first octets."""
    data = np.zeros((2, frames, 160), dtype=np.uint8)
    data[0, :, 0], data[1, :, 0] = 0, 1
    data[:, :, 1] = mark
    data[:, :, 2] = np.arange(frames)
    return Clip(data, frames * 20)


LAWS = np.array([0, 1, 0, 1], dtype=np.uint8)


def hear(player: Player) -> tuple[dict[int, tuple[int, int, int]], list[tuple[int, int]]]:
    batch = player.tick(LAWS)
    return {
        s: tuple(f[:3].tolist()) for s, f in zip(batch.slots.tolist(), batch.frames, strict=True)
    }, batch.finished


def test_a_list_once() -> None:
    player = Player(4, 1 << 20)
    player.play(1, 77, [clip(5, 2), clip(6, 1)], loop=False)
    assert player.playing(1) == 77
    assert hear(player) == ({1: (1, 5, 0)}, [])
    assert hear(player) == ({1: (1, 5, 1)}, [])
    assert hear(player) == ({1: (1, 6, 0)}, [(1, 77)])
    assert hear(player) == ({}, [])
    assert player.playing(1) is None
    assert player.stop(1) is None


def test_a_loop_and_going_on_where_it_was_left() -> None:
    music = [clip(1, 2), clip(2, 3)]
    player = Player(4, 1 << 20)
    player.play(0, 1, music, loop=True)
    marks = [hear(player)[0][0][1:] for _ in range(8)]
    assert marks == [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (1, 0), (1, 1), (2, 0)]
    stopped = player.stop(0)
    assert stopped == (1, 3)
    player.play(0, 2, [clip(9, 1)], loop=False)
    assert hear(player) == ({0: (0, 9, 0)}, [(0, 2)])
    player.play(0, 3, music, loop=True, position=stopped[1])
    assert hear(player)[0][0] == (0, 2, 1)
    player.play(0, 4, music, loop=True, position=5 * 1000 + 4)
    assert hear(player)[0][0] == (0, 2, 2)
    player.play(0, 5, music, loop=False, position=10**9)
    assert hear(player) == ({0: (0, 2, 2)}, [(0, 5)])


def test_many_legs_with_one_clip_at_different_places() -> None:
    player, music = Player(4, 1 << 20), clip(3, 10)
    for slot in range(4):
        player.play(slot, slot, [music], loop=True, position=2 * slot)
    assert hear(player)[0] == {slot: (slot % 2, 3, 2 * slot) for slot in range(4)}
    assert player.active.all()


def test_the_same_clip_twice_in_a_list() -> None:
    player, beep = Player(4, 1 << 20), clip(4, 1)
    player.play(0, 1, [beep, beep], loop=False)
    assert [hear(player)[1] for _ in range(2)] == [[], [(0, 1)]]


@pytest.mark.parametrize("count", [0, MAX_CLIPS + 1])
def test_the_length_of_a_list_is_bounded(count: int) -> None:
    with pytest.raises(ClipError, match=f"list of {count} clips"):
        Player(1, 1 << 20).play(0, 1, [clip(1, 1)] * count, loop=False)


def test_a_full_pool_says_so_and_keeps_what_plays() -> None:
    player = Player(4, 10 * 320)
    player.play(0, 1, [clip(1, 6)], loop=True)
    with pytest.raises(ClipError, match="no room for a clip of 120 ms"):
        player.play(1, 2, [clip(2, 3), clip(3, 6)], loop=True)
    assert player.playing(1) is None
    assert hear(player)[0] == {0: (0, 1, 0)}
    player.play(1, 3, [clip(4, 4)], loop=True)
    assert hear(player)[0] == {0: (0, 1, 1), 1: (1, 4, 0)}
    player.stop(0)
    player.play(2, 4, [clip(5, 6)], loop=True)
    assert hear(player)[0] == {1: (1, 4, 1), 2: (0, 5, 0)}


def test_unused_clips_stay_until_their_room_is_needed() -> None:
    pool = FramePool(10 * 320)
    old, new, third = clip(1, 5), clip(2, 5), clip(3, 4)
    for each in (old, new):
        pool.acquire(each)
        pool.release(each)
    at = pool.row(new)
    pool.acquire(third)
    assert pool.row(new) == at, "the older one made room"
    with pytest.raises(KeyError):
        pool.row(old)


class Players(RuleBasedStateMachine):
    """A player beside the obvious one: a list of frames for each leg."""

    def __init__(self) -> None:
        super().__init__()
        self.player = Player(4, 60 * 320)
        self.clips = [clip(mark, 1 + mark * 3 % 8) for mark in range(12)]
        self.model: dict[int, tuple[int, list[tuple[int, int]], bool, int]] = {}
        self.next_id = 0

    @rule(
        slot=st.integers(0, 3),
        marks=st.lists(st.integers(0, 11), min_size=1, max_size=3),
        loop=st.booleans(),
        position=st.integers(0, 40),
    )
    def play(self, slot: int, marks: list[int], loop: bool, position: int) -> None:
        self.next_id += 1
        try:
            self.player.play(slot, self.next_id, [self.clips[mark] for mark in marks], loop, position)
        except ClipError:
            self.model.pop(slot, None)
            return
        frames = [(mark, at) for mark in marks for at in range(len(self.clips[mark]))]
        start = position % len(frames) if loop else min(position, len(frames) - 1)
        self.model[slot] = self.next_id, frames, loop, start

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.model)))
        play_id, _, _, position = self.model.pop(slot)
        assert self.player.stop(slot) == (play_id, position)

    @rule(ticks=st.integers(1, 5))
    def tick(self, ticks: int) -> None:
        for _ in range(ticks):
            expected, finished = {}, []
            for slot, (play_id, frames, loop, at) in sorted(self.model.items()):
                expected[slot] = int(LAWS[slot]), *frames[at]
                if at + 1 < len(frames) or loop:
                    self.model[slot] = play_id, frames, loop, (at + 1) % len(frames)
                else:
                    del self.model[slot]
                    finished.append((slot, play_id))
            assert hear(self.player) == (expected, finished)

    @invariant()
    def legs_agree(self) -> None:
        assert np.flatnonzero(self.player.active).tolist() == sorted(self.model)


TestPlayers = Players.TestCase
TestPlayers.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
