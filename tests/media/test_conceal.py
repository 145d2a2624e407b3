"""Concealment: beside a plain Appendix I of G.711, on speech with frames missing at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks import conceal
from benchmarks.conceal import VOICES, segmental_snr_db, spectral_distance_db, speech
from media.conceal import Concealer, find_periods

Sound = npt.NDArray[np.float64]


class AppendixI:
    """G.711 Appendix I as its text describes it: one leg, 10 ms frames, 3.75 ms of delay."""

    MIN, MAX, CORRELATED, FRAME, MAX_OVERLAP = 40, 120, 160, 80, 30

    def __init__(self) -> None:
        self.history: Sound = np.zeros(390)
        self.erased = 0

    def take(self, frame: Sound | None) -> Sound:
        """10 ms in, None for a lost one; the 10 ms that came 3.75 ms before out."""
        if frame is None:
            out = self._make_up()
            self.erased += 1
        else:
            out = frame.copy()
            if self.erased:
                count = min(self.overlap + (self.erased - 1) * 32, self.FRAME)
                gain = max(0.0, 1.0 - (self.erased - 1) * 0.2)
                weight = np.arange(1, count + 1) / count
                out[:count] = self._read(count) * (1.0 - weight) * gain + out[:count] * weight
                self.erased = 0
        self.history = np.concatenate((self.history[self.FRAME :], out))
        end = len(self.history) - self.MAX_OVERLAP
        return self.history[end - self.FRAME : end].copy()

    def _make_up(self) -> Sound:
        if self.erased == 0:
            self.buffer = self.history.copy()
            self.pitch = self._find_pitch()
            self.overlap = self.pitch >> 2
            self.last = self.buffer[-self.overlap :].copy()
            self.offset, self.length = 0, self.pitch
            self._smooth()
            self.history[-self.overlap :] = self.buffer[-self.overlap :]
            return self._read(self.FRAME)
        if self.erased <= 2:
            kept = self.offset
            tail = self._read(self.overlap)
            self.offset = kept
            while self.offset > self.pitch:
                self.offset -= self.pitch
            self.length += self.pitch
            self._smooth()
            out = self._read(self.FRAME)
            weight = np.arange(1, self.overlap + 1) / self.overlap
            out[: self.overlap] = tail * (1.0 - weight) + out[: self.overlap] * weight
        elif self.erased > 5:
            return np.zeros(self.FRAME)
        else:
            out = self._read(self.FRAME)
        return out * (1.0 - (self.erased - 1) * 0.2 - np.arange(self.FRAME) * 0.2 / self.FRAME)

    def _smooth(self) -> None:
        begin, q = len(self.buffer) - self.length, self.overlap
        weight = np.arange(1, q + 1) / q
        self.buffer[-q:] = self.last * (1.0 - weight) + self.buffer[begin - q : begin] * weight

    def _read(self, count: int) -> Sound:
        begin = len(self.buffer) - self.length
        found = self.buffer[begin + (self.offset + np.arange(count)) % self.length]
        self.offset = (self.offset + count) % self.length
        return found

    def _find_pitch(self) -> int:
        def score(lag: int, step: int) -> float:
            last = self.buffer[-self.CORRELATED :: step]
            before = self.buffer[-self.CORRELATED - lag : len(self.buffer) - lag : step]
            return float(last @ before / np.sqrt(max(float(before @ before), 250.0)))

        rough = max(range(self.MAX, self.MIN - 1, -2), key=lambda lag: score(lag, 2))
        near = [lag for lag in (rough + 1, rough, rough - 1) if self.MIN <= lag <= self.MAX]
        return max(near, key=lambda lag: score(lag, 1))


def test_at_least_as_good_as_appendix_i(tmp_path: Path) -> None:
    ours_snr, theirs_snr, ours_distance, theirs_distance = [], [], [], []
    for voice, text in VOICES.items():
        samples = speech(tmp_path, voice, text)
        frames = samples.reshape(-1, 160)
        legs = 12  # of one speech, each with losses of its own
        random = np.random.default_rng(711)
        lost = random.random((len(frames), legs)) < np.linspace(0.02, 0.15, legs)
        lost[1:] |= lost[:-1] & (random.random((len(frames) - 1, legs)) < 0.3)
        lost[:3] = False
        concealer, slots = Concealer(legs), np.arange(legs)
        ours = np.empty((legs, len(frames), 160))
        for number, frame in enumerate(frames):
            line = np.tile(frame, (legs, 1))
            line[lost[number]] = 12345  # whatever lies there
            concealer.conceal(slots, line, ~lost[number])
            ours[:, number] = line
        good = samples.astype(np.float64)
        for leg in range(legs):
            peer = AppendixI()
            out = [
                peer.take(None if lost[number, leg] else half.astype(np.float64))
                for number, frame in enumerate(frames)
                for half in frame.reshape(2, 80)
            ]
            late = np.concatenate((*out, np.zeros(30)))[30:]  # in step with what went in
            mine, theirs = ours[leg].reshape(-1), np.rint(late[: len(good)])
            ours_snr.append(segmental_snr_db(good, mine))
            theirs_snr.append(segmental_snr_db(good, theirs))
            ours_distance.append(spectral_distance_db(good, mine, lost[:, leg]))
            theirs_distance.append(spectral_distance_db(good, theirs, lost[:, leg]))
    assert np.concatenate(ours_snr).mean() >= np.concatenate(theirs_snr).mean()
    assert np.concatenate(ours_distance).mean() <= np.concatenate(theirs_distance).mean()


def test_no_row_is_worse_than_spandsp() -> None:
    try:
        rows = conceal.run(quick=True)
    except conceal.MissingPeerError:
        pytest.skip("libspandsp2 is not installed")
    assert len(rows) == 16
    assert [row.name for row in rows if row.ratio is None or row.ratio < 1.0] == []


@pytest.mark.parametrize("hz", [70.0, 100.0, 150.0, 190.0])
def test_a_tone_goes_on(hz: float) -> None:
    """One period and its harmonics: 20 ms made up are hardly told from what was sent."""
    t = np.arange(160 * 12) / 8000
    sent = (
        sum(3000 / k * np.sin(2 * np.pi * hz * k * t + k) for k in (1, 2, 3))
        .astype(np.int16)
        .reshape(-1, 160)
    )
    period = find_periods(sent[:3].reshape(1, -1).astype(np.float32))[0]
    assert abs(8000 / hz / period - round(8000 / hz / period)) < 0.03
    concealer = Concealer(1)
    error = []
    for number, frame in enumerate(sent.copy()):
        line = frame[None, :].copy()
        concealer.conceal(np.array([0]), line, np.array([number != 6]))
        error.append(np.abs(line[0].astype(int) - sent[number]).max())
    assert error[:6] == [0] * 6 and error[8:] == [0] * 4
    assert error[6] < 0.35 * np.abs(sent).max()
    assert concealer.concealed[0] == 1


def test_what_is_there_is_not_touched_and_long_losses_become_silence() -> None:
    random = np.random.default_rng(3)
    concealer, slots = Concealer(5), np.array([0, 2, 4])
    for _ in range(4):
        frames = random.integers(-9000, 9000, (3, 160)).astype(np.int16)
        line = frames.copy()
        concealer.conceal(slots, line, np.ones(3, np.bool_))
        assert (line == frames).all()
    for number in range(6):
        line = np.full((3, 160), 77, np.int16)
        concealer.conceal(slots, line, np.array([True, False, True]))
        assert (line[[0, 2]] == 77).all()
        assert line[1].any() == (number < 3)
    assert concealer.concealed.tolist() == [0, 0, 3, 0, 0]
    line = np.full((3, 160), 5000, np.int16)
    concealer.conceal(slots, line, np.ones(3, np.bool_))
    assert line[1, 0] < 500 and line[1, -1] == 5000, "after a long loss the sound fades in"
    concealer.reset(2)
    line = np.full((3, 160), 77, np.int16)
    concealer.conceal(slots, line, np.array([True, False, True]))
    assert not line[1].any(), "a leg that was never heard is silent"
