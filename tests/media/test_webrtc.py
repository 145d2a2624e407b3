"""Browsers in the engine: they are found by their checks, agree on keys, and are then legs like any other."""

from __future__ import annotations

import datetime
import hashlib
import secrets
import time
import warnings

import numpy as np
import pytest
from aioice import stun
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import crypto

from media import rtcp
from media.dtls import Identity
from media.ice import MAX_PATHS, read_check, user_of
from media.messages import (
    Allocate,
    Allocated,
    Browser,
    Connect,
    Digit,
    HandshakeFailed,
    IceCredentials,
    Latched,
    MediaLost,
    Release,
    Released,
    SetRemote,
)
from media.webrtc import MAX_CHECKS, MAX_STRANGE_CHECKS
from tests.support.browser import FarBrowser
from tests.support.rtp import SOUND, Datagram, EngineBench, Phone, event, rtp

HOME = ("10.9.0.1", 50000)
AWAY = ("10.9.0.2", 50002)


class Page:
    """A browser at the other end of a leg. `where` it sends from may change."""

    def __init__(self, bench: EngineBench, leg: int, where: tuple[str, int] = HOME) -> None:
        self.bench = bench
        self.leg = leg
        self.where = where
        self.ice = credentials()
        answer = bench.do(Allocate(leg, ice=self.ice))
        (self.allocated,) = (one for one in answer if isinstance(one, Allocated))
        self.far = FarBrowser(self.ice, self.allocated.fingerprint)
        self.sequence, self.timestamp, self.ssrc = 500, 8000, 0x9000 + leg

    def settle(self, browser: Browser | None = None, *, receive: bool = True) -> None:
        remote = SetRemote(
            self.leg, "0.0.0.0", 9, 9, "PCMU", 0, 126, receive=receive, rtcp_mux=True,
            browser=browser or self.far.settled(),
        )  # fmt: skip
        self.bench.do(remote)

    def send(self, *datagrams: bytes) -> list[Datagram]:
        return self.bench.receive(*(self.wrap(one) for one in datagrams))

    def wrap(self, datagram: bytes) -> Datagram:
        return Datagram(datagram, self.allocated.port, *self.where)

    def mine(self, sent: list[Datagram]) -> list[bytes]:
        return [one.data for one in sent if (one.address, one.remote_port) == self.where]

    def shake(self) -> None:
        """Hand datagrams to and fro until nobody has more to say."""
        waiting = [self.far.check()]
        while waiting:
            sent = self.mine(self.send(*waiting))
            waiting = [answer for one in sent if one[0] < 64 for answer in self.far.receive(one)]

    def next(self, payload: bytes = SOUND, kind: int = 0) -> bytes:
        packet = rtp(self.sequence, self.timestamp, self.ssrc, kind, payload)
        self.sequence += 1
        self.timestamp += 160
        return self.far.protect(packet)

    def hears(self, sent: list[Datagram]) -> list[bytes]:
        """The plain RTP among what was sent here."""
        return [self.far.unprotect(one) for one in self.mine(sent) if one[0] >= 128]


def credentials() -> IceCredentials:
    return IceCredentials(secrets.token_hex(4), secrets.token_hex(16))


@pytest.fixture
def bench() -> EngineBench:
    return EngineBench()


@pytest.fixture
def page(bench: EngineBench) -> Page:
    """A browser that is connected."""
    page = Page(bench, 1)
    page.settle()
    page.shake()
    assert page.far.keys is not None
    return page


def bridged(bench: EngineBench, page: Page) -> Phone:
    phone = bench.phone(2)
    bench.do(Connect(page.leg, 2))
    return phone


def test_a_browser_on_ipv6_speaks_with_a_phone_on_ipv4() -> None:
    bench = EngineBench(ipv6_address="2001:db8::50")
    page = Page(bench, 1, ("2001:db8::9", 50000))
    page.settle()
    (answer,) = page.mine(page.send(page.far.check()))
    assert stun.parse_message(answer).attributes["XOR-MAPPED-ADDRESS"] == page.where
    page.shake()
    phone = bridged(bench, page)
    assert Latched(1, *page.where) in bench.take(Latched)
    assert len(page.hears(phone.talk())) == 1
    assert len(phone.hears(page.send(page.next()))) == 1


