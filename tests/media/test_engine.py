"""The engine as a whole, moved by commands, batches and ticks: who hears what, in which stream."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.g711 import TRANSCODE, encode_ulaw
from media.listen import MAX_PACKETS_PER_LEG
from media.messages import (
    Allocate,
    Allocated,
    AllocateFailed,
    Connect,
    Digit,
    Disconnect,
    Latched,
    MediaLost,
    PauseRecord,
    Ping,
    Play,
    Played,
    Pong,
    Record,
    Recorded,
    RecordFailed,
    Release,
    Released,
    SendDigits,
    SetRemote,
    Stop,
    StopRecord,
)
from media.tone import keys
from tests.support.audio import read_wav
from tests.support.rtp import SOUND, Datagram, EngineBench, Phone, rtp


@pytest.fixture
def bench() -> Iterator[EngineBench]:
    made = EngineBench()
    yield made
    made.close()


def bridged(bench: EngineBench, **second: object) -> tuple[Phone, Phone]:
    a = bench.phone(1, "10.1.0.5", 5004)
    b = bench.phone(2, "10.1.0.6", 6004, **second)  # type: ignore[arg-type]
    bench.do(Connect(1, 2))
    return a, b


# ----- demultiplexing and latching


def test_latched_legs_share_a_port_and_do_not_mix(bench: EngineBench) -> None:
    phones = [bench.phone(leg, f"10.1.0.{leg}", 5004) for leg in range(1, 9)]
    assert {phone.local for phone in phones} == {40000}
    for a, b in zip(phones[::2], phones[1::2], strict=True):
        bench.do(Connect(a.leg, b.leg))
    sent = bench.receive(*(phone.next(bytes([phone.leg]) * 160) for phone in phones))
    assert len(sent) == 8
    for a, b in zip(phones[::2], phones[1::2], strict=True):
        assert [one.payload[0] for one in a.hears(sent)] == [b.leg]
        assert [one.payload[0] for one in b.hears(sent)] == [a.leg]


def test_same_remote_gets_different_ports(bench: EngineBench) -> None:
    """SIPp sends all its calls' media from one port."""
    phones = [bench.phone(leg, "10.1.0.5", 6000) for leg in range(1, 6)]
    assert len({phone.local for phone in phones}) == 5


def test_leg_of_unknown_remote_gets_a_port_of_its_own(bench: EngineBench) -> None:
    bench.phone(1)
    second = bench.phone(2, hint=False)
    third = bench.phone(3, "10.1.0.9", 7000, hint=False)
    assert len({40000, second.local, third.local}) == 3


def test_nat_latches_on_the_first_valid_packet_and_then_on_nothing_else(bench: EngineBench) -> None:
    a = bench.phone(1)
    b = bench.phone(2, "192.168.7.7", 5004, latched=False)
    bench.do(Connect(1, 2))
    before = bench.receive(a.next())
    assert [(one.address, one.remote_port) for one in before] == [("192.168.7.7", 5004)]
    wrong_type = Datagram(rtp(1, 160, 9, 96), b.local, "203.0.113.9", 1111)
    bench.receive(wrong_type)
    assert bench.take(Latched) == [Latched(1, "10.1.0.5", 5004)]
    heard = bench.receive(Datagram(rtp(1, 160, 9), b.local, "203.0.113.5", 33333))
    assert bench.take(Latched) == [Latched(2, "203.0.113.5", 33333)]
    assert len(a.hears(heard)) == 1
    assert [(one.address, one.remote_port) for one in a.talk()] == [("203.0.113.5", 33333)]
    assert bench.receive(Datagram(rtp(2, 320, 9), b.local, "203.0.113.6", 33333)) == []
    assert bench.receive(Datagram(rtp(2, 320, 9), b.local, "192.168.7.7", 5004)) == []


