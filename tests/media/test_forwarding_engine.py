"""An engine whose packets the kernel forwards does as one that relays all of them itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from media.engine import Engine
from media.forwarding import NO_ROUTE, Route
from media.forwarding_memory import LOOPBACK, ROOM
from media.listen import SEVERAL
from media.messages import Command, Connect, Disconnect, Play, Release, Released, SetRemote, Stop, WatchSpeech
from media.ports import PortPool
from tests.support.bpf_run import Ends, frame, left_over, number, or_skip, run, word
from tests.support.forwarding import resumed
from tests.support.forwarding_model import (
    CAPACITY,
    LOCAL,
    ON,
    OTHER,
    OTHER_ADDRESS,
    PORTS,
    REDIRECTED,
    Loaded,
)
from tests.support.rtp import Datagram, EngineBench, NoSockets, Phone, datagrams_of, packet_of

LEGS = 4
START = 1_700_000_000
STEP_NS = 3_906_250  # 1/256 s, so that all ways to come to a time give the same number
ROUTES = {"lose route": NO_ROUTE, "other route": Route(LOCAL, 4711), "route": Route(LOCAL, OTHER)}
"""To leg 1's phone; if it is another, what comes from there does not come by it."""


@dataclass
class Twin:
    """One of two engines that live through the same: before that with a `kernel`, the program runs."""

    bench: EngineBench
    phones: list[Phone]
    kernel: Loaded | None
    steps: int = 0
    forwarded: int = 0

    @classmethod
    def make(cls, kernel: Loaded | None) -> Twin:
        if kernel is not None:
            kernel.ways["budget"] = 0
            kernel.routes.routes.clear()
            kernel.routes.otherwise = Route(LOCAL, OTHER)
        bench = EngineBench(capacity=CAPACITY)
        bench.engine = Engine(
            CAPACITY,
            PortPool(*PORTS, NoSockets()),
            address="10.0.0.1",
            recorder=bench.recorder,
            seed=7,
            forwarding=None if kernel is None else kernel.forwarding,
        )
        phones = [bench.phone(leg, f"10.1.0.{leg}", 5000 + leg) for leg in range(LEGS)]
        for one in range(0, LEGS, 2):
            bench.do(Connect(one, one + 1))
        resumed(bench.engine)
        return cls(bench, phones, kernel)

    def pass_time(self, steps: int) -> None:
        self.steps += steps
        self.bench.now = START + self.steps * STEP_NS / 1e9

    def receive(self, *packets: Datagram) -> list[list[Datagram]]:
        """What each phone hears, in its order, when these have come."""
        sent: list[Datagram] = []
        left: list[Datagram] = []
        for one in packets:
            made = self._forward(self.kernel, one) if self.kernel is not None else None
            if made is None:
                left.append(one)
            else:
                sent.append(made)
        sent += self.bench.receive(*left)
        resumed(self.bench.engine)
        return [phone.hears(sent) for phone in self.phones]

    def _forward(self, kernel: Loaded, one: Datagram) -> Datagram | None:
        ends = Ends(number(one.address), one.remote_port, LOCAL, one.port)
        packet = frame(ends, one.data, to=OTHER_ADDRESS)
        ran = run(kernel.program, packet, interface=OTHER)
        if ran.packet == packet:
            assert ran.returned == ON
            return None
        assert ran.returned == (ON if OTHER == LOOPBACK else REDIRECTED) and left_over(ran.packet) == 0
        assert ran.packet[26:30] == packet[30:34]
        note = (int(kernel.control["head"][0]) - 1) % ROOM
        kernel.ring["arrival"][note] = self.steps * STEP_NS
        self.forwarded += 1
        address = socket.inet_ntoa(ran.packet[30:34])
        return Datagram(ran.packet[42:], word(ran.packet, 34), address, word(ran.packet, 36))

    def tick(self) -> list[Datagram]:
        self.pass_time(5)
        bench = self.bench
        sent = [one for some in bench.engine.tick(bench.now) for one in datagrams_of(some)]
        bench.events += bench.engine.events()
        resumed(bench.engine)
        return sent

    def do(self, step: str) -> None:
        """One of the things that happen to legs 0 to 3, or to the routes to them."""
        if step in ROUTES:
            if self.kernel is not None:
                self.kernel.routes.routes = {number("10.1.0.1"): ROUTES[step]}
                self.kernel.routes.other = True
            resumed(self.bench.engine)
            return
        held = self.phones[1].remote
        commands: dict[str, list[Command]] = {
            "cross": [Connect(0, 3), Connect(1, 2)],
            "part": [Disconnect(0)],
            "play": [Play(1, 1, ("tone:ringback",), loop=True)],
            "stop": [Stop(1)],
            "watch": [WatchSpeech(0)],
            "ignore": [WatchSpeech(0, False)],
            "hold": [SetRemote(1, held.address, held.port, held.rtcp_port, "PCMU", 0, 101, send=False)],
            "resume": [held],
        }
        self.bench.do(*commands[step])
        resumed(self.bench.engine)


