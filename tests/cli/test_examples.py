"""The five centres of `examples/` without a phone: they are right, their menus lead where they should, and
together they use every type of node.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from softswitch import plugins
from softswitch.config import load
from tests.support.example import CENTRES, EXAMPLES, copied, runner

Cc = Callable[..., Any]


def done(result: Any, code: int = 0) -> Any:
    """The result, if the command ended so."""
    assert result.code == code, result
    return result


def test_these_are_all() -> None:
    assert runner().names() == list(CENTRES)


@pytest.mark.parametrize("name", CENTRES)
def test_the_configuration_is_right(name: str, cc: Cc, tmp_path: Path) -> None:
    config = str(copied(name, tmp_path) / "cc.toml")
    done(cc("check", config))
    answer = done(cc("flow", "check", config, "--json")).json
    assert answer["right"] and not answer["problems"] and not answer["missing"]
    page = tmp_path / "menus.svg"
    done(cc("flow", "graph", "-c", config, "-o", str(page)))
    assert "<svg" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CENTRES)
def test_no_path_of_a_machine(name: str) -> None:
    """A copy of the folder runs anywhere."""
    for file in (EXAMPLES / name).iterdir():
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            assert "/home/" not in text and "/work/" not in text and "/var/" not in text.replace("var/", "")


def test_every_type_of_node_is_used() -> None:
    used = {
        type(node)
        for name in CENTRES
        for flow in load(EXAMPLES / name / "cc.toml").menus.values()
        for node in flow.nodes.values()
    }
    assert {name for name, kind in plugins.nodes().items() if kind not in used} == set()


BAKER = (
    "Baker has time on Wednesday, the twenty-fifth of November, at two fifteen p.m.: would you like "
    "that? Say yes or no, or press 1 for yes, 2 for no."
)
WALKS = {
    "shop: where is it": (
        ("shop", "main", "--keys", "1 1 1002 0"),
        ("state=sent day=2026-11-20 items=5 parcel=P7", "delivery.day=2026-11-24"),
        "Tuesday, the twenty-fourth of November",
        {"queue": "orders", "call_type": "order 1002"},
    ),
    "shop: the carrier does not answer": (
        ("shop", "main", "--keys", "1 1 1002 0"),
        ("state=sent day=2026-11-20 items=5 parcel=P7", "fail:too late"),
        "five",
        {"queue": "orders"},
    ),
    "shop: cancelled": (
        ("shop", "main", "--keys", "1 2 1 1001 1"),
        ("state=new total=49.90", "told=yes"),
        "Order one zero zero one is cancelled. Good bye.",
        {"cause": "completed"},
    ),
    "bank: in Russian, the second PIN fits": (
        ("bank", "main", "--keys", "2 1 10020 0000 1 10020 0815 0"),
        ("none", "balance='21521.05 RUB' paid='2000 RUB' paid_on=2026-11-21"),
        "двадцать одна тысяча пятьсот двадцать один рубль пять копеек",
        {"queue": "clerks-ru", "call_type": "account 10020, ru"},
    ),
    "bank: three wrong PINs": (
        ("bank", "main", "--keys", "1 1 10010 1111 1 10010 2222 1 10010 3333"),
        ("none", "none", "none"),
        "One moment please.",
        {"queue": "clerks", "call_type": "account 10010"},
    ),
    "clinic: the second offer": (
        ("clinic", "main", "--at", "2026-11-23 12:00", "--keys", "1 1"),
        (
            "none",
            "day=2026-11-25 time=10:30 doctor=Adams",
            "no",
            "day=2026-11-25 time=14:15 doctor=Baker",
            "yes",
        ),
        BAKER,
        {"queue": "reception", "call_type": "book dentist 2026-11-25 14:15"},
    ),
    "clinic: one's own nurse": (
        ("clinic", "main", "--at", "2026-11-23 12:00", "--from", "02079460019", "--keys", "2"),
        ("name='John Smith' nurse=henry",),
        "We look for your nurse.",
        {"target": "agent:henry/reception", "call_type": "patient John Smith"},
    ),
    "clinic: nobody answers on Christmas": (
        ("clinic", "main", "--at", "2026-12-25 12:00", "--keys", "1 07700900456# 1"),
        ("callback=promised",),
        "Thank you. We will call you back.",
        {"cause": "completed"},
    ),
    "clinic: the line is long": (
        ("clinic", "reception", "--set", "queue.reception.waiting=7", "--keys", "2"),
        (),
        "There are seven callers before you. To be called back, press 1. To wait, press 2.",
        {"queue": "reception"},
    ),
    "outsourcer: a client of ours in Romanian": (
        ("outsourcer", "client", "--to", "7107", "--keys", "1"),
        (),
        "Bine ați venit la Crama Veche.",
        {"target": "queue:general", "call_type": "order"},
    ),
    "outsourcer: whom he wants is found out": (
        ("outsourcer", "which", "--to", "7000", "--keys", "7104 2"),
        (),
        "Здравствуйте. Чайный дом.",
        {"target": "queue:general-ru", "call_type": "question"},
    ),
    "outsourcer: nobody of ours": (
        ("outsourcer", "which", "--to", "7000", "--keys", "9999"),
        (),
        "We do not know nine nine nine nine.",
        {"queue": "general"},
    ),
    "outsourcer: a client with a menu of his own": (
        ("outsourcer", "client", "--to", "020 7946 0103", "--keys", "2 417"),
        (),
        "Please enter the number of your room.",
        {"queue": "general", "priority": 5, "call_type": "room 417"},
    ),
    "hotline: help at night for those who pay": (
        ("hotline", "night", "--keys", "1 245678"),
        (),
        "We call the engineer on duty.",
        {"target": "peer:carrier/07700900123", "call_type": "contract 245678"},
    ),
    "hotline: no contract, a message": (
        ("hotline", "night", "--at", "2026-12-24 23:00", "--keys", "1 111111 222222"),
        (),
        "Merry Christmas.",
        {"target": "voicemail:hotline"},
    ),
}


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
def test_walks(walk: tuple[tuple[str, ...], tuple[str, ...], str, dict[str, Any]], cc: Cc) -> None:
    """What is heard on the way, and where it ends."""
    (name, flow, *options), answers, heard, end = walk
    given = [part for answer in answers for part in ("--answer", answer)]
    config = str(EXAMPLES / name / "cc.toml")
    steps = done(cc("flow", "try", flow, *options, *given, "-c", config, "--json")).json["steps"]
    assert heard in [step["text"] for step in steps if step["what"] == "hears"]
    assert end.items() <= steps[-1]["data"].items(), steps[-1]


JONES, PARTNER, ANYBODY = "020 7946 0018", "+442079460955", "07700900456"
CALLS = [
    ("monday at noon", ANYBODY, "2026-11-23 12:00", "day", "flow:day"),
    ("friday, later than on other days", ANYBODY, "2026-11-27 17:00", "night", "flow:night"),
    ("one minute after the end", ANYBODY, "2026-11-23 18:00", "night", "flow:night"),
    ("Christmas", ANYBODY, "2026-12-25 12:00", "night", "flow:night"),
    ("Christmas Eve, open until noon", ANYBODY, "2026-12-24 11:59", "day", "flow:day"),
    ("New Year's Eve", ANYBODY, "2026-12-31 23:30", "night", "flow:night"),
    ("Sunday night", ANYBODY, "2026-11-22 23:30", "maintenance", "flow:maintenance"),
    ("after midnight it goes on", ANYBODY, "2026-11-23 00:30", "maintenance", "flow:maintenance"),
    ("a VIP even then", JONES, "2026-11-23 00:30", "vips", "agent:olga"),
    ("a VIP by day", JONES, "2026-11-23 12:00", "vips", "agent:olga"),
    ("a partner by day", PARTNER, "2026-11-23 12:00", "day", "flow:day"),
    ("a partner at night", PARTNER, "2026-11-24 03:00", "partners at night", "peer:carrier/07700900123"),
]


@pytest.mark.parametrize(
    ("caller", "at", "rule", "to"), [one[1:] for one in CALLS], ids=[one[0] for one in CALLS]
)
def test_the_hotline_by_night_and_day(caller: str, at: str, rule: str, to: str, cc: Cc) -> None:
    config = str(EXAMPLES / "hotline" / "cc.toml")
    question = ("--from", caller, "--to", "700", "--at", at, "--offline", "-c", config)
    answer = done(cc("route", "try", *question, "--json")).json
    assert (answer["rule"], answer["to"]) == (rule, to)


def test_the_hotline_says_why(cc: Cc) -> None:
    config = ("--offline", "-c", str(EXAMPLES / "hotline" / "cc.toml"))
    question = ("--from", PARTNER, "--to", "700", "--at", "2026-12-25 12:00")
    lines = done(cc("route", "try", *question, *config)).out.splitlines()
    assert "at       2026-12-25 12:00:00+00:00" in lines
    assert any("day (700 to flow:day): calendar 'office' does not hold" in line for line in lines)
    assert lines[-1] == "goes to peer:carrier/07700900123: by partners at night"
    blocked = done(cc("route", "try", "--from", "02079460666", "--to", "700", *config), 1)
    assert blocked.out.splitlines()[-1].startswith("refused with 603") and "blocked" in blocked.out