def test_audio_goes_both_ways_and_is_encrypted_on_the_way(bench: EngineBench, page: Page) -> None:
    phone = bridged(bench, page)
    (latched,) = bench.take(Latched)[:1]
    assert latched == Latched(1, *HOME)
    (heard,) = phone.hears(page.send(page.next(bytes(range(160)))))
    assert heard.payload == bytes(range(160))
    (said,) = page.hears(phone.talk(bytes(range(160))))
    assert said[12:] == bytes(range(160))


def test_a_browser_that_only_listens_reports(bench: EngineBench, page: Page) -> None:
    """It has no stream of its own by which its reports would be known, and no port but one."""
    ours = int(bench.engine._parts.legs.ssrc[0])
    block = rtcp.BlockColumns(*(np.array([value], np.int64) for value in (ours, 3, 100, 16, 0, 0)))
    report = rtcp.build_reports(np.array([1]), b"page", bench.now, None, block)[0].tobytes()
    page.send(page.far.protect(report, rtcp=True))
    [over] = [one for one in bench.do(Release(1)) if isinstance(one, Released)]
    assert over.quality.remote_lost == 3


def test_the_leg_is_told_by_its_checks_alone(bench: EngineBench) -> None:
    """Many browsers share one port, which nobody else has; before its check and its keys, nothing goes in."""
    pages = [Page(bench, leg, (HOME[0], 50000 + leg)) for leg in range(1, 5)]
    assert len({page.allocated.port for page in pages}) == 1
    phone = bench.phone(9, "10.9.0.1", 50001)
    assert phone.local != pages[0].allocated.port
    for page in pages:
        page.settle()
        assert page.send(rtp(1, 160, 7, 0, SOUND)) == []
        page.shake()
        assert page.send(rtp(2, 320, 7, 0, SOUND)) == []  # plain, though it has keys
    bench.do(Connect(1, 2), Connect(3, 4))
    for talker, hearer in ((0, 1), (1, 0), (2, 3), (3, 2)):
        (said,) = pages[hearer].hears(pages[talker].send(pages[talker].next()))
        assert said[12:] == SOUND


def test_a_key_by_telephone_event(bench: EngineBench, page: Page) -> None:
    start = page.timestamp
    for duration, end in ((160, False), (320, False), (480, True), (480, True), (480, True)):
        packet = rtp(page.sequence, start, page.ssrc, 126, event(5, duration, end))
        page.sequence += 1
        page.send(page.far.protect(packet))
    assert bench.take(Digit) == [Digit(1, "5", "rfc4733")]


@pytest.mark.parametrize("offers", ["client", "server"])
def test_either_side_may_begin_dtls(bench: EngineBench, offers: str) -> None:
    page = Page(bench, 1)
    if offers == "server":
        page.far.association = type(page.far.association)(
            page.far.identity, page.allocated.fingerprint, client=False
        )
    page.settle(page.far.settled(client=offers == "server"))
    page.shake()
    assert page.far.keys is not None
    assert page.send(page.next()) == []
    assert [type(one) for one in bench.events].count(Latched) == 1


def test_checks_may_come_before_the_answer_is_known(bench: EngineBench) -> None:
    page = Page(bench, 1)
    sent = page.mine(page.send(page.far.check()))
    hello = [answer for one in sent for answer in page.far.receive(one)]
    assert page.far.answered == 1
    assert page.send(*hello) == []  # whose certificate it should be is not known yet
    page.settle()
    page.far.association = type(page.far.association)(
        page.far.identity, page.allocated.fingerprint, client=True
    )  # as a repetition
    page.shake()
    assert page.far.keys is not None


def test_after_a_failure_another_offer_begins_anew(bench: EngineBench) -> None:
    page = Page(bench, 1)
    for _ in range(2):
        page.settle(Browser(page.ice, Identity.make().fingerprint))
        page.far = FarBrowser(page.ice, page.allocated.fingerprint)
        page.shake()
        bench.tick()
        assert len(bench.take(HandshakeFailed)) == 1
    page.far = FarBrowser(page.ice, page.allocated.fingerprint)
    page.settle()
    page.shake()
    assert page.far.keys is not None
    assert page.send(page.next()) == [] and len(bench.take(Latched)) == 1


