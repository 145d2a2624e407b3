"""Silence in recordings, by the watch alone and through the engine; and recordings of one leg."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from media.g711 import encode_ulaw
from media.messages import Record, Recorded, RecordSilent, StopRecord
from media.silence import SilenceWatch
from tests.support.audio import read_wav
from tests.support.rtp import EngineBench

LOUD = encode_ulaw(np.full(160, 4000, np.int16)).tobytes()
QUIET = encode_ulaw(np.full(160, 40, np.int16)).tobytes()


def test_a_silence_is_told_once_and_starts_anew_with_every_sound() -> None:
    watch = SilenceWatch()
    watch.begin(7, 0.1)
    watch.begin(8, 0.0)
    assert watch.watched == (7,)
    frames = np.stack([np.full(160, 300, np.int16), np.full(160, -200, np.int16)])
    told = [watch.hear((7,), np.array([row]), frames) for row in (1, 1, 1, 1, 0, 1, 1, 1, 1, 1)]
    assert told == [[]] * 9 + [[7]]
    assert watch.watched == ()


def test_one_leg_is_recorded_in_mono_until_it_is_silent(tmp_path: Path) -> None:
    bench = EngineBench()
    try:
        phone = bench.phone(1)
        path = tmp_path / "message.wav"
        bench.do(Record(5, 1, 1, str(path), 0.2))
        for _ in range(50):
            phone.talk(LOUD)
            bench.tick()
        assert bench.take(RecordSilent) == []
        for _ in range(40):
            phone.talk(QUIET)
            bench.tick()
        assert bench.take(RecordSilent) == [RecordSilent(5)]
        bench.do(StopRecord(5))
        assert bench.recorder.flush()
        bench.tick()
        (recorded,) = bench.take(Recorded)
        assert isinstance(recorded, Recorded) and recorded.duration_ms == 90 * 20
        rate, samples = read_wav(path)
        assert (rate, samples.shape) == (8000, (1, 90 * 160))
        assert np.abs(samples[0, 8000 // 4 : 8000 // 2]).mean() == pytest.approx(4000 / 32768, rel=0.05)
    finally:
        bench.close()
