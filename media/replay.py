"""What the core makes of captured RTP: every stream goes through the parts that a live leg goes through.

Reception (loss, jitter), framer, jitter buffer, concealment, both key detectors and the E-model, in steps of
20 ms on the capture's own clock. Invariant: the same capture always gives the same result; at most
MAX_STREAMS streams are followed, and of a stream MAX_SAMPLES of sound are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from media.batch import rounds
from media.capture import Captured
from media.comfort_noise import PAYLOAD_TYPE as COMFORT_NOISE
from media.comfort_noise import ComfortNoise
from media.conceal import Concealer
from media.dtmf import InbandDetector
from media.framer import Framer
from media.g711 import DECODE, SILENCE
from media.jitter import JitterBuffer
from media.packet import FRAME_SAMPLES, HEADER_BYTES, STRIDE, TICK_S, U8, read_headers, valid_rtp
from media.quality import FRAME_MS, Heard, Stream, rating_of, score_of
from media.sequence import MS_PER_SAMPLE, Reception
from media.telephone_event import EventReceiver
from media.tone import DIGITS

MAX_STREAMS: Final = 1000
MAX_SAMPLES: Final = 8000 * 3600 * 4
MIN_PACKETS: Final = 4  # fewer with one SSRC are not taken for a stream
DYNAMIC: Final = 96
EVENT_BYTES: Final = 4
LAWS: Final = {0: 0, 8: 1}
NAMES: Final = {0: "PCMU", 3: "GSM", 4: "G723", 8: "PCMA", 9: "G722", 18: "G729"}
END_TICKS: Final = 25  # after the last packet, until what waits has been played
MAX_GAP_TICKS: Final = 500  # a longer pause of the whole capture is passed over


@dataclass(frozen=True, slots=True)
class Key:
    """A pressed key: seconds after the stream's beginning, and how it came."""

    at_s: float
    digit: str
    method: str


@dataclass(slots=True)
class Replayed:
    """One stream. `delay_ms` and `lost_at` are of every tick: the buffer's delay, and whether a frame was
    missing that should have been there. `sound` is empty where the codec is none that is decoded here."""

    source: str
    destination: str
    ssrc: int
    codec: str
    begin: float
    end: float
    packets: int = 0
    lost: int = 0
    late: int = 0
    reordered: int = 0
    duplicated: int = 0
    comfort_noise: int = 0
    jitter_ms: float = 0.0
    max_jitter_ms: float = 0.0
    concealed_ms: int = 0
    buffer_ms: float = -1.0
    mos: float = -1.0
    keys: list[Key] = field(default_factory=list)
    delay_ms: list[float] = field(default_factory=list)
    lost_at: list[bool] = field(default_factory=list)
    sound: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class _Packets:
    """All RTP of the capture by time: arrival, stream, header fields and where the payload is."""

    data: U8
    lengths: np.ndarray
    at: np.ndarray
    stream: np.ndarray
    first: np.ndarray
    timestamps: np.ndarray
    types: np.ndarray


def replay(capture: Iterable[Captured]) -> list[Replayed]:
    """The streams of a capture, in order of their first packets."""
    streams, packets = _find(capture)
    if streams:
        _Line(streams, packets).run()
    return streams


