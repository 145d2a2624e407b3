"""A caller is listened to in a menu: his leg goes live to a recogniser, and what he has said counts."""

from __future__ import annotations

from ivr.flow import Flow
from ivr.messages import Prompt
from ivr.nodes import BUILT_IN
from ivr.nodes.listen import Hear
from media import messages as m
from softswitch.call.call import Stage
from tests.support.centre import Centre


def centre(ears: tuple[str, ...] = ("/ear0", "/ear1")) -> Centre:
    nodes = {
        "ask": BUILT_IN["listen"].model_validate(
            {
                "prompt": (Prompt(text="Yes or no?"),),
                "words": {"yes": "sales", "no": "bye"},
                "keys": {"1": "sales"},
                "timeout_s": 3,
                "retries": 0,
                "otherwise": "bye",
            }
        ),
        "sales": BUILT_IN["queue"].model_validate({"queue": "sales"}),
        "bye": BUILT_IN["hangup"].model_validate({}),
    }
    made = Centre(more={"flows": {"main": Flow("main", "ask", nodes, "en")}, "ears": ears})
    made.phones["300"].call("600")
    made.advance(0.1)
    return made


def answer(made: Centre, ask: int, error: str = "", **values: str) -> None:
    made._carry_out(made.switch.answered(ask, values, error, made.now))
    made.settle()


def test_he_is_heard_and_goes_to_the_queue() -> None:
    one = centre()
    (asked,) = one.asked
    assert isinstance(asked.request, Hear)
    recording = one.workers[1].recordings[-asked.ask]
    assert recording.path == f"live:/ear{asked.ask % 2}#{asked.ask}"
    assert recording.left == recording.right == one.call.leg.id
    answer(one, asked.ask, phrase="yes", confidence="0.8")
    assert one.call.stage is Stage.QUEUE
    one.phones["300"].hang_up(one.phones["300"].legs[0])
    one.advance(5)
    one.check_empty()


def test_a_key_ends_the_listening() -> None:
    one = centre()
    one.key(one.call, "1")
    assert one.call.stage is Stage.QUEUE and not one.workers[1].recordings


def test_the_end_of_the_call_ends_it_too() -> None:
    one = centre()
    one.phones["300"].hang_up(one.phones["300"].legs[0])
    one.advance(5)
    assert not one.workers[1].recordings
    one.check_empty()


def test_silence_ends_it() -> None:
    one = centre()
    one.play_out(one.call)
    one.advance(10)
    assert not one.workers[1].recordings and not one.switch.calls


def test_a_stream_that_cannot_begin_is_not_waited_for() -> None:
    one = centre()
    (asked,) = one.asked
    path = one.workers[1].recordings.pop(-asked.ask).path
    one.media_event(m.RecordFailed(-asked.ask, path, "no such socket"))
    one.settle()
    (warning,) = one.warnings
    assert warning.text == "a menu got no answer" and "no such socket" in dict(warning.fields)["reason"]
    one.key(one.call, "1")
    assert one.call.stage is Stage.QUEUE
    one.media_event(m.RecordFailed(-asked.ask, path, "once more"))
    assert len(one.warnings) == 1, "nobody asks any more"


def test_without_recognisers_the_keys_remain() -> None:
    one = centre(ears=())
    assert not one.asked and not one.workers[1].recordings
    assert [warning.text for warning in one.warnings] == ["a menu got no answer"]
    one.key(one.call, "1")
    assert one.call.stage is Stage.QUEUE