COMING = st.tuples(
    st.integers(0, LEGS - 1),
    st.sampled_from(
        ["next"] * 12
        + [
            "lost",
            "late",
            "again",
            "jump",
            "jump back",
            "source",
            "event",
            "empty",
            "marker",
            "leap",
            "too late",
        ]
    ),
)
STEP = st.one_of(
    st.lists(COMING, min_size=1, max_size=10),
    st.sampled_from(
        ["tick"] * 4 + ["cross", "part", "play", "stop", "watch", "ignore", "hold", "resume", *ROUTES]
    ),
)


def no_flood(step: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """What comes as a flood is cut down on its way through the worker alone."""
    legs = [leg for leg, _ in step]
    return [one for at, one in enumerate(step) if legs[:at].count(one[0]) < SEVERAL]


@pytest.fixture(scope="module")
def timed() -> Iterator[Loaded]:
    with ExitStack() as opened:
        with or_skip():
            made = Loaded(opened, origin_s=float(START))
        yield made


@settings(max_examples=200)
@given(st.lists(STEP, max_size=40))
@example([[(0, "next"), (1, "next")]] * 3 + ["tick"])
def test_an_engine_does_the_same(timed: Loaded, steps: list[str | list[tuple[int, str]]]) -> None:
    timed.clear()
    timed.start_at(ROOM - 20)
    # What an engine before this one was told is nothing to this one.
    twins = [Twin.make(timed), Twin.make(None)]
    try:
        for twin in twins:
            twin.tick()  # it gives the first budget
        for step in steps:
            heard = []
            for twin in twins:
                twin.pass_time(1)
                if step == "tick":
                    sent = twin.tick()
                    heard.append([phone.hears(sent) for phone in twin.phones] + [sent])
                elif isinstance(step, str):
                    twin.do(step)
                else:
                    packets = [packet_of(twin.phones[leg], kind) for leg, kind in no_flood(step)]
                    heard.append(twin.receive(*packets))
            assert heard[:1] == heard[1:]
        for twin in twins:
            twin.bench.do(*(Release(leg) for leg in range(LEGS)))
        assert twins[0].bench.take(Released) == twins[1].bench.take(Released)
        assert twins[0].bench.events == twins[1].bench.events
        assert timed.control["head"][0] == ROOM - 20 + twins[0].forwarded
        assert timed.control["tail"][0] == timed.control["head"][0]
    finally:
        for twin in twins:
            twin.bench.close()


def test_a_bridge_is_really_forwarded(timed: Loaded) -> None:
    """And its statistics and reports are those of an engine that has relayed it all."""
    timed.clear()
    timed.start_at(ROOM - 20)
    twins = [Twin.make(timed), Twin.make(None)]
    said = []
    for twin in twins:
        told = []
        for turn in range(900):
            kind = "lost" if turn % 97 == 50 else "marker" if turn % 50 == 0 else "next"
            told += twin.receive(*(packet_of(phone, kind) for phone in twin.phones))
            told.append(twin.tick())
        twin.bench.do(*(Release(leg) for leg in range(LEGS)))
        said.append(told)
    assert said[0] == said[1]
    assert twins[0].bench.take(Released) == twins[1].bench.take(Released)
    assert twins[0].forwarded == LEGS * 899, "all but the first, with which the streams begin"
