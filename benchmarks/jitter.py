"""Jitter buffer beside speexdsp's: how much delay at equal loss on every trace, and microseconds a frame.

**Delay.** Both get the packets of `benchmarks.traces` and a tick every 20 ms. What a buffer never plays of
what arrived (late, or skipped to shorten the delay) is its loss; its delay is from sending to playing, one
way through the network included. Speexdsp's runs with its defaults; ours with a row of late shares, and its
delay is read off at the loss that speexdsp's had. SEEDS runs of five minutes each. *Floor* is the delay if
every packet were played at the first tick after it came, in whatever order: nobody is below it without loss.
On the constant trace both are at it, and it cannot be otherwise: a packet is 31 ms on its way, ticks are at
whole multiples of 20 ms after it was sent, so the first one that finds it there is at 40 ms; 9 ms of it are
the tick's. On the traces with drift nearly all of the delay is the way and the tick as well; the note says
what a buffer would have that knew the clocks and the jitter (`benchmarks.ideal`).

*Breaks* are the frames that do not follow what was played a tick before: what was not played and what was
waited for, so that delay is not bought with broken speech.

**Time.** Put and get of one frame, 1 000 legs, 0 to 40 ms of jitter, 1 % of loss. Speexdsp's functions are
called through ctypes, and what an equally long loop of empty ctypes calls costs is subtracted, so that it is
charged for its own C code only.

`python -m benchmarks.jitter --picture` draws jitter.png.
"""

from __future__ import annotations

import ctypes
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import ideal, speex, traces
from benchmarks.harness import Row, line
from media.jitter import JitterBuffer

LEGS = 1000
FRAME = 160
SEEDS = (1050, 3550, 711)
SHARES = (0.001, 0.003, 0.007, 0.012, 0.02, 0.03, 0.045, 0.065, 0.09, 0.13, 0.18, 0.25)
TICK_S = 0.02
MAX_FRAMES = 40
AFTER_TICKS = 60
PICTURE = Path(__file__).with_name("jitter.png")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a buffer made of a trace: percent of the arrived packets that it did not play, mean delay in ms,
    breaks in percent of the frames played."""

    lost_percent: float
    delay_ms: float
    breaks_percent: float


@dataclass(frozen=True, slots=True)
class _Course:
    """A trace as ticks: packet numbers in order of arrival, and the tick that each one comes before."""

    trace: traces.Trace
    packets: npt.NDArray[np.int64]
    ticks: npt.NDArray[np.int64]

    def outcome(self, played: npt.NDArray[np.int64]) -> Outcome:
        """`played`: int64[k, 2], tick and packet number of every frame played."""
        delay = (played[:, 0] + 1) * TICK_S - self.trace.sent[played[:, 1]]
        broken = (np.diff(played, axis=0) != 1).any(axis=1)
        return Outcome(
            100.0 * (1.0 - len(played) / len(self.packets)),
            float(1000.0 * delay.mean()),
            float(100.0 * broken.mean()),
        )

    def floor_ms(self) -> float:
        """The delay if every packet were played at the first tick after it came."""
        return float(1000.0 * ((self.ticks + 1) * TICK_S - self.trace.sent[self.packets]).mean())


def _course(trace: traces.Trace) -> _Course:
    packets = np.flatnonzero(~np.isnan(trace.arrivals))
    packets = packets[np.argsort(trace.arrivals[packets], kind="stable")]
    return _Course(trace, packets, np.floor(trace.arrivals[packets] / TICK_S).astype(np.int64))


def of_speex(course: _Course, ticks: int) -> Outcome:
    """Speexdsp's buffer with its defaults."""
    buffer, at, played = speex.Buffer(), 0, []
    for tick in range(ticks):
        while at < len(course.packets) and course.ticks[at] <= tick:
            buffer.put(int(course.packets[at]))
            at += 1
        number = buffer.get()
        if number is not None:
            played.append((tick, number))
    buffer.close()
    return course.outcome(np.array(played))