def _find(capture: Iterable[Captured]) -> tuple[list[Replayed], _Packets]:
    """Which datagrams are RTP, and of which stream."""
    groups: dict[tuple[str, str, bytes], list[Captured]] = {}
    for one in capture:
        payload = one.payload
        if not HEADER_BYTES < len(payload) <= STRIDE or payload[0] >> 6 != 2 or 192 <= payload[1] <= 223:
            continue
        key = (one.source, one.destination, payload[8:12])
        if key in groups or len(groups) < MAX_STREAMS:
            groups.setdefault(key, []).append(one)
    streams: list[Replayed] = []
    chosen: list[tuple[float, int, bytes]] = []
    for (source, destination, ssrc), packets in groups.items():
        if len(packets) < MIN_PACKETS:
            continue
        types = [one.payload[1] & 0x7F for one in packets]
        audio = next((kind for kind in types if kind < DYNAMIC and kind != COMFORT_NOISE), types[0])
        codec = NAMES.get(audio, "telephone-event" if audio >= DYNAMIC else f"type {audio}")
        number = len(streams)
        streams.append(
            Replayed(source, destination, int.from_bytes(ssrc), codec, packets[0].at, packets[-1].at)
        )
        chosen += [(one.at, number, one.payload) for one in packets]
    chosen.sort(key=lambda one: one[0])
    data = np.zeros((max(len(chosen), 1), STRIDE), np.uint8)
    lengths = np.array([len(payload) for _, _, payload in chosen], np.int32)
    for row, (_, _, payload) in enumerate(chosen):
        data[row, : len(payload)] = np.frombuffer(payload, np.uint8)
    headers = read_headers(data, len(chosen))
    good = valid_rtp(data[: len(chosen)], lengths, headers[:, 0], np.ones(len(chosen), np.bool_))
    return streams, _Packets(
        data[: len(chosen)][good],
        lengths[good],
        np.array([at for at, _, _ in chosen], np.float64)[good],
        np.array([number for _, number, _ in chosen], np.intp)[good],
        headers[good, 0],
        headers[good, 1],
        ((headers[good, 0] >> np.uint32(16)) & np.uint32(0x7F)).astype(np.int64),
    )


