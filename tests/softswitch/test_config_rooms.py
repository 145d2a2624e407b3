"""Conferences, and who may supervise, in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from softswitch.app.settings import make_settings
from softswitch.call.settings import Target
from softswitch.config import Config, ConfigErrors, Feature, load

GOOD = """
[extensions.201]
password = "x"
[extensions.300]
password = "x"
supervises = ["sales"]
[extensions.301]
password = "x"
supervises = ["*"]
[queues.sales]
overflow = "conference:team"
[conferences.team]
pin = "4711"
moderator_pin = "90125"
max_members = 20
beep = false
record = true
[conferences.board]
music = false
[flows.main]
start = "room"
[flows.main.nodes.room]
type = "transfer"
target = "conference:board"
[[routes]]
number = "700"
to = "conference:team"
"""


def read(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "cc.toml"
    file.write_text(text)
    return load(file)


def errors(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path, text)
    return str(caught.value)


def test_what_calls_are_told(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    settings = make_settings(config, Path("/music.wav"))
    team, board = settings.conferences["team"], settings.conferences["board"]
    assert (team.pin, team.moderator_pin, team.max_members, team.beep, team.record) == (
        "4711",
        "90125",
        20,
        False,
        True,
    )
    assert len(team.music) == 1 and board.music == () and board.pin == ""
    assert settings.phones["300"].supervises == ("sales",)
    route = config.route("700")
    assert route is not None and route.to == Target("conference", "team")
    assert settings.has(Target("conference", "board")) and not settings.has(Target("conference", "x"))
    assert settings.add_code == "*3"
    assert "4711" not in repr(config)


@pytest.mark.parametrize(
    ("number", "feature"),
    [
        ("*31201", Feature("listen", "201")),
        ("*32201", Feature("whisper", "201")),
        ("*33300", Feature("barge", "300")),
        ("*31", None),
        ("*31999", None),
        ("*34201", None),
    ],
)
def test_codes(tmp_path: Path, number: str, feature: Feature | None) -> None:
    assert read(tmp_path, GOOD).feature(number) == feature


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        (
            '"sales"]',
            '"sails"]',
            "extensions.300.supervises",
            "there is no queue 'sails'",
        ),
        ('"90125"', '"4711"', "conferences.team.moderator_pin", "it is the PIN of everybody"),
        (
            '"conference:team"\n[conf',
            '"conference:tema"\n[conf',
            "queues.sales.overflow",
            "no conference 'tema'",
        ),
        ("max_members = 20", "max_members = 1", "conferences.team.max_members", "2"),
        ('pin = "4711"', 'pin = "abc"', "conferences.team.pin", "digits"),
        ("conference:board", "conference:bored", "flows.main.nodes.room.target", "no conference 'bored'"),
        ('to = "conference:team"', 'to = "conference"', "routes.0.to", "conference:NAME"),
    ],
)
def test_mistakes_are_told_with_their_place(
    tmp_path: Path, old: str, new: str, where: str, what: str
) -> None:
    assert old in GOOD
    told = errors(tmp_path, GOOD.replace(old, new, 1))
    assert where in told and what in told
