"""The recogniser's process: `python -m softswitch.speech.recogniser --socket PATH --at-once N [--word
WORD=PHONES ...]`.

Commands are JSON lines on the standard input, `{"ask": 7, "phrases": ["yes", "no"]}`; results are JSON
lines on the standard output, `{"ask": 7, "phrase": "yes", "confidence": 0.6, "error": ""}`, after a first
line `{"ready": true}`. Audio comes by streams to the Unix socket PATH (`media.io.live`). Invariant: it ends
when its standard input does, and so with whoever started it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import contextlib
import itertools
import json
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pocketsphinx

from softswitch.speech.endpointing import FRAME_BYTES, FRAME_MS
from softswitch.speech.hearing import Hearing
from softswitch.speech.recognition import Recogniser

READ_BYTES = 65_536
MAX_COMMAND = 1 << 20


class Process:
    """The shell: sockets, pipes and the clock around `Hearing`."""

    def __init__(self, hearing: Hearing, listening: socket.socket) -> None:
        self._hearing = hearing
        self._listening = listening
        self._commands = b""
        self._streams: dict[int, socket.socket] = {}
        self._numbers = itertools.count(1)
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, 0)
        self._selector.register(listening, selectors.EVENT_READ, -1)

    def run(self) -> None:
        """Until the standard input ends."""
        while True:
            deadline = self._hearing.deadline()
            wait_s = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            for key, _ in self._selector.select(wait_s):
                stream: int = key.data
                if stream > 0:
                    self._read(stream)
                elif stream < 0:
                    self._accept()
                elif not self._obey():
                    return
            self._hearing.handle_timer(time.monotonic())
            for result in self._hearing.take_results():
                tell(ask=result.ask, phrase=result.phrase, confidence=result.confidence, error=result.error)
            for stream in self._hearing.take_closing():
                self._close(stream)

    def _obey(self) -> bool:
        data = os.read(sys.stdin.fileno(), READ_BYTES)
        *lines, self._commands = (self._commands + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            self._hearing.expect(command["ask"], command["phrases"], time.monotonic())
        return bool(data) and len(self._commands) < MAX_COMMAND

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:  # it is gone again, or there are too many
            return
        connection.setblocking(False)
        stream = next(self._numbers)
        self._streams[stream] = connection
        self._selector.register(connection, selectors.EVENT_READ, stream)
        self._hearing.opened(stream, time.monotonic())

    def _read(self, stream: int) -> None:
        connection = self._streams.get(stream)
        if connection is None:
            return
        try:
            data = connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._hearing.received(stream, data)
        else:
            self._hearing.closed(stream)
            self._close(stream)

    def _close(self, stream: int) -> None:
        connection = self._streams.pop(stream, None)
        if connection is not None:
            self._selector.unregister(connection)
            connection.close()


def tell(**fields: object) -> None:
    """One line to whoever started this process."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 the standard input ended, 2 wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m softswitch.speech.recogniser")
    parser.add_argument("--socket", required=True, help="Unix socket where audio comes")
    parser.add_argument("--at-once", type=int, default=16, help="callers at once")
    parser.add_argument("--word", action="append", default=[], metavar="WORD=PHONES", help="a pronunciation")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the switch, which then closes the pipe
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(options.socket)
    listening.listen(128)
    listening.setblocking(False)
    recogniser = Recogniser(dict(word.partition("=")[::2] for word in options.word))
    vad = pocketsphinx.Vad(
        mode=pocketsphinx.Vad.MEDIUM_STRICT, sample_rate=8000, frame_length=FRAME_MS / 1000
    )
    assert vad.frame_bytes == FRAME_BYTES
    hearing = Hearing(recogniser.recognise, vad.is_speech, options.at_once)
    tell(ready=True)
    Process(hearing, listening).run()
    # Where the switch was killed, nobody else clears up.
    with contextlib.suppress(OSError):
        Path(options.socket).unlink()
        Path(options.socket).parent.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
