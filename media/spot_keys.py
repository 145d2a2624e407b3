"""The keys in a whole piece of sound, with their times: the in-band detector run over a file.

Invariant: what is found is what a leg with this sound would have told of, in the order of their beginnings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from media import g711
from media.dtmf import FRAME, IDLE, InbandDetector
from media.packet import F32, U8
from media.tone import DIGITS, RATE_HZ

FRAME_S = FRAME / RATE_HZ


@dataclass(frozen=True, slots=True)
class Press:
    """A key that was heard: which, in which channel (from 0), from when, for how long (within some 5 ms)."""

    digit: str
    channel: int
    at_s: float
    duration_s: float


def spot_keys(samples: F32) -> list[Press]:
    """The keys in sound of 8 kHz, float32[channels, n] in units of int16."""
    linear = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    return spot_coded_keys(g711.encode_ulaw(linear), g711.PCMU)


def spot_coded_keys(codes: U8, law: int) -> list[Press]:
    """The keys in G.711 of 8 kHz, uint8[channels, n]."""
    channels, length = codes.shape
    frames = -(-length // FRAME) + 3  # silence after the end: a key that lasts until then ends as well
    padded = np.full((channels, frames * FRAME), g711.SILENCE[law], np.uint8)
    padded[:, :length] = codes
    detector = InbandDetector(channels)
    slots, laws = np.arange(channels), np.full(channels, law, np.uint8)
    begun: dict[int, tuple[str, float]] = {}
    free_s = [0.0] * channels  # a key begins after the last one's end
    found: list[Press] = []

    def end(channel: int, at_s: float) -> None:
        digit, began_s = begun.pop(channel)
        free_s[channel] = at_s
        found.append(Press(digit, channel, round(began_s, 3), round(max(at_s - began_s, 0.0), 3)))

    for number in range(frames):
        frame = np.ascontiguousarray(padded[:, number * FRAME : (number + 1) * FRAME])
        pressed, keys = detector.detect(slots, frame, laws)
        down, heard_ms, absent_ms = detector.down(slots)
        ends_s = (number + 1) * FRAME_S - absent_ms.astype(np.float64) / 1000.0
        for channel, code in zip(pressed.tolist(), keys.tolist(), strict=True):
            began_s = float(ends_s[channel]) - float(heard_ms[channel]) / 1000.0
            if channel in begun:
                end(channel, began_s)
            begun[channel] = DIGITS[code], max(began_s, free_s[channel])
        for channel in [one for one in begun if down[one] == IDLE]:
            end(channel, float(ends_s[channel]))
    return sorted(found, key=lambda press: (press.at_s, press.channel))
