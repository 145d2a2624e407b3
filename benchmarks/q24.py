"""In-band keys by the book: the table of `tests.support.q24` (ITU-T Q.24, ETSI ES 201 235-3) and talk-off.

Each row is a kind of line, and the figure the share of lines on which exactly that was heard what had to be:
the key once, twice, or nothing. spandsp gets the same lines, in linear samples; for the rows with a dial tone
its filter against dial tones is switched on, which is off when it is left as it comes.

Talk-off is speech in which every key heard is false: all prompts of Debian's asterisk-core-sounds-*-wav, at
eight alignments to the grid of 20 ms frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.harness import MissingPeerError, Row
from benchmarks.spandsp import spandsp_hear
from media import dtmf, g711, tone, wav
from tests.support import q24

SOUNDS = Path("/usr/share/asterisk/sounds")
INSTALL = "apt-get install asterisk-core-sounds-en-wav (and es, fr, it, ru)"
FRAME = 160
LINES = 256
ALIGNMENTS = range(0, FRAME, 20)

Int16 = npt.NDArray[np.int16]
UInt8 = npt.NDArray[np.uint8]


def hear_codes(codes: UInt8, laws: UInt8) -> list[str]:
    """The keys that our detector hears on each line, uint8[lines, n]."""
    detector = dtmf.InbandDetector(len(codes))
    heard = [""] * len(codes)
    slots = np.arange(len(codes))
    for at in range(0, codes.shape[1] - FRAME + 1, FRAME):
        frames = np.ascontiguousarray(codes[:, at : at + FRAME])
        found, keys = detector.detect(slots, frames, laws)
        for slot, code in zip(found.tolist(), keys.tolist(), strict=True):
            heard[slot] += tone.DIGITS[code]
    return heard


def right(row: q24.Row, peer: bool = True) -> tuple[float, float, int]:
    """Share of right lines, ours and spandsp's (0 without `peer`), and their number."""
    ours = theirs = count = 0
    for presses in row.presses:
        keys = iter(presses.keys.tolist())
        for lines, laws in presses.lines():
            wanted = [tone.DIGITS[next(keys)] * row.times for _ in lines]
            codes = np.stack([g711.encode(line, law) for line, law in zip(lines, laws.tolist(), strict=True)])
            ours += sum(map(str.__eq__, hear_codes(codes, laws.astype(np.uint8)), wanted))
            if peer:
                theirs += sum(map(str.__eq__, spandsp_hear(lines, row.dial_tone), wanted))
            count += len(lines)
    return ours / count, theirs / count, count


def rows(quick: bool) -> Iterator[Row]:
    """The table."""
    for row in q24.table(1 if quick else 4):
        ours, theirs, count = right(row)
        note = f"{count} lines, {('nothing', 'the key once', 'the key twice')[row.times]} to be heard on each"
        yield Row(f"q24 {row.name}", ours * 100.0, "% right", "spandsp", theirs * 100.0, note=note)


def prompts(folder: Path = SOUNDS, minutes: float = 1e9) -> UInt8:
    """All prompts below a folder, one after the other, mu-law, uint8[n]; no more than so many minutes."""
    parts: list[UInt8] = []
    left = minutes * 60.0 * tone.RATE_HZ
    for path in sorted(folder.rglob("*.wav")):
        rate_hz, samples = wav.decode(str(path), path.read_bytes())
        linear = np.clip(np.rint(wav.resample(samples, rate_hz, tone.RATE_HZ)), -32768, 32767)
        parts += [g711.encode_ulaw(linear.astype(np.int16)), np.full(320, g711.SILENCE[0], np.uint8)]
        left -= len(linear) + 320
        if left <= 0:
            break
    if not parts:
        raise MissingPeerError(f"there are no prompts below {folder}: {INSTALL}")
    return np.concatenate(parts)


def side_by_side(codes: UInt8, shift: int) -> UInt8:
    """The same as uint8[LINES, n] of whole frames, beginning at sample `shift`."""
    rest = codes[shift:]
    width = -(-len(rest) // (LINES * FRAME)) * FRAME
    padded = np.full(LINES * width, g711.SILENCE[0], np.uint8)
    padded[: len(rest)] = rest
    return padded.reshape(LINES, width)


def talk_off(quick: bool) -> Row:
    """False keys in all prompts."""
    codes = prompts(minutes=20.0 if quick else 1e9)
    laws = np.zeros(LINES, np.uint8)
    ours = sum(len(key) for shift in ALIGNMENTS for key in hear_codes(side_by_side(codes, shift), laws))
    theirs = sum(map(len, spandsp_hear(g711.ULAW_TO_LINEAR[side_by_side(codes, 0)])))
    minutes = len(codes) / tone.RATE_HZ / 60.0
    note = (
        f"false keys in {minutes:.0f} minutes of prompts (Debian's asterisk-core-sounds-*-wav); ours at "
        f"{len(ALIGNMENTS)} alignments of the frames, all together"
    )
    return Row("dtmf talk-off", float(ours), "keys", "spandsp", float(theirs), note=note)
