"""Calls of phones and peers that must, may or do not encrypt their audio: what is taken, refused and told."""

from __future__ import annotations

import secrets

import pytest

from media import messages as m
from softswitch.call.record import Disposition
from softswitch.call.settings import Peer, Phone
from softswitch.sdp.crypto import SUITES, Crypto, SrtpPolicy
from softswitch.sip.uri import Uri
from tests.support.centre import Accepted, Centre, Ended


def centre_with(default: SrtpPolicy, **phones: SrtpPolicy) -> Centre:
    """The extensions 201 and 300 with policies of their own."""
    places = {"201": "10.0.1.1", "202": "10.0.1.2", "300": "10.0.1.3"}
    known = {
        number: Phone(number, contact=Uri("sip", number, None, host, 5060), srtp=phones.get(f"phone{number}"))
        for number, host in places.items()
    }
    return Centre(callers=("300",), more={"phones": known, "srtp": default, "peers": {"pbx": Peer("pbx")}})


def speaks(centre: Centre, number: str, policy: SrtpPolicy) -> None:
    phone = centre.phones[number]
    phone.srtp = policy
    phone.crypto = (Crypto(1, SUITES[0], secrets.token_bytes(30)),)


def keys_of(centre: Centre) -> list[m.SrtpKeys | None]:
    """Of the legs' last SetRemotes, in the order of the legs."""
    worker = centre.workers[1]
    return [worker.remotes[leg].srtp for leg in sorted(worker.remotes)]


@pytest.mark.parametrize(
    ("policy", "phone", "status"),
    [
        ("off", "off", 200),
        ("off", "allowed", 200),
        ("off", "required", 488),
        ("allowed", "off", 200),
        ("allowed", "required", 200),
        ("required", "allowed", 200),
        ("required", "required", 200),
        ("required", "off", 488),
    ],
)
def test_a_caller(policy: SrtpPolicy, phone: SrtpPolicy, status: int) -> None:
    centre = centre_with(policy)
    if phone != "off":
        speaks(centre, "300", phone)
    caller = centre.phones["300"]
    leg = caller.call("600")
    centre.settle()
    if status == 200:
        assert caller.of(Accepted)
        [keys] = keys_of(centre)
        assert (keys is not None) == (policy != "off" and phone != "off")
        caller.hang_up(leg)
        centre.settle()
        [record] = centre.records.values()
        assert record.legs[0].srtp == ("" if keys is None else SUITES[0])
        return
    [over] = caller.of(Ended)
    assert isinstance(over, Ended) and over.status == 488
    [record] = centre.records.values()
    assert record.disposition is Disposition.REFUSED and record.sip_status == 488
    [warning] = centre.warnings
    assert warning.text == "audio cannot be agreed on" and "SRTP" in dict(warning.fields)["reason"]
    centre.check_empty()


def test_the_extension_decides_before_the_switch() -> None:
    centre = centre_with("off", phone300="required")
    caller = centre.phones["300"]
    caller.call("600")
    centre.settle()
    assert caller.of(Ended) and not caller.of(Accepted)
    other = centre_with("required", phone300="off")
    other.phones["300"].call("600")
    other.settle()
    assert other.phones["300"].of(Accepted)


def talk(centre: Centre) -> None:
    centre.log_in("201")
    centre.phones["300"].call("601")
    centre.settle()
    phone = centre.phones["201"]
    phone.answer(phone.legs[-1])
    centre.settle()


def test_each_leg_has_keys_of_its_own() -> None:
    centre = centre_with("allowed", phone201="required")
    speaks(centre, "300", "required")
    speaks(centre, "201", "required")
    talk(centre)
    first, second = keys_of(centre)
    assert first is not None and second is not None
    assert len({first.inbound, first.outbound, second.inbound, second.outbound}) == 4
    assert centre.workers[1].bridges


def test_an_agents_phone_without_encryption_is_not_connected_where_it_must_be() -> None:
    centre = centre_with("allowed", phone201="required")
    centre.log_in("201")
    centre.phones["300"].call("601")
    centre.settle()
    phone = centre.phones["201"]
    assert b"RTP/SAVP" in phone.legs[-1].invite.body
    with pytest.raises(Exception, match="488"):  # such a phone cannot answer it at all
        phone.answer(phone.legs[-1])


def test_an_offer_over_udp_has_keys_only_where_they_must_be() -> None:
    centre = centre_with("allowed")
    centre.log_in("201")
    centre.phones["300"].call("601")
    centre.settle()
    body = centre.phones["201"].legs[-1].invite.body
    assert b"RTP/AVP" in body and b"crypto" not in body


def test_a_hold_keeps_the_keys() -> None:
    centre = centre_with("required", phone201="off")
    speaks(centre, "300", "required")
    talk(centre)
    caller = centre.phones["300"]
    before = keys_of(centre)
    assert before[0] is not None and before[1] is None
    caller.hold(caller.legs[0])
    centre.settle()
    assert keys_of(centre) == before
