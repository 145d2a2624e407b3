"""An agent who has picked up and is not with the caller yet: he hears whom he gets, or is asked."""

from __future__ import annotations

import pytest

from acd.events import Kind
from acd.messages import Answered, Bridge, CancelOffer, PickedUp, Refused, Withdraw
from acd.offers import PICKED_UP_S
from acd.queue import QueueConfig
from tests.acd.centre import Centre, of


def centre(**options: object) -> Centre:
    here = Centre(
        QueueConfig("sales", ring_s=10.0, **options),  # type: ignore[arg-type]
        agents={"anna": ["sales"], "boris": ["sales"]},
    )
    here.log_in("anna", "boris")
    return here


def test_the_ring_time_ends_when_he_picks_up_and_the_wait_runs_to_the_bridge() -> None:
    here = centre()
    here.call("c1")
    offer = here.offer_to("anna").offer
    here.do(PickedUp(offer), 8.0)
    here.wait(7.0)
    assert here.state("anna") == "ringing"
    (bridge,) = of(here.do(Answered(offer)), Bridge)
    assert isinstance(bridge, Bridge) and bridge.wait_s == pytest.approx(15.0)
    assert here.last(Kind.CONNECT).data["wait_s"] == pytest.approx(15.0)
    assert here.acd.audit() == []


def test_who_picks_up_and_never_takes_the_call_has_missed_it() -> None:
    here = centre()
    here.call("c1")
    here.do(PickedUp(here.offer_to("anna").offer), 5.0)
    here.wait(PICKED_UP_S - 0.5)
    assert here.ringing() == {"c1": "anna"}
    (cancelled,) = of(here.wait(1.0), CancelOffer)
    assert isinstance(cancelled, CancelOffer) and cancelled.agent == "anna"
    assert here.ringing() == {"c1": "boris"}
    assert here.acd.audit() == []


def test_a_refusal_after_picking_up_gives_the_caller_to_the_next() -> None:
    here = centre()
    here.call("c1")
    offer = here.offer_to("anna").offer
    here.do(PickedUp(offer))
    here.do(Refused(offer), 2.0)
    assert here.ringing() == {"c1": "boris"}
    assert here.state("anna") == "ready"


def test_whoever_surely_takes_it_stops_the_others() -> None:
    here = centre(strategy="ring-all")
    here.call("c1")
    anna, boris = here.offer_to("anna").offer, here.offer_to("boris").offer
    here.do(PickedUp(anna, sure=False))
    assert here.state("boris") == "ringing", "a mailbox may have picked up at Anna's"
    here.do(PickedUp(boris))
    assert (here.state("anna"), here.state("boris")) == ("ready", "ringing")
    assert of(here.do(PickedUp(anna)), CancelOffer), "the offer is over"
    assert here.acd.audit() == []
    here.do(Refused(boris), 1.0)
    assert here.ringing() == {"c1": "anna"}, "he is anybody's again"
    assert here.acd.audit() == []


def test_the_caller_may_hang_up_meanwhile() -> None:
    here = centre()
    here.call("c1")
    offer = here.offer_to("anna").offer
    here.do(PickedUp(offer))
    (cancelled,) = of(here.do(Withdraw("c1")), CancelOffer)
    assert isinstance(cancelled, CancelOffer) and cancelled.offer == offer
    assert here.acd.is_idle() and here.state("anna") == "ready"
