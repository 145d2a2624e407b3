"""RTCP: what we build is what RFC 3550 section 6 draws, and reading survives anything."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media import rtcp, xr
from media.messages import Play, Release, Released, SetRemote, Stop
from tests.support.rtp import Datagram, EngineBench, Phone, takes_leave

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
        assert read == rtcp.Compound(ssrc, None, (rtcp.Block(9, 51, 7, 12, 0xAABB, 65536),))
    bye = rtcp.parse(rtcp.build_bye(77, b"x"))
    assert bye == rtcp.Compound(77, None, ())
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
    empty: list[Datagram] = []
    for _ in range(500):
        bench.receive(phone.next())
        out = bench.tick()
        reports += [one for one in out if one.address == phone.address]
        empty += [one for one in out if one.address == silent.address]
    assert 2 <= len(reports) <= 6
    said = [rtcp.parse(one.data) for one in empty]
    assert said and all(one is not None and one.blocks == () and one.sr_ntp is None for one in said)
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
    # A leg to which no RTP was sent has had reports, empty ones: it is taken leave of.
    bench.do(Release(2))
    [bye] = [one.data for one in bench.tick() if one.address == silent.address]
    assert rtcp.parse(bye) is not None and takes_leave(bye)
    bench.close()


def test_bye_follows_a_leg_that_heard_us() -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    bench.do(Play(1, 1, ("tone:busy",)))
    bench.tick(3)
    bench.do(Release(1))
    [bye] = bench.tick()
    read = rtcp.parse(bye.data)
    assert read is not None and takes_leave(bye.data) and bye.remote_port == phone.port + 1
    bench.close()


def test_a_session_on_one_port() -> None:
    """RFC 5761: our reports go from the RTP port to the RTP port, and the peer's are read there."""
    bench = EngineBench()
    phone = bench.phone(1)
    bench.do(SetRemote(1, phone.address, phone.port, phone.port, "PCMU", 0, 101, rtcp_mux=True))
    reports: list[Datagram] = []
    for number in range(500):
        bench.receive(phone.next())
        out = bench.tick()
        reports += [one for one in out if rtcp.parse(one.data) is not None]
        if number == 250:
            rr = rtcp.build_reports(np.array([phone.ssrc]), b"phone", bench.now, None, None)[0].tobytes()
            ours = Datagram(rr, phone.local, phone.address, phone.port)
            bench.receive(ours)
    assert {(one.port, one.remote_port) for one in reports} == {(phone.local, phone.port)}
    ssrc = rtcp.parse(reports[-1].data)
    assert ssrc is not None
    told = xr.build(phone.ssrc, xr.VoipMetrics(ssrc.ssrc, 2.0, 0.0, 40.0, 40.0, 80.0, 4.0, 3.9))
    bench.receive(Datagram(told, phone.local, phone.address, phone.port))  # reduced size: no RR before it
    [over] = [one for one in bench.do(Release(1)) if isinstance(one, Released)]
    assert over.quality.packets_received == 501, "the first latched it; RTCP does not count"
    assert over.quality.remote_mos == 3.9 and over.quality.mos > 4.0
    bench.close()


def test_voip_metrics_for_a_peer_that_wants_them() -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    bench.do(SetRemote(1, phone.address, phone.port, phone.port + 1, "PCMU", 0, 101, rtcp_xr=True))
    found = []
    for number in range(1000):
        packet = phone.next()
        if number % 10 != 7:  # a tenth is lost
            bench.receive(packet)
        found += [rtcp.parse(one.data) for one in bench.tick() if one.port == phone.local + 1]
    last = found[-1]
    assert last is not None and len(last.metrics) == 1
    assert last.metrics[0].source == phone.ssrc
    assert abs(last.metrics[0].loss_percent - 10.0) < 1.5
    bursts = last.metrics[0].bursts
    assert abs(bursts.burst_density - 0.1) < 0.01 and bursts.burst_ms > 10_000, (
        "less than Gmin apart: one burst"
    )
    assert last.metrics[0].mos_conversation is not None and last.metrics[0].mos_conversation < 3.5
    bench.close()