def test_nothing_latches_before_the_remote_is_known(bench: EngineBench) -> None:
    [answer] = bench.do(Allocate(1))
    assert isinstance(answer, Allocated)
    bench.receive(Datagram(rtp(1, 160, 9), answer.port, "203.0.113.5", 33333))
    assert bench.take(Latched) == []


def test_ghost_packets_of_a_dead_leg_do_not_latch_the_next(bench: EngineBench) -> None:
    a = bench.phone(1, "203.0.113.5", 4000)
    bench.do(Release(1))
    b = bench.phone(2, "192.168.7.7", 5004, latched=False)
    assert b.local == a.local
    a.talk()
    assert [one.leg for one in bench.take(Latched) if isinstance(one, Latched)] == [1]
    bench.receive(Datagram(rtp(1, 160, 9), b.local, "203.0.113.9", 33333))
    assert bench.take(Latched) == [Latched(2, "203.0.113.9", 33333)]


def test_changed_address_unlatches(bench: EngineBench) -> None:
    a, b = bridged(bench)
    moved = SetRemote(2, "10.1.0.77", 7000, 7001, "PCMU", 0, 101)
    bench.do(moved)
    bench.take(Latched)
    assert [(one.address, one.remote_port) for one in a.talk()] == [("10.1.0.77", 7000)]
    assert b.talk() == []  # still under way from the old place
    assert bench.take(Latched) == []
    heard = bench.receive(Datagram(rtp(1, 160, 77), b.local, "10.1.0.77", 7000))
    assert bench.take(Latched) == [Latched(2, "10.1.0.77", 7000)]
    assert len(a.hears(heard)) == 1


def test_the_latch_is_told_though_the_packet_is_not_believed_yet(bench: EngineBench) -> None:
    """The phone has moved and left many numbers out: the next packet confirms them, if one comes."""
    phone = bench.phone(1)
    bench.do(SetRemote(1, "10.1.0.7", 7000, 7001, "PCMU", 0, 101))
    bench.take(Latched)
    phone.address, phone.port, phone.sequence = "10.1.0.7", 7000, 20000
    phone.talk()
    assert bench.take(Latched) == [Latched(1, "10.1.0.7", 7000)]


def test_repeated_remote_keeps_the_latch(bench: EngineBench) -> None:
    a, b = bridged(bench)
    bench.do(b.remote)
    assert len(a.hears(b.talk())) == 1


# ----- hostile packets


def test_malformed_packets_are_dropped(bench: EngineBench) -> None:
    _, b = bridged(bench)
    good = rtp(1000, 160, b.ssrc)
    bad = [
        b"",
        b"\x80",
        good[:12],
        b"\x40" + good[1:],
        bytes([0x8F]) + good[1:40],  # 15 CSRCs do not fit
        bytes([0x90]) + good[1:12] + b"\0\0\xff\xff" + b"x" * 100,  # extension longer than the packet
        bytes([0xA0]) + good[1:-1] + b"\xff",  # padding longer than the packet
        bytes([0xA0]) + good[1:-1] + b"\0",  # padding of nothing
        good[:1] + bytes([96]) + good[2:],  # an unknown payload type
        good[:1] + bytes([200]) + good[2:],  # RTCP on the RTP port
    ]
    assert bench.receive(*(b.wrap(data) for data in bad)) == []


def test_padding_csrcs_and_extension_are_straightened(bench: EngineBench) -> None:
    a, b = bridged(bench)
    plain = rtp(b.sequence, b.timestamp, b.ssrc)
    head = bytes([0x80 | 0x20 | 0x10 | 2]) + plain[1:12]
    odd = head + b"c" * 8 + b"\0\0\0\1extn" + SOUND + b"\0\0\0\4"
    [sent] = a.hears(bench.receive(b.wrap(odd)))
    assert sent.data[0] == 0x80
    assert sent.payload == SOUND


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.binary(max_size=300)), max_size=40))
def test_nothing_that_arrives_raises(packets: list[tuple[bool, int, bytes]]) -> None:
    bench = EngineBench(capacity=8)
    try:
        a, b = bridged(bench, events=None)
        for looks_valid, offset, data in packets:
            full = (b"\x80\x00" + data) if looks_valid else data
            bench.receive(Datagram(full, (b.local & ~1) + offset, b.address, b.port))
        bench.tick(2)
        # Whatever it was, the leg's own stream goes on (two packets in a row confirm it).
        assert len(a.hears(bench.receive(b.next(), b.next(), b.next()))) >= 2
    finally:
        bench.close()


