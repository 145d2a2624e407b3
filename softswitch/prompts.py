"""Speaking the texts of prompts ahead, with espeak-ng as a program of its own, and keeping them as WAV files.

Invariant: a file in the cache is complete (it is written under another name and renamed), and is never
written again. Nothing here waits in the loop of the calls: the program runs beside it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from ivr.messages import Prompt
from ivr.prompt import Catalogue, Speech
from softswitch.errors import LocalError
from softswitch.prompt_clips import is_made

PROGRAM = "espeak-ng"
TIMEOUT_S = 30.0
"""The longest time that one text may take; usual are 20 ms."""

_WAV_HEADER_BYTES = 44
_HOW_TO_INSTALL = "install it (Debian, Ubuntu: apt-get install espeak-ng), or give WAV files instead of texts"


class Speaker:
    """Makes the clips of a catalogue's texts. `parallel` texts are spoken at a time."""

    def __init__(self, catalogue: Catalogue, program: str = PROGRAM, parallel: int = 2) -> None:
        self._catalogue = catalogue
        self._program = program
        self._parallel = parallel

    def unspoken(self, prompts: Iterable[Prompt]) -> list[Speech]:
        """What is not in the cache yet."""
        return [speech for speech in self._catalogue.speeches(prompts) if not is_made(Path(speech.path))]

    def missing(self, prompts: Iterable[Prompt]) -> str:
        """Why these prompts cannot be made, and the remedy; empty if they can (or are there already)."""
        unspoken = self.unspoken(prompts)
        if not unspoken or shutil.which(self._program):
            return ""
        first = unspoken[0].text
        shown = first if len(first) <= 60 else first[:57] + "..."
        texts = "1 text is" if len(unspoken) == 1 else f"{len(unspoken)} texts are"
        return (
            f"{self._program} is not installed, and {texts} not in {self._catalogue.cache} yet "
            f"(the first: {shown!r}); {_HOW_TO_INSTALL}"
        )

    async def build(
        self, prompts: Iterable[Prompt], told: Callable[[Speech], None] = lambda speech: None
    ) -> int:
        """Speak what is not in the cache yet; gives the number of new files. `told` hears of each one.

        LocalError: the program is missing (only if something is to be spoken), does not know a voice, or the
        disk refuses.
        """
        prompts = tuple(prompts)
        unspoken = self.unspoken(prompts)
        if reason := self.missing(prompts):
            raise LocalError(reason)
        limit = asyncio.Semaphore(self._parallel)

        async def one(speech: Speech) -> None:
            async with limit:
                write_atomically(Path(speech.path), await self._speak(speech))
                told(speech)

        try:
            async with asyncio.TaskGroup() as group:
                for speech in unspoken:
                    group.create_task(one(speech))
        except* LocalError as errors:
            raise errors.exceptions[0] from None
        return len(unspoken)

    async def _speak(self, speech: Speech) -> bytes:
        """One text as a WAV. The text goes in by the standard input: it is never taken for an option."""
        arguments = ("-b", "1", "-v", speech.voice, "-s", str(speech.speed_wpm), "--stdin", "--stdout")
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise LocalError(
                f"{self._program} cannot be started: {error.strerror}; {_HOW_TO_INSTALL}"
            ) from error
        try:
            async with asyncio.timeout(TIMEOUT_S):
                wav, complaint = await process.communicate(speech.text.encode())
        except TimeoutError:
            raise LocalError(f"{self._program} took over {TIMEOUT_S:g} s for {speech.text[:60]!r}") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode or len(wav) <= _WAV_HEADER_BYTES:
            said = " ".join(complaint.decode(errors="replace").split())[:200] or "no sound came out"
            raise LocalError(
                f"{self._program} cannot speak {speech.text[:60]!r} with the voice {speech.voice!r}: {said}; "
                f"`{self._program} --voices` lists the voices, prompts.voices chooses one for a language"
            )
        spoken = _with_sizes(wav)
        if not speech.loudness_lufs:
            return spoken
        from media.errors import ClipError  # heavy with the next, and who checks a configuration needs none
        from softswitch.prompt_wav import evened_wav

        try:
            return await asyncio.to_thread(evened_wav, speech.path, spoken, speech.loudness_lufs)
        except ClipError as error:
            raise LocalError(
                f"{self._program} speaks {speech.text[:60]!r} as no usable sound: {error}"
            ) from error


def _with_sizes(wav: bytes) -> bytes:
    """The WAV with its two sizes put right: a program that writes to a pipe cannot know them when it
    begins.
    """
    data = wav.find(b"data", 12)
    if wav[:4] != b"RIFF" or data < 0:
        raise LocalError(
            f"what came from {PROGRAM} is not a WAV file; is another program of that name in the PATH?"
        )
    header = bytearray(wav[: data + 8])
    header[4:8] = (len(wav) - 8).to_bytes(4, "little")
    header[data + 4 : data + 8] = (len(wav) - data - 8).to_bytes(4, "little")
    return bytes(header) + wav[data + 8 :]


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees a part of it. LocalError names the path and the remedy."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LocalError(
            f"{path} cannot be written: {error.strerror}; "
            "make the directory writable, or choose another prompts.cache"
        ) from error
