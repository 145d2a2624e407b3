"""Numbers of IPv6 addresses: one each, bounded whoever sends, kept for as long as a leg needs them."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.addresses import FIRST, LAST, MAX_STRANGERS, NAME_WORDS, Addresses, are_ipv6
from media.path import path_of

OPEN, SHUT = 40000, 40002
IPV6 = st.ip_addresses(v=6).filter(
    lambda one: not (one.is_multicast or one.is_unspecified or one.ipv4_mapped)  # type: ignore[union-attr]
)


def table(most: int = 100, used: set[int] | None = None) -> Addresses:
    kept = used if used is not None else set()
    made = Addresses(most, lambda: kept, lambda port: port == OPEN)
    made.ipv6 = True
    return made


def names(*addresses: str) -> np.ndarray:
    """As they lie in socket addresses; a number after % is the scope."""
    rows = []
    for text in addresses:
        address, _, scope = text.partition("%")
        rows.append(ipaddress.IPv6Address(address).packed + int(scope or 0).to_bytes(8, "little"))
    return np.frombuffer(b"".join(rows), np.uint64).reshape(-1, NAME_WORDS)


@given(st.lists(IPV6, min_size=1, max_size=30))
def test_addresses_come_back_and_different_ones_differ(given_: list[ipaddress.IPv6Address]) -> None:
    addresses = table()
    texts = [str(one) for one in given_]
    numbers = [addresses.number(text) for text in texts]
    assert [addresses.text(number) for number in numbers] == texts
    assert len(set(numbers)) == len(set(texts))
    assert addresses.read(names(*texts), SHUT).tolist() == numbers
    written = np.zeros((len(texts), NAME_WORDS), np.uint64)
    assert addresses.write(np.array(numbers, np.uint32), written) is None
    assert written.tolist() == names(*texts).tolist()
    assert are_ipv6(np.array([path_of(OPEN, number, 5004) for number in numbers], np.uint64)).all()


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_its_own_number_and_never_that_of_an_ipv6_address(
    address: ipaddress.IPv4Address,
) -> None:
    addresses = table()
    number = addresses.number(str(address))
    if int(address) < FIRST:
        assert number == int(address) and addresses.text(number) == str(address)
        assert not are_ipv6(np.array([path_of(SHUT, number, 5004)], np.uint64)).any()
    else:  # multicast and reserved: nobody may name a number that is somebody else's
        assert number == 0


@pytest.mark.parametrize("text", ["", "sip.example.com", "::", "ff02::1", "::ffff:192.0.2.1", "fe80::1::"])
def test_what_nobody_can_send_to_has_no_number(text: str) -> None:
    assert table().number(text) == 0


def test_without_ipv6_its_addresses_have_no_numbers() -> None:
    addresses = table()
    addresses.ipv6 = False
    assert addresses.number("2001:db8::1") == 0 and len(addresses) == 0


def test_link_local_addresses_of_two_links_are_two() -> None:
    addresses = table()
    one, other = addresses.read(names("fe80::1%2", "fe80::1%3"), OPEN).tolist()
    assert (addresses.text(one), addresses.text(other)) == ("fe80::1%2", "fe80::1%3")


def test_a_stranger_gets_a_number_on_an_open_port_only() -> None:
    addresses = table()
    known = addresses.number("2001:db8::1")
    both = names("2001:db8::1", "2001:db8::2")
    assert addresses.read(both, SHUT).tolist() == [known, 0] and len(addresses) == 1
    first, second = addresses.read(both, OPEN).tolist()
    assert first == known and FIRST <= second <= LAST
    assert addresses.read(both, SHUT).tolist() == [known, second]


def test_one_reading_has_few_strangers() -> None:
    addresses = table(10_000)
    flood = names(*(f"2001:db8::{number:x}" for number in range(1, 1001)))
    assert np.count_nonzero(addresses.read(flood, OPEN)) == MAX_STRANGERS


@given(st.lists(st.integers(1, 5000), max_size=400), st.sets(st.integers(1, 40), max_size=40))
def test_no_flood_fills_the_table_or_takes_a_number_away_that_is_in_use(
    flood: list[int], legs: set[int]
) -> None:
    used: set[int] = set()
    addresses = table(50, used)
    ours = {number: addresses.number(f"2001:db8:1::{number:x}") for number in legs}
    used.update(ours.values())
    for source in flood:
        addresses.make_room()
        addresses.read(names(f"2001:db8:bad::{source:x}"), OPEN)
        assert len(addresses) <= max(50, 2 * len(legs))
    for number, known in ours.items():
        assert addresses.number(f"2001:db8:1::{number:x}") == known
        assert addresses.text(known) == f"2001:db8:1::{number:x}"


def test_strangers_are_turned_away_from_a_full_table_and_signalling_is_not() -> None:
    used: set[int] = set()
    addresses = table(2, used)
    used |= {addresses.number("2001:db8::1"), addresses.number("2001:db8::2")}
    assert addresses.read(names("2001:db8::3"), OPEN).tolist() == [0]
    assert addresses.number("2001:db8::4") != 0


def test_a_number_that_is_forgotten_does_not_soon_mean_somebody_else() -> None:
    addresses = table(1)
    gone = addresses.number("2001:db8::1")
    addresses.make_room()
    assert len(addresses) == 0 and addresses.text(gone) == "::"
    assert addresses.number("2001:db8::2") != gone
    written = np.zeros((2, NAME_WORDS), np.uint64)
    there = addresses.number("2001:db8::2")
    missing = addresses.write(np.array([gone, there], np.uint32), written)
    assert missing is not None and missing.tolist() == [True, False]
    assert written[1].tolist() == names("2001:db8::2")[0].tolist()


def test_many_names_are_written_by_their_numbers() -> None:
    used: set[int] = set()
    addresses = table(1000, used)
    texts = [f"2001:db8::{number:x}" for number in range(1, 2001)]
    numbers = np.array([addresses.number(text) for text in texts], np.uint32)
    written = np.zeros((2000, NAME_WORDS), np.uint64)
    assert len(set(numbers.tolist())) == 2000 and addresses.write(numbers, written) is None
    assert (written == names(*texts)).all() and (addresses.read(written, SHUT) == numbers).all()
    used.update(numbers[::7].tolist())
    addresses.make_room()
    forgotten = addresses.write(numbers, written)
    assert forgotten is not None and (forgotten == ~np.isin(numbers, numbers[::7])).all()
    assert (written[::7] == names(*texts[::7])).all() and not written[forgotten].any()


def test_numbers_begin_again_after_the_last_and_pass_over_those_in_use() -> None:
    addresses = table()
    first = addresses.number("2001:db8::1")
    addresses._next = LAST
    assert addresses.number("2001:db8::2") == LAST
    assert first == FIRST and addresses.number("2001:db8::3") == FIRST + 1