def test_flood_from_a_latched_source_is_bounded(bench: EngineBench) -> None:
    a, b = bridged(bench)
    assert len(a.hears(bench.receive(*(b.next() for _ in range(200))))) == MAX_PACKETS_PER_LEG


# ----- our streams


def steps(sent: list[Datagram]) -> list[tuple[int, int]]:
    return [
        ((y.sequence - x.sequence) & 0xFFFF, (y.timestamp - x.timestamp) & 0xFFFFFFFF)
        for x, y in pairwise(sent)
    ]


def test_stream_is_continuous_through_music_and_bridges(bench: EngineBench) -> None:
    a, b = bridged(bench)
    c = bench.phone(3, "10.1.0.7", 7004)
    heard: list[Datagram] = []

    def talk(phone: Phone, count: int) -> None:
        for _ in range(count):
            bench.now += 0.02
            heard.extend(a.hears(phone.talk()))

    talk(b, 5)
    bench.do(Play(1, 1, ("tone:ringback",), loop=True))
    heard += a.hears(bench.tick(5))
    bench.do(Connect(1, 3))
    talk(c, 5)
    bench.now += 1.0
    bench.do(Disconnect(1), Play(1, 2, ("tone:busy",), loop=True))
    heard += a.hears(bench.tick(5))
    bench.do(Connect(1, 2))
    talk(b, 5)
    assert len(heard) == 25
    assert len({one.ssrc for one in heard}) == 1
    assert {sequence for sequence, _ in steps(heard)} == {1}
    pauses = [samples for _, samples in steps(heard)]
    assert pauses.count(160) == 23 and max(pauses) in range(8000, 8321)
    assert [one.marker for one in heard].count(True) == 5


def test_loss_and_reordering_of_the_source_stay_visible(bench: EngineBench) -> None:
    a, b = bridged(bench)
    packets = [b.next() for _ in range(6)]
    sent = a.hears(bench.receive(*(packets[index] for index in (0, 2, 1, 4, 5))))
    first = sent[0].sequence
    assert [(one.sequence - first) & 0xFFFF for one in sent] == [0, 2, 1, 4, 5]
    assert (b.talk()[0].sequence - first) & 0xFFFF == 6


def test_new_ssrc_of_the_source_does_not_show(bench: EngineBench) -> None:
    a, b = bridged(bench)
    heard = a.hears(b.talk())
    b.ssrc, b.sequence, b.timestamp = 0xABCDEF, 60000, 12345
    bench.now += 0.02
    heard += a.hears(b.talk())
    assert steps(heard) == [(1, 160)]
    assert heard[0].ssrc == heard[1].ssrc


def test_laws_are_translated_by_table(bench: EngineBench) -> None:
    a, b = bridged(bench, codec="PCMA")
    [to_a] = a.hears(b.talk())
    assert to_a.payload_type == 0
    assert to_a.payload == TRANSCODE[1][np.frombuffer(SOUND, np.uint8)].tobytes()
    [to_b] = b.hears(a.talk())
    assert to_b.payload_type == 8
    assert to_b.payload == TRANSCODE[0][np.frombuffer(SOUND, np.uint8)].tobytes()


