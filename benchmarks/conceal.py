"""Concealment of lost frames beside spandsp's (plc_rx, plc_fillin): on speech, at random and at bursty loss.

Two measures of what comes out against what was sent: the segmental signal-to-noise ratio of all speech (10 ms
segments, each between -10 and 35 dB), and the log-spectral distance around the losses. Neither delays the
sound. Bursty losses come in runs of three packets in the mean (Gilbert's model).

`python -m benchmarks.conceal` prints the rows.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.harness import MissingPeerError, Row, line
from media.conceal import Concealer
from media.g711 import ULAW_TO_LINEAR, encode_ulaw

FRAME = 160
LEGS = 40
LOSSES = (0.01, 0.03, 0.05, 0.10)
MEAN_RUN = 3.0
SPOKEN = 100.0  # root mean square of a segment in which somebody speaks
VOICES = {
    "en": "The quick brown fox jumps over the lazy dog, and all the agents are busy; please wait.",
    "fr": "Tous nos conseillers sont en ligne, merci de patienter, nous allons vous répondre bientôt.",
    "de+f3": "Alle Leitungen sind zurzeit belegt, bitte haben Sie einen Augenblick Geduld.",
    "it+f1": "Tutti i nostri operatori sono occupati; la preghiamo di restare in linea.",
    "es+f2": "Todos nuestros agentes están ocupados; por favor, espere un momento en la línea.",
}

Sound = npt.NDArray[np.float64]
Int16 = npt.NDArray[np.int16]
Bool = npt.NDArray[np.bool_]


def speech(folder: Path, voice: str, text: str) -> Int16:
    """espeak-ng's voice as it comes over a line: 8 kHz, mu-law, whole frames."""
    raw, narrow = folder / "raw.wav", folder / "line.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-w", str(raw), text], check=True)
    subprocess.run(["sox", str(raw), "-r", "8000", "-c", "1", "-b", "16", str(narrow)], check=True)
    with wave.open(str(narrow)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
    return ULAW_TO_LINEAR[encode_ulaw(samples[: len(samples) // FRAME * FRAME])]


def segmental_snr_db(good: Sound, other: Sound) -> Sound:
    """Of each 10 ms in which somebody speaks; each between -10 and 35 dB, as is usual."""
    count = min(len(good), len(other)) // 80 * 80
    signal, noise = good[:count].reshape(-1, 80), (good - other[: len(good)])[:count].reshape(-1, 80)
    energy = (signal**2).sum(axis=1)
    heard = energy > 80 * SPOKEN**2
    ratio: Sound = 10 * np.log10(energy[heard] / ((noise[heard] ** 2).sum(axis=1) + 1.0))
    return ratio.clip(-10, 35)


def spectral_distance_db(good: Sound, other: Sound, lost: Bool) -> Sound:
    """Log-spectral distances of the 20 ms windows, 10 ms apart, that touch a lost frame (bool[frames]) or the
    one after it, and in which somebody speaks."""
    count = len(good) // 80 - 2
    at = 80 * np.arange(count)[:, None] + np.arange(FRAME)[None, :]
    a, b = good[at], other[at]
    touched = np.repeat(lost, 2)
    touched[2:] |= touched[:-2]
    wanted = (touched[:count] | touched[1 : count + 1]) & ((a**2).mean(axis=1) > SPOKEN**2)
    power = [np.abs(np.fft.rfft(x[wanted] * np.hanning(FRAME), axis=1)) ** 2 + 1e4 for x in (a, b)]
    distance: Sound = np.sqrt(((10 * np.log10(power[0] / power[1])) ** 2).mean(axis=1))
    return distance


def random_losses(random: np.random.Generator, frames: int, share: float) -> Bool:
    """Each frame for itself, bool[frames, LEGS]."""
    return random.random((frames, LEGS)) < share


def bursty_losses(random: np.random.Generator, frames: int, share: float) -> Bool:
    """Runs of MEAN_RUN frames in the mean, bool[frames, LEGS]."""
    leave = 1.0 / MEAN_RUN
    enter = leave * share / (1.0 - share)
    lost = np.zeros((frames, LEGS), np.bool_)
    state = random.random(LEGS) < share
    for frame, draws in enumerate(random.random((frames, LEGS))):
        state = np.where(state, draws >= leave, draws < enter)
        lost[frame] = state
    return lost


def of_ours(frames: Int16, lost: Bool) -> Int16:
    """All legs at once: int16[frames, 160], bool[frames, LEGS] -> int16[LEGS, samples]."""
    concealer, slots = Concealer(LEGS), np.arange(LEGS)
    out = np.empty((LEGS, len(frames), FRAME), np.int16)
    for number, frame in enumerate(frames):
        group = np.tile(frame, (LEGS, 1))
        group[lost[number]] = 0
        concealer.conceal(slots, group, ~lost[number])
        out[:, number] = group
    return out.reshape(LEGS, -1)


def of_spandsp(frames: Int16, lost: Bool) -> Int16:
    """The same through libspandsp, leg by leg."""
    try:
        library = ctypes.CDLL("libspandsp.so.2")
    except OSError as error:
        raise MissingPeerError("libspandsp is missing: apt-get install libspandsp2") from error
    library.plc_init.restype = ctypes.c_void_p
    out = np.empty((LEGS, len(frames), FRAME), np.int16)
    for leg in range(LEGS):
        state = ctypes.c_void_p(library.plc_init(None))
        for number, frame in enumerate(frames):
            sound = frame.copy() if not lost[number, leg] else np.zeros(FRAME, np.int16)
            call = library.plc_fillin if lost[number, leg] else library.plc_rx
            call(state, ctypes.c_void_p(sound.ctypes.data), FRAME)
            out[leg, number] = sound
        library.plc_free(state)
    return out.reshape(LEGS, -1)


def measure(good: Int16, other: Int16, lost: Bool) -> tuple[float, float]:
    """Mean segmental SNR of all speech, and mean spectral distance around the losses: int16[samples],
    int16[LEGS, samples], bool[frames, LEGS]."""
    sent = good.astype(np.float64)
    ratios, distances = [], []
    for leg in range(LEGS):
        heard = other[leg].astype(np.float64)
        ratios.append(segmental_snr_db(sent, heard))
        distances.append(spectral_distance_db(sent, heard, lost[:, leg]))
    return float(np.concatenate(ratios).mean()), float(np.concatenate(distances).mean())


def run(quick: bool = False) -> list[Row]:
    """The rows of this benchmark."""
    rows: list[Row] = []
    kinds: dict[str, Callable[[np.random.Generator, int, float], Bool]] = {
        "random": random_losses,
        "bursty": bursty_losses,
    }
    with tempfile.TemporaryDirectory() as folder:
        voices = list(VOICES.items())[: 3 if quick else None]
        spoken = np.concatenate([speech(Path(folder), voice, text) for voice, text in voices])
    frames = spoken.reshape(-1, FRAME)
    for name, losses in kinds.items():
        for share in LOSSES:
            lost = losses(np.random.default_rng(711), len(frames), share)
            lost[:3] = False
            ours, theirs = (measure(spoken, of(frames, lost), lost) for of in (of_ours, of_spandsp))
            what = f"conceal {share:.0%} {name}"
            note = f"{len(frames) // 50} s of speech in {len(voices)} languages, {LEGS} draws of the losses"
            snr, distance = (ours[0], theirs[0]), (ours[1], theirs[1])
            rows.append(Row(f"{what}, SNR", snr[0], "dB", "spandsp", snr[1], snr[0] / snr[1], None, note))
            ratio = distance[1] / distance[0]
            rows.append(
                Row(f"{what}, spectrum off", distance[0], "dB", "spandsp", distance[1], ratio, None, note)
            )
    return rows


if __name__ == "__main__":
    for row in run():
        print(line(row))
