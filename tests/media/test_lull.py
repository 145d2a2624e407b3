"""What a jitter buffer skips: frames in which nobody speaks, on a quiet line and on a noisy one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import webrtcvad

from benchmarks.conceal import VOICES, speech
from media.g711 import encode_ulaw
from media.jitter import JitterBuffer
from media.lull import EARS, LULL_FRAMES, Lulls

FRAME = 160
Sound = npt.NDArray[np.float64]
Frames = npt.NDArray[np.uint8]


def talk(folder: Path, seconds: float) -> Sound:
    """Talk spurts of a second at -18 dB, with pauses as long between them (ITU-T P.59): float64[samples]."""
    said = np.concatenate([speech(folder, voice, text) for voice, text in VOICES.items()]).astype(np.float64)
    said *= 4125.0 / np.sqrt((said**2).mean())
    spurts = said[: len(said) // 8000 * 8000].reshape(-1, 8000)
    return np.resize(np.hstack((spurts, np.zeros_like(spurts))), round(seconds * 50) * FRAME)


def over_noise(sound: Sound, level_db: float) -> Frames:
    """The same over a steady noise, in mu-law: uint8[frames, 160]."""
    noise = np.random.default_rng(30).normal(0.0, 32768 * 10 ** (level_db / 20), len(sound))
    return encode_ulaw((sound + noise).clip(-32000, 32000).astype(np.int16)).reshape(-1, FRAME)


def spoken(sound: Sound) -> npt.NDArray[np.bool_]:
    """bool[frames]: what is heard there is within 12 dB of the mean of the speech."""
    energy = (sound.reshape(-1, FRAME) ** 2).mean(axis=1)
    return np.asarray(energy > energy[energy > 0].mean() / 16)


@pytest.mark.parametrize("level_db", [-60.0, -30.0])
def test_a_delay_shrinks_where_nobody_speaks(tmp_path: Path, level_db: float) -> None:
    """Legs of one voice that begin at different words; bursts of three packets for 5 s, then a steady
    network, three times: the delay is back at nothing, and what was skipped for it is hardly ever speech."""
    sound = talk(tmp_path, 150.0)
    frames, loud, legs, starts = over_noise(sound, level_db), spoken(sound), EARS, 37
    place = {frame.tobytes(): at for at, frame in enumerate(frames)}
    buffer, slots = JitterBuffer(legs, 24), np.arange(legs)
    passed_over: list[int] = []
    last, skips = np.arange(legs) * starts - 1, np.zeros(legs, np.int64)
    for tick in range(3 * 2250):
        rough, first = tick % 2250 < 252, tick - 2
        numbers = np.arange(first if rough else tick, tick + 1 if not rough or tick % 3 == 2 else first)
        slot, number = np.repeat(slots, numbers.size), np.tile(numbers, legs)
        payloads = frames[number + slot * starts]
        buffer.put(slot, number.astype(np.uint16), (number * FRAME).astype(np.uint32), payloads)
        heard, present = buffer.get(slots)
        for leg in np.flatnonzero(present).tolist():
            now = place[heard[leg].tobytes()]
            if now - last[leg] - 1 == buffer.skipped[leg] - skips[leg]:  # else it came late
                passed_over += range(last[leg] + 1, now)
            last[leg], skips[leg] = now, buffer.skipped[leg]
    assert (buffer.delay_frames(slots) == 0).all()
    assert len(passed_over) >= 3 * 2 * legs
    assert loud[passed_over].mean() <= 0.125 < loud.mean() / 2


def test_what_is_asked_of_the_detector_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Counted(webrtcvad.Vad):  # type: ignore[misc]
        def is_speech(self, *args: object) -> bool:
            calls.append(1)
            return bool(super().is_speech(*args))

    monkeypatch.setattr(webrtcvad, "Vad", Counted)
    capacity = 50
    lulls, slots = Lulls(capacity), np.arange(capacity)
    noise = np.random.default_rng(1).normal(0.0, 1000.0, (LULL_FRAMES * 4, capacity, FRAME)).astype(np.int16)
    law = np.zeros(capacity, np.uint8)
    wanted = np.ones(capacity, np.bool_)
    found = np.zeros(capacity, np.bool_)
    for frames in noise:
        calls.clear()
        found |= lulls.hear(slots, encode_ulaw(frames), law, wanted)
        assert len(calls) == EARS
    assert found.tolist() == [True] * EARS + [False] * (capacity - EARS)
    wanted[:EARS] = False  # they have lost their frame: others are listened to
    others = slots[EARS:]
    for frames in noise:
        found[others] |= lulls.hear(others, encode_ulaw(frames[EARS:]), law[EARS:], wanted)
    assert found.tolist() == [True] * 2 * EARS + [False] * (capacity - 2 * EARS)
    wanted[:EARS] = True
    calls.clear()
    lulls.hear(slots, encode_ulaw(noise[0]), law, wanted)
    assert len(calls) == EARS, "an ear that was given back is nobody's but the next one's"
    calls.clear()
    quiet = np.full((capacity, FRAME), 0xFF, np.uint8)
    assert lulls.hear(slots, quiet, law, wanted).all() and not calls, "a level tells silence for nothing"


def test_another_speaker_is_heard_from_his_first_frame() -> None:
    lulls, slot, law, wanted = Lulls(3), np.array([1]), np.zeros(1, np.uint8), np.ones(3, np.bool_)
    noise = np.random.default_rng(2).normal(0.0, 1000.0, (20, 1, FRAME)).astype(np.int16)
    verdicts = [bool(lulls.hear(slot, encode_ulaw(frame), law, wanted)[0]) for frame in noise]
    assert not any(verdicts[: LULL_FRAMES - 1]) and verdicts[-1]
    lulls.forget(slot)
    assert not lulls.hear(slot, encode_ulaw(noise[0]), law, wanted)[0]
