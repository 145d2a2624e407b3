"""Legs on IPv6 in the engine: bridged with those on IPv4, latched, reported on, and not to be flooded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import rtcp
from media.messages import Allocate, Allocated, Connect, Latched, Release, SetRemote
from media.parts import ADDRESSES_A_LEG, MORE_ADDRESSES
from tests.support.rtp import Datagram, EngineBench, rtp

OURS = "2001:db8::50"
HERS, HIS = "2001:db8::1:5", "2001:db8::1:6"
ELSEWHERE = "2001:db8::bad:1"


@pytest.fixture
def bench() -> EngineBench:
    return EngineBench(ipv6_address=OURS)


def test_a_port_has_an_address_in_each_family(bench: EngineBench) -> None:
    (answer,) = bench.do(Allocate(1, HERS, 5004))
    assert isinstance(answer, Allocated)
    assert (answer.address, answer.ipv6_address) == ("10.0.0.1", OURS)


@pytest.mark.parametrize("his", ["10.1.0.6", HIS])
def test_phones_of_either_family_hear_each_other(bench: EngineBench, his: str) -> None:
    a, b = bench.phone(1, HERS, 5004), bench.phone(2, his, 6004)
    assert bench.take(Latched) == [Latched(1, HERS, 5004), Latched(2, his, 6004)]
    bench.do(Connect(1, 2))
    for _ in range(5):
        assert len(b.hears(a.talk())) == len(a.hears(b.talk())) == 1
        bench.tick()


def test_legs_share_a_port_and_those_with_one_remote_do_not(bench: EngineBench) -> None:
    legs = [bench.phone(1, HERS, 5004), bench.phone(2, HIS, 5004), bench.phone(3, HERS, 5004)]
    assert legs[0].local == legs[1].local != legs[2].local


def test_a_leg_latches_on_where_it_really_comes_from_and_then_on_nothing_else(bench: EngineBench) -> None:
    a, b = bench.phone(1, "10.1.0.5"), bench.phone(2, HERS, latched=False)
    bench.do(Connect(1, 2))
    assert [(one.address, one.remote_port) for one in bench.receive(a.next())] == [(HERS, 5004)]
    bench.take(Latched)
    bench.receive(Datagram(rtp(1, 160, 9), b.local, ELSEWHERE, 33333))
    assert bench.take(Latched) == [Latched(2, ELSEWHERE, 33333)]
    assert [(one.address, one.remote_port) for one in a.talk()] == [(ELSEWHERE, 33333)]
    known = len(bench.engine.addresses)
    assert bench.receive(Datagram(rtp(2, 320, 9), b.local, HIS, 33333)) == []
    assert bench.receive(Datagram(rtp(2, 320, 9), b.local, HERS, 5004)) == []
    assert len(bench.engine.addresses) == known, "a stranger is not even remembered"


def test_a_phone_may_move_to_the_other_family(bench: EngineBench) -> None:
    a, b = bench.phone(1, "10.1.0.5"), bench.phone(2, HERS)
    bench.do(Connect(1, 2), SetRemote(2, "10.1.0.6", 7000, 7001, "PCMU", 0, 101))
    assert [(one.address, one.remote_port) for one in a.talk()] == [("10.1.0.6", 7000)]
    assert b.talk() == []
    bench.do(SetRemote(2, HERS, 5006, 5007, "PCMU", 0, 101))
    assert [(one.address, one.remote_port) for one in a.talk()] == [(HERS, 5006)]


def test_reports_go_to_and_come_from_ipv6(bench: EngineBench) -> None:
    a, b = bench.phone(1, HERS), bench.phone(2, "10.1.0.6")
    bench.do(Connect(1, 2))
    sent: list[Datagram] = []
    for _ in range(500):
        a.talk(), b.talk()
        sent += bench.tick()
    reports = [one for one in sent if (one.address, one.remote_port) == (HERS, a.port + 1)]
    assert reports and all(one.port == a.local + 1 for one in reports)
    compound = rtcp.parse(reports[-1].data)
    assert compound is not None and [block.source for block in compound.blocks] == [a.ssrc]
    ours = rtcp.source_of(reports[-1].data)
    assert ours is not None
    block = rtcp.BlockColumns(*(np.array([value]) for value in (ours, 7, 100, 16, 0, 0)))
    theirs = rtcp.build_reports(np.array([a.ssrc], np.uint32), b"phone", bench.now, None, block)
    bench.receive(Datagram(theirs[0].tobytes(), a.local + 1, HERS, a.port + 1))
    (released,) = bench.do(Release(1))
    assert released.quality.remote_lost == 7  # type: ignore[union-attr]


def test_without_an_address_of_ours_an_address_of_ipv6_is_none() -> None:
    bench = EngineBench()
    (answer,) = bench.do(Allocate(1, HERS, 5004))
    assert isinstance(answer, Allocated) and answer.ipv6_address == ""
    bench.do(SetRemote(1, HERS, 5004, 5005, "PCMU", 0, 101))
    assert len(bench.engine.addresses) == 0 and bench.tick(20) == []


def test_calls_from_everywhere_leave_nothing_behind(bench: EngineBench) -> None:
    """Capacity 64: the table holds what legs use, and some more."""
    stays = bench.phone(1, HERS)
    most = ADDRESSES_A_LEG * 64 + MORE_ADDRESSES
    for number in range(2, 3000):
        phone = bench.phone(number, f"2001:db8:2::{number:x}", latched=False)
        bench.receive(Datagram(rtp(1, 160, 9), phone.local, f"2001:db8:3::{number:x}", 4000))
        bench.do(Release(number))
        if number % 100 == 0:
            bench.now += 6.0  # ghosts of the last ones are over
            assert len(bench.engine.addresses) <= most
    bench.do(Connect(1, 1))
    assert bench.engine.addresses.number(HERS) == int(bench.engine._parts.legs.address[0])
    assert len(stays.hears(stays.talk())) == 1


@settings(max_examples=30)
@given(st.lists(st.integers(1, 1 << 40), min_size=1, max_size=60, unique=True))
def test_whoever_floods_an_open_port_no_leg_loses_its_address(sources: list[int]) -> None:
    bench = EngineBench(capacity=4, ipv6_address=OURS)
    bench.engine.addresses._most = bench.engine.addresses._room = 8
    a, b = bench.phone(1, HERS), bench.phone(2, HIS)
    waiting = bench.phone(3, "2001:db8::1:7", latched=False)
    bench.do(Connect(1, 2))
    for source in sources:
        stranger = f"2001:db8:bad:{source >> 32:x}::{source & 0xFFFF:x}"
        bench.receive(Datagram(b"\x80" + bytes(11), waiting.local, stranger, 9))
        assert len(bench.engine.addresses) <= 8
    assert len(b.hears(a.talk())) == len(a.hears(b.talk())) == 1
    bench.take(Latched)
    waiting.talk()
    assert bench.take(Latched) == [Latched(3, "2001:db8::1:7", 5004)]
