"""RTCP of all legs: when reports are due, what they say, and what the peers' reports say of our streams.

A report is due a random time after the last one, and when that time comes the time is drawn again (RFC 3550
6.3.6, reconsideration). Where RTCP shares the RTP port (RFC 5761) it goes out by it; a peer that asked for
VoIP metrics gets them with every report that has something to say of its stream (RFC 3611).

Invariants: a report goes only to the address its leg's RTP goes to; a peer's report counts only for the leg
whose it is (media.rtcp_owners), which bounds how many of them are read in a batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from media import rtcp, xr
from media.legs import Legs
from media.messages import Quality
from media.packet import F64, SAMPLES_PER_S, STRIDE, U8, Batch, Bools, Index, Outgoing, empty_outgoing
from media.path import path_of, paths_of, remote_of
from media.quality import NOTHING_HEARD, Heard, Stream, metrics_of, rating_of, score_of
from media.rtcp_owners import RtcpOwners
from media.sequence import FIRST_CYCLE, MS_PER_SAMPLE, NO_SOURCE, Reception
from media.srtp import Srtp

LOOK_EVERY_TICKS = 20
MEASURE_EVERY = 3
_MAX_ROUND_TRIP_S = 60.0
_NOTHING: U8 = np.empty((0, STRIDE), np.uint8)


class Reports:
    """Timing and contents; arrays by slot."""

    def __init__(
        self,
        legs: Legs,
        reception: Reception,
        cname: bytes,
        random: np.random.Generator,
        srtp: Srtp,
        heard: Callable[[int], Heard] = lambda slot: NOTHING_HEARD,
    ) -> None:
        """`heard` tells what the inside of the worker made of a leg's audio."""
        capacity = legs.capacity
        self._legs = legs
        self._reception = reception
        self._cname = cname
        self._random = random
        self._srtp = srtp
        self._heard = heard
        self._owners = RtcpOwners(legs, reception)
        self._ticks = 0
        self._due_at: F64 = np.full(capacity, np.inf)
        self._last_at: F64 = np.zeros(capacity)  # of the last report, or of the start
        self._first: Bools = np.ones(capacity, np.bool_)  # none has been sent
        self._sent_before = np.zeros(capacity, np.int64)  # packets at the last report: an SR or an RR?
        self._sent_earlier = np.zeros(capacity, np.int64)  # and at the one before
        self._heard_before = np.zeros(capacity, np.int64)  # packets received at the last report
        self._sr_ntp = np.zeros(capacity, np.int64)
        self._sr_at = np.zeros(capacity, np.float64)
        self._remote_lost = np.full(capacity, -1, np.int64)
        self._remote_jitter = np.full(capacity, -1.0)  # samples of 8 kHz
        self._round_trip_s = np.full(capacity, -1.0)
        self._reports = np.zeros(capacity, np.int64)
        self._measured: list[int] = []
        self._metrics: dict[int, xr.VoipMetrics] = {}  # what the peer last said of ours
        self._farewells: list[tuple[bytes, int]] = []  # datagram, path

    def reset(self, slot: int) -> None:
        """A new leg has the slot; it reports nothing before `start`."""
        self._due_at[slot] = np.inf
        self._sent_before[slot] = self._sent_earlier[slot] = self._heard_before[slot] = 0
        self._sr_ntp[slot] = 0
        self._first[slot] = True
        self._reports[slot] = 0
        self._metrics.pop(slot, None)
        self._remote_lost[slot] = -1
        self._remote_jitter[slot] = self._round_trip_s[slot] = -1.0

    def start(self, slot: int, now: float) -> None:
        """The leg's addresses are known: report from now on."""
        if self._due_at[slot] == np.inf:
            self._last_at[slot] = now
            self._due_at[slot] = now + float(
                rtcp.intervals_s(self._random.random(1), np.ones(1, np.bool_))[0]
            )

    def receive(self, batch: Batch, rows: Index) -> None:
        """Read peers' reports, datagrams on RTCP ports and RTCP on RTP ports."""
        rows, slots = self._owners.take(batch, rows)
        for row, slot in zip(rows.tolist(), slots.tolist(), strict=True):
            plain = self._srtp.unprotect_rtcp(slot, batch.data[row, : int(batch.lengths[row])].tobytes())
            compound = rtcp.parse(plain) if plain is not None else None
            if compound is not None:
                path = int(batch.paths[row])
                if path & 1:  # it came to the RTCP port; NAT: answer where it came from
                    self._legs.rtcp_port[slot] = remote_of(path)[1]
                self._take(slot, compound, float(batch.arrivals[row]))

    def _take(self, slot: int, compound: rtcp.Compound, at: float) -> None:
        if compound.sr_ntp is not None:
            self._sr_ntp[slot] = compound.sr_ntp
            self._sr_at[slot] = at
        ours = int(self._legs.ssrc[slot])
        for metrics in compound.metrics:
            if metrics.source == ours:
                self._metrics[slot] = metrics
        for block in compound.blocks:
            if block.source != ours:
                continue
            self._remote_lost[slot] = max(block.lost, 0)
            self._remote_jitter[slot] = block.jitter / int(self._legs.scale[slot])
            if block.last_sr:
                trip = ((rtcp.ntp(at) >> 16) - block.last_sr - block.delay) & 0xFFFFFFFF
                if trip < _MAX_ROUND_TRIP_S * 65536:
                    self._round_trip_s[slot] = trip / 65536.0

    def tick(self, now: float) -> Outgoing:
        """The reports that are due, gathered over LOOK_EVERY_TICKS, and farewells at once."""
        self._ticks += 1
        if self._ticks % LOOK_EVERY_TICKS:  # what is counted may not be settled (media.steady)
            return self._collect([]) if self._farewells else empty_outgoing(_NOTHING)
        slots = np.flatnonzero(self._due_at <= now)
        if not slots.size and not self._farewells:
            return empty_outgoing(_NOTHING)
        again = rtcp.intervals_s(self._random.random(slots.size), self._first[slots])
        self._due_at[slots] = self._last_at[slots] + again
        slots = slots[self._due_at[slots] <= now]
        self._last_at[slots] = now
        self._first[slots] = False
        self._measured += slots[self._reports[slots] % MEASURE_EVERY == 0].tolist()
        self._reports[slots] += 1
        self._due_at[slots] = now + rtcp.intervals_s(
            self._random.random(slots.size), np.zeros(slots.size, np.bool_)
        )
        legs = self._legs
        slots = slots[(legs.address[slots] != 0) & (legs.rtcp_port[slots] != 0)]
        # An SR if something was sent since the last report or the one before; a block if something was heard
        # since the last (section 6.4). With neither it is an empty RR: the other side sees that we are there.
        sends = legs.packets_sent[slots] > self._sent_earlier[slots]
        self._sent_earlier[slots] = self._sent_before[slots]
        self._sent_before[slots] = legs.packets_sent[slots]
        received = self._reception.total_received(slots)
        hears = received > self._heard_before[slots]
        self._heard_before[slots] = received
        groups = [
            (slots[(sends == sender) & (hears == block)], sender, block)
            for sender in (True, False)
            for block in (True, False)
        ]
        return self._collect(
            [(some, self._build(some, sender, block, now)) for some, sender, block in groups if some.size]
        )

    def _build(self, slots: Index, sender: bool, block: bool, now: float) -> U8:
        legs, reception = self._legs, self._reception
        columns = None
        if sender:
            since = np.rint((now - legs.sent_at[slots]) * SAMPLES_PER_S * legs.scale[slots]).astype(np.int64)
            columns = rtcp.SenderColumns(
                (legs.timestamp[slots] + since) & 0xFFFFFFFF,
                legs.packets_sent[slots] & 0xFFFFFFFF,
                legs.octets_sent[slots] & 0xFFFFFFFF,
            )
        blocks = None
        if block:
            known = self._sr_ntp[slots] != 0
            delay = np.clip((now - self._sr_at[slots]) * 65536.0, 0, 0xFFFFFFFF).astype(np.int64)
            lost = np.minimum(reception.lost(slots), 0x7FFFFF)
            blocks = rtcp.BlockColumns(
                reception.ssrc[slots],
                reception.fraction_lost(slots).astype(np.int64) << 24 | lost,
                (reception.highest[slots] - FIRST_CYCLE) & 0xFFFFFFFF,
                (reception.jitter[slots] * legs.scale[slots]).astype(np.int64),
                self._sr_ntp[slots],
                np.where(known, delay, 0),
            )
        return rtcp.build_reports(legs.ssrc[slots], self._cname, now, columns, blocks)

    def _collect(self, groups: list[tuple[Index, U8]]) -> Outgoing:
        legs = self._legs
        count = sum(slots.size for slots, _ in groups) + len(self._farewells)
        data = np.zeros((count, STRIDE), np.uint8)
        lengths = np.zeros(count, np.int32)
        paths = np.zeros(count, np.uint64)
        to = np.full(count, -1)
        at = 0
        for slots, reports in groups:
            here = slice(at, at + slots.size)
            data[here, : reports.shape[1]] = reports
            lengths[here], to[here] = reports.shape[1], slots
            shared = legs.rtcp_mux[slots]
            local = legs.local_port[slots] + ~shared
            remote = np.where(shared, legs.port[slots], legs.rtcp_port[slots])
            paths[here] = paths_of(local, legs.address[slots], remote)
            for row in np.flatnonzero(legs.rtcp_xr[slots]).tolist():
                extended = self._extended(int(slots[row]))
                end = int(lengths[at + row])
                data[at + row, end : end + len(extended)] = np.frombuffer(extended, np.uint8)
                lengths[at + row] += len(extended)
            for row in (at + np.flatnonzero(legs.secured[slots])).tolist():
                report = self._srtp.protect_rtcp(int(slots[row - at]), data[row, : lengths[row]].tobytes())
                data[row, : len(report)] = np.frombuffer(report, np.uint8)
                lengths[row] = len(report)
            at += slots.size
        for datagram, path in self._farewells:
            data[at, : len(datagram)] = np.frombuffer(datagram, np.uint8)
            lengths[at], paths[at] = len(datagram), path
            at += 1
        self._farewells.clear()
        return Outgoing(data, np.arange(count), lengths, paths, to)

    def measured(self) -> list[int]:
        """Slots whose quality is worth telling now, since the last call: at every MEASURE_EVERY-th report."""
        measured, self._measured = self._measured, []
        return measured

    def release(self, slot: int) -> None:
        """The leg is over: say BYE with the next tick (section 6.6), if we ever sent it anything."""
        legs = self._legs
        self._due_at[slot] = np.inf
        spoke = legs.packets_sent[slot] or not self._first[slot]  # else a BYE must not be sent (6.3.7)
        if spoke and legs.address[slot] and legs.rtcp_port[slot]:
            bye = rtcp.build_bye(int(legs.ssrc[slot]), self._cname, bool(legs.rtcp_reduced[slot]))
            local, port = int(legs.local_port[slot]) + 1, int(legs.rtcp_port[slot])
            if legs.rtcp_mux[slot]:
                local, port = int(legs.local_port[slot]), int(legs.port[slot])
            bye = self._srtp.protect_rtcp(slot, bye)
            self._farewells.append((bye, path_of(local, int(legs.address[slot]), port)))

    def _streams(self, slots: Index) -> list[Stream]:
        """What came from each of n legs."""
        reception, trips = self._reception, self._round_trip_s[slots]
        columns = (
            reception.total_received(slots) - reception.duplicated[slots],
            reception.missing(slots),
            reception.loss_runs[slots],
            reception.jitter[slots] * MS_PER_SAMPLE,
            np.where(trips >= 0, trips * 1000.0, -1.0),
        )
        return [Stream(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]

    def _extended(self, slot: int) -> bytes:
        source = int(self._reception.ssrc[slot])
        if source == NO_SOURCE:
            return b""
        (stream,) = self._streams(np.array([slot], np.intp))
        bursts = self._reception.bursts.metrics(slot, stream.received + stream.lost, stream.lost)
        return xr.build(int(self._legs.ssrc[slot]), metrics_of(source, stream, self._heard(slot), bursts))

    def _remote_score(self, slot: int, sent: int, stream: Stream) -> float:
        """How the leg hears us, by its own judgement, else by its reports."""
        said = self._metrics.get(slot)
        if said is not None and (said.mos_conversation is not None or said.r is not None):
            return said.mos_conversation if said.mos_conversation is not None else score_of(said.r)
        lost = int(self._remote_lost[slot])
        if lost < 0 or sent <= 0:
            return -1.0
        jitter_ms = float(self._remote_jitter[slot]) * MS_PER_SAMPLE
        return score_of(
            rating_of(Stream(max(sent - lost, 0), lost, 0, max(jitter_ms, 0.0), stream.round_trip_ms))
        )

    def qualities(self, legs: list[int]) -> list[Quality]:
        """The statistics of legs as they are now, by slot."""
        slots, reception = np.array(legs, np.intp), self._reception
        remote_jitter = self._remote_jitter[slots]
        columns = (
            self._legs.packets_sent[slots],
            reception.max_jitter[slots] * MS_PER_SAMPLE,
            self._remote_lost[slots],
            np.where(remote_jitter >= 0, remote_jitter * MS_PER_SAMPLE, -1.0),
            reception.duplicated[slots],
            reception.reordered[slots],
            self._srtp.refused[slots],
        )
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [self._quality(*one) for one in zip(legs, self._streams(slots), rows, strict=True)]

    def _quality(
        self, slot: int, stream: Stream, row: tuple[int, float, int, float, int, int, int]
    ) -> Quality:
        sent, max_jitter_ms, remote_lost, remote_jitter_ms, duplicated, reordered, refused = row
        heard = self._heard(slot)
        return Quality(
            packets_received=stream.received + duplicated,
            packets_sent=sent,
            packets_lost=stream.lost,
            jitter_ms=round(stream.jitter_ms, 3),
            max_jitter_ms=round(max_jitter_ms, 3),
            remote_lost=remote_lost,
            remote_jitter_ms=round(remote_jitter_ms, 3),
            round_trip_ms=round(stream.round_trip_ms, 3),
            packets_late=heard.late,
            packets_duplicated=duplicated,
            packets_reordered=reordered,
            concealed_ms=heard.concealed_ms,
            buffer_ms=heard.buffer_ms,
            mos=score_of(rating_of(stream, heard)),
            remote_mos=self._remote_score(slot, sent, stream),
            packets_refused=refused,
        )
