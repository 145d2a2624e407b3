"""What `cc phone` does with a softphone: one call out, or waiting for calls; each event shown as it comes.

Invariant: everything a person sees comes from `describe`, everything a program reads is the event itself as a
JSON line; no password reaches either.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass

from cli.output import plain
from cli.softphone import messages
from cli.softphone.client import Softphone, SoftphoneError

PAUSE_S = 1.0  # a comma in the keys to press
KEYS_PRESSED_S = 0.25  # a key and the gap after it
HELP = "commands: answer, reject, hangup, hold, resume, digits 123, quit"


@dataclass(frozen=True, slots=True)
class Login:
    """Where to register, and as whom."""

    server: str
    user: str
    password: str
    transport: messages.Transport
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class InCall:
    """What to do once a call is up. `digits` may hold commas, each a pause of one second."""

    digits: str = ""
    digits_after_s: float = 1.0
    digit_method: messages.DigitMethod = "rfc4733"
    hangup_after_s: float | None = None


class Session:
    """One run of `cc phone`."""

    def __init__(self, phone: Softphone, login: Login | None, plan: InCall, as_json: bool) -> None:
        self._phone = phone
        self._login = login
        self._plan = plan
        self._as_json = as_json
        self._jobs: set[asyncio.Task[None]] = set()

    async def call(self, uri: str, transport: messages.Transport, answer_timeout_s: float) -> bool:
        """Calls, does what is planned, and stays until the call ends. Returns whether it was answered."""
        async with self._started():
            number = await self._phone.call(uri, transport=transport)
            answered = await self._answered(number, answer_timeout_s)
            if answered:
                self._begin(self._carry_out(number))
                await self._until_over(number)
            return answered

    async def serve_calls(self, calls: int | None, for_s: float | None) -> None:
        """Takes `calls` calls (None: any number) for at most `for_s` seconds."""
        with contextlib.suppress(TimeoutError):
            async with self._started(), asyncio.timeout(for_s):
                ended = 0
                async for event in self._phone.follow():
                    if isinstance(event, messages.Answered):
                        self._begin(self._carry_out(event.call))
                    ended += isinstance(event, messages.Ended)
                    if calls is not None and ended >= calls:
                        return

    @contextlib.asynccontextmanager
    async def _started(self) -> AsyncIterator[None]:
        shown = asyncio.create_task(self._show())
        keyboard = None
        try:
            async with self._phone:
                if self._login is not None:
                    login = self._login
                    await self._phone.register(
                        login.server,
                        login.user,
                        login.password,
                        transport=login.transport,
                        display_name=login.display_name,
                    )
                if sys.stdin is not None and sys.stdin.isatty():
                    keyboard = asyncio.create_task(self._obey())
                try:
                    yield
                finally:
                    for job in self._jobs | ({keyboard} if keyboard is not None else set()):
                        job.cancel()
        finally:
            await shown

    async def _answered(self, number: int, timeout_s: float) -> bool:
        """Waits for the answer or the refusal; hangs up when neither comes."""
        try:
            async with asyncio.timeout(timeout_s):
                async for event in self._phone.follow():
                    if getattr(event, "call", None) == number:
                        if isinstance(event, messages.Answered):
                            return True
                        if isinstance(event, messages.Ended):
                            return False
        except TimeoutError:
            waited = f"no answer in {timeout_s:g} s; the call is given up"
            self._print(messages.Error(at_s=self._phone.events[-1].at_s, text=waited))
            await self._phone.hangup(number)
        return False

    async def _until_over(self, number: int) -> None:
        async for event in self._phone.follow():
            if isinstance(event, messages.Ended) and event.call == number:
                return

    def _begin(self, job: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(job)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    async def _carry_out(self, number: int) -> None:
        """The plan of one call. A call that ends in between ends the plan."""
        plan = self._plan
        try:
            async with asyncio.timeout(plan.hangup_after_s):
                if plan.digits:
                    await asyncio.sleep(plan.digits_after_s)
                    await self._press(number)
                if plan.hangup_after_s is not None:
                    await asyncio.Event().wait()
        except TimeoutError:
            with contextlib.suppress(SoftphoneError):
                await self._phone.hangup(number)
        except SoftphoneError as error:
            self._print(messages.Error(text=str(error)))

    async def _press(self, number: int) -> None:
        for index, group in enumerate(self._plan.digits.split(",")):
            if index:
                await asyncio.sleep(PAUSE_S)
            if group:
                await self._phone.digits(group, self._plan.digit_method, call=number)
                await asyncio.sleep(KEYS_PRESSED_S * len(group))

    async def _show(self) -> None:
        async for event in self._phone.follow():
            self._print(event)

    def _print(self, event: messages.AnyEvent) -> None:
        if self._as_json:
            line = messages.encoder.encode(event).decode()
        else:
            text = describe(event)
            if not text:
                return
            line = f"{event.at_s:7.1f}  {plain(text)}"
        with contextlib.suppress(BrokenPipeError):
            print(line, flush=True)

    # ----- a person at the keyboard

    async def _obey(self) -> None:
        print(HELP, file=sys.stderr)
        async for line in _typed_lines():
            word, _, rest = line.strip().partition(" ")
            commands: dict[str, Callable[[], messages.Command]] = {
                "answer": messages.Answer,
                "reject": messages.Reject,
                "hangup": messages.Hangup,
                "hold": messages.Hold,
                "resume": messages.Resume,
                "quit": messages.Quit,
                "digits": lambda rest=rest: messages.Digits(digits=rest.strip()),  # type: ignore[misc]
            }
            if not word:
                continue
            if word not in commands:
                print(HELP, file=sys.stderr)
                continue
            with contextlib.suppress(SoftphoneError):  # shown as an event already
                await self._phone.command(commands[word]())


async def _typed_lines() -> AsyncIterator[str]:
    """Lines from the terminal, without a thread that could not be stopped."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str] = asyncio.Queue()
    descriptor = sys.stdin.fileno()

    def read() -> None:
        block = os.read(descriptor, 4096)
        if not block:
            loop.remove_reader(descriptor)
        for line in block.decode(errors="replace").splitlines():
            lines.put_nowait(line)

    loop.add_reader(descriptor, read)
    try:
        while True:
            yield await lines.get()
    finally:
        loop.remove_reader(descriptor)


