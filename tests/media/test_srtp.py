"""Legs with keys: the far end is libsrtp with the same keys the other way round."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pylibsrtp import Error, Policy, Session

from media import rtcp
from media.control import command_reader, encode, event_reader
from media.errors import ControlError
from media.messages import (
    SRTP_KEY_BYTES,
    Allocate,
    Connect,
    Digit,
    IceCredentials,
    Latched,
    Play,
    Record,
    Recorded,
    Release,
    Released,
    SendDigits,
    SetRemote,
    SrtpKeys,
    SrtpSuite,
    StopRecord,
)
from media.packet import STRIDE
from media.srtp import MAX_PACKETS_PER_LEG, PROFILES, TAG_BYTES
from tests.support.audio import read_wav
from tests.support.rtp import SOUND, Datagram, EngineBench, Phone, rtp, takes_leave

SUITES: tuple[SrtpSuite, ...] = get_args(SrtpSuite)
CM80, CM32, GCM128, GCM256 = SUITES


def fresh_keys(suite: SrtpSuite = CM80) -> SrtpKeys:
    size = SRTP_KEY_BYTES[suite]
    return SrtpKeys(suite, secrets.token_bytes(size), secrets.token_bytes(size))


class SecurePhone:
    """A phone whose packets libsrtp protects."""

    def __init__(self, bench: EngineBench, leg: int, keys: SrtpKeys, **where: object) -> None:
        self.plain: Phone = bench.phone(leg, latched=False, srtp=keys, **where)  # type: ignore[arg-type]
        self.keys = keys
        self.rekey(keys)

    def rekey(self, keys: SrtpKeys) -> None:
        profile = PROFILES[keys.suite]
        self.out = Session(Policy(keys.inbound, Policy.SSRC_ANY_OUTBOUND, 0, profile))
        self.into = Session(Policy(keys.outbound, Policy.SSRC_ANY_INBOUND, 0, profile))

    def remote(self, **changed: object) -> SetRemote:
        return msgspec.structs.replace(self.plain.remote, **changed)

    def seal(self, one: Datagram) -> Datagram:
        return Datagram(self.out.protect(one.data), one.port, one.address, one.remote_port)

    def next(self, payload: bytes = SOUND) -> Datagram:
        return self.seal(self.plain.next(payload))

    def talk(self, payload: bytes = SOUND) -> list[Datagram]:
        return self.plain.bench.receive(self.next(payload))

    def hears(self, sent: list[Datagram]) -> list[Datagram]:
        """What is for this phone, unprotected; raises pylibsrtp.Error for anything that is not SRTP."""
        return [
            Datagram(self.into.unprotect(one.data), one.port, one.address, one.remote_port)
            for one in self.plain.hears(sent)
        ]


@pytest.fixture
def bench() -> Iterator[EngineBench]:
    made = EngineBench()
    yield made
    made.close()


def refused(bench: EngineBench, leg: int) -> int:
    [over] = [one for one in bench.do(Release(leg)) if isinstance(one, Released)]
    return over.quality.packets_refused


# ----- both directions


@pytest.mark.parametrize("suite", SUITES)
def test_srtp_and_plain_hear_each_other(bench: EngineBench, suite: SrtpSuite) -> None:
    secure = SecurePhone(bench, 1, fresh_keys(suite))
    plain = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    for number in range(40):
        payload = bytes([number]) * 160
        [heard] = plain.hears(secure.talk(payload))
        assert heard.payload == payload
        sent = plain.talk(payload)
        assert payload not in sent[0].data
        [heard] = secure.hears(sent)
        assert heard.payload == payload
    assert bench.take(Latched)[0] == Latched(2, "10.1.0.6", 6004)


@pytest.mark.parametrize("other", SUITES)
def test_two_suites_across_a_bridge(bench: EngineBench, other: SrtpSuite) -> None:
    a = SecurePhone(bench, 1, fresh_keys(CM80))
    b = SecurePhone(bench, 2, fresh_keys(other), address="10.1.0.6", port=6004)
    bench.do(Connect(1, 2))
    a.talk()
    b.talk()
    for number in range(40):
        payload = bytes([number]) * 160
        sent = bench.receive(a.next(payload), b.next(bytes(160)))
        [heard] = b.hears(sent)
        assert heard.payload == payload and len(a.hears(sent)) == 1


def test_what_we_make_ourselves_is_protected(bench: EngineBench) -> None:
    """Clips, and keys that are sent to the phone."""
    phone = SecurePhone(bench, 1, fresh_keys())
    bench.do(Play(1, 1, ("tone:busy",)))
    heard = phone.hears(bench.tick(10))
    assert len(heard) == 10 and {one.payload_type for one in heard} == {0}
    bench.do(SendDigits(1, "5"))
    heard = phone.hears(bench.tick(10))
    assert 101 in {one.payload_type for one in heard}


def test_keys_and_recordings_of_a_secure_leg(bench: EngineBench, tmp_path: Path) -> None:
    phone = SecurePhone(bench, 1, fresh_keys(GCM128))
    path = tmp_path / "call.wav"
    bench.do(Record(5, 1, 1, str(path)))
    for _ in range(50):
        phone.talk(bytes([0x9F]) * 160)
        bench.tick()
    start = phone.plain.timestamp
    for duration in (160, 320, 480):
        bench.receive(phone.seal(phone.plain.key(7, duration, start)))
    bench.do(StopRecord(5))
    bench.close()
    assert [one.digit for one in bench.take(Digit) if isinstance(one, Digit)] == ["7"]
    assert len(bench.take(Recorded)) == 1
    _, channels = read_wav(path)
    assert np.median(np.abs(channels[0])) > 0.01


def test_numbers_wrap(bench: EngineBench) -> None:
    """The rollover counter is part of what is authenticated; both streams cross 65535, out of order too."""
    a = SecurePhone(bench, 1, fresh_keys())
    b = SecurePhone(bench, 2, fresh_keys(GCM256), address="10.1.0.6", port=6004)
    bench.do(Connect(1, 2))
    b.talk()
    sent, heard = 0, []
    for _ in range(100):
        a.plain.sequence += 1999  # lost
        packets = [a.next() for _ in range(5)]
        packets[1], packets[3] = packets[3], packets[1]
        sent += len(packets)
        heard += b.hears(bench.receive(*packets))
        bench.tick()
    assert a.plain.sequence > 3 * 65536
    assert len(heard) == sent
    wraps = sum(one.sequence > other.sequence + 32768 for one, other in pairwise(heard))
    assert wraps >= 3, "and so did ours"


# ----- what is refused


def test_plain_forged_and_repeated_packets_are_dropped_and_counted(bench: EngineBench) -> None:
    secure = SecurePhone(bench, 1, fresh_keys())
    plain = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    packet = secure.next()
    assert len(plain.hears(bench.receive(packet))) == 1
    bench.take(Latched)
    assert bench.receive(packet) == []  # a replay
    assert bench.receive(secure.plain.next()) == []  # plain
    good = secure.next()
    for at in (1, 3, 8, 20, len(good.data) - 1):
        bad = bytearray(good.data)
        bad[at] ^= 1
        assert bench.receive(secure.plain.wrap(bytes(bad))) == []
    for size in (0, 1, 12, 13, 21, len(good.data) - 1):
        assert bench.receive(secure.plain.wrap(good.data[:size])) == []
    assert len(plain.hears(bench.receive(good))) == 1
    assert refused(bench, 1) >= 10


def test_only_what_authenticates_makes_a_leg_latch(bench: EngineBench) -> None:
    """NAT: the first packet comes from an address that nobody has named."""
    keys = fresh_keys()
    secure = SecurePhone(bench, 1, keys, address="192.168.7.7")
    plain = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    bench.take(Latched)
    local = secure.plain.local
    forged = Session(Policy(secrets.token_bytes(30), Policy.SSRC_ANY_OUTBOUND)).protect(rtp(9, 9, 9))
    strangers = [
        Datagram(rtp(1, 160, 77), local, "203.0.113.9", 1111),
        Datagram(forged, local, "203.0.113.9", 1111),
        Datagram(rtp(1, 160, 77), local, "192.168.7.7", 5004),
    ]
    assert bench.receive(*strangers) == [] and bench.take(Latched) == []
    real = secure.next()
    sent = bench.receive(strangers[0], Datagram(real.data, local, "203.0.113.5", 33333), strangers[1])
    assert bench.take(Latched) == [Latched(1, "203.0.113.5", 33333)]
    assert len(plain.hears(sent)) == 1
    [back] = plain.talk()
    assert (back.address, back.remote_port) == ("203.0.113.5", 33333)
    assert secure.into.unprotect(back.data)[12:] == SOUND


def test_a_flood_is_cut_off_and_does_not_touch_others(bench: EngineBench) -> None:
    a = SecurePhone(bench, 1, fresh_keys())
    b = SecurePhone(bench, 2, fresh_keys(), address="10.1.0.6", port=6004)
    bench.do(Connect(1, 2))
    bench.receive(a.next(), b.next())
    flood = [a.plain.wrap(rtp(number, 0, 5)) for number in range(500)]
    sent = bench.receive(*flood[:250], b.next(), *flood[250:], a.next())
    assert len(a.hears(sent)) == 1
    assert refused(bench, 1) == 501, "the good one behind the flood too"
    assert MAX_PACKETS_PER_LEG < 500


def test_a_peer_with_a_new_source_for_every_prompt_is_heard(bench: EngineBench) -> None:
    """Some switches change the SSRC whenever what they send has another origin: music, a prompt, a bridge."""
    secure = SecurePhone(bench, 1, fresh_keys())
    plain = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    for number in range(500):
        secure.plain.ssrc = 0x5000 + number
        assert len(plain.hears(secure.talk())) == 1


def test_sources_are_bounded(bench: EngineBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new SSRC starts a new stream; whoever has the key cannot start them for ever."""
    monkeypatch.setattr("media.srtp.MAX_SOURCES", 32)
    secure = SecurePhone(bench, 1, fresh_keys())
    plain = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    heard = 0
    for number in range(64):
        secure.plain.ssrc = 0x5000 + number
        heard += len(plain.hears(secure.talk()))
    assert heard == 32
    secure.plain.ssrc = 0x5000
    assert len(plain.hears(secure.talk())) == 1
    assert refused(bench, 1) == 32


