"""Whose RTCP it is, against the same rule written down leg by leg; and what floods cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import rtcp
from media.legs import Legs
from media.messages import Release, Released
from media.rtcp_owners import MAX_OF_ONE, MAX_RECEIVED, RtcpOwners
from media.sequence import NO_SOURCE, Reception
from tests.support.rtp import Datagram, EngineBench, Phone, batch_of

LEG = st.tuples(
    st.booleans(),  # used
    st.sampled_from([40000, 40002]),
    st.sampled_from([0, 0x0A010001, 0x0A010002]),
    st.sampled_from([5000, 5002]),
    st.sampled_from([5001, 5003]),
    st.sampled_from([NO_SOURCE, 0, 7, 5000]),
)
DATAGRAM = st.tuples(
    st.sampled_from([40000, 40001, 40002, 40003]),
    st.sampled_from(["10.1.0.1", "10.1.0.2", "10.1.0.3", "0.0.0.0"]),
    st.sampled_from([5000, 5001, 5002, 5003]),
    st.sampled_from([0, 7, 5000, 5001]),
)


def report(ssrc: int, lost: int = 0, of: int = 9) -> bytes:
    """A receiver report with one block."""
    block = rtcp.BlockColumns(*(np.array([value], np.int64) for value in (of, lost, 100, 16, 0, 0)))
    data: bytes = rtcp.build_reports(np.array([ssrc]), b"phone", 7.0, None, block)[0].tobytes()
    return data


def owner(legs: Legs, heard: list[int], port: int, address: int, remote_port: int, ssrc: int) -> int | None:
    """The rule."""
    near = [
        slot
        for slot in range(legs.capacity)
        if legs.used[slot]
        and legs.address[slot] == address
        and address
        and legs.local_port[slot] == port & ~1
    ]
    found = [slot for slot in near if heard[slot] == ssrc]
    if not found:
        ports = legs.rtcp_port if port & 1 else legs.port
        found = [slot for slot in near if heard[slot] == NO_SOURCE and ports[slot] == remote_port]
    return found[0] if len(found) == 1 else None


@given(st.lists(LEG, min_size=1, max_size=6), st.lists(DATAGRAM, min_size=1, max_size=12))
def test_the_owner_is_whom_the_rule_names(
    rows: list[tuple[bool, int, int, int, int, int]], sent: list[tuple[int, str, int, int]]
) -> None:
    legs, reception = Legs(len(rows)), Reception(len(rows))
    for slot, (used, local, address, port, rtcp_port, ssrc) in enumerate(rows):
        legs.used[slot], legs.local_port[slot], legs.address[slot] = used, local, address
        legs.port[slot], legs.rtcp_port[slot], reception.ssrc[slot] = port, rtcp_port, ssrc
    heard = [row[-1] for row in rows]
    batch = batch_of([Datagram(report(ssrc), port, to, remote) for port, to, remote, ssrc in sent])
    taken, slots = RtcpOwners(legs, reception).take(batch, np.arange(batch.count))
    expected, times = [], dict.fromkeys(range(len(rows)), 0)
    for row, (port, text, remote, ssrc) in enumerate(sent):
        number = int.from_bytes(bytes(map(int, text.split("."))), "big")
        found = owner(legs, heard, port, number, remote, ssrc)
        if found is not None and times[found] < MAX_OF_ONE:
            times[found] += 1
            expected.append((row, found))
    assert list(zip(taken.tolist(), slots.tolist(), strict=True)) == expected


@pytest.mark.parametrize("data", [b"", b"\x80\xc9\0\0", b"\x40" + report(7)[1:], b"\x80\x48\0\1\0\0\0\7"])
def test_what_is_no_rtcp_has_no_owner(data: bytes) -> None:
    legs, reception = Legs(1), Reception(1)
    legs.used[0], legs.local_port[0], legs.address[0] = True, 40000, 0x0A010001
    reception.ssrc[0] = 7
    batch = batch_of([Datagram(data, 40001, "10.1.0.1", 5001)])
    assert RtcpOwners(legs, reception).take(batch, np.arange(1))[0].size == 0


def test_at_most_so_many_of_a_batch() -> None:
    legs, reception = Legs(200), Reception(200)
    legs.used[:], legs.local_port[:], legs.address[:] = True, 40000, 0x0A010001
    reception.ssrc[:] = np.arange(200)
    batch = batch_of([Datagram(report(row % 200), 40001, "10.1.0.1", 5001) for row in range(1000)])
    rows, slots = RtcpOwners(legs, reception).take(batch, np.arange(1000))
    assert rows.tolist() == slots.tolist() == list(range(MAX_RECEIVED))


def ours(bench: EngineBench, phone: Phone) -> int:
    """The SSRC of our stream, as our reports have it."""
    for _ in range(500):
        bench.receive(phone.next())
        for one in bench.tick():
            read = rtcp.parse(one.data)
            if read is not None:
                return read.ssrc
    raise AssertionError("no report")


def test_a_report_behind_a_flood_of_strangers_is_read() -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    stream = ours(bench, phone)
    flood = [Datagram(report(row, 99, stream), phone.local + 1, "10.9.9.9", 6001) for row in range(1000)]
    flood += [Datagram(report(row, 98, stream), phone.local + 1, phone.address, 6001) for row in range(1000)]
    bench.receive(
        *flood, Datagram(report(phone.ssrc, 3, stream), phone.local + 1, phone.address, phone.port + 1)
    )
    [over] = [one for one in bench.do(Release(1)) if isinstance(one, Released)]
    assert over.quality.remote_lost == 3
    bench.close()


def test_of_a_peers_own_flood_some_are_read() -> None:
    bench = EngineBench()
    phone = bench.phone(1)
    stream = ours(bench, phone)
    to = phone.local + 1, phone.address, phone.port + 1
    bench.receive(*(Datagram(report(phone.ssrc, lost, stream), *to) for lost in range(1, 500)))
    [over] = [one for one in bench.do(Release(1)) if isinstance(one, Released)]
    assert over.quality.remote_lost == MAX_OF_ONE
    bench.close()