def test_hold_stops_one_direction_or_both(bench: EngineBench) -> None:
    a, b = bridged(bench)

    def hold(send: bool, receive: bool, address: str = "10.1.0.6") -> None:
        bench.do(SetRemote(2, address, 6004, 6005, "PCMU", 0, 101, send=send, receive=receive))

    hold(send=True, receive=False)
    assert b.talk() == [] and len(a.talk()) == 1
    hold(send=False, receive=False)
    assert b.talk() == [] and a.talk() == []
    hold(send=True, receive=True, address="0.0.0.0")
    assert a.talk() == []
    hold(send=True, receive=True)
    assert len(b.talk()) == 1 and len(a.talk()) == 1


def test_play_replaces_the_bridge_and_the_bridge_comes_back(bench: EngineBench) -> None:
    a, b = bridged(bench)
    bench.do(Play(1, 9, ("silence:60",)))
    assert b.talk() == [] and len(a.talk()) == 1
    assert len(a.hears(bench.tick(5))) == 3
    assert bench.take(Played) == [Played(1, 9, "finished")]
    assert len(a.hears(b.talk())) == 1


def test_every_play_gets_one_answer(bench: EngineBench) -> None:
    bench.phone(1)
    bench.do(
        Play(1, 1, ("tone:busy",), loop=True), Play(1, 2, ("/no/such.wav",)), Play(1, 3, ("silence:1000",))
    )
    bench.do(Stop(1), Stop(1), Play(1, 4, ("tone:busy",)), Release(1), Play(1, 5, ("tone:busy",)))
    answers = [(one.play, one.reason) for one in bench.take(Played) if isinstance(one, Played)]
    assert answers == [(1, "stopped"), (2, "failed"), (3, "stopped"), (4, "stopped")]


def test_failed_play_names_the_clip(bench: EngineBench) -> None:
    bench.phone(1)
    [answer] = bench.do(Play(1, 2, ("/no/such.wav",)))
    assert isinstance(answer, Played) and "/no/such.wav" in answer.detail


def test_nothing_is_heard_until_the_clip_is_there_and_the_bridge_is_silent_meanwhile(
    bench: EngineBench,
) -> None:
    a, b = bridged(bench)
    bench.slow_disk = True
    bench.do(Play(1, 9, ("silence:40", "tone:busy", "silence:40")))
    assert sorted(bench.needed) == ["silence:40", "tone:busy"]
    assert bench.tick(3) == [] and b.talk() == []
    bench.load()
    assert len(a.hears(bench.tick(2))) == 2
    bench.do(Stop(1))
    assert bench.take(Played) == [Played(1, 9, "stopped")]
    assert len(a.hears(b.talk())) == 1


def test_a_clip_that_two_legs_wait_for_is_needed_once(bench: EngineBench) -> None:
    a, b = bench.phone(1), bench.phone(2, "10.1.0.6", 6004)
    bench.slow_disk = True
    bench.do(Play(1, 1, ("silence:40",)), Play(2, 2, ("silence:40",)))
    assert bench.needed == ["silence:40"]
    bench.load()
    sent = bench.tick()
    assert len(a.hears(sent)) == len(b.hears(sent)) == 1


def test_a_play_that_ends_before_its_clip_is_there_is_not_heard(bench: EngineBench) -> None:
    a = bench.phone(1)
    bench.phone(2, "10.1.0.6", 6004)
    bench.slow_disk = True
    bench.do(Play(1, 1, ("tone:busy",)), Play(1, 2, ("/no/such.wav",)), Play(1, 3, ("silence:20",)))
    bench.do(Play(2, 4, ("tone:busy",)), Release(2))
    bench.load()
    assert len(a.hears(bench.tick(3))) == 1
    answers = [(one.play, one.reason) for one in bench.take(Played) if isinstance(one, Played)]
    assert answers == [(1, "stopped"), (2, "stopped"), (4, "stopped"), (3, "finished")]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["play", "bad", "loop", "stop", "connect", "load", "tick"]), max_size=30))