@pytest.mark.parametrize("suite", SUITES)
def test_a_packet_that_would_outgrow_its_row_is_left_out(bench: EngineBench, suite: SrtpSuite) -> None:
    secure = SecurePhone(bench, 1, fresh_keys(suite))
    plain = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    secure.talk()
    room = STRIDE - 12 - TAG_BYTES[suite]
    assert secure.hears(plain.talk(bytes(room + 1))) == []
    (sent,) = plain.talk(bytes(room))
    assert len(sent.data) == STRIDE and len(secure.hears([sent])) == 1


def test_a_number_is_never_protected_twice(bench: EngineBench) -> None:
    """Another payload under the same number would be another text under the same key stream."""
    secure = SecurePhone(bench, 1, fresh_keys())
    plain = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    secure.talk()
    packet = plain.next(b"a" * 160)
    other = plain.wrap(packet.data[:12] + b"b" * 160)
    assert len(bench.receive(packet)) == 1
    assert bench.receive(other) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=STRIDE), max_size=40), st.booleans())
def test_rubbish_never_raises_and_never_gets_through(rubbish: list[bytes], to_control: bool) -> None:
    bench = EngineBench()
    secure = SecurePhone(bench, 1, fresh_keys())
    bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    bench.take(Latched)
    port = secure.plain.local + to_control
    found = bench.receive(*(Datagram(data, port, secure.plain.address, 5004) for data in rubbish))
    assert found == [] and bench.take(Latched) == []
    bench.close()


