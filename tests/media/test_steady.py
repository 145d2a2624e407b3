"""The shortest way does what the long way does, in every history; and it is really taken."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.listen import CREDIT_A_TICK, MAX_PACKETS_PER_LEG, SEVERAL, Seen
from media.messages import Command, Connect, Disconnect, Play, Release, Released, SetRemote, Stop, WatchSpeech
from media.packet import Batch, Outgoing, empty_outgoing
from media.steady import MOST_TURNS
from tests.support.rtp import Datagram, EngineBench, Phone, packet_of, rtp

LEGS = 4


@dataclass
class Twin:
    """One of two engines that live through the same: `swift` counts what went the shortest way."""

    bench: EngineBench
    phones: list[Phone]
    swift: int = 0

    @classmethod
    def make(cls, shortest: bool) -> Twin:
        bench = EngineBench(capacity=8)
        phones = [bench.phone(leg, f"10.1.0.{leg}", 5000 + leg) for leg in range(LEGS)]
        for one in range(0, LEGS, 2):
            bench.do(Connect(one, one + 1))
        twin = cls(bench, phones)
        steady = bench.engine._parts.steady
        real = steady.relay

        def counted(batch: Batch, seen: Seen, now: float) -> Outgoing:
            outgoing = real(batch, seen, now) if shortest else empty_outgoing(batch.data)
            twin.swift += outgoing.rows.size
            return outgoing

        steady.relay = counted  # type: ignore[method-assign]
        return twin

    def receive(self, *packets: Datagram) -> list[list[Datagram]]:
        """What each phone hears of one batch, in its order."""
        sent = self.bench.receive(*packets)
        return [phone.hears(sent) for phone in self.phones]


PACKET = st.tuples(
    st.integers(0, LEGS - 1),
    st.sampled_from(
        ["next"] * 12
        + ["lost", "late", "again", "jump", "source", "event", "empty", "marker", "leap", "too late"]
    ),
)
STEP = st.one_of(
    st.lists(PACKET, min_size=1, max_size=12),
    st.sampled_from(["tick"] * 4 + ["cross", "part", "play", "stop", "watch", "ignore", "hold", "resume"]),
)


def command(step: str, bench: EngineBench, phones: list[Phone]) -> None:
    """One of the things that happen to legs 0 to 3."""
    held = phones[1].remote
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
    bench.do(*commands[step])


@given(st.lists(STEP, max_size=40))
def test_both_ways_do_the_same(steps: list[str | list[tuple[int, str]]]) -> None:
    twins = [Twin.make(True), Twin.make(False)]
    try:
        for step in steps:
            heard = []
            for twin in twins:
                twin.bench.now += 0.004
                if step == "tick":
                    sent = twin.bench.tick()
                    heard.append([phone.hears(sent) for phone in twin.phones])
                elif isinstance(step, str):
                    command(step, twin.bench, twin.phones)
                else:
                    heard.append(twin.receive(*(packet_of(twin.phones[leg], kind) for leg, kind in step)))
            assert heard[:1] == heard[1:]
        for twin in twins:
            twin.bench.do(*(Release(leg) for leg in range(LEGS)))
        assert twins[0].bench.take(Released) == twins[1].bench.take(Released)
        assert twins[0].bench.events == twins[1].bench.events
        assert twins[1].swift == 0
    finally:
        for twin in twins:
            twin.bench.close()


@pytest.fixture
def twin() -> Twin:
    return Twin.make(True)


def test_bridged_audio_goes_the_shortest_way(twin: Twin) -> None:
    twin.receive(*(phone.next() for phone in twin.phones))  # each begins a stream at its peer
    twin.receive(*(phone.next() for phone in twin.phones))
    assert twin.swift == LEGS


def test_it_is_taken_beside_packets_that_go_the_long_way(twin: Twin) -> None:
    a, b, c, d = twin.phones
    twin.receive(*(phone.next() for phone in twin.phones))
    heard = twin.receive(a.next(), b.key(5, 160, b.timestamp), b.next(), c.next(), d.next())
    assert twin.swift == 3, "of the leg that pressed a key, all packets keep their order"
    assert [len(one) for one in heard] == [2, 1, 1, 1]


@pytest.mark.parametrize("step", ["watch", "play", "hold", "part"])
def test_it_is_not_taken_where_there_is_more_to_do(twin: Twin, step: str) -> None:
    twin.receive(*(phone.next() for phone in twin.phones))
    command(step, twin.bench, twin.phones)
    twin.receive(*(phone.next() for phone in twin.phones))
    twin.receive(*(phone.next() for phone in twin.phones))
    affected = {"watch": 1, "play": 1, "hold": 1, "part": 2}[
        step
    ]  # legs whose packets do not go on as they are
    assert twin.swift == 2 * (LEGS - affected)


def test_a_flood_is_bounded_and_others_do_not_suffer(twin: Twin) -> None:
    a, c = twin.phones[0], twin.phones[2]
    twin.receive(*(phone.next() for phone in twin.phones))
    flood = [a.next() for _ in range(MAX_PACKETS_PER_LEG + 20)]
    heard = twin.receive(*flood, c.next())
    assert [len(one) for one in heard] == [0, MAX_PACKETS_PER_LEG, 0, 1]


@pytest.mark.parametrize("kind", ["next", "again"])
def test_a_flood_that_goes_on_is_cut_down_further(twin: Twin, kind: str) -> None:
    """Each packet of one leg takes a turn: what many batches let through has to be worked off in one tick."""
    a, c = twin.phones[0], twin.phones[2]
    twin.receive(*(phone.next() for phone in twin.phones))
    heard = []
    for _ in range(10):  # ticks
        for _ in range(6):
            heard += twin.receive(*(packet_of(a, kind) for _ in range(MAX_PACKETS_PER_LEG)))[1]
        assert len(twin.receive(c.next())[3]) == 1
        twin.bench.tick()
    assert len(heard) <= MAX_PACKETS_PER_LEG + 10 * 6 * SEVERAL + 9 * CREDIT_A_TICK
    twin.bench.tick(10)
    late = [a.next() for _ in range(MAX_PACKETS_PER_LEG)]  # which a network held back
    assert len(twin.receive(*late)[1]) == MAX_PACKETS_PER_LEG


def test_what_came_while_the_worker_was_held_up_is_no_flood(twin: Twin) -> None:
    """A slow machine: half a second in which nothing is read, of which no tick is made up for, and again."""
    a = twin.phones[0]
    twin.receive(a.next())
    for _ in range(5):
        twin.bench.now += 0.48
        twin.bench.tick()
        assert len(twin.receive(*(a.next() for _ in range(25)))[1]) == 25


def test_notes_are_settled_before_one_leg_has_too_many(twin: Twin) -> None:
    twin.receive(*(phone.next() for phone in twin.phones))
    steady = twin.bench.engine._parts.steady
    for _ in range(20):
        for _ in range(8):
            twin.receive(*(packet_of(twin.phones[0], "again") for _ in range(SEVERAL)))
        twin.bench.tick()
        assert steady._noted <= MOST_TURNS + 8 * SEVERAL


def test_notes_are_bounded(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.steady.NOTES", 8)
    for _ in range(10):  # and no tick
        twin.receive(*(phone.next() for phone in twin.phones))
    twin.bench.do(Release(0))
    (released,) = twin.bench.take(Released)
    assert isinstance(released, Released) and released.quality.packets_received == 11


@pytest.mark.parametrize("offsets", [(2900, -50, -49, 0, 1), (*range(12), -95), (3000, 3001, 20, 21)])
def test_numbers_that_leap_to_and_fro(offsets: tuple[int, ...]) -> None:
    """What is believed depends on the numbers before, also on those that are only noted yet."""
    twins = [Twin.make(True), Twin.make(False)]
    heard = []
    for twin in twins:
        a = twin.phones[0]
        twin.receive(a.next())
        twin.receive(a.next())
        numbers = [a.sequence + offset for offset in offsets]
        numbers += range(numbers[-1] + 1, numbers[-1] + 5)
        heard.append([
            twin.receive(a.wrap(rtp(number, 16000 + 160 * turn, a.ssrc)))
            for turn, number in enumerate(numbers)
        ])  # fmt: skip
        twin.bench.do(Release(0))
    assert heard[0] == heard[1]
    assert twins[0].bench.take(Released) == twins[1].bench.take(Released)


def test_a_packet_from_before_a_long_key(twin: Twin) -> None:
    """The packets of the key went the long way, and moved the stream on."""
    a = twin.phones[0]
    twin.receive(a.next())
    twin.receive(a.next())
    before, start = a.next(), a.timestamp
    for turn in range(150):
        twin.receive(a.key(5, 160 * (turn + 1), start))
    assert twin.receive(before)[1] == []
    assert len(twin.receive(a.next())[1]) == 1


def test_reports_say_the_same_both_ways() -> None:
    twins = [Twin.make(True), Twin.make(False)]
    said: list[list[Datagram]] = []
    for twin in twins:
        sent: list[Datagram] = []
        for turn in range(900):  # some twenty seconds: some reports of each leg
            twin.receive(*(packet_of(phone, "lost" if turn % 97 == 0 else "next") for phone in twin.phones))
            if turn % 3 == 0:  # to one of these we say goodbye with the next tick, whenever that is
                some = [twin.bench.phone(2 * turn + one, f"10.1.0.{one}") for one in (10, 11)]
                twin.bench.do(Connect(*(phone.leg for phone in some)))
                some[0].talk()
                twin.bench.do(*(Release(phone.leg) for phone in some))
                twin.receive(*(phone.next() for phone in twin.phones))
            sent += twin.bench.tick()
        said.append(sent)
        twin.bench.close()
    assert said[0] == said[1] and len(said[0]) > 10
    assert twins[0].swift > 4500