def test_every_play_has_one_answer_in_every_history(steps: list[str]) -> None:
    bench = EngineBench(capacity=8)
    bench.slow_disk = True
    try:
        bridged(bench)
        clip = {
            "play": ("silence:40", "tone:busy"),
            "bad": ("silence:40", "/no/such.wav"),
            "loop": ("silence:20",),
        }
        plays = 0
        for step in steps:
            if step in clip:
                plays += 1
                bench.do(Play(1, plays, clip[step], loop=step == "loop", resume=True))
            elif step == "load":
                bench.load()
            elif step == "tick":
                bench.tick(3)
            else:
                bench.do(Stop(1) if step == "stop" else Connect(1, 2))
        bench.do(Release(1))
        bench.load()
        answered = [one.play for one in bench.take(Played) if isinstance(one, Played)]
        assert answered == list(range(1, plays + 1))
    finally:
        bench.close()


def test_music_resumes_where_it_was_left(bench: EngineBench) -> None:
    a = bench.phone(1)
    music = Play(1, 1, ("tone:ringback",), loop=True, resume=True)
    bench.do(music)
    whole = [one.payload for one in a.hears(bench.tick(20))]
    bench.do(Stop(1))
    again = bench.phone(2, "10.1.0.8", 8000)
    bench.do(Play(2, 1, ("tone:ringback",), loop=True, resume=True))
    first = [one.payload for one in again.hears(bench.tick(10))]
    bench.do(Stop(2), Play(2, 2, ("silence:100",)))
    bench.tick(5)
    bench.do(Play(2, 3, ("tone:ringback",), loop=True, resume=True))
    assert first + [one.payload for one in again.hears(bench.tick(10))] == whole


# ----- keys


def test_event_is_reported_once_and_relayed_with_the_peers_payload_type(bench: EngineBench) -> None:
    a, b = bridged(bench, events=97)
    heard = b.hears(a.talk())
    start = a.timestamp
    for step in range(1, 6):
        heard += b.hears(bench.receive(a.key(5, 160 * step, start, end=step == 5)))
    heard += b.hears(bench.receive(a.key(5, 800, start, end=True), a.key(5, 800, start, end=True)))
    assert bench.take(Digit) == [Digit(1, "5", "rfc4733")]
    assert [one.payload_type for one in heard] == [0] + [97] * 7
    assert {step for step, _ in steps(heard)} == {1}
    assert len({one.timestamp for one in heard[1:]}) == 1
    assert heard[-1].payload == bytes([5, 0x8A, 800 >> 8, 800 & 0xFF])


def test_rest_of_a_press_that_began_before_the_bridge_is_not_relayed(bench: EngineBench) -> None:
    """The caller still holds the menu's key when he is connected: the new peer must not get it."""
    a = bench.phone(1)
    b = bench.phone(2, "10.1.0.6", 6004)
    start = a.timestamp
    bench.receive(a.key(1, 160, start), a.key(1, 320, start))
    bench.do(Connect(1, 2))
    rest = [a.key(1, 480, start), a.key(1, 640, start), *(a.key(1, 800, start, end=True) for _ in range(3))]
    # The next press is in the same batch as the end of the old one.
    fresh = [a.key(2, 160, start + 1600), a.key(2, 320, start + 1600, end=True)]
    heard = b.hears(bench.receive(*rest, *fresh))
    assert [one.payload[0] for one in heard] == [2, 2]
    assert [one.digit for one in bench.take(Digit) if isinstance(one, Digit)] == ["1", "2"]
    assert len(b.hears(a.talk())) == 1


def test_each_new_peer_is_spared_the_old_press(bench: EngineBench) -> None:
    a, b = bridged(bench)
    c = bench.phone(3, "10.1.0.7", 7004)
    start = a.timestamp
    assert len(b.hears(bench.receive(a.key(5, 160, start)))) == 1
    bench.do(Connect(1, 3))
    assert c.hears(bench.receive(a.key(5, 320, start), a.key(5, 480, start, end=True))) == []
    flash = a.key(16, 160, start + 800)  # no key, so it is nothing that could have begun before
    assert len(c.hears(bench.receive(flash))) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(1, 6)), min_size=1, max_size=5), st.data())
