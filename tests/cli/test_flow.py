"""`cc flow` and `cc prompts`: menus are checked, drawn and walked through without a switch."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.audio import write_tone_wav

Cc = Callable[..., Any]
SVG = "{http://www.w3.org/2000/svg}"

CENTRE = """
language = "en"
[prompts]
cache = "cache"
directory = "sounds"
[extensions.201]
password = "anna-secret"
[agents.anna]
extension = "201"
queues = ["sales"]
[queues.sales]
[flows.main]
start = "hello"
[flows.main.nodes.hello]
type = "play"
prompt = ["jingle.wav", "Welcome to <Ada & Sons>."]
next = "by"
[flows.main.nodes.by]
type = "branch"
cases = [
    { when = { weekday = "sat-sun" }, to = "closed" },
    { when = { "queue.sales.waiting" = ">= 10" }, to = "closed" },
]
otherwise = "menu"
[flows.main.nodes.menu]
type = "menu"
prompt = { en = "For sales, press 1. For accounts, press 2.", ru = "Отдел продаж: 1. Счета: 2." }
keys = { 1 = "sales", 2 = "account", 3 = "flow:other", 9 = "@repeat", 0 = "@back" }
otherwise = "sales"
[flows.main.nodes.account]
type = "collect"
prompt = "Enter your account number."
into = "account"
min_digits = 4
next = "find"
[flows.main.nodes.find]
type = "lookup"
database = "shop"
sql = "SELECT balance FROM accounts WHERE number = :account"
found = "tell"
failed = "sales"
[flows.main.nodes.tell]
type = "play"
prompt = "You have {balance:money:EUR}."
next = "sales"
[flows.main.nodes.sales]
type = "queue"
queue = "sales"
call_type = "sales"
[flows.main.nodes.closed]
type = "hangup"
prompt = "We are closed."
[flows.other]
start = "away"
[flows.other.nodes.away]
type = "transfer"
target = "extension:201"
[databases.shop]
path = "shop.db"
[[routes]]
number = "600"
to = "flow:main"
[[routes]]
number = "601"
to = "flow:main"
language = "ru"
"""


@pytest.fixture
def centre(tmp_path: Path) -> Path:
    """A configuration with a look-up, calendars, two languages and a sound file."""
    import sqlite3

    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE accounts (number TEXT, balance TEXT)")
    (tmp_path / "sounds").mkdir()
    write_tone_wav(tmp_path / "sounds" / "jingle.wav", 500, 0.5, rate=16_000)
    file = tmp_path / "cc.toml"
    file.write_text(CENTRE)
    return file


def test_flows_that_are_right(cc: Cc, centre: Path) -> None:
    shown = cc("flow", "check", centre)
    assert (shown.code, shown.err) == (0, "")
    assert "2 flows with 9 nodes, all right" in shown.out
    assert "not made yet" in shown.out
    assert cc("flow", "check", centre, "--json").json == {
        "file": str(centre),
        "right": True,
        "flows": 2,
        "problems": [],
        "elsewhere": 0,
        "missing": [],
    }


def test_what_is_wrong_with_flows_is_told_and_the_rest_counted(cc: Cc, centre: Path) -> None:
    text = (
        centre.read_text().replace('found = "tell"', 'found = "tall"').replace('"jingle.wav"', '"none.wav"')
    )
    centre.write_text(text + "\n[queues.none]\nstrategy = 'nobody'\n")
    shown = cc("flow", "check", centre)
    assert shown.code == 2
    assert "did you mean 'tell'?" in shown.err
    assert "none.wav does not exist" in shown.err
    assert "nobody" not in shown.err
    assert "1 error elsewhere" in shown.err
    found = cc("flow", "check", centre, "--json")
    assert (found.code, found.json["right"], found.json["elsewhere"]) == (2, False, 1)
    assert all(problem["path"].startswith("flows.") for problem in found.json["problems"])


def test_a_sound_file_of_another_language_must_exist(cc: Cc, centre: Path) -> None:
    centre.write_text(
        centre.read_text().replace('ru = "Отдел продаж: 1. Счета: 2."', 'ru = "choose-ru.opus"')
    )
    shown = cc("flow", "check", centre)
    assert (shown.code, "choose-ru.opus does not exist; put it there" in shown.err) == (2, True)


def test_prompts_that_cannot_be_heard_are_missing(cc: Cc, centre: Path) -> None:
    (centre.parent / "sounds" / "jingle.wav").write_bytes(b"RIFF, but no more than that")
    centre.write_text(centre.read_text().replace('language = "ru"', 'language = "tr"'))
    shown = cc("flow", "check", centre)
    assert shown.code == 1
    assert "jingle.wav cannot be used" in shown.out
    assert (
        "flows.main.nodes.menu: 'For sales, press 1. For accounts, press 2.' has no text in 'tr'" in shown.out
    )
    missing = cc("prompts", "list", "--missing", "--json", "-c", centre)
    assert missing.code == 1
    assert {"no text", "to make"} <= {row["state"] for row in missing.json}


def test_the_picture(cc: Cc, centre: Path, tmp_path: Path) -> None:
    shown = cc("flow", "graph", "-c", centre, "-o", tmp_path / "all.svg")
    assert (shown.code, shown.out) == (0, f"{tmp_path}/all.svg: 2 flows with 9 nodes; open it in a browser\n")
    page = ET.fromstring((tmp_path / "all.svg").read_text(encoding="utf-8"))
    texts = ["".join(text.itertext()) for text in page.iter(f"{SVG}text")]
    assert {"hello play", "♪ jingle.wav", "“Welcome to <Ada & Sons>.”", "queue:sales", "9: again"} <= set(
        texts
    )
    assert {"1", "2", "3", "otherwise", "weekday 'sat-sun'"} <= set(texts)
    assert [link.get("href") for link in page.iter(f"{SVG}a")] == ["#flow-other"]
    assert {group.get("id") for group in page.iter(f"{SVG}g")} >= {"flow-main", "flow-other"}
    assert not list(page.iter(f"{SVG}script"))


def test_the_graph_as_json_and_on_the_standard_output(cc: Cc, centre: Path, tmp_path: Path) -> None:
    [chart] = cc("flow", "graph", "main", "--json", "-c", centre).json
    arrows = {(arrow["start"], arrow["end"]): arrow for arrow in chart["arrows"]}
    assert arrows["menu", "account"]["label"] == "2"
    assert arrows["menu", "account"]["silent"] is False
    assert arrows["hello", "by"]["silent"] is True
    assert not list(tmp_path.glob("*.svg"))
    assert ET.fromstring(cc("flow", "graph", "main", "-o", "-", "-c", centre).out).tag == f"{SVG}svg"
    assert cc("flow", "graph", "-c", centre).code == 0
    assert (tmp_path / "flows.svg").is_file()
    wrong = cc("flow", "graph", "mian", "-c", centre)
    assert (wrong.code, "did you mean 'main'?" in wrong.err) == (1, True)


def test_a_walk_with_keys_and_a_look_up(cc: Cc, centre: Path) -> None:
    monday = ("--at", "2026-11-23 12:00", "-c", centre)
    shown = cc("flow", "try", "main", "--keys", "7 2 1234#", "--answer", "balance=21.05", *monday)
    assert shown.code == 0
    lines = [line.strip() for line in shown.out.splitlines()]
    assert lines[:3] == ["main.hello", "♪ jingle.wav", "“Welcome to <Ada & Sons>.”"]
    assert lines.count("“For sales, press 1. For accounts, press 2.”") == 2
    assert "asks AskDatabase" in shown.out
    assert "“You have twenty-one euros and five cents.”" in lines
    assert lines[-1] == "= waits in the queue sales  (queue sales, call_type sales)"


def test_a_walk_as_json(cc: Cc, centre: Path) -> None:
    walked = cc(
        "flow", "try", "main", "--keys", "2 1234# ", "--json", "--at", "2026-11-23 12:00", "-c", centre
    ).json
    assert walked["path"] == ["main.hello", "main.by", "main.menu", "main.account", "main.find", "main.sales"]
    answer = next(step for step in walked["steps"] if step["what"] == "answer")
    assert answer["data"]["error"] == "no --answer was given"
    assert walked["steps"][-1]["what"] == "queue"
    assert walked["steps"][-1]["data"]["queue"] == "sales"


def test_the_day_the_queue_and_the_language_decide(cc: Cc, centre: Path) -> None:
    saturday = cc("flow", "try", "main", "--keys", "", "--at", "2026-11-21 12:00", "-c", centre).out
    assert "“We are closed.”" in saturday
    monday = ("--at", "2026-11-23 12:00", "-c", centre)
    full = cc("flow", "try", "main", "--keys", "", "--set", "queue.sales.waiting=12", *monday).out
    assert "main.closed  (case 1)" in full
    russian = cc("flow", "try", "main", "--keys", "3", "--set", "language=ru", *monday).out
    assert "“Отдел продаж: 1. Счета: 2.”" in russian
    assert russian.splitlines()[-1].startswith("= goes to extension:201")


def test_the_number_and_the_time_zone_decide(cc: Cc, centre: Path) -> None:
    text = centre.read_text().replace('language = "en"', 'language = "en"\ntime_zone = "Asia/Tokyo"', 1)
    text += '[clients.ada]\nnumbers = ["88001234567"]\nlanguage = "ru"\nto = "flow:main"\n'
    centre.write_text(text)
    tried = ("flow", "try", "main", "--keys", "", "-c", centre)
    assert "closed" in cc(*tried, "--at", "2026-11-20T18:00+00:00").out, "it is Saturday in Tokyo"
    assert "closed" not in cc(*tried, "--at", "2026-11-20 18:00").out
    assert "Отдел продаж" in cc(*tried, "--at", "2026-11-20 18:00", "--to", "88001234567").out


def test_a_silent_caller_comes_to_the_end(cc: Cc, centre: Path) -> None:
    shown = cc("flow", "try", "main", "--keys", "t", "--at", "2026-11-23 12:00", "-c", centre)
    assert shown.out.count("says and presses nothing") == 3
    assert "waits in the queue sales" in shown.out


def test_keys_and_answers_can_be_typed(cc: Cc, centre: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("x\n2\n1234#\nbalance=1\nq\n"))
    shown = cc("flow", "try", "main", "--at", "2026-11-23 12:00", "-c", centre)
    assert "'x' cannot be pressed" in shown.out
    assert "“You have one euro.”" in shown.out
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "hangs up" in cc("flow", "try", "main", "--at", "2026-11-23 12:00", "-c", centre).out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("main", "--keys", "1 x"), "'x' cannot be pressed"),
        (("main", "--set", "x"), "write NAME=VALUE"),
        (("main", "--at", "noon"), "--at 'noon' is no time"),
    ],
)
def test_wrong_usage_of_try(cc: Cc, centre: Path, arguments: tuple[str, ...], reason: str) -> None:
    shown = cc("flow", "try", *arguments, "-c", centre)
    assert shown.code == 2
    assert reason in shown.err


def test_try_of_a_flow_that_there_is_not(cc: Cc, centre: Path) -> None:
    shown = cc("flow", "try", "mian", "-c", centre)
    assert (shown.code, "did you mean 'main'?" in shown.err) == (1, True)


def test_prompts_are_listed_and_made(cc: Cc, centre: Path) -> None:
    rows = cc("prompts", "list", "--json", "-c", centre).json
    assert {row["state"] for row in rows} == {"to make"}
    texts = {row["text"]: row for row in rows}
    assert texts["We are closed."]["where"] == ["flows.main.nodes.closed"]
    assert texts["Отдел продаж: 1. Счета: 2."]["language"] == "ru"
    assert not any("{" in text for text in texts)
    assert [row["file"] for row in rows if row["file"]] == [str(centre.parent / "sounds" / "jingle.wav")]
    made = cc("prompts", "build", "--json", "-c", centre).json
    assert made["files"] == 1
    assert made["texts"] > len(rows)
    assert cc("prompts", "build", "-c", centre).out.startswith("Everything is there already")
    nothing = cc("prompts", "list", "--missing", "-c", centre)
    assert (nothing.code, nothing.out) == (0, "Nothing is missing.\n")
    own = cc("prompts", "list", "--own", "--json", "-c", centre).json
    assert any(row["where"] == ["switch"] for row in own)
    assert {row["state"] for row in own} == {"ready"}


def test_every_place_that_names_a_sound_file_is_listed(cc: Cc, centre: Path) -> None:
    sounds = centre.parent / "sounds"
    for name in ("music", "whisper", "greeting", "comfort"):
        write_tone_wav(sounds / f"{name}.wav", 500, 0.5)
    text = centre.read_text().replace(
        "[queues.sales]",
        "[queues.sales]\nmusic = 'sounds/music.wav'\nwhisper = 'whisper.wav'\ncomfort = 'comfort.wav'",
    )
    centre.write_text(text + '[mailboxes.desk]\ngreeting = "greeting.wav"\npin = "4711"\n')
    rows = {Path(row["file"]).name: row for row in cc("prompts", "list", "--json", "-c", centre).json}
    assert {name: row["where"] for name, row in rows.items() if name} == {
        "jingle.wav": ["flows.main.nodes.hello"],
        "music.wav": ["queues.sales.music"],
        "whisper.wav": ["queues.sales.whisper"],
        "greeting.wav": ["mailboxes.desk.greeting"],
        "comfort.wav": ["queues.sales.comfort"],
    }
    assert {Path(row["clip"]).parent.name for name, row in rows.items() if name} == {"files"}


def test_a_broken_sound_file_stops_the_making(cc: Cc, centre: Path) -> None:
    (centre.parent / "sounds" / "jingle.wav").write_bytes(b"\0" * 500)
    shown = cc("prompts", "build", "-c", centre)
    assert shown.code == 1
    assert "jingle.wav cannot be used" in shown.err
    assert "replace it" in shown.err