def test_a_foreign_certificate_gets_no_keys_and_is_told(bench: EngineBench) -> None:
    page = Page(bench, 1)
    page.settle(Browser(page.ice, Identity.make().fingerprint))
    page.shake()
    bench.tick()
    (failed,) = bench.take(HandshakeFailed)
    assert failed == HandshakeFailed(1, "the certificate is not the one that was announced")
    assert bench.take(Latched) == []
    phone = bridged(bench, page)
    assert page.mine(phone.talk()) == []
    bench.tick(30)
    assert bench.take(HandshakeFailed) == []


def odd_identity(good: bytes, odd: bytes) -> Identity:
    """One whose certificate OpenSSL takes, but those do not who read it closely."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(77).not_valid_before(begin).not_valid_after(begin.replace(year=2036))
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER).replace(good, odd)
    identity = Identity.make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there is no other way to have such a one
        identity.context.use_certificate(crypto.load_certificate(crypto.FILETYPE_ASN1, der))
    identity.context.use_privatekey(key)
    return Identity(identity.context, f"sha-256 {hashlib.sha256(der).digest().hex(':').upper()}")


@pytest.mark.parametrize(
    ("good", "odd"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09"),
        (b"000000Z", b"000000X"),
        (b"\x0c\x01x", b"\x13\x01\xff"),
    ],
)  # version, times, name
@pytest.mark.parametrize("announced", [True, False])
def test_an_odd_certificate_is_one_all_the_same(
    bench: EngineBench, good: bytes, odd: bytes, announced: bool
) -> None:
    page = Page(bench, 1)
    page.far = FarBrowser(page.ice, page.allocated.fingerprint, odd_identity(good, odd))
    page.settle(None if announced else Browser(page.ice, Identity.make().fingerprint))
    page.shake()
    bench.tick()
    assert len(bench.take(HandshakeFailed)) == (not announced)
    page.send(page.next())
    assert len(bench.take(Latched)) == announced


@pytest.mark.parametrize("what", ["password", "user", "flipped", "indication", "answer"])
def test_what_is_no_good_check_is_not_answered(bench: EngineBench, what: str) -> None:
    page = Page(bench, 1)
    page.settle()
    if what == "password":
        check = page.far.check(password="x" * 22)
    elif what == "user":
        check = FarBrowser(credentials(), page.allocated.fingerprint).check()
    elif what == "flipped":
        check = page.far.check()
        check = check[:30] + bytes((check[30] ^ 1,)) + check[31:]
    else:
        kind = stun.Class.INDICATION if what == "indication" else stun.Class.RESPONSE
        message = stun.Message(stun.Method.BINDING, kind, attributes={"USERNAME": f"{page.ice.ufrag}:x"})
        message.add_message_integrity(page.ice.password.encode())
        check = bytes(message)
    assert page.send(check) == []


def test_dtls_is_heard_only_from_where_a_good_check_came(bench: EngineBench) -> None:
    page = Page(bench, 1)
    page.settle()
    hello = page.far.association.begin()
    assert page.send(*hello) == []
    page.send(page.far.check(nominate=False))
    assert page.mine(page.send(*hello))[0][0] == 22


def test_a_browser_that_moves_is_followed(bench: EngineBench, page: Page) -> None:
    """Another network: a check that nominates from elsewhere."""
    phone = bridged(bench, page)
    bench.tick(150)
    page.where = AWAY
    assert page.send(page.next()) == []  # from nowhere, yet
    page.send(page.far.check(priority=1))
    assert len(phone.hears(page.send(page.next()))) == 1
    assert len(page.hears(phone.talk())) == 1
    page.where = HOME
    assert len(phone.hears(page.send(page.next()))) == 1  # what was still under way


def test_whoever_nominates_everything_at_first_is_taken_at_his_best(bench: EngineBench, page: Page) -> None:
    """Firefox, with the first check of each path, which may be repeated."""
    phone = bridged(bench, page)
    page.where = AWAY
    page.send(page.far.check(priority=1), page.far.check(priority=1))
    page.where = HOME
    assert len(page.hears(phone.talk())) == 1


def test_whoever_nominates_what_he_has_checked_is_followed_at_once(bench: EngineBench, page: Page) -> None:
    """Chromium has nominated loopback, and a moment later the network, whose priority is lower."""
    phone = bridged(bench, page)
    page.where = AWAY
    page.send(page.far.check(priority=1, nominate=False))
    page.send(page.far.check(priority=1))
    page.send(page.far.check(priority=1))
    assert len(page.hears(phone.talk())) == 1
    assert len(phone.hears(page.send(page.next()))) == 1


def test_a_browser_is_heard_by_every_path_that_it_has_checked(bench: EngineBench, page: Page) -> None:
    """It sends by another before it nominates that; until then it is spoken to where it was."""
    phone = bridged(bench, page)
    page.where = AWAY
    page.send(page.far.check(nominate=False))
    assert len(phone.hears(page.send(page.next()))) == 1
    page.where = HOME
    assert len(page.hears(phone.talk())) == 1
    assert len(phone.hears(page.send(page.next()))) == 1
    bench.do(Release(1))
    assert len(bench.engine._parts.latching._keys) == 1, "the phone's"


def test_a_restart_has_new_credentials_and_keeps_the_keys(bench: EngineBench, page: Page) -> None:
    """RFC 8445 2.4: until it is there, audio goes on where it was."""
    phone = bridged(bench, page)
    again = credentials()
    page.settle(Browser(again, page.far.identity.fingerprint))
    assert len(page.hears(phone.talk())) == 1
    assert page.send(page.far.check()) != []  # of before: still answered
    page.far.theirs = again
    page.where = AWAY
    page.send(page.far.check(priority=1))
    assert len(page.hears(phone.talk())) == 1
    assert len(phone.hears(page.send(page.next()))) == 1
    page.far.theirs = page.ice
    assert page.send(page.far.check()) == []  # over


def test_restarts_that_nobody_follows_leave_no_names(bench: EngineBench, page: Page) -> None:
    for _ in range(5):
        page.settle(Browser(credentials(), page.far.identity.fingerprint))
    assert len(bench.engine._parts.webrtc._by_user) == 2
    bench.do(Release(1))
    assert not bench.engine._parts.webrtc._by_user and not bench.engine._parts.webrtc._by_path


def test_what_is_said_inside_dtls_is_read_and_dropped(page: Page) -> None:
    connection = page.far.association._connection
    connection.send(b"x" * 1000)
    page.send(connection.bio_read(2000))
    connection.shutdown()
    page.send(connection.bio_read(2000))
    assert page.send(page.far.check()) != []


def test_a_page_that_was_loaded_anew_has_another_certificate(bench: EngineBench, page: Page) -> None:
    phone = bridged(bench, page)
    old = page.far
    again = credentials()
    page.far = FarBrowser(again, page.allocated.fingerprint)
    page.where = AWAY
    page.settle()
    page.shake()
    assert page.far.keys not in (None, old.keys)
    assert len(phone.hears(page.send(page.next()))) == 1
    assert len(page.hears(phone.talk())) == 1


def test_consent_runs_out_and_comes_back(bench: EngineBench, page: Page) -> None:
    """RFC 7675: whatever arrives, nothing is sent without it; on hold too, where nobody waits for audio."""
    page.settle(receive=False)
    phone = bridged(bench, page)
    bench.tick(1400)
    assert bench.take(MediaLost) == []
    page.send(page.far.check())
    bench.tick(1400)
    assert len(page.hears(phone.talk())) == 1
    bench.tick(200)
    (lost,) = [one for one in bench.take(MediaLost) if isinstance(one, MediaLost) and one.leg == 1]
    assert lost.silent_s > 30
    assert page.mine(phone.talk()) == []
    bench.tick(100)
    assert bench.take(MediaLost) == []
    page.send(page.far.check())
    assert len(page.hears(phone.talk())) == 1


def test_nobody_takes_the_place_of_another_by_a_false_address(bench: EngineBench, page: Page) -> None:
    """A check that is signed well, of a leg of his own, from where another browser is: neither its audio nor
    its DTLS is his."""
    other = Page(bench, 3)
    other.settle()
    assert other.send(other.far.check()) != []
    assert other.send(*other.far.association.begin()) == []
    phone = bridged(bench, page)
    assert len(page.hears(phone.talk())) == 1


def test_a_release_leaves_nothing(bench: EngineBench, page: Page) -> None:
    bench.do(Release(1))
    assert page.send(page.far.check(), page.next()) == []
    again = Page(bench, 5)
    again.settle()
    again.shake()
    assert again.far.keys is not None
    assert again.allocated.port == page.allocated.port
    assert bench.engine.answers() is None


def test_a_flood_of_checks_costs_a_bounded_part(bench: EngineBench, page: Page) -> None:
    checks = [page.far.check(nominate=False) for _ in range(60)]
    assert len(page.send(*checks)) == MAX_CHECKS
    page.where = AWAY
    strange = [page.wrap(page.far.check(nominate=False)) for _ in range(60)]
    spread = [Datagram(one.data, one.port, one.address, 60000 + at) for at, one in enumerate(strange)]
    assert len(bench.receive(*spread)) == MAX_STRANGE_CHECKS


def test_a_flood_of_strangers_does_not_end_a_call(bench: EngineBench, page: Page) -> None:
    """Whoever fills the batches with what looks like checks cannot keep a browser's own ones from us."""
    junk = [
        Datagram(b"\x00\x01" + bytes(30), page.allocated.port, "10.66.0.1", 1024 + at) for at in range(900)
    ]
    sent = bench.receive(*junk, page.wrap(page.far.check()))
    assert len(page.mine(sent)) == 1


