"""Charts as one SVG page (SVG 1.1) that opens in any browser; dark and light as the reader has it.

Invariant: every text from the configuration is escaped; nothing is loaded from elsewhere, no script is in it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

from cli.drawing.chart import Arrow, Box, Chart
from cli.drawing.layers import Line, Link, Point, Size, lay_out

CHAR = 6.7
"""The usual width of a character of the labels."""

LINE = 15.0
MARGIN = 24.0
_WRAP = 34
_LINES = 3
_MAX_LABEL = 40
_HEAD = 40.0

_FONT = 'font-family="system-ui, DejaVu Sans, sans-serif" font-size="12"'
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
)
_STYLE = """
svg { background: #fff; }
text { fill: #1c2733; }
.flow { font-size: 16px; font-weight: 600; }
.name { font-weight: 600; }
.type { fill: #5b6b7b; font-size: 11px; }
.box { fill: #f3f6fa; stroke: #8fa1b3; }
.start { fill: #dff3e4; stroke: #3c8c5a; }
.end { fill: #fdeedd; stroke: #c07a2b; }
.away { fill: #fff; stroke: #8fa1b3; stroke-dasharray: 4 3; }
.way { fill: none; stroke: #40566b; stroke-width: 1.3; }
.silent { stroke: #9aa9b8; stroke-dasharray: 5 3; }
.plate { fill: #fff; }
.key { fill: #0b5cad; font-weight: 600; }
.hush { fill: #5b6b7b; }
marker path { fill: #40566b; }
@media (prefers-color-scheme: dark) {
  svg { background: #16202a; } .plate { fill: #16202a; } text { fill: #e6edf3; }
  .type, .hush { fill: #9db0c2; }
  .box { fill: #22303d; } .start { fill: #1d3a29; }
  .end { fill: #3d2f1d; } .away { fill: #16202a; }
  .way { stroke: #a9bccd; } .silent { stroke: #6d8092; } .key { fill: #7cb8f2; }
  marker path { fill: #a9bccd; }
}
"""


def draw(charts: Sequence[Chart], title: str) -> str:
    """One page with the charts below one another. A box that stands for another flow leads to its chart."""
    parts, y, width = [], MARGIN, 0.0
    shown = {chart.flow for chart in charts}
    for chart in charts:
        body, size = _chart(chart, shown)
        parts.append(f'<g id="{_id(chart.flow)}" transform="translate({MARGIN:g} {y:.1f})">{body}</g>')
        y += size.height + MARGIN
        width = max(width, size.width)
    width += 2 * MARGIN
    frame = f'viewBox="0 0 {width:.0f} {y:.0f}" width="{width:.0f}" height="{y:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {frame} role="img" {_FONT}>',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        _TIP,
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _chart(chart: Chart, shown: set[str]) -> tuple[str, Size]:
    texts = [_text(box) for box in chart.boxes]
    sizes = [_size(box, lines) for box, lines in zip(chart.boxes, texts, strict=True)]
    index = {box.name: at for at, box in enumerate(chart.boxes)}
    links = [Link(index[a.start], index[a.end], _label_size(_short(a.label))) for a in chart.arrows]
    layout = lay_out(sizes, links)
    head = f'<text class="flow" y="16">{escape(chart.flow)}</text>'
    lines = [_arrow(arrow, line) for arrow, line in zip(chart.arrows, layout.lines, strict=True)]
    boxes = [
        _box(box, text, centre, size, shown)
        for box, text, centre, size in zip(chart.boxes, texts, layout.boxes, sizes, strict=True)
    ]
    body = f'{head}\n<g transform="translate(0 {_HEAD:g})">\n' + "\n".join([*lines, *boxes]) + "\n</g>"
    width = max(layout.size.width, len(chart.flow) * 10.0)
    return body, Size(width, layout.size.height + _HEAD)


def _text(box: Box) -> list[str]:
    """What is written below the name, wrapped and cut."""
    written: list[str] = []
    for line in box.lines:
        wrapped = textwrap.wrap(line, _WRAP) or [""]
        if len(wrapped) > _LINES:
            wrapped = [*wrapped[: _LINES - 1], wrapped[_LINES - 1][: _WRAP - 1] + "…"]
        written += wrapped
    return written


def _size(box: Box, text: Sequence[str]) -> Size:
    widest = max([len(box.name) + 1 + len(box.type) + 2, *map(len, text)])
    return Size(max(90.0, widest * CHAR + 20), LINE * (1 + len(text)) + 14)


def _label_size(label: str) -> Size:
    return Size(len(label) * CHAR + 8, LINE) if label else Size(0.0, 0.0)


def _box(box: Box, text: Sequence[str], centre: Point, size: Size, shown: set[str]) -> str:
    x, y = centre.x - size.width / 2, centre.y - size.height / 2
    kind = "" if box.kind == "node" else f" {box.kind}"
    head = f'<tspan class="name">{escape(box.name)}</tspan> <tspan class="type">{escape(box.type)}</tspan>'
    rows = [f'<text x="{x + 10:.1f}" y="{y + 18:.1f}">{head}</text>']
    rows += [
        f'<text x="{x + 10:.1f}" y="{y + 18 + LINE * (at + 1):.1f}">{escape(line)}</text>'
        for at, line in enumerate(text)
    ]
    told = escape("\n".join([f"{box.name} ({box.type})", *box.lines]))
    drawn = (
        f'<g><title>{told}</title><rect class="box{kind}" x="{x:.1f}" y="{y:.1f}" rx="6" '
        f'width="{size.width:.1f}" height="{size.height:.1f}"/>{"".join(rows)}</g>'
    )
    flow = box.name.removeprefix("flow:")
    if box.kind == "away" and flow != box.name and flow in shown:
        return f'<a href="#{_id(flow)}">{drawn}</a>'
    return drawn


def _arrow(arrow: Arrow, line: Line) -> str:
    first, *rest = line.points
    path = f"M{first.x:.1f} {first.y:.1f}"
    before = first
    for point in rest:
        bend = (point.y - before.y) / 2
        path += f"C{before.x:.1f} {before.y + bend:.1f} {point.x:.1f} {point.y - bend:.1f}"
        path += f" {point.x:.1f} {point.y:.1f}"
        before = point
    hush = " silent" if arrow.silent else ""
    drawn = f'<path class="way{hush}" marker-end="url(#tip)" d="{path}"/>'
    label = _short(arrow.label)
    if not label:
        return drawn
    size = _label_size(label)
    return (
        f'{drawn}<g><title>{escape(arrow.label)}</title><rect x="{line.label.x - size.width / 2:.1f}" '
        f'y="{line.label.y - size.height / 2:.1f}" width="{size.width:.1f}" height="{size.height:.1f}" '
        f'class="plate"/><text class="{"hush" if arrow.silent else "key"}" text-anchor="middle" '
        f'x="{line.label.x:.1f}" y="{line.label.y + 4:.1f}">{escape(label)}</text></g>'
    )


def _short(label: str) -> str:
    return label if len(label) <= _MAX_LABEL else label[: _MAX_LABEL - 1] + "…"


def _id(flow: str) -> str:
    return "flow-" + "".join(c if c.isalnum() else f"_{ord(c):x}" for c in flow)
