"""Where speech begins and ends in a stream of audio.

Speech begins when START_FRAMES of the last WINDOW_FRAMES are speech, and ends after END_FRAMES in a row
without any, or after MAX_FRAMES. Invariant: what is handed out begins PREROLL_FRAMES before the beginning,
so that no first sound is cut off, and no more than MAX_FRAMES and those are ever held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

FRAME_MS = 30
FRAME_SAMPLES = 240
"""At 8 kHz; two octets a sample."""
FRAME_BYTES = 2 * FRAME_SAMPLES
WINDOW_FRAMES = 6
START_FRAMES = 4
END_FRAMES = 16
PREROLL_FRAMES = 10
MAX_FRAMES = 250


class Endpointer:
    """One stream. `is_speech` judges one frame of FRAME_BYTES."""

    def __init__(self, is_speech: Callable[[bytes], bool]) -> None:
        self._is_speech = is_speech
        self._rest = b""
        self._before: deque[bytes] = deque(maxlen=PREROLL_FRAMES + WINDOW_FRAMES)
        self._window: deque[bool] = deque(maxlen=WINDOW_FRAMES)
        self._speech: list[bytes] = []
        self._silent = 0

    def put(self, audio: bytes) -> bytes | None:
        """Some octets of audio, however they come; the whole utterance once it has ended."""
        data = self._rest + audio
        end = len(data) // FRAME_BYTES * FRAME_BYTES
        self._rest = data[end:]
        for at in range(0, end, FRAME_BYTES):
            if self._frame(data[at : at + FRAME_BYTES]):
                utterance = b"".join(self._speech)
                self._speech.clear()
                self._silent = 0
                self._window.clear()
                self._before.clear()
                return utterance
        return None

    def _frame(self, frame: bytes) -> bool:
        """Whether the utterance ends with this frame."""
        is_speech = self._is_speech(frame)
        if self._speech:
            self._speech.append(frame)
            self._silent = 0 if is_speech else self._silent + 1
            return self._silent >= END_FRAMES or len(self._speech) >= MAX_FRAMES
        self._before.append(frame)
        self._window.append(is_speech)
        if sum(self._window) >= START_FRAMES:
            self._speech = list(self._before)
        return False