def test_a_bye_of_reduced_size() -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    bench.do(SetRemote(1, phone.address, phone.port, phone.port + 1, "PCMU", 0, 101, rtcp_reduced=True))
    bench.do(Play(1, 1, ("tone:busy",)))
    bench.tick(3)
    bench.do(Release(1))
    [bye] = bench.tick()
    assert len(bye.data) == 8
    read = rtcp.parse(bye.data)
    assert read is not None and takes_leave(bye.data)
    bench.close()


def test_reports_are_five_seconds_apart_in_the_mean() -> None:
    """Drawn anew when its time has come (6.3.6), and between half and one and a half times the interval."""
    bench = EngineBench()
    phones = [bench.phone(leg) for leg in range(1, 21)]
    at: dict[int, list[float]] = {phone.local: [] for phone in phones}
    for _ in range(40 * 50):
        bench.receive(*(phone.next() for phone in phones))
        for one in bench.tick():
            if one.port - 1 in at:
                at[one.port - 1].append(bench.now)
    apart = np.concatenate([np.diff(times) for times in at.values()])
    assert 4.2 < apart.mean() < 5.8
    assert apart.min() >= 2.5 / 1.21828 - 0.3 and apart.max() <= 2 * 7.5 / 1.21828 + 0.5
    bench.close()


def test_a_report_block_on_one_port_is_read_as_it_came() -> None:
    """Its count of blocks is where RTP has its count of contributing sources."""
    bench = EngineBench()
    phone = bench.phone(1)
    bench.do(SetRemote(1, phone.address, phone.port, phone.port, "PCMU", 0, 101, rtcp_mux=True))
    [sent] = [one for _ in range(500) for one in bench.tick() if rtcp.parse(one.data) is not None][:1]
    ours = rtcp.parse(sent.data)
    assert ours is not None
    block = rtcp.BlockColumns(*(np.array([value], np.int64) for value in (ours.ssrc, 3, 100, 16, 0, 0)))
    answer = rtcp.build_reports(np.array([phone.ssrc]), b"phone", bench.now, None, block)[0].tobytes()
    bench.receive(phone.wrap(answer))
    [over] = [one for one in bench.do(Release(1)) if isinstance(one, Released)]
    assert over.quality.remote_lost == 3
    bench.close()


def reports_of(bench: EngineBench, phone: Phone, seconds: float, talks: bool) -> list[rtcp.Compound]:
    found = []
    for _ in range(int(seconds * 50)):
        if talks:
            bench.receive(phone.next())
        found += [rtcp.parse(one.data) for one in bench.tick() if one.port == phone.local + 1]
    assert None not in found
    return [one for one in found if one is not None]


def test_what_a_report_is_follows_what_was_sent_and_heard() -> None:
    """Section 6.4: blocks about what was heard since the last report; an SR for two reports after the last
    packet that was sent; else an empty RR."""
    bench = EngineBench()
    phone = bench.phone(1)
    assert all(one.sr_ntp is None and len(one.blocks) == 1 for one in reports_of(bench, phone, 20, True))
    bench.do(Play(1, 1, ("tone:busy",), loop=True))
    assert all(one.sr_ntp is not None for one in reports_of(bench, phone, 15, True)[1:])
    bench.do(Stop(1))
    later = reports_of(bench, phone, 60, False)
    senders = [one.sr_ntp is not None for one in later]
    assert senders[0] and not any(senders[2:])
    assert [len(one.blocks) for one in later][1:] == [0] * (len(later) - 1)
    bench.close()


def test_a_leg_that_was_never_reported_to_is_not_taken_leave_of() -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    bench.do(Release(1))
    assert [one for one in bench.tick() if one.port == phone.local + 1] == []
    bench.close()
