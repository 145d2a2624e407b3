"""Legs that fall silent by comfort noise: what their peers, and recordings, hear meanwhile."""

from __future__ import annotations

import wave
from pathlib import Path

import msgspec
import numpy as np
import pytest

from media.g711 import ULAW_TO_LINEAR, encode_ulaw
from media.messages import Connect, Record, Recorded, Release, Released, StopRecord
from tests.support.rtp import Datagram, EngineBench, Phone

LEVEL = 40
RMS = 32124 * 10 ** (-LEVEL / 20)
TONE = encode_ulaw((6000 * np.sin(2 * np.pi * 150.0 * np.arange(160) / 8000)).astype(np.int16)).tobytes()


def bridged(knows: bool) -> tuple[EngineBench, Phone, Phone]:
    """Two phones that hear each other; the second knows CN, or does not."""
    bench = EngineBench()
    one, other = bench.phone(1), bench.phone(2, "10.1.0.6")
    bench.do(msgspec.structs.replace(other.remote, comfort_noise=knows), Connect(1, 2))
    return bench, one, other


def talk(bench: EngineBench, phone: Phone, count: int) -> list[Datagram]:
    sent: list[Datagram] = []
    for _ in range(count):
        sent += bench.receive(phone.next(TONE))
        sent += bench.tick()
    return sent


def fall_silent(bench: EngineBench, phone: Phone) -> list[Datagram]:
    """A CN packet in the place of audio."""
    phone.payload_type = 13
    packet = phone.next(bytes([LEVEL]))
    phone.payload_type = 0
    return bench.receive(packet)


def pause(phone: Phone, frames: int) -> None:
    """The timestamp runs on, the sequence number does not."""
    phone.timestamp += 160 * frames


def test_a_peer_that_does_not_know_it_hears_noise_until_the_audio_goes_on() -> None:
    bench, one, other = bridged(knows=False)
    before = other.hears(talk(bench, one, 20))
    assert other.hears(fall_silent(bench, one)) == []
    noise = other.hears(bench.tick(50))
    pause(one, 50)
    after = other.hears(talk(bench, one, 20))
    assert len(noise) == 50 and len(after) == 20
    heard = before + noise + after
    assert {packet.payload_type for packet in heard} == {0} and len({packet.ssrc for packet in heard}) == 1
    assert (np.diff([packet.sequence for packet in heard]) == 1).all()
    steps = np.diff([packet.timestamp for packet in heard])
    assert (steps[20:68] == 160).all() and (steps >= 160).all() and (steps <= 320).all()
    samples = ULAW_TO_LINEAR[np.frombuffer(b"".join(packet.payload for packet in noise), np.uint8)][160:]
    assert abs(20 * np.log10(samples.astype(float).std() / RMS)) < 1.0
    assert after[0].marker and after[0].payload == TONE
    bench.close()


def test_a_peer_that_knows_it_gets_the_packet_and_nothing_else() -> None:
    bench, one, other = bridged(knows=True)
    talk(bench, one, 20)
    [told] = other.hears(fall_silent(bench, one))
    assert (told.payload_type, told.payload) == (13, bytes([LEVEL]))
    assert other.hears(bench.tick(50)) == []
    pause(one, 50)
    [first] = other.hears(bench.receive(one.next(TONE)))
    assert first.timestamp - told.timestamp == 51 * 160 and first.sequence - told.sequence == 1
    bench.close()


def test_who_is_parted_hears_no_noise() -> None:
    bench, one, other = bridged(knows=False)
    talk(bench, one, 5)
    fall_silent(bench, one)
    assert other.hears(bench.tick(5))
    bench.do(Release(1))
    assert not [packet for packet in other.hears(bench.tick(5)) if packet.payload_type == 0]
    bench.close()


@pytest.mark.parametrize("frames", [6, 60])
def test_a_recording_has_the_noise_and_nothing_is_taken_for_lost(tmp_path: Path, frames: int) -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    bench.do(Record(1, 1, 1, str(tmp_path / "x.wav")))
    talk(bench, phone, 30)
    fall_silent(bench, phone)
    bench.tick(frames)
    pause(phone, frames - 1)
    talk(bench, phone, 30)
    bench.do(StopRecord(1))
    bench.recorder.flush()
    bench.tick(3)
    assert any(isinstance(one, Recorded) for one in bench.events)
    with wave.open(str(tmp_path / "x.wav")) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float).reshape(-1, 160)
    quiet = sound[32 : 28 + frames]
    assert abs(20 * np.log10(quiet.std() / RMS)) < 2.0 if frames > 30 else 0 < quiet.std() < 2 * RMS
    assert np.abs(sound[34 + frames : 55 + frames]).max(axis=1).min() > 3000, "and then he speaks again"
    [over] = [one for one in bench.do(Release(1)) if isinstance(one, Released)]
    assert (over.quality.packets_lost, over.quality.concealed_ms, over.quality.packets_late) == (0, 0, 0)
    bench.close()