def test_a_flood_of_one_browser_does_not_end_the_call_of_another(bench: EngineBench, page: Page) -> None:
    other = Page(bench, 2, AWAY)
    other.settle()
    other.shake()
    flood = [page.wrap(page.far.check()) for _ in range(MAX_CHECKS + 10)]
    sent = bench.receive(*flood, other.wrap(other.far.check()))
    assert len(other.mine(sent)) == 1 and len(page.mine(sent)) == MAX_CHECKS - 1


@pytest.mark.parametrize("ours", [True, False])
def test_a_check_that_would_cost_much_is_not_read(bench: EngineBench, page: Page, ours: bool) -> None:
    """Addresses of IPv6 and repeated fingerprints take STUN readers half a millisecond a datagram."""
    user = page.far.check() if ours else FarBrowser(credentials(), page.allocated.fingerprint).check()
    body = user[20:]
    many = body + (b"\x00\x20\x00\x14\x00\x02" + bytes(18)) * 40
    head = user[:2] + len(many).to_bytes(2, "big") + user[4:20]
    assert read_check(head + many) is not None
    assert user_of(head + many) == ""
    assert page.send(head + many) == []
    assert user_of(head + body) == (page.ice.ufrag if ours else user_of(user))


def test_a_browser_has_so_many_paths_and_no_more(bench: EngineBench, page: Page) -> None:
    phone = bridged(bench, page)
    for port in range(60000, 60000 + 3 * MAX_PATHS):
        page.where = (AWAY[0], port)
        page.send(page.far.check(nominate=False))
    page.where = HOME
    assert len(page.hears(phone.talk())) == 1
    webrtc = bench.engine._parts.webrtc
    assert len(webrtc._by_path) == MAX_PATHS
    assert len(bench.engine._parts.latching._keys) == MAX_PATHS + 2, "where it is followed, and the phone's"
    page.where = (AWAY[0], 60000)
    assert page.send(page.next()) == []  # a path that was forgotten


