"""What an agent hears and sees of a caller: the templates."""

from __future__ import annotations

import pytest

from softswitch.call.whisper import Whisper, display, pieces, unknown_variables


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A call.", ("A call.",)),
        ("{call_type}", ("{call_type}",)),
        ("{call_type}, from {caller}.", ("{call_type}", "from", "{caller}")),
        ("For {queue}: {call_type}", ("For sales", "{call_type}")),
        ("  , ", ()),
    ],
)
def test_a_text_is_cut_at_its_variables(text: str, expected: tuple[str, ...]) -> None:
    assert pieces(text, "sales") == expected


def test_what_has_no_clip_is_left_out() -> None:
    whisper = Whisper(("/for.wav", "{call_type}", "{caller}"), {"orders": "/orders.wav"}, {"4": "/4.wav"})
    assert whisper.clips("orders", "+44") == ("/for.wav", "/orders.wav", "/4.wav", "/4.wav")
    assert whisper.clips("a stranger's", "") == ("/for.wav",)
    assert len(Whisper(("{caller}",), {}, {"4": "/4.wav"}).clips("", "4" * 200)) == 15


def test_unknown_variables() -> None:
    assert unknown_variables("{call_type} {queue} {caller}") == []
    assert unknown_variables("{calltype} and {") == ["{calltype}", "{"]


@pytest.mark.parametrize(
    ("template", "call_type", "caller", "expected"),
    [
        ("{call_type}: {caller}", "orders", "Max", "orders: Max"),
        ("{call_type}: {caller}", "", "Max", "Max"),
        ("{call_type}: {caller}", "orders", "", "orders"),
        ("{caller} ({queue})", "", "{queue}", "{queue} (sales)"),
        ("{call_type}", "a\x07b", "", "a?b"),
    ],
)
def test_display(template: str, call_type: str, caller: str, expected: str) -> None:
    assert display(template, call_type=call_type, queue="sales", caller=caller) == expected
