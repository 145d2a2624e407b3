"""Recording pairs of legs into stereo WAV files, single legs into mono ones, without ever waiting for the
disk.

The tick thread hands over one block for all recordings (`write`); twice a second the writer thread takes the
waiting blocks together, sorts them by recording, appends to each file and then brings its header up to date.

Invariant: a file on disk is a valid WAV file at every moment after its first octets (a kill loses the last
half second); the memory in between is bounded by `queue_bytes`, and what does not fit, or a disk that fails,
ends the recordings concerned, never the calls. This is the I/O shell of `media` for files: the only module of
it with a thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from media.errors import RecordError
from media.recording_file import RecordingFile, by_recording

FRAME: Final = 160
FRAME_MS: Final = 20
FLUSH_EVERY_S: Final = 0.5
RESUME_FRAMES: Final = 25
"""A pause ends so many frames late: what was said in it may still wait in a jitter buffer."""

Int64 = npt.NDArray[np.int64]
Int16 = npt.NDArray[np.int16]


@dataclass(slots=True)
class _Work:
    """What the tick thread has left for the writer since it last looked."""

    opened: list[RecordingFile] = field(default_factory=list)
    blocks: list[tuple[Int64, npt.NDArray[np.int16]]] = field(default_factory=list)
    closed: list[tuple[int, bool]] = field(default_factory=list)  # (recording, to be reported as saved)

    def __bool__(self) -> bool:
        return bool(self.opened or self.blocks or self.closed)


class Recorder:
    """All recordings of a worker. Every method returns at once and belongs to one thread (the tick's)."""

    def __init__(self, queue_bytes: int = 64 << 20) -> None:
        """`queue_bytes` of sound may wait for the disk (32 kB a second and recording)."""
        self._queue_bytes = queue_bytes
        self._ids = np.empty(0, dtype=np.int64)  # recordings under way, ascending
        self._frames = np.empty(0, dtype=np.int64)  # 20 ms frames handed over, beside _ids
        self._paths: dict[int, Path] = {}
        self._paused: dict[int, int] = {}  # frames of silence that are left; below 0: until it is resumed
        self._failed: list[tuple[int, str, str]] = []
        self._lock = threading.Lock()  # guards _work, _queued, _reports, _saved and _passes
        self._passed = threading.Condition(self._lock)
        self._passes = 0  # of the writer over what was waiting
        self._work = _Work()
        self._queued = 0
        self._reports: list[tuple[int, str, str]] = []
        self._saved: list[tuple[int, str, int]] = []
        self._wake = threading.Event()
        self._ending = False
        self._hurry = 0  # passes to be made without a rest
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def start(self, recording: int, path: str, *, mono: bool = False) -> None:
        """Begin a recording into a new file (an existing one is overwritten, missing folders are made).
        `mono`: of what is written, the left side alone.

        RecordError if the number is in use or the path is not absolute; whatever the disk says comes through
        `failures`.
        """
        if recording in self._paths:
            raise RecordError(f"recording {recording} is already being written to {self._paths[recording]}")
        target = Path(path)
        if not target.is_absolute() or "\0" in path:
            raise RecordError(f"{path!r}: recordings need the absolute path of a file")
        self._paths[recording] = target
        at = int(np.searchsorted(self._ids, recording))
        self._ids = np.insert(self._ids, at, recording)
        self._frames = np.insert(self._frames, at, 0)
        with self._lock:
            self._work.opened.append(RecordingFile(recording, target, mono))

    def write(self, recordings: Int64, left: Int16, right: Int16) -> None:
        """20 ms of sound for each recording: int64[n] (a recording at most once), int16[n, 160] twice.

        Unknown, stopped and failed recordings are left out.
        """
        if not len(self._ids) or not len(recordings):
            return
        row = np.minimum(np.searchsorted(self._ids, recordings), len(self._ids) - 1)
        known = self._ids[row] == recordings
        if not known.all():
            recordings, left, right, row = recordings[known], left[known], right[known], row[known]
        block = np.empty((len(recordings), FRAME, 2), dtype="<i2")
        block[:, :, 0] = left
        block[:, :, 1] = right
        if self._paused:
            self._silence(recordings, block)
        with self._lock:
            fits = self._queued + block.nbytes <= self._queue_bytes
            if fits:
                self._queued += block.nbytes
                self._work.blocks.append((recordings.copy(), block))
        if fits:
            self._frames[row] += 1
            return
        for recording in recordings.tolist():
            self._fail(recording, "the disk is too slow, or too many calls are recorded: the queue is full")

    def pause(self, recording: int, paused: bool) -> None:
        """Silence takes the place of the sound from the next frame on; or no longer. Nothing happens to a
        recording that there is not."""
        if recording in self._paths and (paused or recording in self._paused):
            self._paused[recording] = -1 if paused else RESUME_FRAMES

    def _silence(self, recordings: Int64, block: Int16) -> None:
        for recording, left in list(self._paused.items()):
            block[recordings == recording] = 0
            if left == 1:
                del self._paused[recording]
            elif left > 0:
                self._paused[recording] = left - 1

    def stop(self, recording: int) -> tuple[str, int]:
        """End a recording: its path and length in ms. The file is complete once `saved` names it.

        RecordError if there is no such recording (any more: see `failures`).
        """
        path = self._paths.get(recording)
        if path is None:
            raise RecordError(f"recording {recording} is not being written; it was stopped, or it failed")
        duration_ms = self._forget(recording) * FRAME_MS
        self._hand_over_close(recording, report=True)
        return str(path), duration_ms

    def failures(self) -> list[tuple[int, str, str]]:
        """Recordings that went wrong since the last call: (recording, path, reason). They are over."""
        with self._lock:
            reports, self._reports = self._reports, []
        for recording, path, reason in reports:
            if recording in self._paths:
                self._forget(recording)
            self._failed.append((recording, path, reason))
        failed, self._failed = self._failed, []
        return failed

    def saved(self) -> list[tuple[int, str, int]]:
        """Stopped recordings now complete on disk, since the last call: (recording, path, duration in ms)."""
        with self._lock:
            saved, self._saved = self._saved, []
        return saved

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that was handed over is on disk, or has failed; False if that takes longer."""
        with self._passed:
            # The pass under way may have begun before the last of it came: wait for the end of the next one.
            wanted = self._passes + 2
            self._hurry = wanted
            self._wake.set()
            return self._passed.wait_for(lambda: self._passes >= wanted, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """End all recordings and the writer thread; waits for the disk, but not longer than `timeout_s`."""
        for recording in list(self._paths):
            self.stop(recording)
        self._ending = True
        self._wake.set()
        self._thread.join(timeout_s)

    def _fail(self, recording: int, reason: str) -> None:
        self._failed.append((recording, str(self._paths[recording]), reason))
        self._forget(recording)
        self._hand_over_close(recording, report=False)

    def _forget(self, recording: int) -> int:
        """Drop a recording from the tick's tables; returns its length in frames."""
        at = int(np.searchsorted(self._ids, recording))
        frames = int(self._frames[at])
        self._ids = np.delete(self._ids, at)
        self._frames = np.delete(self._frames, at)
        del self._paths[recording]
        self._paused.pop(recording, None)
        return frames

    def _hand_over_close(self, recording: int, report: bool) -> None:
        with self._lock:
            self._work.closed.append((recording, report))

    # ----- the writer thread

    def _run(self) -> None:
        files: dict[int, RecordingFile] = {}
        while True:
            ending = self._ending
            with self._lock:
                work, self._work = self._work, _Work()
            if work:
                self._append(files, work)
            elif ending:
                return
            with self._passed:
                self._passes += 1
                self._passed.notify_all()
                hurry = self._passes < self._hurry
            if not (hurry or self._ending):
                self._wake.wait(FLUSH_EVERY_S)
                self._wake.clear()

    def _append(self, files: dict[int, RecordingFile], work: _Work) -> None:
        for opened in work.opened:
            files[opened.recording] = opened
            self._attempt(files, opened, opened.create)
        if work.blocks:
            for recording, pieces in by_recording(work.blocks).items():
                if (file := files.get(recording)) is not None:
                    self._attempt(files, file, partial(file.extend, pieces))
            with self._lock:
                self._queued -= sum(block.nbytes for _, block in work.blocks)
        for recording, report in work.closed:
            closing = files.get(recording)
            if closing is None or not self._attempt(files, closing, closing.close):
                continue
            del files[recording]
            if report:
                with self._lock:
                    self._saved.append((recording, str(closing.path), closing.frames * FRAME_MS))

    def _attempt(
        self, files: dict[int, RecordingFile], file: RecordingFile, step: Callable[[], None]
    ) -> bool:
        """Do one step with the disk; a failure ends this recording only and is reported."""
        try:
            step()
        except (OSError, ValueError) as error:
            del files[file.recording]
            with contextlib.suppress(OSError):
                file.close()
            cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            reason = f"{file.path}: {cause}; check the disk's space and the folder's permissions"
            with self._lock:
                self._reports.append((file.recording, str(file.path), reason))
            return False
        return True
