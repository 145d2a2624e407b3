"""Agents in the configuration: their skills, phones, numbers and PINs; pauses with limits; whispers."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.messages import Prompt
from softswitch.app.settings import make_settings
from softswitch.config import Config, ConfigErrors, Feature, load

CENTRE = """
[peers.cell]
address = "192.0.2.1"
target = "sip:192.0.2.1"
[extensions.201]
password = "x"
[queues.sales]
whisper = ["beep", "For {queue}, {call_type}, from {caller}."]
display = "{queue} {caller}"
[agents.anna]
extension = "201"
queues = ["sales"]
skills = { english = 3 }
weight = 2
wrapup_s = 4
number = "7"
pin = "1234"
[agents.boris]
phone = "peer:cell/+41795550100"
queues = ["sales"]
[[routes]]
number = "601"
to = "queue:sales"
call_type = "orders"
[pauses]
reasons = { break = 900, lunch = 0 }
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cc.toml"
    path.write_text(text)
    return path


@pytest.fixture
def centre(tmp_path: Path) -> Config:
    return load(write(tmp_path, CENTRE))


def test_what_the_distributor_gets(centre: Config) -> None:
    anna, boris = centre.acd_agents()
    assert (anna.skills, anna.weight, anna.wrapup_s) == ({"english": 3}, 2.0, 4.0)
    assert (boris.skills, boris.weight, boris.wrapup_s) == ({}, 1.0, None)
    assert centre.pause_limits_s() == {"break": 900.0}


@pytest.mark.parametrize(
    ("number", "feature"),
    [
        ("*117", Feature("login", "anna")),
        ("*118", None),
        ("7", None),
        ("*141", Feature("pause", "break")),
        ("*143", None),
    ],
)
def test_numbers_of_agents(centre: Config, number: str, feature: Feature | None) -> None:
    assert centre.feature(number) == feature


def test_a_whisper_is_spoken_ahead_piece_by_piece(centre: Config, tmp_path: Path) -> None:
    spoken = {prompt.text for prompt in centre.all_prompts()}
    assert spoken == {"For sales", "from", "orders"}
    settings = make_settings(centre, tmp_path / "music.wav")
    care = settings.queues["sales"]
    assert care.display == "{queue} {caller}" and care.whisper is not None
    clips = care.whisper.clips("orders", "42")
    clip = centre.catalogue.clip
    assert clips == ("tone:beep", *(clip(Prompt(text=t)) for t in ("For sales", "orders", "from", "4", "2")))


def test_what_the_switch_knows_of_agents(centre: Config, tmp_path: Path) -> None:
    agents = make_settings(centre, tmp_path / "music.wav").agents
    assert agents["boris"].outside == "peer:cell/+41795550100" and agents["boris"].confirm
    assert agents["anna"].outside == "" and agents["anna"].pin == "1234"
    assert "1234" not in repr(centre.agents)


AGENT = "[agents.anna]\nqueues = []\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (AGENT + 'phone = "extension:201"', "agents.anna.phone: 'extension:201' is not a phone outside"),
        (AGENT + 'phone = "peer:cell/1"', "agents.anna.phone: there is no peer 'cell'"),
        (AGENT + 'pin = "1234"', "agents.anna.pin: a PIN is asked for at log-ins by number"),
        (AGENT + 'number = "7"\npin = "12"', "agents.anna.pin: a PIN has 3 to 16 digits"),
        (AGENT + 'number = "7a"', "agents.anna.number: '7a' cannot stand here: digits"),
        (
            AGENT + 'number = "7"\n[agents.boris]\nnumber = "7"',
            "agents.boris.number: 7 is the number of 'anna' already",
        ),
        (
            AGENT + 'number = "41"\n[feature_codes]\nlogin = "*1"',
            "agents.anna.number: *141 would log him in, and is a pause code with its reason",
        ),
        (
            AGENT + 'number = "1"\n[feature_codes]\nlogin = "*1"\nready = "*11"',
            "agents.anna.number: *11 would log him in, and is the code of 'ready'",
        ),
        (
            AGENT + 'number = "7"\n[extensions."*117"]\npassword = "x"',
            "extensions.*117: is a feature code too",
        ),
        ('[queues.sales]\nwhisper = "{caler}"', "queues.sales.whisper: {caler} is no variable"),
        ('[queues.sales]\ndisplay = "{0}"', "queues.sales.display: {0} is no variable"),
        ("[pauses]\nreasons = { lunch = -1 }", "pauses.reasons.lunch: "),
    ],
)
def test_faults(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigErrors) as found:
        load(write(tmp_path, text))
    (one,) = [f"{each.path}: {each.message}" for each in found.value.problems]
    assert problem in one and "1234" not in one
