"""Callers and their streams, in either order; every ask has one result."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from softswitch.speech.endpointing import END_FRAMES, FRAME_BYTES
from softswitch.speech.hearing import EXPECT_S, Hearing, Result

WORD = b"\1" * FRAME_BYTES * 10 + b"\0" * FRAME_BYTES * END_FRAMES


def first(utterance: bytes, phrases: Sequence[str]) -> tuple[str, float]:
    return phrases[0], 0.5


def hearing(at_once: int = 3) -> Hearing:
    return Hearing(first, lambda frame: frame[0] == 1, at_once)


def test_a_word_is_heard_whichever_comes_first() -> None:
    one = hearing()
    one.expect(7, ["yes"], 0.0)
    one.opened(1, 0.0)
    one.received(1, b"7\n" + WORD[:999])
    assert one.take_results() == [] and one.deadline() is None
    one.received(1, WORD[999:])
    assert one.take_results() == [Result(7, "yes", 0.5)] and one.take_closing() == [1]
    one.opened(2, 0.0)
    one.received(2, b"8")
    one.received(2, b"\n")
    one.expect(8, ["no"], 0.0)
    one.received(2, WORD)
    assert one.take_results() == [Result(8, "no", 0.5)]


def test_who_goes_is_told() -> None:
    one = hearing()
    one.expect(7, ["yes"], 0.0)
    one.opened(1, 0.0)
    one.received(1, b"7\n")
    one.closed(1)
    assert one.take_results() == [Result(7, error="the audio ended")]


def test_what_never_comes_is_given_up() -> None:
    one = hearing()
    one.expect(7, ["yes"], 0.0)
    one.opened(1, 1.0)
    assert one.deadline() == EXPECT_S
    one.handle_timer(EXPECT_S)
    assert one.take_results() == [Result(7, error="no audio came")]
    one.handle_timer(1.0 + EXPECT_S)
    assert one.take_closing() == [1] and one.deadline() is None


def test_a_crowd_and_strangers_are_refused() -> None:
    one = hearing(at_once=1)
    one.expect(1, ["yes"], 0.0)
    one.expect(2, ["yes"], 0.0)
    assert [(result.ask, bool(result.error)) for result in one.take_results()] == [(2, True)]
    for stream in (1, 2, 3):
        one.opened(stream, 0.0)
    assert one.take_closing() == [3]
    one.received(1, b"GET / HTTP/1.1\r\n")
    one.received(2, b"x" * 100)
    assert one.take_closing() == [1, 2]


@given(
    st.lists(
        st.tuples(st.sampled_from(["expect", "open", "line", "word", "close", "time"]), st.integers(1, 4)),
        max_size=60,
    )
)
def test_every_ask_has_one_result(story: list[tuple[str, int]]) -> None:
    one = hearing()
    now = 0.0
    asked = 0
    owner: dict[int, int] = {}
    expected: list[int] = []
    results: list[int] = []
    for what, number in story:
        match what:
            case "expect":
                asked += 1
                expected.append(asked)
                one.expect(asked, ["yes"], now)
            case "open" if number not in owner:
                owner[number] = 0
                one.opened(number, now)
            case "line" if owner.get(number) == 0 and asked:
                owner[number] = asked
                one.received(number, f"{asked}\n".encode())
            case "word":
                one.received(number, WORD)
            case "close" if owner.pop(number, None) is not None:
                one.closed(number)
            case "time":
                now += 2.0
                one.handle_timer(now)
        results += [result.ask for result in one.take_results()]
        for closing in one.take_closing():
            owner.pop(closing, None)
    for stream in list(owner):
        one.closed(stream)
    one.handle_timer(now + 10.0)
    results += [result.ask for result in one.take_results()]
    assert sorted(results) == expected and one.deadline() is None
