"""The reconciler: nothing is found in a healthy centre, whatever it does; what a defect leaves is found and
mended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from acd import messages as acd
from softswitch.call.call import Stage
from softswitch.call.reconcile import Discrepancy
from tests.softswitch.call.storm import Day, Storm
from tests.support.centre import Centre, Incoming


class Watched(Storm):
    """A storm that is looked at after every message."""

    looks = 0

    def settle(self) -> None:
        super().settle()
        found = self.switch.compare()
        assert not found, found
        type(self).looks += 1


@pytest.mark.parametrize("seed", range(1000, 1004))
def test_a_healthy_day_has_nothing_to_mend(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.softswitch.call.storm.Storm", Watched)
    before = Watched.looks
    day = Day(seed)
    day.run(60)
    day.drain()
    assert Watched.looks > before + 100


def talking() -> Centre:
    """One caller talks with agent201."""
    centre = waiting()
    centre.log_in("201")
    phone = centre.phones["201"]
    phone.answer(phone.of(Incoming)[0].leg)  # type: ignore[attr-defined]
    centre.settle()
    assert centre.call.stage is Stage.TALK
    return centre


def waiting() -> Centre:
    """One caller waits."""
    centre = Centre()
    centre.phones["300"].call("601")
    centre.settle()
    return centre


def ringing() -> Centre:
    """A phone rings for one caller."""
    centre = waiting()
    centre.log_in("201")
    assert len(centre.switch.hub.offers) == 1
    return centre


def lose_waiting_call(centre: Centre) -> None:
    del centre.switch.hub.calls[centre.call.id]


def lose_place(centre: Centre) -> None:
    centre.acd.handle(acd.Withdraw(centre.call.id), centre.now)


def lose_offer(centre: Centre) -> None:
    attempt = next(iter(centre.switch.hub.offers.values()))
    centre.switch.desk.ringing.cancel(attempt, centre.now)


def lose_reservation(centre: Centre) -> None:
    (offer,) = centre.switch.hub.offers
    centre.acd.handle(acd.Refused(offer), centre.now)


def lose_talk(centre: Centre) -> None:
    centre.call.stage = Stage.FAREWELL


def lose_agents_talk(centre: Centre) -> None:
    centre.acd.handle(acd.Ended(centre.call.id, "system"), centre.now)


def lose_own_call(centre: Centre) -> None:
    centre.command(acd.OwnCall("agent202", True))


def lose_partner(centre: Centre) -> None:
    assert centre.call.partner is not None
    centre.switch.hub.let_go(centre.call.partner, centre.now)


def lose_caller(centre: Centre) -> None:
    centre.call.leg.gone = True


def lose_attempt(centre: Centre) -> None:
    centre.call.attempts.clear()


CASES: list[tuple[Callable[[], Centre], Callable[[Centre], None], str]] = [
    (waiting, lose_waiting_call, "there is no such call"),
    (waiting, lose_place, "believes that it waits"),
    (ringing, lose_offer, "no phone rings for it"),
    (ringing, lose_reservation, "which the distributor does not know"),
    (talking, lose_talk, "which does not talk"),
    (talking, lose_agents_talk, "the distributor does not know it"),
    (waiting, lose_own_call, "and there is none"),
    (talking, lose_partner, "talks with nobody"),
    (talking, lose_caller, "has lost its caller"),
    (ringing, lose_attempt, "which does not know it"),
]


@pytest.mark.parametrize(("make", "damage", "told"), CASES, ids=[case[1].__name__ for case in CASES])
def test_what_a_defect_leaves_is_found_and_mended(
    make: Callable[[], Centre], damage: Callable[[Centre], None], told: str
) -> None:
    centre = make()
    assert centre.switch.compare() == []
    damage(centre)
    found = centre.switch.compare()
    assert any(told in one.what for one in found), found
    for _ in range(3):  # what hung on the first may show after it
        for one in centre.switch.compare():
            mend(centre, one)
    assert centre.switch.compare() == [] and centre.acd.audit() == []
    assert any(warning.text.startswith("mended: ") for warning in centre.warnings)
    for call in list(centre.switch.calls):
        centre._carry_out(centre.switch.hang_up(call, "test", centre.now))
    centre.advance(60.0)
    assert not centre.switch.hub.attempts and not centre.switch.hub.offers and centre.acd.is_idle()
    states = {view.state for view in centre.acd.agents(centre.now)}
    assert states <= {"ready", "logged out", "paused", "unreachable"}, "nobody is stuck"
    assert not centre.workers[1].live


def mend(centre: Centre, found: Discrepancy) -> None:
    """As the shell does it."""
    centre._carry_out(centre.switch.mend(found, centre.now))
    centre.settle()