class _Line:
    """The streams as legs, and the parts that they go through."""

    def __init__(self, streams: list[Replayed], packets: _Packets) -> None:
        count = len(streams)
        self._streams, self._packets = streams, packets
        laws = {name: LAWS[kind] for kind, name in NAMES.items() if kind in LAWS}
        self._law = np.array([laws.get(stream.codec, 0) for stream in streams], np.uint8)
        self._decoded = np.array([stream.codec in laws for stream in streams], np.bool_)
        self._reception = Reception(count)
        self._framer, self._jitter = Framer(count), JitterBuffer(count, law=self._law)
        self._concealer, self._inband, self._events = (
            Concealer(count),
            InbandDetector(count),
            EventReceiver(count),
        )
        self._noise = ComfortNoise(count, np.random.default_rng(COMFORT_NOISE))
        self._scratch = np.zeros(count, np.intp)
        self._slots = np.arange(count)
        self._first = np.array([stream.begin for stream in streams])
        self._last = np.array([stream.end for stream in streams])

    def run(self) -> None:
        """From the first packet to the last, and a little longer."""
        at = self._packets.at
        now, row, idle = float(at[0]), 0, 0
        while row < len(at) or idle < END_TICKS:
            now += TICK_S
            until = int(np.searchsorted(at, now, side="right"))
            idle = 0 if until > row else idle + 1
            if until > row:
                self._take(np.arange(row, until))
            elif row < len(at) and idle > MAX_GAP_TICKS:
                now, idle = float(at[row]), 0
            row = until
            self._tick(now)
        self._finish()

    def _take(self, rows: np.ndarray) -> None:
        packets = self._packets
        for turn in rounds(packets.stream[rows], self._scratch, len(rows)):
            here = rows[turn]
            slots, first = packets.stream[here], packets.first[here]
            ssrcs = np.array([self._streams[slot].ssrc for slot in slots.tolist()], np.uint32)
            seen = self._reception.observe(slots, first, ssrcs)
            types, sizes = packets.types[here], packets.lengths[here] - HEADER_BYTES
            noise = types == COMFORT_NOISE
            event = (types >= DYNAMIC) & (sizes == EVENT_BYTES)
            audio = ~noise & ~event
            if seen.accepted is not None:
                audio &= seen.accepted
                event &= seen.accepted
            if noise.any():
                some = here[noise]
                self._noise.receive(slots[noise], some, packets.lengths[some], packets.data)
            if event.any():
                self._take_events(here[event])
            if audio.any():
                self._reception.observe_jitter(
                    slots[audio], packets.timestamps[here[audio]], packets.at[here[audio]]
                )
            self._noise.spoke(slots[audio])
            audio &= self._decoded[slots]
            if audio.any():
                some = here[audio]
                framed = self._framer.frames(
                    slots[audio], some, packets.lengths[some], packets.timestamps[some], packets.data
                )
                if framed[0].size:
                    self._jitter.put(*framed)

    def _take_events(self, rows: np.ndarray) -> None:
        packets = self._packets
        payloads = packets.data[rows, HEADER_BYTES : HEADER_BYTES + EVENT_BYTES]
        slots, codes = self._events.receive(packets.stream[rows], packets.timestamps[rows], payloads)
        self._press(slots, codes, "rfc4733", float(packets.at[rows[0]]))

    def _press(self, slots: np.ndarray, codes: np.ndarray, method: str, at: float) -> None:
        for slot, code in zip(slots.tolist(), codes.tolist(), strict=True):
            if code < len(DIGITS):
                stream = self._streams[slot]
                stream.keys.append(Key(round(at - stream.begin, 3), DIGITS[code], method))

    def _tick(self, now: float) -> None:
        live = self._decoded & (self._first <= now) & (now <= self._last + END_TICKS * TICK_S)
        slots = self._slots[live]
        if not slots.size:
            return
        lost_before = self._jitter.lost[slots].copy()
        delay = self._jitter.delay_frames(slots) * FRAME_MS
        coded, present = self._jitter.get(slots)
        silent = self._noise.silent[slots]
        missing = (self._jitter.lost[slots] > lost_before) & ~silent
        frames = DECODE[self._law[slots][:, None], coded]
        self._noise.end(slots[present])
        quiet = ~present & self._noise.silent[slots]
        self._noise.tick(self._decoded)
        frames[quiet] = self._noise.frames(slots[quiet])
        self._concealer.conceal(slots, frames, present | quiet)
        coded[~present] = SILENCE[self._law[slots[~present]]][:, None]
        found, codes = self._inband.detect(slots, coded, self._law[slots])
        self._press(found, codes, "inband", now)
        for row, slot in enumerate(slots.tolist()):
            stream = self._streams[slot]
            stream.delay_ms.append(float(delay[row]))
            stream.lost_at.append(bool(missing[row]))
            if len(stream.sound) < MAX_SAMPLES // FRAME_SAMPLES:
                stream.sound.append(frames[row].astype("<i2").tobytes())

    def _finish(self) -> None:
        reception = self._reception
        for slot, stream in enumerate(self._streams):
            one = np.array([slot])
            stream.comfort_noise = int(self._noise.packets[slot])
            stream.packets = int(reception.total_received(one)[0])
            stream.lost = int(reception.missing(one)[0])
            stream.reordered = int(reception.reordered[slot])
            stream.duplicated = int(reception.duplicated[slot])
            stream.jitter_ms = round(float(reception.jitter[slot]) * MS_PER_SAMPLE, 3)
            stream.max_jitter_ms = round(float(reception.max_jitter[slot]) * MS_PER_SAMPLE, 3)
            stream.late = int(self._jitter.late[slot])
            stream.concealed_ms = round(int(self._concealer.concealed[slot]) * FRAME_MS)
            played = int(self._jitter.played[slot])
            if played:
                stream.buffer_ms = round(int(self._jitter.waited[slot]) / played * FRAME_MS, 1)
            else:
                continue
            heard = Heard(stream.late, stream.concealed_ms, stream.buffer_ms)
            runs = int(reception.loss_runs[slot])
            received = stream.packets - stream.duplicated
            stream.mos = score_of(
                rating_of(Stream(received, stream.lost, runs, stream.jitter_ms, -1.0), heard)
            )