def test_connecting_amid_presses_relays_whole_presses_only(
    presses: list[tuple[int, int]], data: st.DataObject
) -> None:
    bench = EngineBench(capacity=8)
    try:
        a = bench.phone(1)
        b = bench.phone(2, "10.1.0.6", 6004)
        packets: list[tuple[int, Datagram]] = []
        for number, (code, length) in enumerate(presses):
            start = a.timestamp + 4000 * number
            packets += [
                (start, a.key(code, 160 * step, start, end=step == length)) for step in range(1, length + 1)
            ]
        at = data.draw(st.integers(0, len(packets)))
        first = [packet for _, packet in packets[:at]]
        assert bench.receive(*first) == []
        bench.do(Connect(1, 2))
        heard = b.hears(bench.receive(*(packet for _, packet in packets[at:])))
        begun = {start for start, _ in packets[:at]}
        assert [one.payload for one in heard] == [
            packet.payload for start, packet in packets[at:] if start not in begun
        ]
        assert len(bench.take(Digit)) == len(presses)
    finally:
        bench.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 11), max_size=30), st.integers(1, 40))
def test_repeated_and_late_event_packets_are_no_keys(again: list[int], size: int) -> None:
    """The network may send any packet again, at any time."""
    bench = EngineBench(capacity=8)
    try:
        a = bench.phone(1)
        start = a.timestamp
        packets = [a.key(7, 160 * step, start) for step in range(1, 10)]
        packets += [a.key(7, 1600, start, end=True) for _ in range(3)]
        stream = packets + [packets[index] for index in again]
        for at in range(0, len(stream), size):
            bench.receive(*stream[at : at + size])
        assert bench.take(Digit) == [Digit(1, "7", "rfc4733")]
        bench.receive(a.key(7, 160, start + 8000))
        assert bench.take(Digit) == [Digit(1, "7", "rfc4733")]
    finally:
        bench.close()


def test_a_new_source_begins_with_its_own_keys(bench: EngineBench) -> None:
    a = bench.phone(1)
    bench.receive(a.key(3, 160, 5000), a.key(3, 320, 5000, end=True))
    a.ssrc, a.sequence = 0xABCDEF, 40
    bench.receive(a.key(3, 160, 5000), a.key(3, 320, 5000, end=True))
    assert bench.take(Digit) == [Digit(1, "3", "rfc4733")] * 2


def test_event_becomes_a_tone_for_a_peer_without_events(bench: EngineBench) -> None:
    a, b = bridged(bench, events=None)
    bench.receive(a.key(1, 160, a.timestamp))
    heard = b.hears(bench.tick(12))
    assert [one.payload_type for one in heard] == [0] * 8
    assert heard[0].payload != heard[7].payload


def test_inband_key_is_found(bench: EngineBench) -> None:
    a = bench.phone(1, events=None)
    coded = encode_ulaw(keys("7", 100, 100, lead_ms=100)).tobytes()
    for at in range(0, len(coded) - 159, 160):
        a.talk(coded[at : at + 160])
        bench.tick()
    bench.tick(10)
    assert bench.take(Digit) == [Digit(1, "7", "inband")]