# ----- change of keys


@pytest.mark.parametrize("new_suite", [CM80, GCM128])
@pytest.mark.parametrize("suite", SUITES)
def test_other_keys_in_the_call(bench: EngineBench, suite: SrtpSuite, new_suite: SrtpSuite) -> None:
    """A re-INVITE with new keys; what is still under way with the old ones is heard until the first new
    packet, and not afterwards."""
    secure = SecurePhone(bench, 1, fresh_keys(suite))
    plain = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    assert len(plain.hears(secure.talk())) == 1
    late, too_late = secure.next(b"late" * 40), secure.next()
    new = fresh_keys(new_suite)
    bench.do(secure.remote(srtp=new))
    (heard,) = plain.hears(bench.receive(late))
    assert heard.data[12:] == b"late" * 40
    secure.rekey(new)
    assert len(plain.hears(secure.talk())) == 1
    assert bench.receive(too_late) == []
    assert len(secure.hears(plain.talk())) == 1


def test_the_same_keys_again_change_nothing(bench: EngineBench) -> None:
    """Hold, say: the numbers of both directions go on, so a replay is still one."""
    secure = SecurePhone(bench, 1, fresh_keys())
    plain = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    packet = secure.next()
    bench.receive(packet)
    assert len(secure.hears(plain.talk())) == 1
    bench.do(secure.remote(srtp=secure.keys))
    assert bench.receive(packet) == []
    assert len(plain.hears(secure.talk())) == 1
    assert len(secure.hears(plain.talk())) == 1


