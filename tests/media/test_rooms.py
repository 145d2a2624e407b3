"""Rooms in the engine: who is relayed, who gets a mix, and what is in it, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.g711 import DECODE, encode
from media.messages import (
    Connect,
    Digit,
    Disconnect,
    Join,
    Leave,
    Play,
    Played,
    Record,
    Recorded,
    RecordFailed,
    RecordRoom,
    Release,
    SendDigits,
    StopRecord,
)
from media.packet import I16
from tests.support.audio import read_wav
from tests.support.rtp import EngineBench, Phone

ROOM = 7
TICKS = 12  # enough for every jitter buffer to play


@pytest.fixture
def bench() -> Iterator[EngineBench]:
    made = EngineBench()
    yield made
    made.close()


def phones(bench: EngineBench, count: int) -> list[Phone]:
    """Phones 1 to `count`; every second one speaks A-law. They latch quietly: a room that was loud is turned
    down for a while."""
    made = [
        bench.phone(leg, f"10.1.0.{leg}", 5000 + leg, codec="PCMA" if leg % 2 else "PCMU", latched=False)
        for leg in range(1, count + 1)
    ]
    for phone in made:
        phone.talk(bytes([code(phone)]) * 160)
    return made


def value(phone: Phone) -> int:
    """What this phone always says, as a sample: 1000, 2000, 4000 ..."""
    return int(DECODE[law(phone), code(phone)])


def law(phone: Phone) -> int:
    return 1 if phone.payload_type == 8 else 0


def code(phone: Phone) -> int:
    return int(encode(np.array([500 << phone.leg], np.int16), law(phone))[0])


def coded(phone: Phone, sample: int) -> int:
    """The sample as the phone would get it."""
    return int(encode(np.array([sample], np.int16), law(phone))[0])


def talk(bench: EngineBench, all_of_them: list[Phone], ticks: int = TICKS) -> tuple[list[int], list[int]]:
    """Everybody says his value for a while. The codes that each then hears steadily (-1: nothing), relayed
    and in ticks."""
    for _ in range(ticks):
        relayed = bench.receive(*(phone.next(bytes([code(phone)]) * 160) for phone in all_of_them))
        own = bench.tick()
    heard = []
    for sent in (relayed, own):
        found = [phone.hears(sent) for phone in all_of_them]
        assert all(len(one) <= 1 for one in found)
        heard.append([one[0].payload[80] if one else -1 for one in found])
    return heard[0], heard[1]


def mix(listener: Phone, *speakers: Phone) -> int:
    return coded(listener, sum(value(speaker) for speaker in speakers))


def test_two_in_a_room_are_bridged(bench: EngineBench) -> None:
    a, b = phones(bench, 2)
    bench.do(Join(1, ROOM), Join(2, ROOM))
    relayed, own = talk(bench, [a, b])
    assert relayed == [mix(a, b), mix(b, a)] and own == [-1, -1]


def test_three_hear_the_others_and_not_themselves(bench: EngineBench) -> None:
    a, b, c = all_three = phones(bench, 3)
    bench.do(*(Join(leg, ROOM) for leg in (1, 2, 3)))
    relayed, own = talk(bench, all_three)
    assert relayed == [-1, -1, -1]
    assert own == [mix(a, b, c), mix(b, a, c), mix(c, a, b)]


def test_the_last_two_are_relayed_again(bench: EngineBench) -> None:
    a, b, c = all_three = phones(bench, 3)
    bench.do(Connect(1, 2), *(Join(leg, ROOM) for leg in (1, 2, 3)))
    talk(bench, all_three)
    bench.do(Leave(3))
    relayed, own = talk(bench, all_three)
    assert relayed == [mix(a, b), mix(b, a), -1] and own == [-1, -1, -1]
    bench.do(Release(1))
    relayed, own = talk(bench, [b, c])
    assert relayed == [-1, -1] and own == [coded(b, 0), -1]  # alone in a room: silence


def test_the_stream_of_a_leg_goes_on_through_relay_and_mix(bench: EngineBench) -> None:
    a, b, c = phones(bench, 3)
    bench.do(Connect(1, 2))
    got = []
    for step in range(60):
        if step == 20:
            bench.do(*(Join(leg, ROOM) for leg in (1, 2, 3)))
        if step == 40:
            bench.do(Leave(3))
        got += a.hears(bench.receive(a.next(), b.next(), c.next()))
        got += a.hears(bench.tick())
    assert [one.sequence for one in got] == [got[0].sequence + at for at in range(len(got))]
    assert len({one.ssrc for one in got}) == 1
    stamps = np.array([one.timestamp for one in got])
    assert (np.diff(stamps) >= 160).all()
    assert stamps[-1] - stamps[0] <= 62 * 160


def test_a_silent_listener_leaves_the_two_on_the_relay(bench: EngineBench) -> None:
    a, b, boss = everybody = phones(bench, 3)
    bench.do(Join(1, ROOM), Join(2, ROOM), Join(3, ROOM, heard_by=()))
    relayed, own = talk(bench, everybody)
    assert relayed == [mix(a, b), mix(b, a), -1]
    assert own == [-1, -1, mix(boss, a, b)]


def test_a_whisper_is_heard_by_one_side_and_barging_by_both(bench: EngineBench) -> None:
    caller, agent, boss = everybody = phones(bench, 3)
    bench.do(Join(1, ROOM), Join(2, ROOM), Join(3, ROOM, heard_by=(2,)))
    relayed, own = talk(bench, everybody)
    assert relayed == [mix(caller, agent), -1, -1]
    assert own == [-1, mix(agent, caller, boss), mix(boss, caller, agent)]
    bench.do(Join(3, ROOM))
    relayed, own = talk(bench, everybody)
    assert relayed == [-1, -1, -1]
    assert own[:2] == [mix(caller, agent, boss), mix(agent, caller, boss)]
    bench.do(Join(3, ROOM, heard_by=()))
    relayed, own = talk(bench, everybody)
    assert relayed == [mix(caller, agent), mix(agent, caller), -1]


def test_who_is_muted_is_heard_by_nobody(bench: EngineBench) -> None:
    a, b, c = everybody = phones(bench, 3)
    bench.do(Join(1, ROOM), Join(2, ROOM, muted=True), Join(3, ROOM))
    relayed, own = talk(bench, everybody)
    heard = [max(pair) for pair in zip(relayed, own, strict=True)]
    assert heard == [mix(a, c), mix(b, a, c), mix(c, a)]
    bench.do(Join(1, ROOM, muted=True), Join(3, ROOM, muted=True))
    relayed, own = talk(bench, everybody)
    assert relayed == [-1, -1, -1] and own == [coded(phone, 0) for phone in everybody]


def test_two_of_whom_one_is_muted(bench: EngineBench) -> None:
    a, b = both = phones(bench, 2)
    bench.do(Join(1, ROOM), Join(2, ROOM, muted=True))
    relayed, own = talk(bench, both)
    assert relayed == [-1, -1] and own == [coded(a, 0), mix(b, a)]


def test_gain_and_deafness(bench: EngineBench) -> None:
    a, b = both = phones(bench, 2)
    bench.do(Join(1, ROOM, gain_db=20.0), Join(2, ROOM))
    relayed, own = talk(bench, both)
    assert relayed == [mix(a, b), -1] and own == [-1, coded(b, 10 * value(a))]
    bench.do(Join(1, ROOM, hears=False), Join(2, ROOM))
    relayed, own = talk(bench, both)
    assert relayed == [-1, -1] and own == [coded(a, 0), mix(b, a)]


def test_two_who_whisper_to_each_other_beside_a_silent_listener(bench: EngineBench) -> None:
    a, b, c = everybody = phones(bench, 3)
    bench.do(Join(1, ROOM, heard_by=(2,)), Join(2, ROOM, heard_by=(1,)), Join(3, ROOM, heard_by=()))
    relayed, own = talk(bench, everybody)
    assert relayed == [mix(a, b), mix(b, a), -1] and own == [-1, -1, coded(c, 0)]


def test_rooms_are_apart_and_a_leg_is_in_one(bench: EngineBench) -> None:
    a, b, c, d = everybody = phones(bench, 4)
    bench.do(Connect(1, 2), Join(1, 5), Join(2, 5), Join(3, 6), Join(4, 6), Join(1, 6))
    relayed, own = talk(bench, everybody)
    assert relayed == [-1] * 4
    assert own == [mix(a, c, d), coded(b, 0), mix(c, a, d), mix(d, a, c)]
    bench.do(Connect(1, 2), Disconnect(1))
    relayed, own = talk(bench, everybody)
    assert relayed == [-1, -1, mix(c, d), mix(d, c)] and own == [-1] * 4


def test_what_is_played_is_heard_beside_the_mix(bench: EngineBench) -> None:
    everybody = phones(bench, 3)
    a, b, c = everybody
    bench.do(*(Join(leg, ROOM) for leg in (1, 2, 3)))
    talk(bench, everybody)
    bench.do(Play(1, 9, ("tone:beep",)))
    _, own = talk(bench, everybody, 6)
    assert own[0] != mix(a, b, c) and own[1:] == [mix(b, a, c), mix(c, a, b)]
    _, own = talk(bench, everybody, 30)
    assert own[0] == mix(a, b, c)
    assert bench.take(Played) == [Played(1, 9, "finished")]


def test_keys_are_heard_of_members_and_sent_to_them(bench: EngineBench) -> None:
    everybody = phones(bench, 3)
    a, b, _ = everybody
    bench.do(*(Join(leg, ROOM) for leg in (1, 2, 3)))
    talk(bench, everybody)
    bench.receive(a.key(5, 160, a.timestamp), a.key(5, 800, a.timestamp, end=True))
    assert bench.take(Digit) == [Digit(1, "5", "rfc4733")]
    bench.do(SendDigits(2, "1"))
    got = [one for one in b.hears(bench.tick(12)) if one.payload_type == 101]
    assert len(got) > 3
    talk(bench, everybody)
    stamps = [one.sequence for one in b.hears(bench.tick(3))]
    assert len(stamps) == 3


@pytest.mark.parametrize(
    ("how", "by_b", "by_c"),
    [
        (Join(1, ROOM, keys=True), 1, 1),
        (Join(1, ROOM), 0, 0),
        (Join(1, ROOM, heard_by=(3,), keys=True), 0, 1),
        (Join(1, ROOM, muted=True, keys=True), 0, 0),
    ],
)
def test_keys_pass_a_mix_where_they_may(bench: EngineBench, how: Join, by_b: int, by_c: int) -> None:
    everybody = phones(bench, 3)
    a = everybody[0]
    bench.do(how, Join(2, ROOM), Join(3, ROOM))
    talk(bench, everybody)
    bench.receive(a.key(5, 160, a.timestamp), a.key(5, 800, a.timestamp, end=True))
    assert bench.take(Digit) == [Digit(1, "5", "rfc4733")]
    sent = bench.tick(12)
    pressed = [
        {(one.timestamp, one.payload[0]) for one in phone.hears(sent) if one.payload_type == 101}
        for phone in everybody
    ]
    assert [len(one) for one in pressed] == [0, by_b, by_c]
    assert {code for one in pressed for _, code in one} <= {5}


def test_a_key_that_passes_a_mix_is_a_tone_for_who_has_no_events(bench: EngineBench) -> None:
    a, b = phones(bench, 2)
    bench.phone(3, "10.1.0.3", 5003, events=None)
    bench.do(Join(1, ROOM, keys=True), Join(2, ROOM), Join(3, ROOM))
    talk(bench, [a, b])
    bench.receive(a.key(9, 160, a.timestamp), a.key(9, 800, a.timestamp, end=True))
    heard = [one.payload for one in bench.tick(8) if one.address == "10.1.0.3"]
    samples = DECODE[0][np.frombuffer(b"".join(heard), np.uint8)]
    spectrum = np.abs(np.fft.rfft(samples[160:-160] * np.hanning(samples.size - 320)))
    hz = np.fft.rfftfreq(samples.size - 320, 1 / 8000)
    loudest = hz[np.argsort(spectrum)[-8:]]
    assert any(abs(loudest - 852) < 15) and any(abs(loudest - 1477) < 15)


def test_a_leg_without_rtp_does_not_stop_the_others(bench: EngineBench) -> None:
    a, b, _ = everybody = phones(bench, 3)
    bench.do(*(Join(leg, ROOM) for leg in (1, 2, 3)))
    talk(bench, everybody)
    _, own = talk(bench, [a, b])
    assert own == [mix(a, b), mix(b, a)]  # the third has faded away


def samples_of(path: Path) -> I16:
    _, channels = read_wav(path)
    found: I16 = np.rint(channels * 32768.0).astype(np.int16)
    return found


def test_a_room_is_recorded_as_all_hear_it(bench: EngineBench, tmp_path: Path) -> None:
    a, b = both = phones(bench, 2)
    path = tmp_path / "room.wav"
    bench.do(Join(1, ROOM), Join(2, ROOM), RecordRoom(4, ROOM, str(path)))
    relayed, own = talk(bench, both, 50)
    assert relayed == [-1, -1] and own == [mix(a, b), mix(b, a)]
    bench.do(StopRecord(4))
    relayed, _ = talk(bench, both)
    assert relayed == [mix(a, b), mix(b, a)]
    bench.close()
    [done] = bench.take(Recorded)
    assert isinstance(done, Recorded) and done.duration_ms == 1000
    [sound] = samples_of(path)
    assert sound[-1] == value(a) + value(b)


def test_a_talk_is_recorded_with_all_whom_the_caller_hears(bench: EngineBench, tmp_path: Path) -> None:
    caller, agent, boss = everybody = phones(bench, 3)
    path = tmp_path / "talk.wav"
    bench.do(Join(1, ROOM), Join(2, ROOM), Join(3, ROOM, heard_by=(2,)), Record(4, 1, 2, str(path)))
    talk(bench, everybody, 25)
    bench.do(Join(3, ROOM))
    talk(bench, everybody, 25)
    bench.do(StopRecord(4))
    bench.close()
    left, right = samples_of(path)
    assert left[3999] == value(caller) == left[-1]
    assert right[3999] == value(agent)  # the whisper is not for the caller
    assert right[-1] == value(agent) + value(boss)


def test_a_recording_of_a_room_that_cannot_be_made(bench: EngineBench) -> None:
    a, b = both = phones(bench, 2)
    bench.do(Join(1, ROOM), Join(2, ROOM))
    [failed] = bench.do(RecordRoom(4, ROOM, "relative.wav"))
    assert isinstance(failed, RecordFailed)
    bench.take(RecordFailed)
    bench.do(RecordRoom(5, ROOM, "/proc/nowhere/room.wav"))
    for _ in range(200):
        talk(bench, both, 5)
        if bench.take(RecordFailed):
            break
        bench.recorder.flush(1.0)
    else:
        raise AssertionError("the disk's refusal was not told")
    relayed, _ = talk(bench, both)
    assert relayed == [mix(a, b), mix(b, a)]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_history_of_rooms(data: st.DataObject) -> None:
    """However legs join, leave, are muted, bridged and released: each hears exactly those whom the rules
    say."""
    bench = EngineBench()
    everybody = phones(bench, 5)
    rooms: dict[int, dict[int, tuple[frozenset[int] | None, bool]]] = {1: {}, 2: {}}
    bridges: dict[int, int] = {}

    def part(leg: int) -> None:
        for members in rooms.values():
            members.pop(leg, None)
        other = bridges.pop(leg, None)
        if other is not None:
            bridges.pop(other, None)

    steps = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(["join", "join", "join", "leave", "connect"]),
                st.integers(1, 5),
                st.integers(1, 5),
                st.sampled_from([1, 1, 2]),
                st.one_of(st.none(), st.frozensets(st.integers(1, 5), max_size=2)),
                st.booleans(),
            ),
            min_size=3,
            max_size=12,
        )
    )
    for kind, leg, other, room, heard_by, muted in steps:
        if kind == "join":
            if leg not in rooms[room]:
                part(leg)
            rooms[room][leg] = (heard_by, muted)
            bench.do(Join(leg, room, None if heard_by is None else tuple(heard_by), muted=muted))
        elif kind == "leave":
            for members in rooms.values():
                members.pop(leg, None)
            bench.do(Leave(leg))
        elif leg != other:
            part(leg)
            part(other)
            bridges[leg], bridges[other] = other, leg
            bench.do(Connect(leg, other))
    relayed, own = talk(bench, everybody, 25)
    for phone, at_once, ticked in zip(everybody, relayed, own, strict=True):
        members = next((one for one in rooms.values() if phone.leg in one), {})
        assert at_once == -1 or ticked == -1
        if not members:
            partner = bridges.get(phone.leg)
            expected = -1 if partner is None else mix(phone, everybody[partner - 1])
        else:
            sources = [
                everybody[leg - 1]
                for leg, (heard_by, muted) in members.items()
                if leg != phone.leg and not muted and (heard_by is None or phone.leg in heard_by)
            ]
            expected = mix(phone, *sources)
        assert max(at_once, ticked) == expected
    bench.close()


def test_rooms_without_members_do_not_use_up_the_worker(tmp_path: Path) -> None:
    bench = EngineBench(capacity=2)
    try:
        a = bench.phone(1)
        for number in (1, 2):
            assert not bench.do(RecordRoom(number, number, str(tmp_path / f"{number}.wav")))
        [failed] = bench.do(RecordRoom(3, 3, str(tmp_path / "3.wav")))
        assert isinstance(failed, RecordFailed) and "capacity" in failed.reason
        assert not bench.do(Join(1, 4)) and a.leg == 1
        bench.do(StopRecord(2), RecordRoom(3, 3, str(tmp_path / "3.wav")))
        bench.tick()
    finally:
        bench.close()
