"""A program of its own that compresses, encrypts and decodes recordings.

One job a line of JSON on stdin (`Keep` or `Decode`, tagged), one answer a line on stdout (`Done`, `Failed`).
It is a process because FFmpeg works in C: a file that breaks it breaks nothing else, its work takes no time
from calls (nice 10), and the GPL parts of PyAV's wheels stay out of the switch.

Invariant: a target is there whole or not at all: it is written beside its name, put on the disk and renamed;
the source is never touched. Whatever is wrong with a job is its answer; the next job is not affected.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

import msgspec

from softswitch.recordings.cipher import PIECE_BYTES, SALT_BYTES, decrypted, encrypted, read_key
from softswitch.recordings.files import length_s

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer

MAX_MEMORY = 2 << 30
RATE_HZ = 8000
LENGTH_TOLERANCE_S = 0.1
"""How much the compressed sound may differ in length before it is taken for damaged."""


class Keep(msgspec.Struct, frozen=True, tag=True):
    """Make `target` of the WAV file `source`; encrypted if `key_file` is not empty."""

    source: str
    target: str
    format: Literal["wav", "flac", "opus"]
    opus_kbps: int = 24
    key_file: str = ""


class Decode(msgspec.Struct, frozen=True, tag=True):
    """Write the sound of a kept file into `target`, as WAV if `wav`, else as it is; `key_files` if it is
    encrypted."""

    source: str
    target: str
    key_files: tuple[str, ...] = ()
    wav: bool = True


class Done(msgspec.Struct, frozen=True, tag=True):
    """What was written. `length_s`: 0 where nobody looked."""

    bytes: int
    sha256: str
    length_s: float = 0.0


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Why not."""

    reason: str


Job = Keep | Decode
Answer = Done | Failed


def main() -> int:
    """Do jobs until stdin ends; the exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    os.nice(10)
    decoder = msgspec.json.Decoder(Job)
    for line in sys.stdin.buffer:
        try:
            answer: Answer = perform(decoder.decode(line))
        except msgspec.MsgspecError as error:
            answer = Failed(f"the job is not understood: {error}")
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()
    return 0


def perform(job: Job) -> Answer:
    """One job; whatever goes wrong is the answer."""
    try:
        return _keep(job) if isinstance(job, Keep) else _decode(job)
    except ImportError as error:
        return Failed(f'{job.source}: {error}; install it, or set recordings.format to "wav"')
    except MemoryError:
        return Failed(f"{job.source}: it takes too much memory")
    except Exception as error:  # noqa: BLE001 - FFmpeg's are of many kinds, and the next job counts
        what = getattr(error, "strerror", None) or error
        where = getattr(error, "filename", None) or (job.target if isinstance(error, OSError) else job.source)
        return Failed(f"{where}: {what}")


def _keep(job: Keep) -> Done:
    source, target = Path(job.source), Path(job.target)
    if source == target:  # it stays as it is, and gets its checksum
        size, digest = checksum(source)
        return Done(size, digest, length_s(source))
    sound_s = length_s(source)
    with contextlib.ExitStack() as stack:
        plain: BinaryIO = stack.enter_context(source.open("rb"))
        if job.format != "wav":
            # Without a name: nothing of it is left, however this ends.
            made: BinaryIO = stack.enter_context(tempfile.TemporaryFile(dir=target.parent))
            _compress(plain, made, job)
            made.seek(0)
            found_s = _length_s(made, _container(job.format))
            if abs(found_s - sound_s) > LENGTH_TOLERANCE_S:
                raise ValueError(f"it became {found_s:.1f} s of sound in the place of {sound_s:.1f} s")
            plain = made
        plain.seek(0)
        pieces: Iterable[bytes] = _pieces(plain)
        if job.key_file:
            pieces = encrypted(pieces, read_key(Path(job.key_file)), os.urandom(SALT_BYTES))
        size, digest = write(target, pieces)
    return Done(size, digest, sound_s)


def _decode(job: Decode) -> Done:
    source, target = Path(job.source), Path(job.target)
    with contextlib.ExitStack() as stack:
        plain: BinaryIO = stack.enter_context(source.open("rb"))
        if job.key_files:
            clear: BinaryIO = stack.enter_context(tempfile.TemporaryFile(dir=target.parent))
            clear.writelines(decrypted(plain, [read_key(Path(file)) for file in job.key_files]))
            plain = clear
        plain.seek(0)
        if job.wav and plain.read(4) != b"RIFF":
            plain.seek(0)
            sound: BinaryIO = stack.enter_context(tempfile.TemporaryFile(dir=target.parent))
            _to_wav(plain, sound)
            plain = sound
        plain.seek(0)
        size, digest = write(target, _pieces(plain))
    return Done(size, digest)


# ----- FFmpeg


def _container(form: str) -> str:
    return {"flac": "flac", "opus": "ogg"}[form]


def _compress(plain: BinaryIO, made: BinaryIO, job: Keep) -> None:
    import av

    with av.open(plain, "r", format="wav") as source:
        codec = source.streams.audio[0].codec_context
        with av.open(made, "w", format=_container(job.format)) as target:
            name = {"flac": "flac", "opus": "libopus"}[job.format]
            options = {"application": "voip"} if job.format == "opus" else {}
            stream = cast("AudioStream", target.add_stream(name, rate=codec.sample_rate, options=options))
            if job.format == "opus":
                stream.codec_context.bit_rate = job.opus_kbps * 1000
            _transcode(source, target, stream, codec.layout.name)


def _to_wav(plain: BinaryIO, sound: BinaryIO) -> None:
    import av

    options = {"protocol_whitelist": "file", "format_whitelist": "flac,ogg"}
    with av.open(plain, "r", options=options) as source, av.open(sound, "w", format="wav") as target:
        stream = target.add_stream("pcm_s16le", rate=RATE_HZ)
        _transcode(source, target, stream, source.streams.audio[0].codec_context.layout.name)


def _transcode(source: InputContainer, target: OutputContainer, stream: AudioStream, layout: str) -> None:
    """All sound of one container into a stream of another, at its rate, 16 bit."""
    import av

    codec = stream.codec_context
    codec.layout, codec.format = av.AudioLayout(layout), av.AudioFormat("s16")
    codec.open()
    frame_size = codec.frame_size or 4096
    fitted = av.AudioResampler(codec.format, codec.layout, codec.sample_rate, frame_size)
    for frame in source.decode(source.streams.audio[0]):
        for ready in fitted.resample(frame):
            target.mux(stream.encode(ready))
    for ready in fitted.resample(None):
        target.mux(stream.encode(ready))
    target.mux(stream.encode(None))


def _length_s(file: BinaryIO, form: str) -> float:
    import av

    with av.open(file, "r", format=form) as container:
        return float(container.duration or 0) / float(av.time_base)


# ----- files


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


def write(target: Path, pieces: Iterable[bytes]) -> tuple[int, str]:
    """Write a file whole or not at all, onto the disk: its size in octets, and its SHA-256."""
    part = target.with_name(target.name + ".part")
    digest = hashlib.sha256()
    size = 0
    try:
        with part.open("wb") as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return size, digest.hexdigest()


def checksum(file: Path) -> tuple[int, str]:
    """The size of a file in octets, and its SHA-256 in hexadecimal."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256")
        return os.fstat(opened.fileno()).st_size, digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
