"""A network between SIP endpoints that loses, repeats and reorders datagrams by a seed, on simulated time.

No socket and no sleep: `run` steps from one arrival or deadline to the next.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Protocol

from softswitch.sip.flow import Flow
from softswitch.sip.outputs import Output, Send

Address = tuple[str, int]


def counter(prefix: str = "t") -> Callable[[], str]:
    """A token source that never repeats and is the same in every run."""
    numbers = iter(range(1, 10**9))
    return lambda: f"{prefix}{next(numbers)}"


class Endpoint(Protocol):
    """A sans-IO user of the transaction layer."""

    def receive(self, data: bytes, flow: Flow, now: float) -> list[Output]:
        """Take a datagram."""

    def deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""

    def handle_timer(self, now: float) -> list[Output]:
        """Fire what is due."""


class Wire:
    """Connects endpoints by address. Probabilities are for each datagram; delays are drawn from `delay_s`."""

    def __init__(
        self,
        seed: int = 0,
        *,
        loss: float = 0.0,
        repeat: float = 0.0,
        delay_s: tuple[float, float] = (0.01, 0.01),
    ) -> None:
        self.now = 1000.0
        self.sent: list[Send] = []
        self._random = random.Random(seed)
        self._loss = loss
        self._repeat = repeat
        self._delay_s = delay_s
        self._endpoints: dict[Address, Endpoint] = {}
        self._queue: list[tuple[float, int, bytes, Flow]] = []
        self._order = 0

    def attach(self, address: Address, endpoint: Endpoint) -> None:
        """Put an endpoint at an address."""
        self._endpoints[address] = endpoint

    def put(self, outputs: Iterable[Output]) -> None:
        """Send every `Send` among the outputs."""
        for output in outputs:
            if not isinstance(output, Send):
                continue
            self.sent.append(output)
            flow = Flow(output.flow.transport, output.flow.remote, output.flow.local, output.flow.connection)
            if flow.reliable:  # a stream keeps the order and loses nothing
                self._arrive(self._delay_s[1], output.data, flow)
                continue
            for _ in range(2 if self._random.random() < self._repeat else 1):
                if self._random.random() >= self._loss:
                    self._arrive(self._random.uniform(*self._delay_s), output.data, flow)

    def _arrive(self, delay_s: float, data: bytes, flow: Flow) -> None:
        self._order += 1
        heappush(self._queue, (self.now + delay_s, self._order, data, flow))

    def run(self, until: float) -> None:
        """Step to the time `until`, or until nothing more can happen."""
        while True:
            due = [
                (when, address)
                for address, e in self._endpoints.items()
                if (when := e.deadline()) is not None
            ]
            timer = min(due, default=None)
            arrival = self._queue[0][0] if self._queue else None
            times = [when for when in (arrival, timer[0] if timer else None) if when is not None]
            if not times or min(times) > until:
                self.now = until
                return
            self.now = max(self.now, min(times))
            if arrival is not None and arrival <= self.now:
                _, _, data, flow = heappop(self._queue)
                endpoint = self._endpoints.get(flow.local)
                if endpoint is not None:
                    self.put(endpoint.receive(data, flow, self.now))
            elif timer is not None:
                self.put(self._endpoints[timer[1]].handle_timer(self.now))
