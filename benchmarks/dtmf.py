"""In-band DTMF: channels in real time a core, and what is heard, beside spandsp's dtmf_rx.

Speed: 4 000 channels of synthetic speech in which every twentieth channel presses keys (a core that does
nothing else carries ten times as many); ours is charged for decoding mu-law, spandsp is given linear
samples, a second a call. Both are measured in turns, and the best of each counts. Accuracy: the table of
ITU-T Q.24 (`benchmarks.q24`), and speech in several languages, in which any key heard is false. One thread,
in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from benchmarks import q24
from benchmarks.harness import MissingPeerError, Row
from benchmarks.spandsp import Spandsp, spandsp_hear
from media import dtmf, g711, tone, wav

FRAME = 160
CHANNELS = 4000
PEER_CHANNELS = 1000  # of the same; spandsp does one after the other
Int16 = npt.NDArray[np.int16]

SPEECH = {
    "en": "Please press one for sales, two for support, or stay on the line. We see three trees by the sea.",
    "ru": "Нажмите один для отдела продаж, два для технической поддержки. Пожалуйста, оставайтесь на линии.",
    "de": "Bitte drücken Sie die eins für den Verkauf. Zwölf Boxkämpfer jagen Viktor quer über den Deich.",
    "fr-fr": "Tapez un pour les ventes, deux pour le support. Oui, ici la petite fille rit.",
    "tr": "Merhaba, hoş geldiniz. Lütfen bekleyin, size birazdan cevap verilecektir.",
    "ro": "Bună ziua, apăsați unu pentru vânzări. Muzicologă în bej vând whisky și tequila.",
    "it": "Premete uno per le vendite. Mi piace vivere in queste vie, pranzo d'acqua fa volti sghembi.",
}


def speech(quick: bool) -> list[Int16]:
    """Sentences of several voices, languages and pitches, through mu-law."""
    voices: Sequence[str] = ("", "+f2", "+m5") if quick else ("", "+f1", "+f2", "+f4", "+m2", "+m5")
    spoken = []
    for language, text in SPEECH.items():
        for voice in voices:
            for pitch in (25, 50, 75):
                command = ["espeak-ng", "-v", language + voice, "-p", str(pitch), "--stdout", text * 2]
                try:
                    data = subprocess.run(command, capture_output=True, check=True).stdout
                except (OSError, subprocess.CalledProcessError) as error:
                    raise MissingPeerError("espeak-ng is missing: apt-get install espeak-ng") from error
                rate_hz, samples = wav.decode("espeak-ng", data)
                spoken.append(through_ulaw(wav.resample(samples, rate_hz, tone.RATE_HZ)))
    return spoken


def through_ulaw(samples: npt.NDArray[np.floating]) -> Int16:
    """What is left of samples (in units of int16) on a telephone line."""
    linear = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    heard: Int16 = g711.ULAW_TO_LINEAR.take(g711.encode_ulaw(linear))
    return heard


def side_by_side(signals: list[Int16], seconds: float) -> Int16:
    """int16[CHANNELS, n]: speech on all channels, each beginning elsewhere; keys on every twentieth."""
    random = np.random.default_rng(3)
    endless = np.concatenate(signals)
    n = int(seconds * 50) * FRAME
    lines = np.stack([endless[at : at + n] for at in random.integers(0, len(endless) - n, CHANNELS).tolist()])
    keys = through_ulaw(tone.keys(tone.DIGITS, 100, 100, lead_ms=50).astype(np.float64))
    lines[::20] = np.resize(keys, n)
    return lines


def hear(lines: Int16) -> list[str]:
    """The keys that our detector hears on each line, int16[channels, n]."""
    return q24.hear_codes(g711.encode_ulaw(lines), np.zeros(len(lines), np.uint8))


def speed(signals: list[Int16], quick: bool) -> Row:
    """Channels in real time a core."""
    seconds = 1.0 if quick else 1.5
    lines = side_by_side(signals, seconds)
    frames = np.ascontiguousarray(g711.encode_ulaw(lines).reshape(CHANNELS, -1, FRAME).swapaxes(0, 1))
    slots, laws = np.arange(CHANNELS), np.zeros(CHANNELS, np.uint8)
    ours, peer = [], []
    for _ in range(2 if quick else 8):
        detector = dtmf.InbandDetector(CHANNELS)
        begin = time.process_time()
        for frame in frames:
            detector.detect(slots, frame, laws)
        ours.append(CHANNELS * seconds / (time.process_time() - begin))
        receivers = [Spandsp() for _ in range(PEER_CHANNELS)]
        begin = time.process_time()
        for receiver, line in zip(receivers, lines, strict=False):
            receiver.hear(line)
        peer.append(PEER_CHANNELS * seconds / (time.process_time() - begin))
        for receiver in receivers:
            receiver.close()
    return Row(
        "dtmf",
        max(ours),
        "channels a core",
        "spandsp",
        max(peer),
        max(ours) / max(peer),
        note=f"{CHANNELS} channels of speech, keys on 1 in 20; mu-law decoding counted for ours only",
    )


def false_keys(signals: list[Int16]) -> tuple[int, int, float]:
    """Keys heard in speech, ours and spandsp's, and the minutes of speech."""
    width = max(map(len, signals)) // FRAME * FRAME + FRAME
    lines = np.zeros((len(signals), width), dtype=np.int16)
    for line, signal in zip(lines, signals, strict=True):
        line[: len(signal)] = signal
    minutes = sum(map(len, signals)) / tone.RATE_HZ / 60.0
    return sum(map(len, hear(lines))), sum(map(len, spandsp_hear(signals))), minutes


def measure(quick: bool) -> list[Row]:
    """All rows, in this process."""
    signals = speech(quick)
    rows = [speed(signals, quick)]
    rows += q24.rows(quick)
    false, peer_false, minutes = false_keys(signals)
    note = (
        f"keys heard in {minutes:.0f} minutes of speech (espeak-ng, {len(SPEECH)} languages); none is right"
    )
    rows.append(Row("dtmf_false", float(false), "keys", "spandsp", float(peer_false), note=note))
    rows.append(q24.talk_off(quick))
    return rows


def run(quick: bool = False) -> list[Row]:
    """The rows, from a process in which the BLAS has one thread: a core means one core."""
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.dtmf", "--rows", *(["--quick"] if quick else [])]
    done = subprocess.run(command, env=one_thread, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        raise MissingPeerError(done.stderr.strip())
    if done.returncode:
        raise RuntimeError(f"the measurement failed:\n{done.stderr}")
    return [Row(**row) for row in json.loads(done.stdout)]


if __name__ == "__main__":
    try:
        measured = measure("--quick" in sys.argv)
    except MissingPeerError as missing:
        print(missing, file=sys.stderr)
        sys.exit(3)
    if "--rows" in sys.argv:
        print(json.dumps([asdict(row) for row in measured]))
    else:
        from benchmarks.harness import line as as_line

        for row in measured:
            print(as_line(row), row.note, sep="\n    ")
