"""Legs whose codec is not G.711, through the engine: what their peers, the player and those inside get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from media.codecs import BUILT_IN
from media.codecs.codec import Decoder, Encoder
from media.g711 import DECODE, encode, encode_ulaw
from media.messages import (
    Allocate,
    AllocateFailed,
    Connect,
    Digit,
    Disconnect,
    Join,
    Play,
    Quality,
    Record,
    Release,
    Released,
    SendDigits,
    SetRemote,
    StopRecord,
)
from tests.support.audio import dominant_hz, read_wav, tone_level_db
from tests.support.rtp import Datagram, EngineBench, Phone, rtp

RATE = 8000
LAW = {"PCMU": 0, "PCMA": 1}
CODECS = ("PCMU", "PCMA", "G722", "OPUS")


@pytest.fixture
def bench() -> Iterator[EngineBench]:
    made = EngineBench()
    yield made
    made.close()


def tone(hz: float, length: int, begin: int = 0) -> np.ndarray:
    """int16[length], 8 kHz."""
    return np.rint(7000 * np.sin(2 * np.pi * hz / RATE * (begin + np.arange(length)))).astype(np.int16)


@dataclass
class Voice:
    """The coders of the phone at the far end of a leg."""

    phone: Phone
    encoder: Encoder | None
    decoder: Decoder | None
    said: int = 0

    def payload(self, hz: float, ms: int) -> bytes:
        """The next so many milliseconds of a tone."""
        if self.phone.remote.codec == "OPUS" and ms == 30:  # there are no such frames: three in one packet
            frames = [self.payload(hz, 10) for _ in range(3)]
            lengths = bytes(len(one) - 1 for one in frames[:2])  # RFC 6716 section 3.2.5
            return bytes([frames[0][0] | 3, 0x83]) + lengths + b"".join(one[1:] for one in frames)
        samples = tone(hz, 8 * ms, self.said)
        self.said += samples.size
        if self.encoder is None:
            return encode(samples, LAW[self.phone.remote.codec]).tobytes()
        return self.encoder.encode(samples)

    def hears(self, sent: list[Datagram]) -> np.ndarray:
        """What the packets for this phone say: int16, 8 kHz."""
        heard = [np.empty(0, np.int16)]
        for one in self.phone.hears(sent):
            if one.payload_type == self.phone.remote.event_payload_type:
                continue
            assert one.payload_type == self.phone.payload_type
            codes = np.frombuffer(one.payload, np.uint8)
            law = LAW.get(self.phone.remote.codec, 0)
            heard.append(DECODE[law][codes] if self.decoder is None else self.decoder.decode(one.payload))
        return np.concatenate(heard)


def voice(phone: Phone, fmtp: str = "") -> Voice:
    codec = BUILT_IN.get(phone.remote.codec)
    return Voice(phone, codec and codec.make_encoder(fmtp), codec and codec.make_decoder())


def pair(bench: EngineBench, one: str, other: str, **more: str) -> tuple[Voice, Voice]:
    """Two phones that are bridged."""
    a = bench.phone(1, "10.1.0.5", 5004, codec=one, events=101, **more)
    b = bench.phone(2, "10.1.0.6", 5006, codec=other, events=101, **more)
    bench.do(Connect(1, 2))
    return voice(a), voice(b)


def contiguous(phone: Phone, sent: list[Datagram]) -> None:
    """Numbers one apart, timestamps as far apart as the packets are long, one SSRC."""
    decoder = voice(phone).decoder
    mine = phone.hears(sent)
    assert len({one.ssrc for one in mine}) == 1
    for one, after in pairwise(mine):
        size = len(one.payload) if decoder is None else decoder.decode(one.payload).size
        assert (after.sequence - one.sequence) & 0xFFFF == 1
        assert (after.timestamp - one.timestamp) & 0xFFFFFFFF == size * phone.clock_hz // 8000


@pytest.mark.parametrize("ms", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("to", CODECS)
@pytest.mark.parametrize("of", CODECS)
def test_a_tone_arrives_whatever_the_two_speak(bench: EngineBench, of: str, to: str, ms: int) -> None:
    a, b = pair(bench, of, to)
    sent: list[Datagram] = []
    for _ in range(1200 // ms):
        sent += bench.receive(a.phone.next(a.payload(700, ms), ms=ms))
        bench.now += ms / 1000
    assert dominant_hz(b.hears(sent)[2000:].astype(float), RATE) == pytest.approx(700, abs=6)
    contiguous(b.phone, sent)
    assert not any(one.marker for one in b.phone.hears(sent)[1:])


@pytest.mark.parametrize("codec", ["G722", "OPUS"])
def test_the_same_codec_goes_across_bit_by_bit(bench: EngineBench, codec: str) -> None:
    a, b = pair(bench, codec, codec)
    for _ in range(20):
        payload = a.payload(440, 20)
        [heard] = b.phone.hears(bench.receive(a.phone.next(payload)))
        assert heard.payload == payload


def test_payload_types_are_those_of_each_side(bench: EngineBench) -> None:
    a = bench.phone(1, codec="OPUS", events=101)
    b = bench.phone(2, "10.1.0.6", 5006, codec="OPUS", events=97)
    bench.do(replace(b.remote, payload_type=111), Connect(1, 2))
    [heard] = b.hears(bench.receive(a.next(b"\x08abc")))
    assert (heard.payload_type, heard.payload) == (111, b"\x08abc")


@pytest.mark.parametrize("codec", ["G722", "OPUS"])
def test_a_bridge_of_one_codec_is_recorded_and_stays_untouched(
    bench: EngineBench, codec: str, tmp_path: object
) -> None:
    a, b = pair(bench, codec, codec)
    path = f"{tmp_path}/call.wav"
    bench.do(Record(1, 1, 2, path))
    sent: list[Datagram] = []
    for _ in range(75):
        payload = a.payload(600, 20)
        [heard] = b.phone.hears(bench.receive(a.phone.next(payload)))
        assert heard.payload == payload
        bench.receive(b.phone.next(b.payload(900, 20)))
        sent += bench.tick()
    bench.do(StopRecord(1))
    bench.close()
    left, right = recorded(path)
    assert dominant_hz(left[4000:9000], RATE) == pytest.approx(600, abs=4)
    assert dominant_hz(right[4000:9000], RATE) == pytest.approx(900, abs=4)


def recorded(path: str) -> tuple[np.ndarray, np.ndarray]:
    rate, channels = read_wav(Path(path))
    assert rate == RATE and len(channels) == 2
    return np.asarray(channels[0], float), np.asarray(channels[1], float)


@pytest.mark.parametrize("codec", CODECS)
def test_prompts_are_played_in_the_codec_of_the_leg(bench: EngineBench, codec: str) -> None:
    a = voice(bench.phone(1, codec=codec))
    bench.do(Play(1, 1, ("tone:ringback",)))
    sent = bench.tick(50)
    assert dominant_hz(a.hears(sent)[2000:].astype(float), RATE) == pytest.approx(425, abs=30)
    contiguous(a.phone, sent)
    assert [one.marker for one in a.phone.hears(sent)] == [True] + [False] * (len(a.phone.hears(sent)) - 1)


@pytest.mark.parametrize("codec", ["G722", "OPUS"])
def test_a_prompt_goes_on_from_the_bridge_without_a_break_in_the_clock(
    bench: EngineBench, codec: str
) -> None:
    a, b = pair(bench, codec, "PCMU")
    before = bench.receive(b.phone.next(b.payload(500, 20)))
    bench.tick()
    bench.do(Disconnect(1), Play(1, 1, ("tone:busy",)))
    after = bench.tick(2)
    stream = a.phone.hears([*before, *after])
    assert [one.sequence for one in stream] == [stream[0].sequence + n for n in range(3)]
    assert (stream[1].timestamp - stream[0].timestamp) & 0xFFFFFFFF == 2 * a.phone.clock_hz // 50


@pytest.mark.parametrize("codec", ["G722", "OPUS"])
def test_keys_in_the_audio_are_heard(bench: EngineBench, codec: str) -> None:
    a = voice(bench.phone(1, codec=codec, events=None))
    at = np.arange(0.08 * RATE) / RATE
    key = (6000 * (np.sin(2 * np.pi * 770 * at) + np.sin(2 * np.pi * 1336 * at))).astype(np.int16)  # 5
    line = np.concatenate((np.zeros(1600, np.int16), key, np.zeros(1600, np.int16)))
    assert a.encoder is not None
    for begin in range(0, line.size, 160):
        bench.receive(a.phone.next(a.encoder.encode(line[begin : begin + 160])))
        bench.tick()
    assert bench.take(Digit) == [Digit(1, "5", "inband")]


@pytest.mark.parametrize("codec", ["G722", "OPUS"])
def test_events_cross_a_bridge_of_two_codecs(bench: EngineBench, codec: str) -> None:
    """telephone-event/8000 on both sides, as most phones with Opus have it too."""
    a, b = pair(bench, codec, "PCMU")
    sent = bench.receive(a.phone.next(a.payload(500, 20)))
    start = a.phone.timestamp
    sent += bench.receive(a.phone.key(7, 160, start), a.phone.key(7, 320, start))
    a.phone.timestamp += a.phone.clock_hz // 25
    sent += bench.receive(a.phone.next(a.payload(500, 20)))
    assert [one.digit for one in bench.take(Digit) if isinstance(one, Digit)] == ["7"]
    audio, first, second, more = b.phone.hears(sent)
    assert [one.sequence - audio.sequence for one in (first, second, more)] == [1, 2, 3]
    steps = [(one.timestamp - audio.timestamp) & 0xFFFFFFFF for one in (first, second, more)]
    assert steps == [160, 160, 480]
    back = b.phone.hears(bench.receive(b.phone.next()))
    assert back == []  # to `a`, not to itself


@pytest.mark.parametrize("codec", ["G722", "OPUS"])
def test_events_go_to_a_leg_of_another_codec_in_its_clock(bench: EngineBench, codec: str) -> None:
    a, b = pair(bench, "PCMU", codec)
    sent = bench.receive(a.phone.next(a.payload(500, 20)))
    start = a.phone.timestamp
    sent += bench.receive(a.phone.key(7, 160, start))
    audio, key = b.phone.hears(sent)
    assert (key.timestamp - audio.timestamp) & 0xFFFFFFFF == b.phone.clock_hz // 50
    assert key.payload_type == 101 and key.sequence == audio.sequence + 1


def test_keys_of_48_khz_are_told_to_a_peer_of_8_khz_anew(bench: EngineBench) -> None:
    a = bench.phone(1, codec="OPUS", events=101, event_clock_hz=48000)
    b = bench.phone(2, "10.1.0.6", 5006)
    bench.do(Connect(1, 2))
    bench.receive(a.key(3, 960, 99_000))
    assert [one.digit for one in bench.take(Digit) if isinstance(one, Digit)] == ["3"]
    keys = [one for one in b.hears(bench.tick(10)) if one.payload_type == 101]
    assert keys and all(one.payload[0] == 3 for one in keys)


def test_digits_are_sent_to_an_opus_leg_by_its_clock(bench: EngineBench) -> None:
    a = bench.phone(1, codec="OPUS", events=101, event_clock_hz=48000)
    bench.do(SendDigits(1, "5"))
    keys = a.hears(bench.tick(8))
    assert len({one.timestamp for one in keys}) == 1 and keys[0].marker
    assert [int.from_bytes(one.payload[2:], "big") for one in keys[:3]] == [960, 1920, 2880]


def test_a_lost_opus_packet_is_heard_from_the_next(bench: EngineBench) -> None:
    a, b = pair(bench, "OPUS", "PCMU")
    a = voice(a.phone, "useinbandfec=1")
    random = np.random.default_rng(3)
    assert a.encoder is not None
    sent: list[Datagram] = []
    for number in range(60):
        loud = tone(300, 160, 160 * number) * (0.5 + 0.5 * np.sin(number)) + random.normal(0, 300, 160)
        packet = a.phone.next(a.encoder.encode(loud.astype(np.int16)))
        if number != 40:
            sent += bench.receive(packet)
    contiguous(b.phone, sent)
    mine = b.phone.hears(sent)
    assert [len(one.payload) for one in mine] == [160] * 40 + [320] + [160] * 18
    quality = release(bench, 1)
    assert quality.packets_lost == 1


def test_what_cannot_be_recovered_does_not_take_the_next_packet_with_it(bench: EngineBench) -> None:
    """Opus makes whole 2.5 ms; a loss beside a pause may have any length."""
    a, b = pair(bench, "OPUS", "PCMU")
    a = voice(a.phone, "useinbandfec=1")
    sent: list[Datagram] = []
    for number in range(60):
        packet = a.phone.next(a.payload(300 + 10 * number, 20))
        if number == 40:
            a.phone.timestamp += 48 * 37 + 6
        else:
            sent += bench.receive(packet)
    assert [len(one.payload) for one in b.phone.hears(sent)] == [160] * 59


def release(bench: EngineBench, leg: int) -> Quality:
    bench.do(Release(leg))
    return next(one.quality for one in bench.take(Released) if isinstance(one, Released))


def test_a_lost_packet_without_redundancy_stays_a_gap(bench: EngineBench) -> None:
    a, b = pair(bench, "G722", "PCMU")
    packets = [a.phone.next(a.payload(500, 20)) for _ in range(3)]
    one, other = b.phone.hears(bench.receive(packets[0], packets[2]))
    assert (other.sequence - one.sequence, other.timestamp - one.timestamp) == (2, 320)


def test_what_comes_late_or_twice_is_not_decoded_again(bench: EngineBench) -> None:
    a, b = pair(bench, "G722", "PCMU")
    packets = [a.phone.next(a.payload(500, 20)) for _ in range(4)]
    heard = b.phone.hears(bench.receive(packets[0], packets[2], packets[1], packets[2], packets[3]))
    assert [one.sequence - heard[0].sequence for one in heard] == [0, 2, 3]


def test_silence_that_opus_leaves_out_is_a_pause_and_no_loss(bench: EngineBench) -> None:
    a, b = pair(bench, "OPUS", "PCMU")
    first = bench.receive(a.phone.next(a.payload(500, 20)))
    a.phone.timestamp += 48000  # a second that was not sent
    bench.now += 1
    again = bench.receive(a.phone.next(a.payload(500, 20)))
    one, other = b.phone.hears([*first, *again])
    assert (other.sequence - one.sequence, other.timestamp - one.timestamp) == (1, 8160)


def test_silence_is_left_out_towards_a_leg_that_likes_that(bench: EngineBench) -> None:
    a = bench.phone(1)
    b = bench.phone(2, "10.1.0.6", 5006, codec="OPUS", fmtp="usedtx=1")
    bench.do(Connect(1, 2))
    quiet = encode_ulaw(np.zeros(160, np.int16)).tobytes()
    sent: list[Datagram] = []
    for _ in range(60):
        sent += bench.receive(a.next(quiet))
        bench.now += 0.02
    mine = b.hears(sent)
    assert 8 < len(mine) < 30
    assert [one.sequence - mine[0].sequence for one in mine] == list(range(len(mine)))
    assert (mine[-1].timestamp - mine[-2].timestamp) % 960 == 0
    assert mine[-1].timestamp - mine[-2].timestamp > 9600


def test_jitter_is_counted_in_the_clock_of_the_codec(bench: EngineBench) -> None:
    for leg, codec in ((1, "PCMU"), (2, "OPUS")):
        phone = bench.phone(leg, f"10.1.0.{leg}", 5004, codec=codec)
        for number in range(200):
            bench.now += 0.02 if number % 2 else 0.024
            bench.receive(phone.next(b"\x08abcdefgh"))
            bench.now -= 0.0 if number % 2 else 0.004
    first, second = release(bench, 1), release(bench, 2)
    assert second.jitter_ms == pytest.approx(first.jitter_ms, rel=0.1)
    assert 3 < first.jitter_ms < 9


def test_a_leg_changes_its_codec_in_the_middle_of_a_bridge(bench: EngineBench) -> None:
    a, b = pair(bench, "G722", "G722")
    sent = bench.receive(a.phone.next(a.payload(500, 20)))
    bench.do(replace(b.phone.remote, codec="PCMU", payload_type=0))
    bench.now += 0.02
    sent += bench.receive(a.phone.next(a.payload(500, 20)))
    one, other = b.phone.hears(sent)
    assert (other.payload_type, len(other.payload)) == (0, 160)
    assert (other.sequence - one.sequence, other.timestamp - one.timestamp) == (1, 160)


def test_a_codec_that_the_worker_has_not_fails_the_leg(bench: EngineBench) -> None:
    bench.do(Allocate(1), SetRemote(1, "10.1.0.5", 5004, 5005, "G729", 18, 101))
    [failed] = bench.take(AllocateFailed)
    assert "'G729' is not installed" in failed.reason  # type: ignore[union-attr]


def test_legs_of_g711_cost_nothing_once_the_others_are_gone(bench: EngineBench) -> None:
    pair(bench, "PCMU", "OPUS")
    assert bench.engine._parts.coders.busy
    bench.do(Release(2))
    assert not bench.engine._parts.coders.busy


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-3, 4), st.integers(-2000, 4000), st.binary(min_size=1, max_size=300), st.booleans()
        ),
        max_size=40,
    ),
    st.sampled_from(["G722", "OPUS"]),
    st.sampled_from(CODECS),
)
def test_nothing_that_comes_raises_and_what_goes_out_can_be_decoded(
    packets: list[tuple[int, int, bytes, bool]], of: str, to: str
) -> None:
    bench = EngineBench()
    try:
        a, b = pair(bench, of, to)
        sequence, timestamp = 100, 0
        for step, later, payload, event in packets:
            sequence, timestamp = sequence + step, timestamp + later
            kind = 101 if event else a.phone.payload_type
            sent = bench.receive(a.phone.wrap(rtp(sequence, timestamp, 5, kind, payload)))
            if of != to:
                b.hears(sent)
            bench.tick()
    finally:
        bench.close()


def test_a_room_of_three_with_three_codecs(bench: EngineBench) -> None:
    voices = [
        voice(bench.phone(leg, f"10.1.0.{leg}", 5004, codec=codec))
        for leg, codec in enumerate(("PCMU", "G722", "OPUS"), start=1)
    ]
    bench.do(*(Join(leg, 1) for leg in (1, 2, 3)))
    sent: list[Datagram] = []
    for _ in range(60):
        for one, hz in zip(voices, (500, 900, 1300), strict=True):
            bench.receive(one.phone.next(one.payload(hz, 20)))
        sent += bench.tick()
    for one, others in zip(voices, ((900, 1300), (500, 1300), (500, 900)), strict=True):
        heard = one.hears(sent)[3000:].astype(float)
        for hz in others:
            assert tone_level_db(heard, RATE, hz) > -6
        contiguous(one.phone, sent)
