"""The softphone's process: `python -m cli.softphone`. The only one that imports pjsua2.

Invariant: standard output carries events and nothing else (the library's own prints are sent away); the
process ends by itself, hanging up and unregistering, when its input ends, so it never outlives whoever
started it.
"""

import os
import select
import signal
import sys
import time

import msgspec

from cli.softphone import messages

LEAVE_S = 2.0
MISSING = (
    "cc phone needs pjsua2, which is not installed here: `make setup` or "
    "`pip install 'cc-softswitch[phone]'` adds it (CPython 3.11 or 3.12 on x86-64 Linux)"
)


class Pipes:
    """Standard input as lines without blocking, standard output as events."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._output = os.fdopen(os.dup(1), "wb", buffering=0)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        self._pending = b""
        self.open = True

    def send(self, event: messages.AnyEvent) -> None:
        """Writes one event; a reader that is gone ends the process as the end of the input does."""
        stamped = msgspec.structs.replace(event, at_s=round(time.monotonic() - self._started, 3))
        try:
            self._output.write(messages.encoder.encode(stamped) + b"\n")
        except BrokenPipeError:
            self.open = False

    def lines(self, wait_s: float) -> list[bytes]:
        """The complete lines that have come; waits for at most `wait_s` for the first."""
        if not select.select([0], [], [], wait_s)[0]:
            return []
        block = os.read(0, messages.LINE_BYTES)
        if not block or len(self._pending) > messages.LINE_BYTES:
            self.open = False
            return []
        *lines, self._pending = (self._pending + block).split(b"\n")
        return [line for line in lines if line.strip()]


def main() -> int:
    """Runs until `quit`, the end of the input, or SIGTERM."""
    try:
        from cli.softphone.engine import Phone, Refusal, decode, start
    except ImportError as error:
        print(f"{MISSING} [{error}]", file=sys.stderr)
        return 2
    pipes = Pipes()

    def stop(_signal: int, _frame: object) -> None:
        pipes.open = False

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    def execute(phone: Phone | None, line: bytes) -> Phone | None:
        number = 0
        try:
            command = decode(line)
            number = command.id
            if isinstance(command, messages.Quit):
                pipes.open = False
                call = None
            elif phone is None:
                if not isinstance(command, messages.Start):
                    raise Refusal('the first command must be {"command": "start"}')
                phone, call = start(command), None
            else:
                call = phone.execute(command)
            pipes.send(messages.Done(id=number, call=call))
        except Refusal as error:
            pipes.send(messages.Error(id=number, text=str(error)))
        return phone

    def flush(phone: Phone) -> None:
        while phone.events:
            pipes.send(phone.events.popleft())

    phone: Phone | None = None
    while pipes.open:
        for line in pipes.lines(0.0 if phone is not None else 1.0):
            phone = execute(phone, line)
        if phone is not None:
            phone.poll()
            flush(phone)
    if phone is not None:
        phone.leave()
        deadline = time.monotonic() + LEAVE_S
        while time.monotonic() < deadline and not (phone.idle and phone.unregistered):
            phone.poll()
            flush(phone)
        phone.close()
        flush(phone)
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not a normal exit: pjsua2's destructors, run by the interpreter in any order, crash after libDestroy.
    os._exit(status)
