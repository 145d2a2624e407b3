"""Legs whose sound stays here: what their quality says, what their recordings sound like, who speaks."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import numpy as np

from media.g711 import encode_ulaw
from media.messages import (
    Measured,
    Play,
    Record,
    Recorded,
    Release,
    Released,
    Speaking,
    Stop,
    StopRecord,
    WatchSpeech,
)
from tests.support.rtp import EngineBench, Phone

WAVE = (6000 * np.sin(2 * np.pi * 150.0 * np.arange(160 * 16) / 8000)).astype(np.int16)
TONE = [encode_ulaw(frame).tobytes() for frame in WAVE.reshape(16, 160)]


def quality_of(bench: EngineBench, leg: int) -> Released:
    [over] = [one for one in bench.do(Release(leg)) if isinstance(one, Released)]
    return over


def recorded(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)


def finish(bench: EngineBench) -> None:
    bench.do(StopRecord(1))
    bench.recorder.flush()
    bench.tick(3)
    assert any(isinstance(one, Recorded) for one in bench.events)


def talk(bench: EngineBench, phone: Phone, count: int, lost: range = range(0)) -> None:
    for number in range(count):
        packet = phone.next(TONE[number % 16])
        if number not in lost:
            bench.receive(packet)
        bench.tick()


def test_a_lost_frame_is_concealed_in_the_recording_and_counted(tmp_path: Path) -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    bench.do(Record(1, 1, 1, str(tmp_path / "x.wav")))
    talk(bench, phone, 100, range(60, 63))  # of which one may serve to shorten the delay
    finish(bench)
    sound = recorded(tmp_path / "x.wav").reshape(-1, 160)[10:96]
    assert (np.abs(sound).max(axis=1) > 3000).all(), "no hole"
    quality = quality_of(bench, 1).quality
    assert (quality.packets_lost, quality.packets_late) == (3, 0)
    assert 20 <= quality.concealed_ms <= 140
    assert 0.0 <= quality.buffer_ms < 45.0
    assert 3.0 < quality.mos < 4.41
    bench.close()


def test_another_source_loses_nothing(tmp_path: Path) -> None:
    """A new SSRC, with numbers that have nothing to do with the old ones."""
    bench = EngineBench()
    phone = bench.phone(1)
    bench.do(Record(1, 1, 1, str(tmp_path / "x.wav")))
    talk(bench, phone, 50)
    phone.ssrc, phone.sequence, phone.timestamp = 0x7777, 50_000, 3_000_000_000
    talk(bench, phone, 50)
    finish(bench)
    quality = quality_of(bench, 1).quality
    assert (quality.packets_lost, quality.packets_late, quality.packets_duplicated) == (0, 0, 0)
    assert quality.concealed_ms <= 100
    bench.close()


def test_repeated_and_overtaken_packets_are_counted_of_relayed_legs_too() -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    packets = [phone.next() for _ in range(30)]
    packets[10], packets[11] = packets[11], packets[10]
    for packet in [*packets, packets[29], packets[28]]:
        bench.receive(packet)
        bench.tick()
    quality = quality_of(bench, 1).quality
    assert (quality.packets_reordered, quality.packets_duplicated, quality.packets_lost) == (1, 2, 0)
    bench.close()


def test_a_leg_that_nobody_heard_has_no_score() -> None:
    bench = EngineBench()
    bench.phone(1, latched=False)
    quality = quality_of(bench, 1).quality
    assert (quality.mos, quality.remote_mos, quality.buffer_ms) == (-1.0, -1.0, -1.0)
    bench.close()


def sentence(tmp_path: Path) -> np.ndarray:
    """Half a second of silence, somebody speaking, a second of silence: uint8[n, 160]."""
    raw, line = tmp_path / "raw.wav", tmp_path / "line.wav"
    subprocess.run(["espeak-ng", "-w", str(raw), "I would like to speak with somebody."], check=True)
    subprocess.run(["sox", str(raw), "-r", "8000", "-c", "1", "-b", "16", str(line)], check=True)
    voice = recorded(line).astype(np.int16)
    sound = np.concatenate((np.zeros(4000, np.int16), voice, np.zeros(8000, np.int16)))
    return encode_ulaw(sound[: sound.size // 160 * 160]).reshape(-1, 160)


def test_speech_on_demand(tmp_path: Path) -> None:
    frames = sentence(tmp_path)
    bench = EngineBench()
    phones = [bench.phone(1), bench.phone(2, "10.1.0.6", 6004)]
    bench.do(WatchSpeech(1))
    for frame in frames:
        bench.receive(*(phone.next(frame.tobytes()) for phone in phones))
        bench.tick()
    told = [one for one in bench.events if isinstance(one, Speaking)]
    assert {one.leg for one in told} == {1}
    assert told[0].speaking and not told[-1].speaking
    bench.do(WatchSpeech(1, False))
    bench.events.clear()
    for frame in frames:
        bench.receive(phones[0].next(frame.tobytes()))
        bench.tick()
    assert not any(isinstance(one, Speaking) for one in bench.events)
    bench.do(WatchSpeech(99))
    bench.do(Release(1))
    bench.close()


def test_who_hears_music_is_not_asked_for_speech(tmp_path: Path) -> None:
    """A loudspeaker gives it back. A prompt has an end: who speaks into it is heard."""
    frames = sentence(tmp_path)
    bench = EngineBench()
    phone = bench.phone(1)
    bench.do(WatchSpeech(1))

    def told() -> list[bool]:
        return [one.speaking for one in bench.take(Speaking) if isinstance(one, Speaking)]

    def say(some: np.ndarray) -> None:
        for frame in some:
            bench.receive(phone.next(frame.tobytes()))
            bench.tick()

    bench.do(Play(1, 1, ("tone:ringback",), loop=True))
    say(frames)
    assert told() == []
    bench.do(Stop(1), Play(1, 2, ("silence:60000",)))
    say(frames[:60])
    assert told() == [True]
    bench.do(Play(1, 3, ("tone:ringback",), loop=True))
    say(frames[60:])
    assert told() == [False]
    bench.do(Stop(1))
    say(frames)
    assert told()[0]
    bench.do(Play(1, 4, ("/does/not/exist.wav",), loop=True))
    say(frames)
    assert told()[0], "music that failed is no music"
    bench.close()


def test_a_living_leg_tells_how_it_is() -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    talk(bench, phone, 400, range(100, 120))
    told = [one for one in bench.events if isinstance(one, Measured)]
    assert 1 <= len(told) <= 3 and {one.leg for one in told} == {1}
    assert told[-1].quality.packets_received > 50 and told[-1].quality.mos > 1.0
    bench.close()
