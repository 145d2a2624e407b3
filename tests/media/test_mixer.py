"""Single mix steps, sample by sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from media.mixer import MAX_SAMPLE, RAMP, RECOVERY, SPEAKERS, Mixer, Mixes, Plan, gain_of
from media.packet import I16

NOBODY = np.empty(0, np.intp), np.empty((0, 160), np.int16)


def plan_of(*rooms: int, **other: Any) -> Plan:
    """Rooms of so many members, all of whom speak and hear; slots 0, 1, 2 ..."""
    count = sum(rooms)
    given = {
        "speakers": np.arange(count),
        "gain": np.ones(len(other.get("speakers", range(count))), np.float32),
        "mixed": np.ones(count, np.bool_),
        **other,
    }
    return Plan(
        rooms=len(rooms), slots=np.arange(count), room=np.repeat(np.arange(len(rooms)), rooms), **given
    )


class Steps:
    """One mixer, step by step."""

    def __init__(self, capacity: int = 64) -> None:
        self.mixer = Mixer(capacity)

    def step(
        self, plan: Plan, speech: I16, whispers: I16 = NOBODY[1], played: tuple[Any, I16] = NOBODY
    ) -> Mixes:
        return self.mixer.mix(plan, plan.crowded(), np.arange(plan.rooms), speech, whispers, played)

    def heard(self, plan: Plan, speech: I16, *more: Any) -> I16:
        """What each member hears."""
        mixes = self.step(plan, speech, *more)
        assert (mixes.row >= 0).all()
        return mixes.samples[mixes.row]


def voices(*levels: int) -> I16:
    """A frame for each: a ramp of its own with this peak."""
    frames = [np.roll(np.linspace(-level, level, 160), 7 * at) for at, level in enumerate(levels)]
    return np.rint(np.array(frames)).astype(np.int16)


def settled(plan: Plan, speech: I16, *more: Any) -> Steps:
    """After the first step, in which everybody comes in softly."""
    steps = Steps()
    steps.step(plan, speech, *more)
    return steps


def test_three_hear_the_other_two_exactly() -> None:
    plan, said = plan_of(3), voices(1000, 2000, 3000)
    heard = settled(plan, said).heard(plan, said)
    assert (heard[0] == said[1] + said[2]).all()
    assert (heard[1] == said[0] + said[2]).all()
    assert (heard[2] == said[0] + said[1]).all()


def test_rooms_do_not_hear_each_other() -> None:
    plan, said = plan_of(2, 3, 1), voices(1000, 2000, 3000, 4000, 5000, 6000)
    heard = settled(plan, said).heard(plan, said)
    assert (heard[0] == said[1]).all() and (heard[1] == said[0]).all()
    assert (heard[2] == said[3] + said[4]).all()
    assert (heard[5] == 0).all()


def test_a_voice_comes_in_within_five_milliseconds() -> None:
    plan, said = plan_of(2), np.full((2, 160), 8000, np.int16)
    heard = Steps().heard(plan, said)[1]
    assert heard[0] == 8000 // RAMP
    assert (np.diff(heard[:RAMP].astype(int)) == 8000 // RAMP).all()
    assert (heard[RAMP - 1 :] == 8000).all()


def test_gain_is_in_decibels() -> None:
    gain = np.array([gain_of(6.0), 1.0], np.float32)
    plan, said = plan_of(2, gain=gain), voices(4000, 4000)
    heard = settled(plan, said).heard(plan, said)
    assert (heard[1] == np.rint(said[0] * np.float32(gain_of(6.0)))).all()
    assert (heard[0] == said[1]).all()


def test_a_change_of_gain_is_no_step() -> None:
    plan, said = plan_of(2), np.full((2, 160), 8000, np.int16)
    steps = settled(plan, said)
    heard = steps.heard(plan_of(2, gain=np.array([0.5, 1.0], np.float32)), said)[1].astype(int)
    assert np.abs(np.diff(np.concatenate(([8000], heard)))).max() == 4000 // RAMP
    assert heard[-1] == 4000


def test_who_only_listens_gets_what_is_said_to_all_and_adds_nothing() -> None:
    plan = plan_of(3, speakers=np.array([0, 1]))
    said = voices(1000, 2000)
    mixes = settled(plan, said).step(plan, said)
    assert (mixes.samples[mixes.row[2]] == said[0] + said[1]).all()
    assert (mixes.samples[mixes.row[0]] == said[1]).all()


def test_a_whisper_reaches_one_member_alone() -> None:
    plan = plan_of(
        3,
        speakers=np.array([0, 1]),
        whispers_from=np.array([2]),
        whispers_to=np.array([1]),
        whisper_gain=np.ones(1, np.float32),
    )
    said, secret = voices(1000, 2000), voices(500)
    heard = settled(plan, said, secret).heard(plan, said, secret)
    assert (heard[0] == said[1]).all()
    assert (heard[1] == said[0] + secret[0]).all()
    assert (heard[2] == said[0] + said[1]).all()


def test_two_whispers_to_one_add_up() -> None:
    plan = plan_of(
        3,
        speakers=np.array([0]),
        whispers_from=np.array([1, 2]),
        whispers_to=np.array([0, 0]),
        whisper_gain=np.array([1.0, 0.5], np.float32),
    )
    secrets = voices(1000, 2000)
    heard = settled(plan, voices(100), secrets).heard(plan, voices(100), secrets)
    assert (heard[0] == secrets[0] + np.rint(secrets[1] * 0.5)).all()


def test_what_is_played_to_a_member_is_heard_by_him_beside_the_mix() -> None:
    plan, said = plan_of(3, speakers=np.array([0, 1])), voices(1000, 2000)
    clip = voices(300)
    for member in range(3):
        heard = settled(plan, said).heard(plan, said, NOBODY[1], (np.array([member]), clip))
        expected = np.stack([said[1], said[0], said[0] + said[1]])
        expected[member] += clip[0]
        assert (heard == expected).all()


def test_who_is_deaf_hears_nothing_but_what_is_played_to_him() -> None:
    plan, said, clip = plan_of(3, deaf=np.array([2])), voices(1000, 2000, 3000), voices(300)
    heard = settled(plan, said).heard(plan, said)
    assert (heard[2] == 0).all() and (heard[0] == said[1] + said[2]).all()
    heard = settled(plan, said).heard(plan, said, NOBODY[1], (np.array([2]), clip))
    assert (heard[2] == clip[0]).all()


def test_those_who_hear_the_same_share_one_mix() -> None:
    plan = plan_of(50, speakers=np.arange(3))
    mixes = Steps().step(plan, voices(1000, 2000, 3000))
    assert len(mixes.samples) == 4
    assert len(set(mixes.row[3:].tolist())) == 1


def test_a_recorded_room_has_its_sum_though_everybody_speaks() -> None:
    plan, said = plan_of(2, 2, recorded=np.array([1])), voices(1000, 2000, 3000, 4000)
    mixes = settled(plan, said).step(plan, said)
    assert mixes.room_row[0] == -1
    assert (mixes.samples[mixes.room_row[1]] == said[2] + said[3]).all()


# ----- the loudest


def test_only_the_loudest_of_a_crowd_are_mixed() -> None:
    plan, said = plan_of(8), voices(100, 9000, 200, 8000, 300, 7000, 400, 6000)
    steps = settled(plan, said)
    heard = steps.heard(plan, said)
    loud = said[[1, 3, 5, 7]].astype(int).sum(axis=0)
    assert (heard[0] == loud).all()
    assert (heard[1] == loud - said[1]).all()


def test_a_speaker_keeps_his_turn_in_a_short_pause_and_loses_it_in_a_long_one() -> None:
    plan, said = plan_of(SPEAKERS + 1), voices(*([5000] * SPEAKERS), 1000)
    steps = settled(plan, said)
    said[0] = 0
    others = said[2:SPEAKERS].astype(int).sum(axis=0)  # what member 1 hears without the fifth
    assert (steps.heard(plan, said)[1] == others).all()
    for _ in range(40):
        heard = steps.heard(plan, said)[1]
    assert (heard == others + said[SPEAKERS]).all()


def test_equally_loud_speakers_do_not_take_turns() -> None:
    generator = np.random.default_rng(5)
    plan = plan_of(10)
    steps, mixed = Steps(), []
    for _ in range(100):
        said = generator.normal(0, 3000, (10, 160)).clip(-32768, 32767).astype(np.int16)
        steps.step(plan, said)
        mixed.append(tuple(np.flatnonzero(steps.mixer._was[:10] > 0)))
    assert len(set(mixed)) == 1


# ----- no clipping


def test_a_room_below_full_scale_is_not_touched() -> None:
    plan, said = plan_of(3), np.repeat(np.array([[16000], [16767], [0]], np.int16), 160, axis=1)
    steps = settled(plan, said)
    assert (steps.heard(plan, said)[2] == MAX_SAMPLE).all()


def test_a_loud_room_is_turned_down_as_a_whole_and_recovers() -> None:
    plan = plan_of(4)
    loud = np.stack([np.full(160, 30000)] * 3 + [np.full(160, 300)]).astype(np.int16)
    steps = settled(plan, loud)
    heard = steps.heard(plan, loud)
    assert heard.max() <= MAX_SAMPLE
    assert abs(int(heard[3][-1]) - MAX_SAMPLE) <= 1  # three times 30000, just below full scale
    assert abs(int(heard[0][-1]) - (60300 * MAX_SAMPLE / 90000)) <= 1  # and the rest in proportion
    quiet = voices(1000, 1000, 1000, 1000)
    first = steps.heard(plan, quiet)[3]
    assert np.abs(first).max() < 0.5 * np.abs(quiet[:3].astype(int).sum(axis=0)).max()
    for _ in range(round(8 / RECOVERY)):
        last = steps.heard(plan, quiet)[3]
    assert (last == quiet[:3].astype(int).sum(axis=0)).all()


def test_one_loud_room_does_not_turn_down_another() -> None:
    plan = plan_of(3, 3)
    said = np.concatenate([np.full((3, 160), 30000), np.full((3, 160), 1000)]).astype(np.int16)
    heard = settled(plan, said).heard(plan, said)
    assert (heard[3:] == 2000).all()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_mix(data: st.DataObject) -> None:
    """Of any rooms: nothing wraps or clips, nobody hears himself, the silent add nothing, and where the sum
    fits it is the sum."""
    sizes = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=5))
    count = sum(sizes)
    speak = np.flatnonzero(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    plan = plan_of(*sizes, speakers=speak)
    seed = data.draw(st.integers(0, 1 << 30))
    scale = data.draw(st.sampled_from([100, 3000, 32767]))
    generator = np.random.default_rng(seed)
    steps = Steps()
    for _ in range(4):
        said = generator.integers(-scale, scale, (speak.size, 160), endpoint=True).astype(np.int16)
        heard = steps.heard(plan, said).astype(int)
        everything = np.zeros((count, 160), int)
        everything[speak] = said
        assert np.abs(heard).max(initial=0) <= MAX_SAMPLE
    turned_down = (steps.mixer._limit[plan.room] < 1.0) | (plan_crowd(plan) > SPEAKERS)
    for member in np.flatnonzero(~turned_down):
        room = plan.room == plan.room[member]
        expected = everything[room].sum(axis=0) - everything[member]
        assert (heard[member] == expected).all()


def plan_crowd(plan: Plan) -> Any:
    """How many speak in the room of each member."""
    return np.bincount(plan.room[plan.speakers], minlength=plan.rooms)[plan.room]