@pytest.mark.parametrize("size", [80, 240, 320, 480])
def test_inband_key_is_found_whatever_the_packet_length(bench: EngineBench, size: int) -> None:
    a = bench.phone(1, events=None)
    coded = encode_ulaw(keys("7#", 120, 120, lead_ms=240)).tobytes()
    for at in range(0, len(coded) - size + 1, size):
        packet = a.wrap(rtp(a.sequence, a.timestamp + at, a.ssrc, 0, coded[at : at + size]))
        a.sequence += 1
        bench.receive(packet)
        for _ in range((at + size) // 160 - at // 160):
            bench.tick()
    bench.tick(20)
    assert [one.digit for one in bench.take(Digit) if isinstance(one, Digit)] == ["7", "#"]


def test_keys_are_sent_as_events(bench: EngineBench) -> None:
    a = bench.phone(1)
    b = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2), SendDigits(1, "1#", 100, 100))
    assert b.talk() == []  # no audio among the event packets
    heard = a.hears(bench.tick(30))
    events = [one for one in heard if one.payload_type == 101]
    assert events == heard
    assert [one.marker for one in events].count(True) == 2
    by_start = {one.timestamp: [x for x in events if x.timestamp == one.timestamp] for one in events}
    assert [group[0].payload[0] for group in by_start.values()] == [1, 11]
    for group in by_start.values():
        assert sum(1 for one in group if one.payload[1] & 0x80) == 3
    assert {step for step, _ in steps(events)} == {1}
    assert len(a.hears(b.talk())) == 1


# ----- recording, loss, reports


def test_recording_has_both_sides(bench: EngineBench, tmp_path: Path) -> None:
    a, b = bridged(bench)
    path = tmp_path / "call.wav"
    bench.do(Record(5, 1, 2, str(path)))
    left, right = bytes([0x9F]) * 160, bytes([0xFF]) * 160
    for _ in range(50):
        bench.receive(a.next(left), b.next(right))
        bench.tick()
    bench.do(StopRecord(5), StopRecord(5))
    bench.close()
    [done] = bench.take(Recorded)
    assert isinstance(done, Recorded) and done.recording == 5 and done.duration_ms == 1000
    rate, channels = read_wav(path)
    assert rate == 8000 and channels.shape == (2, 8000)
    assert np.median(np.abs(channels[0])) > 0.01 and np.max(np.abs(channels[1])) == 0


def test_a_pause_is_silence(bench: EngineBench, tmp_path: Path) -> None:
    a, b = bridged(bench)
    path = tmp_path / "call.wav"
    bench.do(Record(5, 1, 2, str(path)), PauseRecord(6), PauseRecord(5))
    loud = bytes([0x9F]) * 160
    for _ in range(50):
        bench.receive(a.next(loud), b.next(loud))
        bench.tick()
    bench.do(PauseRecord(5, False))
    for _ in range(100):
        bench.receive(a.next(loud), b.next(loud))
        bench.tick()
    bench.do(StopRecord(5))
    bench.close()
    [done] = bench.take(Recorded)
    assert isinstance(done, Recorded) and done.duration_ms == 3000
    _, channels = read_wav(path)
    assert not channels[:, :8000].any() and np.median(np.abs(channels[:, -4000:])) > 0.01


def test_recording_that_cannot_be_made_fails_alone(bench: EngineBench) -> None:
    bench.phone(1)
    [gone] = bench.do(Record(1, 1, 99, "/tmp/x.wav"))
    assert isinstance(gone, RecordFailed) and "99" in gone.reason
    [relative] = bench.do(Record(2, 1, 1, "relative.wav"))
    assert isinstance(relative, RecordFailed)


def test_lost_media_is_reported_once_a_silence() -> None:
    bench = EngineBench(media_timeout_s=2.0)
    a = bench.phone(1)
    held = bench.phone(2, "10.1.0.6", 6004)
    bench.do(SetRemote(2, "10.1.0.6", 6004, 6005, "PCMU", 0, 101, receive=False))
    bench.tick(300)
    [lost] = bench.take(MediaLost)
    assert isinstance(lost, MediaLost) and lost.leg == 1 and 2.0 < lost.silent_s < 3.0
    a.talk()
    bench.tick(200)
    assert [one.leg for one in bench.take(MediaLost) if isinstance(one, MediaLost)] == [1]
    bench.do(held.remote)
    bench.tick(200)
    assert [one.leg for one in bench.take(MediaLost) if isinstance(one, MediaLost)] == [2]
    bench.close()