def describe(event: messages.AnyEvent) -> str:
    """An event in words; empty for those that a person need not see."""
    match event:
        case messages.Ready():
            return f"listening on {event.address}, UDP port {event.udp_port}, TCP port {event.tcp_port}"
        case messages.Error():
            return f"error: {event.text}"
        case messages.Registered():
            return f"registered as {event.user} at {event.server} for {event.expires_s} s"
        case messages.RegistrationFailed():
            return f"not registered: {event.status} {event.reason}"
        case messages.Unregistered():
            return "unregistered"
        case messages.Incoming():
            return f"call {event.call} from {event.remote} rings"
        case messages.Ringing():
            return f"call {event.call} rings at the far end ({event.status})"
        case messages.Answered():
            return f"call {event.call} is up"
        case messages.Media():
            state = event.state.replace("_", " ")
            far = f", {event.codec} with {event.remote}" if event.codec else ""
            return f"call {event.call} audio: {state}{far}"
        case messages.Digit():
            return f"call {event.call} key {event.digit} ({event.method})"
        case messages.Played():
            return f"call {event.call} has played {event.path}"
        case messages.Recorded():
            return f"call {event.call} is recorded in {event.path}"
        case messages.Ended():
            how = f"{event.status} {event.reason}, {event.talk_s:.1f} s"
            counts = f"{event.packets_sent} packets sent, {event.packets_received} received"
            quality = f"{event.packets_lost} lost, jitter {event.jitter_ms:.1f} ms"
            return f"call {event.call} ended: {how}, {counts}, {quality}"
        case _:
            return ""
