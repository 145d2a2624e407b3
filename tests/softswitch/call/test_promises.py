"""Promises to call back as a supervisor sees them, and takes them back, whatever they are doing."""

from __future__ import annotations

import pytest

from acd.events import Kind
from softswitch.call.call import Stage
from softswitch.call.promises import Promise
from softswitch.errors import LocalError
from tests.softswitch.call.test_callbacks import First, centre, promised, settled
from tests.support.centre import Centre


def cancel(here: Centre, number: str) -> None:
    here._carry_out(here.switch.cancel_promise(number, "maria", here.now))
    here.settle()


def only(here: Centre) -> Promise:
    (promise,) = here.switch.promises()
    return promise


def dropped(here: Centre) -> list[str]:
    return [event.data["reason"] for event in here.log if event.kind is Kind.CALLBACK_DROPPED]


def test_it_waits_for_an_agent_and_is_taken_back() -> None:
    here = centre()
    call = promised(here)
    promise = only(here)
    assert (promise.number, promise.queue, promise.of) == ("300", "sales", call.id)
    assert (promise.state, promise.position, promise.next_at) == ("waiting", 1, None)
    assert (promise.failed, promise.attempts, promise.first) == (0, 2, "agent")
    assert here.now - 20 < promise.since < here.now
    cancel(here, "300")
    assert here.switch.promises() == []
    assert dropped(here) == ["cancelled by maria"]
    settled(here)


@pytest.mark.parametrize("first", ["agent", "caller"])
def test_while_it_is_called_and_between_two_attempts(first: First) -> None:
    here = centre(first)
    promised(here)
    here.log_in("201")
    here.settle()
    promise = only(here)
    assert (promise.state, promise.next_at) == ("calling", None)
    assert here.switch.calls[promise.call].stage in (Stage.QUEUE, Stage.RINGING)
    cancel(here, "300")
    assert not here.switch.calls and here.switch.promises() == []
    assert dropped(here) == ["cancelled by maria"]
    settled(here)


def test_between_two_attempts() -> None:
    here = centre("caller")
    promised(here)
    here.log_in("201")
    here.settle()
    here.phones["300"].refuse(here.phones["300"].legs[-1], 486)
    here.settle()
    promise = only(here)
    assert (promise.state, promise.failed) == ("later", 1)
    assert promise.next_at == pytest.approx(here.now + 60.0, abs=1.0)
    cancel(here, "300")
    assert dropped(here) == ["cancelled by maria"]
    settled(here)


def test_nobody_is_promised_anything() -> None:
    here = centre()
    with pytest.raises(LocalError, match="300 has no promise"):
        here.switch.cancel_promise("300", "maria", here.now)
