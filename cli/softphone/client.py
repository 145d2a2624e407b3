"""Drives a softphone process from asyncio: what `cc phone`, the demo and the tests use.

    async with Softphone() as phone:
        await phone.register("127.0.0.1:5060", "201", "secret")
        call = await phone.call("sip:600@127.0.0.1:5060")
        await phone.wait("answered", 10)

Invariant: no event is lost or seen twice by `wait`. Events are kept from the start in `events`, and each is
given to at most one `wait`, so asking after the fact is no race. The process never outlives the client: it
ends with its input.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import msgspec

from cli.softphone import messages
from softswitch.errors import LocalError

REPLY_S = 10.0
REGISTER_S = 35.0  # a registrar that does not answer costs 32 s (RFC 3261, timer F)
CLOSE_S = 5.0
STDERR_BYTES = 4096

ROOT = str(Path(__file__).resolve().parents[2])  # where the package `cli` is found when it is not installed

E = TypeVar("E", bound=messages.Event)


class SoftphoneError(LocalError):
    """The phone refused a command, died, or what was waited for did not come; a note has its last events."""


class Softphone:
    """One softphone. `options` are those of `messages.Start`; all methods raise SoftphoneError."""

    def __init__(self, options: messages.Start | None = None) -> None:
        self.options = options or messages.Start()
        self.events: list[messages.AnyEvent] = []
        self._taken: set[int] = set()
        self._changed = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._stderr = b""
        self._last_id = 0
        self._over = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ----- life

    async def start(self) -> messages.Ready:
        """Starts the process; returns where it listens."""
        paths = [ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cli.softphone",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=4 * messages.LINE_BYTES,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # Ctrl-C is for whoever drives it, who then ends it in order
        )
        self._readers = [asyncio.create_task(self._read_events()), asyncio.create_task(self._read_stderr())]
        try:
            await self.command(self.options)
            return await self.take(messages.Ready, REPLY_S)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Hangs up, unregisters and ends the process; kills it when it does not end by itself."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await asyncio.gather(*self._readers)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await process.stdin.wait_closed()
        self._process = None

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return self._process.pid if self._process is not None else None

    # ----- commands

    async def command(self, command: messages.Command) -> int | None:
        """Sends any command and waits until it is carried out;

        returns the new call's number, if there is one.
        """
        if self._process is None or self._over:
            raise self._error(f"{_label(command)}: the softphone does not run")
        self._last_id += 1
        numbered = msgspec.structs.replace(command, id=self._last_id)
        assert self._process.stdin is not None
        self._process.stdin.write(messages.encoder.encode(numbered) + b"\n")
        with contextlib.suppress(
            BrokenPipeError, ConnectionResetError
        ):  # its last words come from the reader
            await self._process.stdin.drain()
        reply = await self._first(
            lambda event: isinstance(event, messages.Done | messages.Error) and event.id == numbered.id,
            REPLY_S,
            f"a reply to {_label(command)}",
        )
        if isinstance(reply, messages.Error):
            raise SoftphoneError(f"{_label(command)}: {reply.text}")
        return cast(messages.Done, reply).call

    async def register(
        self,
        server: str,
        user: str,
        password: str = "",
        *,
        transport: messages.Transport = "udp",
        display_name: str = "",
        expires_s: int = 300,
        timeout_s: float = REGISTER_S,
    ) -> messages.Registered:
        """Registers and waits for the registrar's yes; its no is a SoftphoneError with the status."""
        await self.command(
            messages.Register(
                server=server,
                user=user,
                password=password,
                transport=transport,
                display_name=display_name,
                expires_s=expires_s,
            )
        )
        outcome = await self._first(
            lambda event: isinstance(event, messages.Registered | messages.RegistrationFailed),
            timeout_s,
            "the registrar's answer",
        )
        if isinstance(outcome, messages.RegistrationFailed):
            raise SoftphoneError(f"{server} refused to register {user}: {outcome.status} {outcome.reason}")
        return cast(messages.Registered, outcome)

    async def unregister(self, timeout_s: float = REGISTER_S) -> None:
        """Takes the registration back and waits until the registrar has done so."""
        await self.command(messages.Unregister())
        await self.take(messages.Unregistered, timeout_s)

    async def call(
        self, uri: str, *, transport: messages.Transport = "udp", headers: dict[str, str] | None = None
    ) -> int:
        """Calls `uri`; returns the call's number at once. Wait for `answered` or `ended`."""
        number = await self.command(messages.Call(uri=uri, transport=transport, headers=headers or {}))
        assert number is not None
        return number

    async def answer(self, call: int | None = None, code: int = 200) -> None:
        """Answers the incoming call."""
        await self.command(messages.Answer(call=call, code=code))

    async def reject(self, call: int | None = None, code: int = 486) -> None:
        """Refuses the incoming call."""
        await self.command(messages.Reject(call=call, code=code))

    async def hangup(self, call: int | None = None) -> None:
        """Ends the call; wait for `ended`."""
        await self.command(messages.Hangup(call=call))

    async def play(self, path: str | Path | None, *, loop: bool = False, call: int | None = None) -> None:
        """Sends a WAV file; without a path, silence."""
        await self.command(messages.Play(path=None if path is None else str(path), loop=loop, call=call))

    async def record(self, path: str | Path | None, call: int | None = None) -> None:
        """Records the far end; without a path, ends the recording (wait for `recorded`)."""
        await self.command(messages.Record(path=None if path is None else str(path), call=call))

    async def digits(
        self,
        digits: str,
        method: messages.DigitMethod = "rfc4733",
        *,
        tone_ms: int = 120,
        gap_ms: int = 120,
        call: int | None = None,
    ) -> None:
        """Presses keys; returns as soon as they are queued."""
        await self.command(
            messages.Digits(digits=digits, method=method, tone_ms=tone_ms, gap_ms=gap_ms, call=call)
        )

    async def hold(self, call: int | None = None) -> None:
        """Puts the far end on hold; wait for `media`."""
        await self.command(messages.Hold(call=call))

    async def resume(self, call: int | None = None) -> None:
        """Takes the far end from hold; wait for `media`."""
        await self.command(messages.Resume(call=call))

    # ----- events

    async def wait(self, name: str, timeout_s: float, call: int | None = None) -> Any:
        """The next event of this name (of this call) that no `wait` has had yet; it may have come already."""
        return await self._first(
            lambda event: event.name == name and (call is None or getattr(event, "call", None) == call),
            timeout_s,
            name if call is None else f"{name} of call {call}",
        )

    async def take(self, kind: type[E], timeout_s: float, call: int | None = None) -> E:
        """`wait` with a type: `await phone.take(messages.Digit, 5)`."""
        return cast(E, await self.wait(messages.event_name(kind), timeout_s, call))

    async def follow(self) -> AsyncIterator[messages.AnyEvent]:
        """Every event from the start, as it comes, until the process is over; takes nothing from `wait`."""
        seen = 0
        while True:
            async with self._changed:
                while len(self.events) == seen and not self._over:
                    await self._changed.wait()
            if seen == len(self.events):
                return
            yield self.events[seen]
            seen += 1

    async def _first(self, wanted: Any, timeout_s: float, label: str) -> messages.AnyEvent:
        def found() -> int | None:
            for index, event in enumerate(self.events):
                if index not in self._taken and wanted(event):
                    return index
            return None

        async with self._changed:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait_for(lambda: found() is not None or self._over)
            except TimeoutError:
                raise self._error(f"{label} did not come in {timeout_s:g} s") from None
            index = found()
            if index is None:
                raise self._error(f"the softphone ended before {label} came")
            self._taken.add(index)
            return self.events[index]

    def _error(self, text: str) -> SoftphoneError:
        """What a process said when it could not start is the cause; later, its last events are a note."""
        words = self._stderr.decode(errors="replace").strip()
        if words and not self.events:
            return SoftphoneError(words.splitlines()[-1])
        error = SoftphoneError(text)
        for event in self.events[-12:]:
            error.add_note(messages.encoder.encode(event).decode())
        if words:
            error.add_note(words)
        return error

    # ----- the pipes

    async def _read_events(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        async for line in self._process.stdout:
            try:
                event = messages.event_decoder.decode(line)
            except msgspec.DecodeError as error:
                event = messages.Error(text=f"the softphone wrote {line[:200]!r}: {error}")
            async with self._changed:
                self.events.append(event)
                self._changed.notify_all()
        with contextlib.suppress(asyncio.IncompleteReadError):
            await self._process.wait()
        async with self._changed:
            self._over = True
            self._changed.notify_all()

    async def _read_stderr(self) -> None:
        assert self._process is not None and self._process.stderr is not None
        while block := await self._process.stderr.read(STDERR_BYTES):
            self._stderr = (self._stderr + block)[-STDERR_BYTES:]


def _label(command: messages.Command) -> str:
    return type(command).__name__.lower()
