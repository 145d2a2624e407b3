"""The benchmarks of mixing, prompts and recording on a small scale: what they measure really happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from benchmarks import legs, mix, prompt, record
from media import mmsg
from media.messages import Command, Play

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not mmsg.AVAILABLE, reason="no sendmmsg on this system"),
]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legs, "QUICK_ROUNDS", 1)
    monkeypatch.setattr(legs, "QUICK_RUN_S", 0.5)
    monkeypatch.setattr(legs, "SETTLE_S", 0.2)


@pytest.mark.parametrize("size", [3, 5])
def test_every_member_of_a_room_hears_a_packet_each_tick(size: int) -> None:
    cost = legs.measure(15, lambda all_legs: mix.rooms_of(size, all_legs), quick=True)
    assert cost.sent == 15 * 25 and cost.missing < 0.2 and cost.percent > 0.0


def test_music_is_heard(tmp_path: Path) -> None:
    file = str(prompt.music(str(tmp_path)))

    def setup(all_legs: Sequence[int]) -> Iterator[Command]:
        return (Play(leg, leg, (file,), loop=True) for leg in all_legs)

    assert legs.measure(12, setup, quick=True).missing < 0.2


def test_calls_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "LEGS", 12)
    (row,) = record.run(quick=True)
    assert "(6 files" in row.note and row.loss is not None and row.loss < 0.2
