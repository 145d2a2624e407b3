"""Sound files that the configuration names, made ready once: any format becomes 8 kHz mono at one loudness.

Invariant: a clip in the cache is complete and is never written again (`softswitch.prompt_clips` says where).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from media import wav
from media.errors import ClipError
from media.loudness import Samples, evened
from softswitch.errors import LocalError
from softswitch.prompt_clips import MAX_BYTES, unmade
from softswitch.prompt_decoder import MAX_CPU_S, MAX_S, RATE_HZ
from softswitch.prompt_wav import wav_file
from softswitch.prompts import write_atomically

DECODER = (sys.executable, "-m", "softswitch.prompt_decoder")
TIMEOUT_S = MAX_CPU_S + 60.0
_REMEDY = "play it yourself, replace it, or convert it with: ffmpeg -i IN -ar 8000 -ac 1 OUT.wav"


async def make_clips(
    clips: Mapping[str, str],
    loudness_lufs: float,
    *,
    parallel: int = 2,
    told: Callable[[str], None] = lambda file: None,
) -> int:
    """Make what is not there yet; gives the number of new clips. `told` hears of each file that is done.

    LocalError names the files that cannot be used, and the remedy.
    """
    limit = asyncio.Semaphore(parallel)
    broken: list[LocalError] = []

    async def one(file: str, clip: str) -> None:
        async with limit:
            try:
                await asyncio.to_thread(make_clip, Path(file), Path(clip), loudness_lufs)
            except LocalError as error:
                broken.append(error)
            told(file)

    missing = unmade(clips)
    await asyncio.gather(*(one(file, clip) for file, clip in missing))
    if broken:
        more = f" (and {len(broken) - 1} more sound files are broken)" if len(broken) > 1 else ""
        raise LocalError(f"{broken[0]}{more}")
    return len(missing)


def make_clip(file: Path, clip: Path, loudness_lufs: float) -> None:
    """Read a sound file of any format and write its clip. LocalError names the file and the remedy."""
    samples = read_sound(file)
    if loudness_lufs:
        samples = evened(samples, RATE_HZ, loudness_lufs)
    write_atomically(clip, wav_file(samples))


def read_sound(file: Path) -> Samples:
    """The sound of a file: float32[n], mono, 8 kHz, in units of int16. LocalError names the file and the
    remedy.
    """
    try:
        data = file.read_bytes() if file.stat().st_size <= MAX_BYTES else b""
    except OSError as error:
        raise LocalError(
            f"the sound file {file} cannot be read: {error.strerror}; check its permissions"
        ) from None
    if not data:
        raise LocalError(f"the sound file {file} is empty, or larger than {MAX_BYTES >> 20} MB; replace it")
    try:
        rate_hz, samples = wav.decode(str(file), data)
    except ClipError:
        return _decoded(file)
    if not len(samples) or len(samples) > MAX_S * rate_hz:
        what = "has no sound in it" if not len(samples) else f"lasts more than {MAX_S // 60} minutes"
        raise LocalError(f"the sound file {file} {what}; replace it")
    return wav.resample(samples, rate_hz, RATE_HZ)


def _decoded(file: Path) -> Samples:
    """Any other format, by the decoder in a process of its own."""
    try:
        ended = subprocess.run(
            [*DECODER, str(file)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LocalError(f"the sound file {file} takes over {TIMEOUT_S:g} s to read; {_REMEDY}") from None
    except OSError as error:
        raise LocalError(f"the reader of sound files cannot be started: {error.strerror}") from error
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines() or ["the reader crashed"]
        raise LocalError(f"the sound file {file} cannot be used: {said[-1][:200]}; {_REMEDY}")
    return np.frombuffer(ended.stdout, dtype="<i2").astype(np.float32)