def test_lost_flights_are_repeated(bench: EngineBench) -> None:
    """OpenSSL repeats by a clock of its own, after a second: the engine is asked until it has."""
    page = Page(bench, 1)
    page.settle()
    sent = page.mine(page.send(page.far.check()))
    hello = [answer for one in sent for answer in page.far.receive(one)]
    first = page.mine(page.send(*hello))
    assert first
    waiting: list[bytes] = []
    deadline = time.monotonic() + 30
    while not waiting and time.monotonic() < deadline:
        waiting = page.mine(bench.tick())
        bench.now -= 0.02  # not the bench's clock
    while waiting:
        back = [answer for one in waiting for answer in page.far.receive(one)]
        waiting = page.mine(page.send(*back)) if back else []
    assert page.far.keys is not None


@given(st.binary(max_size=200))
def test_no_datagram_raises(data: bytes) -> None:
    bench = EngineBench()
    page = Page(bench, 1)
    page.settle()
    page.send(page.far.check())
    for first in (0, 1, 20, 22, 63):
        page.send(bytes((first,)) + data)
    for one in (data, b"\x00\x01" + len(data).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + bytes(12) + data):
        read_check(one)
        user_of(one)


def test_passwords_and_keys_are_not_shown(page: Page) -> None:
    assert page.ice.password not in repr(page.ice) + repr(page.far.settled()) + repr(page.far.keys)