def of_ours(courses: list[_Course], ticks: int, late_share: float) -> list[Outcome]:
    """Ours on all traces at once, a leg each. A frame holds its number; two fifths of the time nobody
    speaks."""
    buffer, slots = JitterBuffer(len(courses), MAX_FRAMES, late_share=late_share), np.arange(len(courses))
    leg = np.concatenate([np.full(len(course.packets), slot) for slot, course in enumerate(courses)])
    number = np.concatenate([course.packets for course in courses])
    tick_of = np.concatenate([course.ticks for course in courses])
    order = np.argsort(tick_of, kind="stable")
    leg, number, tick_of = leg[order], number[order], tick_of[order]
    edges = np.searchsorted(tick_of, np.arange(ticks + 1))
    played: list[list[tuple[int, int]]] = [[] for _ in courses]
    for tick in range(ticks):
        here = slice(edges[tick], edges[tick + 1])
        frames = np.zeros((here.stop - here.start, FRAME), np.uint8)
        frames[number[here] % 100 >= 60] = 0xFF
        frames[:, :4] = number[here].astype("<u4").view(np.uint8).reshape(-1, 4)
        numbers, stamps = number[here].astype(np.uint16), (number[here] * FRAME).astype(np.uint32)
        buffer.put(leg[here], numbers, stamps, frames)
        heard, present = buffer.get(slots)
        which = heard[:, :4].copy().view("<u4")[:, 0]
        for slot in np.flatnonzero(present).tolist():
            played[slot].append((tick, int(which[slot])))
    return [course.outcome(np.array(found)) for course, found in zip(courses, played, strict=True)]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One trace: speexdsp's outcome, our delay and breaks at its loss, our whole curve, and the floor; means
    over the seeds."""

    name: str
    speex: Outcome
    ours_ms: float
    ours_breaks_percent: float
    curve: list[Outcome]
    floor_ms: float


def compare(seconds: float = 300.0, seeds: tuple[int, ...] = SEEDS) -> list[Comparison]:
    """All traces."""
    names = list(traces.KINDS)
    ticks = round(seconds / TICK_S) + AFTER_TICKS
    courses = [_course(traces.make(name, seconds, seed)) for name in names for seed in seeds]
    theirs = [of_speex(course, ticks) for course in courses]
    ours = [of_ours(courses, ticks, share) for share in SHARES]
    found = []
    for index, name in enumerate(names):
        legs = range(index * len(seeds), (index + 1) * len(seeds))
        at_equal = [_at(theirs[leg].lost_percent, [share[leg] for share in ours]) for leg in legs]
        curve = [_mean([share[leg] for leg in legs]) for share in ours]
        found.append(
            Comparison(
                name,
                _mean([theirs[leg] for leg in legs]),
                float(np.mean([one.delay_ms for one in at_equal])),
                float(np.mean([one.breaks_percent for one in at_equal])),
                curve,
                float(np.mean([courses[leg].floor_ms() for leg in legs])),
            )
        )
    return found


def _mean(outcomes: list[Outcome]) -> Outcome:
    return Outcome(
        float(np.mean([one.lost_percent for one in outcomes])),
        float(np.mean([one.delay_ms for one in outcomes])),
        float(np.mean([one.breaks_percent for one in outcomes])),
    )


def _at(lost_percent: float, curve: list[Outcome]) -> Outcome:
    """Our outcome where our loss is this, between the two nearest of the curve."""
    points = sorted((one.lost_percent, one.delay_ms, one.breaks_percent) for one in curve)
    lost = [point[0] for point in points]
    delay, breaks = (np.interp(lost_percent, lost, [point[at] for point in points]) for at in (1, 2))
    return Outcome(lost_percent, float(delay), float(breaks))


def draw(comparisons: list[Comparison], path: Path = PICTURE) -> None:
    """Our curves and speexdsp's points, a panel a trace, as a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, (len(comparisons) + 1) // 2, figsize=(17, 7), squeeze=False)
    for panel, one in zip(panels.flat, comparisons, strict=False):
        points = sorted((each.lost_percent, each.delay_ms) for each in one.curve)
        panel.plot([x for x, _ in points], [y for _, y in points], "o-", label="ours", markersize=3)
        panel.plot(one.speex.lost_percent, one.speex.delay_ms, "rs", label="speexdsp")
        panel.set_title(f"{one.name}: {one.ours_ms:.1f} / {one.speex.delay_ms:.1f} ms", fontsize=10)
        panel.set_xlabel("arrived and not played, %", fontsize=8)
        panel.set_ylabel("mean delay, ms", fontsize=8)
    panels.flat[0].legend()
    figure.suptitle("Jitter buffers: delay against loss (in the titles: ours / speexdsp's at equal loss)")
    figure.tight_layout()
    figure.savefig(path, dpi=80)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Packets in order of arrival in one tick: intp[n], uint16[n], uint32[n]."""

    slots: npt.NDArray[np.intp]
    sequence: npt.NDArray[np.uint16]
    timestamps: npt.NDArray[np.uint32]


def arrivals(ticks: int) -> list[Arrivals]:
    """The packets of all legs, tick by tick."""
    random = np.random.default_rng(1)
    leg = np.tile(np.arange(LEGS), ticks)
    number = np.repeat(np.arange(ticks), LEGS)
    at = number + random.uniform(0.0, 2.0, len(number)) + np.tile(random.uniform(0.0, 1.0, LEGS), ticks)
    kept = random.random(len(number)) >= 0.01
    order = np.argsort(at[kept], kind="stable")
    leg, number, tick = leg[kept][order], number[kept][order], np.floor(at[kept][order])
    return [
        Arrivals(leg[here], number[here].astype(np.uint16), (number[here] * FRAME).astype(np.uint32))
        for here in (np.flatnonzero(tick == t) for t in range(ticks))
    ]


def ours_us(ticks: list[Arrivals]) -> tuple[float, float]:
    """Microseconds a leg and tick, and the share of ticks that had a frame to play."""
    buffer = JitterBuffer(LEGS)
    slots = np.arange(LEGS)
    payloads = np.random.default_rng(2).integers(0, 256, (2 * LEGS, FRAME)).astype(np.uint8)
    played = 0
    begin = time.perf_counter()
    for batch in ticks:
        buffer.put(batch.slots, batch.sequence, batch.timestamps, payloads[: len(batch.slots)])
        played += int(np.count_nonzero(buffer.get(slots)[1]))
    return (time.perf_counter() - begin) / len(ticks) / LEGS * 1e6, played / len(ticks) / LEGS


def speex_us(ticks: list[Arrivals]) -> tuple[float, float, float]:
    """The same figures for libspeexdsp, and what the same loop costs when its calls do nothing."""
    library = speex.library()
    buffers = [ctypes.c_void_p(library.jitter_buffer_init(FRAME)) for _ in range(LEGS)]
    sound = ctypes.create_string_buffer(FRAME)
    address = ctypes.cast(sound, ctypes.c_void_p).value
    calls = [
        [
            (buffers[slot], ctypes.byref(speex.Packet(address, FRAME, timestamp, FRAME, sequence, 0)))
            for slot, sequence, timestamp in zip(
                batch.slots.tolist(), batch.sequence.tolist(), batch.timestamps.tolist(), strict=True
            )
        ]
        for batch in ticks
    ]
    room = ctypes.create_string_buffer(2048)
    out = speex.Packet(ctypes.addressof(room), 2048, 0, 0, 0, 0)
    out_at, offset = ctypes.byref(out), ctypes.byref(ctypes.c_int32())
    played = 0
    begin = time.perf_counter()
    put, get, tick = library.jitter_buffer_put, library.jitter_buffer_get, library.jitter_buffer_tick
    for batch in calls:
        for buffer, packet in batch:
            put(buffer, packet)
        for buffer in buffers:
            out.len = 2048
            played += get(buffer, out_at, FRAME, offset) == 0
            tick(buffer)
    whole = time.perf_counter() - begin
    begin = time.perf_counter()
    empty = ctypes.CDLL(None).abs
    counted = 0
    for batch in calls:
        for buffer, packet in batch:
            empty(buffer, packet)
        for buffer in buffers:
            out.len = 2048
            counted += empty(buffer, out_at, FRAME, offset) == 0
            empty(buffer)
    idle = time.perf_counter() - begin
    for buffer in buffers:
        library.jitter_buffer_destroy(buffer)
    each = 1e6 / len(ticks) / LEGS
    return whole * each, played / len(ticks) / LEGS, idle * each


def _speed(quick: bool) -> Row:
    ticks = arrivals(60 if quick else 300)
    turns = [(ours_us(ticks), speex_us(ticks)) for _ in range(2 if quick else 5)]
    ours, ours_played = min(mine for mine, _ in turns)
    loop = min(idle for _, (_, _, idle) in turns)
    peer, peer_played = min((whole - loop, played) for _, (whole, played, _) in turns)
    note = (
        f"put and get of one 20 ms frame, {LEGS} legs, 0 to 40 ms of jitter, 1 % loss; ctypes calls "
        f"subtracted from speexdsp's; ticks with a frame to play: {ours_played:.1%}, "
        f"speexdsp {peer_played:.1%}"
    )
    return Row("jitter", ours, "us a leg and tick", "speexdsp", peer, peer / ours, None, note)


def _ideal(one: Comparison) -> str:
    """What to say of it, of the traces of which it is known."""
    if not one.name.startswith("drift"):
        return ""
    known = ideal.drift_delay_ms(float(one.name.split()[1]), one.speex.lost_percent)
    return f"; who knew clocks and jitter: {known:.2f} ms"


def _delays(comparisons: list[Comparison]) -> list[Row]:
    return [
        Row(
            f"jitter delay, {one.name}",
            one.ours_ms,
            "ms",
            "speexdsp",
            one.speex.delay_ms,
            one.speex.delay_ms / one.ours_ms,
            None,
            f"mean delay from sending to playing at speexdsp's loss ({one.speex.lost_percent:.2f} %); floor "
            f"{one.floor_ms:.4g} ms; breaks {one.ours_breaks_percent:.2f} %, speexdsp "
            f"{one.speex.breaks_percent:.2f} %{_ideal(one)}",
        )
        for one in comparisons
    ]


def run(quick: bool = False) -> list[Row]:
    """The rows of this benchmark; of the times the best of several runs each, as the machine is shared."""
    seconds, seeds = (20.0, SEEDS[:1]) if quick else (300.0, SEEDS)
    return [_speed(quick), *_delays(compare(seconds, seeds))]


if __name__ == "__main__":
    if "--picture" in sys.argv:
        compared = compare()
        draw(compared)
        found = _delays(compared)
    else:
        found = run()
    for row in found:
        print(line(row), row.note, sep="\n")
