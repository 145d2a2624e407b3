"""The picture of `cc media replay --picture`: every stream of a capture over its time, as one SVG file.

For each stream: the delay of the jitter buffer, where frames were missing, what was heard (its loudest
samples), and the keys. Invariant: what stands in a capture never becomes markup; a stream is drawn with at
most COLUMNS points, however long it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from media.replay import Replayed

COLUMNS = 900
LEFT, WIDTH = 60, COLUMNS + 80
DELAY, SOUND, STREAM = 90, 60, 230
TICK_S = 0.02
FULL_SCALE = 32768.0
MAX_STREAMS = 100
_STYLE = (
    "text{font:11px sans-serif;fill:#333}.head{font-weight:bold}.delay{fill:none;stroke:#1565c0}"
    ".lost{stroke:#d32f2f;stroke-width:1.5}.sound{fill:#78909c}.axis{stroke:#bbb}.key{fill:#2e7d32}"
)


def draw(streams: Sequence[Replayed]) -> str:
    """The SVG document; of more than MAX_STREAMS streams the first ones."""
    shown = list(streams)[:MAX_STREAMS]
    height = STREAM * max(len(shown), 1) + 20
    size = f'width="{WIDTH}" height="{height}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}">']
    parts.append(f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>')
    for number, stream in enumerate(shown):
        parts.append(f'<g transform="translate(0 {20 + number * STREAM})">{_stream(stream)}</g>')
    return "".join([*parts, "</svg>\n"])


def _stream(stream: Replayed) -> str:
    expected = max(stream.packets - stream.duplicated + stream.lost, 1)
    head = (
        f"{stream.source} to {stream.destination}, SSRC {stream.ssrc:08x}, {stream.codec}: "
        f"{stream.packets} packets, lost {100.0 * stream.lost / expected:.2f} %, late {stream.late}, "
        f"concealed {stream.concealed_ms} ms"
    )
    if stream.mos >= 1.0:
        head += f", MOS {stream.mos:.2f}"
    seconds = max(len(stream.delay_ms) * TICK_S, stream.end - stream.begin, TICK_S)
    parts = [_text(LEFT, 0, head, "head")]
    if stream.delay_ms:
        parts += [_delay(stream.delay_ms), _lost(stream.lost_at), _sound(stream.sound)]
    else:
        parts.append(_text(LEFT, 30, "not decoded here"))
    at = DELAY + SOUND + 25
    parts.append(f'<path class="axis" d="M{LEFT} {at}h{COLUMNS}"/>')
    parts.append(_text(LEFT, at + 14, "0 s") + _text(LEFT + COLUMNS - 40, at + 14, f"{seconds:.1f} s"))
    for key in stream.keys[:COLUMNS]:
        x = LEFT + COLUMNS * min(max(key.at_s / seconds, 0.0), 1.0)
        parts.append(_text(x, at - 3, key.digit, "key"))
    return "".join(parts)


def _delay(delay_ms: Sequence[float]) -> str:
    most = max(20.0, *delay_ms)
    points = " ".join(
        f"{LEFT + x:.1f},{10 + DELAY * (1.0 - value / most):.1f}" for x, value in _columns(delay_ms)
    )
    return (
        f'<polyline class="delay" points="{points}"/>'
        + _text(4, 20, f"{most:.0f} ms")
        + _text(4, 100, "delay")
    )


def _lost(lost_at: Sequence[bool]) -> str:
    marks = "".join(f"M{LEFT + x:.1f} 102v8" for x, lost in _columns([float(one) for one in lost_at]) if lost)
    return (f'<path class="lost" d="{marks}"/>' if marks else "") + _text(4, 112, "lost")


def _sound(sound: Sequence[bytes]) -> str:
    import numpy as np

    loud = [float(np.abs(np.frombuffer(frame, "<i2").astype(np.int32)).max(initial=0)) for frame in sound]
    middle = 115 + SOUND / 2
    bars = "".join(
        f"M{LEFT + x:.1f} {middle - high:.1f}v{2 * high:.1f}h1v-{2 * high:.1f}z"
        for x, value in _columns(loud)
        if (high := SOUND / 2 * value / FULL_SCALE) >= 0.05
    )
    return f'<path class="sound" d="{bars}"/>' + _text(4, middle, "heard")


def _columns(values: Sequence[float]) -> list[tuple[float, float]]:
    """Where along the picture, and the largest of its share of the values."""
    count = min(COLUMNS, len(values))
    edges = [round(at * len(values) / count) for at in range(count + 1)] if count else [0]
    return [(at * COLUMNS / count, max(values[a:b])) for at, (a, b) in enumerate(pairwise(edges))]


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{name}>{escape(text)}</text>'
