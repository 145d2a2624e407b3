"""The vocabulary of the log: every kind has its keys. `Centre` looks whether each event has its own."""

from __future__ import annotations

from acd.events import DATA_KEYS, QUEUE_EXITS, TALK_ENDS, Kind


def test_every_kind_has_its_keys() -> None:
    assert set(DATA_KEYS) == set(Kind)


def test_what_ends_a_wait_tells_how_long_it_was() -> None:
    for kind in QUEUE_EXITS:
        assert {"wait_s", "position", "entry_position"} <= set(DATA_KEYS[kind])


def test_what_ends_a_talk_tells_how_long_it_was() -> None:
    for kind in TALK_ENDS:
        assert {"wait_s", "talk_s", "hold_s"} <= set(DATA_KEYS[kind])
    assert not TALK_ENDS & QUEUE_EXITS
