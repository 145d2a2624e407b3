"""`cc media`: what the switch's ears make of files."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import JsonOption
from cli.output import moment, print_fields, print_json
from cli.refusals import FAILED
from softswitch.errors import LocalError

if TYPE_CHECKING:
    from media.replay import Replayed

media_app = typer.Typer(
    help="Hear files as the switch hears calls.", no_args_is_help=True, rich_markup_mode=None
)
PICTURE_COLUMNS = 72
_LEVELS = "▁▂▃▄▅▆▇█"


def mount(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(media_app, name="media")


@media_app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A capture: pcap or pcapng.", show_default=False)],
    wav: Annotated[
        Path | None,
        typer.Option("--wav", metavar="DIR", help="Write what was heard of each stream into this folder."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture", metavar="FILE", help="Draw delay, loss, sound and keys of all streams: an SVG."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show what the switch makes of the RTP in a capture: streams, keys, loss, delay, a score."""
    from media.capture import read
    from media.errors import CaptureError
    from media.replay import replay as run

    try:
        streams = run(read(file))
    except CaptureError as error:
        raise LocalError(str(error)) from error
    if picture is not None:
        _draw(streams, picture)
    written = _write(streams, file.stem, wav) if wav is not None else [""] * len(streams)
    if json:
        print_json([_plain(one, path) for one, path in zip(streams, written, strict=True)])
    else:
        for one, path in zip(streams, written, strict=True):
            _tell(one, path)
    if not streams:
        if not json:
            print(f"{file} holds no RTP stream.")
        raise typer.Exit(FAILED)


def _draw(streams: list[Replayed], path: Path) -> None:
    from cli.media_picture import draw

    try:
        path.write_text(draw(streams), encoding="utf-8")
    except OSError as error:
        raise LocalError(f"{path}: {error.strerror or error}") from error


def _write(streams: list[Replayed], name: str, folder: Path) -> list[str]:
    from media.wav import header

    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, stream in enumerate(streams, 1):
            path = folder / f"{name}-{number}-{stream.ssrc:08x}.wav"
            if stream.sound:
                sound = b"".join(stream.sound)
                path.write_bytes(header(len(sound) // 2, channels=1) + sound)
            paths.append(str(path) if stream.sound else "")
    except OSError as error:
        raise LocalError(f"{folder}: {error.strerror or error}") from error
    return paths


def _plain(stream: Replayed, path: str) -> dict[str, Any]:
    values = {each.name: getattr(stream, each.name) for each in fields(stream) if each.name != "sound"}
    values["keys"] = [{"at_s": key.at_s, "digit": key.digit, "method": key.method} for key in stream.keys]
    return {**values, "wav": path}


def _tell(stream: Replayed, path: str) -> None:
    expected = stream.packets - stream.duplicated + stream.lost
    keys = [f"{key.digit} at {key.at_s:.2f} s ({key.method})" for key in stream.keys]
    print_fields(
        [
            ("stream", f"{stream.source} -> {stream.destination}, SSRC {stream.ssrc:08x}"),
            ("codec", stream.codec),
            ("from", f"{moment(stream.begin)}, {stream.end - stream.begin:.1f} s"),
            ("packets", f"{stream.packets}, comfort noise {stream.comfort_noise}"),
            ("lost", f"{stream.lost} ({100.0 * stream.lost / max(expected, 1):.2f} %)"),
            ("late", stream.late),
            ("out of order, twice", f"{stream.reordered}, {stream.duplicated}"),
            ("jitter", f"{stream.jitter_ms:.1f} ms, at most {stream.max_jitter_ms:.1f} ms"),
            ("concealed", f"{stream.concealed_ms} ms"),
            ("buffered", f"{stream.buffer_ms:.0f} ms" if stream.buffer_ms >= 0 else ""),
            ("MOS", f"{stream.mos:.2f}" if stream.mos >= 1.0 else ""),
            ("keys", keys),
            ("delay", bars(stream.delay_ms)),
            ("lost at", bars([float(lost) for lost in stream.lost_at]) if any(stream.lost_at) else ""),
            ("sound", path),
        ]
    )
    print()


def bars(values: list[float]) -> str:
    """A line of bars, each the largest of its share of the values, and the largest of all."""
    if not values:
        return ""
    columns = min(PICTURE_COLUMNS, len(values))
    edges = [round(at * len(values) / columns) for at in range(columns + 1)]
    peaks = [max(values[begin:end]) for begin, end in pairwise(edges)]
    most = max(peaks)
    if most <= 0:
        return _LEVELS[0] * columns + " 0"
    drawn = "".join(_LEVELS[min(7, int(peak / most * 7.999))] for peak in peaks)
    return f"{drawn} {most:g}"
