"""Beginning and end of an utterance, in whatever pieces the audio comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from softswitch.speech.endpointing import (
    END_FRAMES,
    FRAME_BYTES,
    MAX_FRAMES,
    PREROLL_FRAMES,
    START_FRAMES,
    WINDOW_FRAMES,
    Endpointer,
)

SPEECH, SILENCE = b"\1" * FRAME_BYTES, b"\0" * FRAME_BYTES


def endpointer() -> Endpointer:
    return Endpointer(lambda frame: frame[0] == 1)


def test_an_utterance_has_what_came_before_it_and_ends_in_silence() -> None:
    one = endpointer()
    assert one.put(SILENCE * 50 + SPEECH * 10 + SILENCE * (END_FRAMES - 1)) is None
    utterance = one.put(SILENCE)
    assert utterance is not None
    before = PREROLL_FRAMES + WINDOW_FRAMES - START_FRAMES
    assert utterance == SILENCE * before + SPEECH * 10 + SILENCE * END_FRAMES


def test_a_click_is_no_speech() -> None:
    one = endpointer()
    for _ in range(20):
        assert one.put(SPEECH * (START_FRAMES - 1) + SILENCE * 100) is None


def test_a_pause_between_words_is_no_end() -> None:
    one = endpointer()
    assert one.put(SPEECH * 10 + SILENCE * (END_FRAMES - 2) + SPEECH) is None
    utterance = one.put(SILENCE * END_FRAMES)
    assert utterance is not None and utterance.count(SPEECH) == 11


def test_who_never_stops_is_cut() -> None:
    one = endpointer()
    utterance = one.put(SPEECH * 2 * MAX_FRAMES)
    assert utterance is not None and len(utterance) == MAX_FRAMES * FRAME_BYTES


@given(st.lists(st.booleans(), max_size=120), st.integers(1, 999))
def test_the_pieces_do_not_matter(frames: list[bool], size: int) -> None:
    audio = b"".join(SPEECH if speech else SILENCE for speech in frames) + SILENCE * END_FRAMES
    at_once, in_pieces = endpointer().put(audio), None
    one = endpointer()
    for at in range(0, len(audio), size):
        in_pieces = in_pieces or one.put(audio[at : at + size])
    assert in_pieces == at_once