def test_a_key_ends_with_its_lifetime(bench: EngineBench) -> None:
    """RFC 4568 section 6.1: the phone has a new one by then, or is not heard any more."""
    keys = msgspec.structs.replace(fresh_keys(), lifetime=5)
    secure = SecurePhone(bench, 1, keys)
    plain = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    assert sum(len(plain.hears(secure.talk())) for _ in range(9)) == 5
    assert len(secure.hears(plain.talk())) == 1, "ours goes on"
    bench.do(secure.remote(srtp=keys))
    assert secure.talk() == [], "the same key again does not begin anew"
    new = fresh_keys()
    secure.rekey(new)
    bench.do(secure.remote(srtp=new))
    assert len(plain.hears(secure.talk())) == 1
    assert refused(bench, 1) == 5


def test_only_our_key_changes(bench: EngineBench) -> None:
    """Every offer and answer of ours has a fresh key; the phone may have kept its own."""
    secure = SecurePhone(bench, 1, fresh_keys())
    plain = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    packet = secure.next()
    bench.receive(packet)
    new = SrtpKeys(secure.keys.suite, secure.keys.inbound, secrets.token_bytes(30))
    bench.do(secure.remote(srtp=new))
    assert bench.receive(packet) == [], "a replay is still one"
    assert len(plain.hears(secure.talk())) == 1
    secure.into = Session(Policy(new.outbound, Policy.SSRC_ANY_INBOUND))
    assert len(secure.hears(plain.talk())) == 1


def test_from_plain_to_secure_and_back(bench: EngineBench) -> None:
    a = bench.phone(1)
    b = bench.phone(2, "10.1.0.6", 6004)
    bench.do(Connect(1, 2))
    keys = fresh_keys()
    bench.do(msgspec.structs.replace(a.remote, srtp=keys))
    assert a.talk() == []
    [sent] = b.talk()
    assert sent.payload != SOUND
    bench.do(a.remote)
    assert len(b.hears(a.talk())) == 1 and a.hears(b.talk())[0].payload == SOUND


def test_a_slot_does_not_inherit_keys() -> None:
    bench = EngineBench(capacity=1)
    SecurePhone(bench, 1, fresh_keys())
    bench.do(Release(1))
    phone = bench.phone(2)
    bench.do(Play(2, 1, ("tone:busy",)))
    assert len(phone.hears(bench.tick(3))) == 3
    assert refused(bench, 2) == 0
    bench.close()


# ----- RTCP


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("mux", [False, True])
def test_reports_are_srtcp(bench: EngineBench, suite: SrtpSuite, mux: bool) -> None:
    secure = SecurePhone(bench, 1, fresh_keys(suite))
    bench.do(secure.remote(rtcp_mux=mux, rtcp_xr=True))
    bench.do(Play(1, 1, ("tone:busy",), loop=True))
    control = secure.plain.local + (not mux)
    to = secure.plain.port + (not mux)
    reports: list[bytes] = []
    for _ in range(400):
        bench.receive(secure.next())
        for one in bench.tick():
            if rtcp.source_of(one.data) is not None:
                assert (one.port, one.remote_port) == (control, to)
                reports.append(secure.into.unprotect_rtcp(one.data))
    read = rtcp.parse(reports[-1])
    assert read is not None and read.blocks[0].source == secure.plain.ssrc and read.metrics
    block = rtcp.BlockColumns(*(np.array([value], np.int64) for value in (read.ssrc, 3, 100, 16, 0, 0)))
    answer = rtcp.build_reports(np.array([secure.plain.ssrc]), b"phone", bench.now, None, block)[0].tobytes()
    lie = rtcp.BlockColumns(*(np.array([value], np.int64) for value in (read.ssrc, 99, 100, 16, 0, 0)))
    plain = rtcp.build_reports(np.array([secure.plain.ssrc]), b"phone", bench.now, None, lie)[0].tobytes()
    where = (control, secure.plain.address, to)
    bench.receive(Datagram(secure.out.protect_rtcp(answer), *where), Datagram(plain, *where))
    [over] = [one for one in bench.do(Release(1)) if isinstance(one, Released)]
    assert over.quality.remote_lost == 3 and over.quality.packets_refused == 1
    [bye] = bench.tick()
    said = secure.into.unprotect_rtcp(bye.data)
    assert rtcp.parse(said) is not None and takes_leave(said)


