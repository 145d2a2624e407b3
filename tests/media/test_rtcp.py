"""RTCP: what we build is what RFC 3550 section 6 draws, and reading survives anything."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media import rtcp
from media.messages import Play, Release, Released
from tests.support.rtp import Datagram, EngineBench

BLOCK = rtcp.BlockColumns(
    *(np.array([value], np.int64) for value in (9, (51 << 24) | 7, 65545, 12, 0xAABB, 65536))
)


def test_sender_report_byte_by_byte() -> None:
    one = np.array([0x01020304], np.uint32)
    sender = rtcp.SenderColumns(np.array([160]), np.array([50]), np.array([8000]))
    data = rtcp.build_reports(one, b"name", 1.5, sender, BLOCK)[0].tobytes()
    assert data[:8].hex() == "81c8000c01020304"
    assert data[8:16] == (2208988801 << 32 | 0x80000000).to_bytes(8, "big")
    assert data[16:28] == b"".join(value.to_bytes(4, "big") for value in (160, 50, 8000))
    assert data[28:52].hex() == "0000000933000007000100090000000c0000aabb00010000"
    assert data[52:].hex() == "81ca0006010203040110" + (b"name" + b"." * 12 + b"\0\0").hex()
    assert len(data) % 4 == 0


def test_what_is_built_can_be_read() -> None:
    ssrcs = np.array([5, 6], np.uint32)
    both = rtcp.BlockColumns(*(np.repeat(getattr(BLOCK, name), 2) for name in BLOCK.__slots__))
    for row, ssrc in zip(rtcp.build_reports(ssrcs, b"x", 7.0, None, both), (5, 6), strict=True):
        read = rtcp.parse(row.tobytes())
        assert read == rtcp.Compound(ssrc, None, (rtcp.Block(9, 51, 7, 12, 0xAABB, 65536),), False)
    bye = rtcp.parse(rtcp.build_bye(77, b"x"))
    assert bye == rtcp.Compound(77, None, (), True)
    sender = rtcp.SenderColumns(ssrcs, ssrcs, ssrcs)
    empty = rtcp.parse(rtcp.build_reports(ssrcs, b"x", 7.0, sender, None)[0].tobytes())
    assert empty is not None and empty.blocks == () and empty.sr_ntp == (rtcp.ntp(7.0) >> 16) & 0xFFFFFFFF


@given(st.binary(max_size=200))
def test_reading_never_raises(data: bytes) -> None:
    rtcp.parse(data)
    rtcp.parse(b"\x81\xc8" + data)
    rtcp.parse(b"\x80\xc9\0\1" + data)


def test_negative_cumulative_loss() -> None:
    block = rtcp.BlockColumns(*(np.array([value], np.int64) for value in (9, 0xFFFFFF, 1, 2, 3, 4)))
    read = rtcp.parse(rtcp.build_reports(np.array([1]), b"x", 7.0, None, block)[0].tobytes())
    assert read is not None and read.blocks[0].lost == -1


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_intervals_are_those_of_section_6_3_1(draws: list[float]) -> None:
    random = np.array(draws)
    later = rtcp.intervals_s(random, np.zeros(random.size, np.bool_))
    assert (later >= 2.5 / 1.21828 - 1e-9).all() and (later <= 7.5 / 1.21828 + 1e-9).all()
    assert np.allclose(rtcp.intervals_s(random, np.ones(random.size, np.bool_)) * 2, later)


def test_reports_flow_both_ways_and_end_with_bye() -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    silent = bench.phone(2, "10.1.0.9", 5004, latched=False)
    reports: list[Datagram] = []
    for _ in range(500):
        bench.receive(phone.next())
        reports += [one for one in bench.tick() if one.port == phone.local + 1]
    assert 2 <= len(reports) <= 6
    assert {(one.address, one.remote_port) for one in reports} == {(phone.address, phone.port + 1)}
    read = rtcp.parse(reports[-1].data)
    assert read is not None and read.sr_ntp is None and read.blocks[0].source == phone.ssrc
    # The phone answers with a report about our stream, 100 ms after it got one of ours.
    ours = read.ssrc
    last_sr = ((rtcp.ntp(bench.now - 0.25) >> 16) & 0xFFFFFFFF,)
    block = rtcp.BlockColumns(
        *(np.array([value], np.int64) for value in (ours, 3, 100, 16, last_sr[0], int(0.1 * 65536)))
    )
    answer = rtcp.build_reports(np.array([phone.ssrc]), b"phone", bench.now, None, block)[0].tobytes()
    stranger = Datagram(answer, phone.local + 1, "10.9.9.9", phone.port + 1)
    bench.receive(stranger, Datagram(answer, phone.local + 1, phone.address, phone.port + 1))
    [over] = [one for one in bench.do(Release(1)) if isinstance(one, Released)]
    assert over.quality.remote_lost == 3 and over.quality.remote_jitter_ms == 2.0
    assert abs(over.quality.round_trip_ms - 150.0) < 1.0
    # A leg to which nothing was sent has nothing to take leave from.
    bench.do(Release(2))
    assert silent.hears(bench.tick()) == []
    bench.close()


def test_bye_follows_a_leg_that_heard_us() -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    bench.do(Play(1, 1, ("tone:busy",)))
    bench.tick(3)
    bench.do(Release(1))
    [bye] = bench.tick()
    read = rtcp.parse(bye.data)
    assert read is not None and read.goodbye and bye.remote_port == phone.port + 1
    bench.close()