def test_a_leg_that_never_sends_is_lost_too() -> None:
    bench = EngineBench(media_timeout_s=2.0)
    bench.phone(1, latched=False)
    held = bench.phone(2, "10.1.0.6", 6004, latched=False)
    bench.do(SetRemote(2, "10.1.0.6", 6004, 6005, "PCMU", 0, 101, receive=False))
    bench.do(Allocate(3))  # nothing is settled yet: nothing is expected
    bench.tick(90)
    assert bench.take(MediaLost) == []
    bench.tick(300)
    [lost] = bench.take(MediaLost)
    assert isinstance(lost, MediaLost) and lost.leg == 1 and 2.0 < lost.silent_s < 3.0
    bench.do(held.remote)
    bench.tick(90)
    assert bench.take(MediaLost) == []
    bench.tick(40)
    assert [one.leg for one in bench.take(MediaLost) if isinstance(one, MediaLost)] == [2]
    bench.close()


def test_a_leg_that_has_sent_nothing_hears_us_at_its_signalled_address(bench: EngineBench) -> None:
    a = bench.phone(1)
    b = bench.phone(2, "10.1.0.6", 6004, latched=False)
    bench.do(Play(2, 1, ("silence:20",)))
    assert len(b.hears(bench.tick(2))) == 1
    bench.do(Connect(1, 2))
    assert len(b.hears(a.talk())) == 1
    start = a.timestamp
    assert len(b.hears(bench.receive(a.key(4, 160, start)))) == 1
    bench.do(SetRemote(2, "10.1.0.77", 7000, 7001, "PCMU", 0, 101))
    assert [(one.address, one.remote_port) for one in a.talk()] == [("10.1.0.77", 7000)]


def test_quality_counts_loss(bench: EngineBench) -> None:
    a = bench.phone(1)
    for _ in range(10):
        a.talk()
    a.sequence += 3
    a.talk()
    [over] = bench.do(Release(1))
    assert isinstance(over, Released)
    assert (over.quality.packets_received, over.quality.packets_lost) == (12, 3)


def test_comfort_noise_is_no_loss_and_goes_no_further(bench: EngineBench) -> None:
    a, b = bridged(bench)
    assert bench.receive(b.next(b"x", payload_type=13)) == []
    assert len(a.hears(b.talk())) == 1
    over = bench.do(Release(2))[-1]
    assert isinstance(over, Released)
    assert (over.quality.packets_received, over.quality.packets_lost) == (3, 0)


# ----- resources


def test_capacity_and_range_are_refused_with_the_remedy() -> None:
    bench = EngineBench(capacity=2, ports=(40000, 40003))
    assert isinstance(bench.do(Allocate(1))[0], Allocated)
    assert isinstance(bench.do(Allocate(2))[0], Allocated)
    [full] = bench.do(Allocate(3))
    assert isinstance(full, AllocateFailed) and "capacity" in full.reason
    [twice] = bench.do(Allocate(2))
    assert isinstance(twice, AllocateFailed)
    bench.close()
    narrow = EngineBench(capacity=9, ports=(40000, 40003))
    narrow.do(Allocate(1), Allocate(2))
    [no_port] = narrow.do(Allocate(3))
    assert isinstance(no_port, AllocateFailed) and "40000-40003" in no_port.reason
    narrow.do(Release(1))
    assert isinstance(narrow.do(Allocate(4))[0], Allocated)
    narrow.close()


def test_commands_for_unknown_legs_are_ignored(bench: EngineBench) -> None:
    assert (
        bench.do(
            SetRemote(9, "10.0.0.9", 4000, 4001, "PCMU", 0, 101),
            Connect(9, 8),
            Disconnect(9),
            Play(9, 1, ("tone:busy",)),
            Stop(9),
            SendDigits(9, "1"),
            StopRecord(9),
            Release(9),
        )
        == []
    )
    assert bench.do(Ping(3)) == [Pong(3, 0, 0, 0.0)]
