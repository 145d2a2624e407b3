"""`cc media dtmf`: the keys that the switch would hear in a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.media import media_app
from cli.options import JsonOption
from cli.output import print_json, print_table
from softswitch.errors import LocalError

if TYPE_CHECKING:
    from media.spot_keys import Press

RAW_LAWS = {".ulaw": 0, ".ul": 0, ".pcmu": 0, ".alaw": 1, ".al": 1, ".pcma": 1}
"""File names that mean raw G.711 of 8 kHz, and the index of its law."""


def mount(_: typer.Typer) -> None:
    """Add the command of this file (to `cc media`)."""
    media_app.command("dtmf")(dtmf)


def dtmf(
    file: Annotated[
        Path,
        typer.Argument(
            help="A WAV file of any rate, or raw G.711 (.ulaw, .alaw); the channels are heard apart.",
            show_default=False,
        ),
    ],
    json: JsonOption = False,
) -> None:
    """Print the keys that the switch hears in a sound file, with their times."""
    seconds, channels, presses = _hear(file)
    if json:
        keys = [asdict(press) for press in presses]
        print_json({"file": str(file), "duration_s": round(seconds, 3), "channels": channels, "keys": keys})
        return
    print_table(
        ("key", "at>", "for>", *(("channel>",) if channels > 1 else ())),
        (
            (
                press.digit,
                f"{press.at_s:.3f} s",
                f"{press.duration_s * 1000:.0f} ms",
                *((press.channel + 1,) if channels > 1 else ()),
            )
            for press in presses
        ),
        empty=f"No key in {seconds:.1f} s.",
    )


def _hear(file: Path) -> tuple[float, int, list[Press]]:
    import numpy as np

    from media import wav
    from media.errors import ClipError
    from media.spot_keys import spot_coded_keys, spot_keys
    from media.tone import RATE_HZ

    try:
        data = file.read_bytes()
    except OSError as error:
        raise LocalError(f"{file}: {error.strerror or error}") from error
    law = RAW_LAWS.get(file.suffix.lower())
    if law is not None and data[:4] != b"RIFF":
        return len(data) / RATE_HZ, 1, spot_coded_keys(np.frombuffer(data, np.uint8)[None], law)
    try:
        rate_hz, channels = wav.decode_channels(str(file), data)
    except ClipError as error:
        raise LocalError(str(error)) from error
    samples = np.stack([wav.resample(channel, rate_hz, RATE_HZ) for channel in channels])
    return samples.shape[1] / RATE_HZ, len(samples), spot_keys(samples)
