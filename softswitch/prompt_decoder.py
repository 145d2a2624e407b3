"""A program of its own that reads one sound file of any format: `python -m softswitch.prompt_decoder FILE`.

Writes 16-bit little-endian mono at 8 kHz to the standard output; a file that cannot be read ends it with exit
code 1 and the reason on stderr. It is a process because FFmpeg reads what it is given in C: a file that
breaks it breaks nothing else, time and memory have limits, and the GPL parts of PyAV's wheels stay out of
the switch.

Invariant: opens that file and nothing else; a playlist leads nowhere.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator

RATE_HZ = 8000
MAX_S = 3600
"""The longest sound that a leg can be played."""

MAX_MEMORY = 2 << 30
MAX_CPU_S = 120
MAX_BAD = 0.1
"""The share of packets that may be damaged; players tolerate some as well."""

_FORMATS = "wav,w64,mp3,ogg,flac,mov,aac,aiff,au,amr,asf,matroska,caf"


def main(path: str) -> int:
    """Decode the file; the exit code."""
    import av  # here, so that those who want the numbers above pay nothing
    from av.error import FFmpegError

    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    av.logging.set_level(av.logging.PANIC)
    try:
        written = 0
        for piece in _pieces(path):
            written += len(piece) // 2
            if written > MAX_S * RATE_HZ:
                return _refuse(f"it lasts more than {MAX_S // 60} minutes; cut it")
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    except (FFmpegError, OSError) as error:
        return _refuse(error.strerror or str(error))
    except (ValueError, MemoryError) as error:
        return _refuse(str(error) or "it takes too much memory")
    return 0 if written else _refuse("there is no sound in it")


def _pieces(path: str) -> Iterator[bytes]:
    import av
    from av.error import InvalidDataError

    options = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    with av.open(path, options=options) as container:
        if not container.streams.audio:
            raise ValueError("there is no sound in it")
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
        packets = bad = 0
        heard_s = 0.0
        for packet in container.demux(stream):
            packets += 1
            try:
                frames = packet.decode()
            except InvalidDataError:
                bad += 1
                continue
            for frame in frames:
                for ready in resampler.resample(frame):
                    heard_s += ready.samples / RATE_HZ
                    yield ready.to_ndarray().tobytes()
        for ready in resampler.resample(None):
            yield ready.to_ndarray().tobytes()
        if bad > MAX_BAD * packets:
            raise ValueError(f"{bad} of its {packets} pieces are damaged")
        whole_s = (container.duration or 0) / av.time_base
        if heard_s < whole_s / 2:
            raise ValueError(f"it breaks off after {heard_s:.1f} of {whole_s:.1f} s")


def _refuse(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