def test_a_plain_report_does_not_move_where_ours_go(bench: EngineBench) -> None:
    secure = SecurePhone(bench, 1, fresh_keys())
    secure.talk()
    report = rtcp.build_reports(np.array([secure.plain.ssrc]), b"phone", bench.now, None, None)[0].tobytes()
    bench.receive(Datagram(report, secure.plain.local + 1, secure.plain.address, 6666))
    ports = {one.remote_port for _ in range(400) for one in bench.tick() if one.port % 2}
    assert ports == {secure.plain.port + 1}


def test_what_opens_a_nat_is_no_attack(bench: EngineBench) -> None:
    """The plain APP packet that baresip sends when it knows where to send to: before its keys are set, or
    after, as it happens."""
    secure = SecurePhone(bench, 1, fresh_keys())
    secure.talk()
    ping = bytes.fromhex("80cc0003") + secure.plain.ssrc.to_bytes(4, "big") + b"PINGPONG"
    bench.receive(Datagram(ping, secure.plain.local + 1, secure.plain.address, 6666))
    ports = {one.remote_port for _ in range(400) for one in bench.tick() if one.port % 2}
    assert ports == {secure.plain.port + 1}, "nor does it move where reports go"
    assert refused(bench, 1) == 0


# ----- keys are nobody's business


def test_no_repr_shows_a_key() -> None:
    keys = SrtpKeys(CM80, b"A" * 30, b"B" * 30)
    command = SetRemote(1, "10.0.0.1", 5004, 5005, "PCMU", 0, 101, srtp=keys)
    for shown in (repr(keys), str(command), repr(keys.__rich_repr__()), f"{command!r}"):
        assert "AAAA" not in shown and "BBBB" not in shown
        assert "41" * 4 not in shown
    assert CM80 in repr(command)


@pytest.mark.parametrize("suite", SUITES)
def test_keys_of_the_wrong_length_are_refused_without_showing_them(suite: SrtpSuite) -> None:
    size = SRTP_KEY_BYTES[suite]
    with pytest.raises(ValueError, match=f"{suite} has {size} bytes") as caught:
        SrtpKeys(suite, b"Q" * size, b"Q" * (size - 1))
    assert "QQ" not in str(caught.value)


def test_another_signalling_process_is_told_them(bench: EngineBench) -> None:
    """Those of SetRemote, as they count now, and what a browser was allocated with; not what DTLS made."""
    keys, later, ice = fresh_keys(), fresh_keys(GCM256), IceCredentials("name", "p" * 22)
    phone = SecurePhone(bench, 1, keys)
    bench.phone(2)
    bench.do(Allocate(3, ice=ice))
    bench.do(phone.remote(srtp=later))
    present = bench.engine.present()
    assert (set(present.legs), present.keys, present.ice) == ({1, 2, 3}, {1: later}, {3: ice})
    assert event_reader().feed(encode([present])) == [present]
    assert str(later.inbound) not in repr(present) and "pppp" not in repr(present)


def test_the_wire_of_the_control_socket_carries_them() -> None:
    keys = fresh_keys(GCM256)
    command = SetRemote(1, "10.0.0.1", 5004, 5005, "PCMU", 0, 101, srtp=keys)
    assert command_reader().feed(encode([Allocate(1), command])) == [Allocate(1), command]
    body = msgspec.msgpack.decode(encode([command])[4:])
    next(field for field in body[0] if isinstance(field, list))[1] = b"Q" * 3
    broken = msgspec.msgpack.encode(body)
    with pytest.raises(ControlError, match="44 bytes") as caught:
        command_reader().feed(len(broken).to_bytes(4, "big") + broken)
    assert "QQQ" not in str(caught.value)


def test_the_profiles_have_the_lengths_that_we_promise() -> None:
    for suite, size in SRTP_KEY_BYTES.items():
        profile = PROFILES[suite]  # type: ignore[index]
        Policy(bytes(size), srtp_profile=profile)
        with pytest.raises(ValueError, match="at least"):
            Policy(bytes(size - 1), srtp_profile=profile)


def test_libsrtp_is_asked_as_we_think(bench: EngineBench) -> None:
    """A phone with other keys hears nothing: the tests' own ear can tell."""
    secure = SecurePhone(bench, 1, fresh_keys())
    secure.rekey(fresh_keys())
    bench.do(Play(1, 1, ("tone:busy",)))
    with pytest.raises(Error):
        secure.hears(bench.tick(3))
