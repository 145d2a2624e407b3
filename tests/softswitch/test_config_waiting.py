"""How callers wait, in the configuration: what the distributor and calls get of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from acd.rules import CallbackRules, ExitKey
from softswitch.app.settings import make_settings
from softswitch.call.routing import Asked
from softswitch.config import Config, ConfigErrors, load

CENTRE = """
[numbers]
country = "7"
trunk = "8"

[peers.carrier]
address = "192.0.2.1"
target = "sip:192.0.2.1"

[extensions.200]
password = "x"

[queues.sales]
ageing_s = 60
required = { sales = 2 }
preferred = { gold = 1 }
level_after_s = [10, 30]
agent_wait_s = 7
last_agent_within_s = 3600
estimate_from = 5
comfort = ["Thank you for waiting."]
exits = { 0 = "extension:200", "*" = "queue:sales", 9 = "callback" }
exits_after_s = 2
return_within_s = 300
overflow = "extension:200"
overflow_closed = "hangup"

[queues.sales.callback]
after_s = 40
via = "carrier"
first = "caller"
hours = ["09:00-18:30", "22:00-02:00"]

[agents.anna]
extension = "200"
queues = ["sales"]

[callers.vip]
numbers = ["+7 (495) 123-45-67"]
file = "vip.csv"
priority = 5
max_wait_s = 30
required = { gold = 1 }
language = "ru"

[callers.blocked]
numbers = ["666"]
blocked = true

[[routes]]
number = "700"
to = "agent:anna"
fallback = "queue:sales"
agent_wait_s = 5
language = "tr"
"""


def write(directory: Path, text: str) -> Path:
    (directory / "vip.csv").write_text("name,number\nAnna,8 800 555-35-35\n# none,1\nBob,+49301234\n")
    path = directory / "cc.toml"
    path.write_text(text)
    return path


@pytest.fixture
def centre(tmp_path: Path) -> Config:
    return load(write(tmp_path, CENTRE))


def test_what_the_distributor_gets(centre: Config) -> None:
    rules = centre.acd_rules()["sales"]
    assert (rules.ageing_s, rules.required, rules.preferred) == (60.0, {"sales": 2}, {"gold": 1})
    assert (rules.level_after_s, rules.agent_wait_s, rules.estimate_from) == ((10.0, 30.0), 7.0, 5)
    assert rules.exit_keys == {
        "0": ExitKey("extension:200", 2.0),
        "*": ExitKey("queue:sales", 2.0),
        "9": ExitKey("callback", 40.0),
    }
    assert rules.return_s == 300.0 and len(rules.comfort) == 1
    assert rules.callback == CallbackRules(3, 300.0, ((32_400.0, 66_600.0), (79_200.0, 7_200.0)))


def test_what_calls_get(centre: Config, tmp_path: Path) -> None:
    settings = make_settings(centre, tmp_path / "music.wav")
    vip = settings.statuses.of("84951234567")
    assert (vip.name, vip.priority, vip.max_wait_s, vip.language) == ("vip", 5, 30.0, "ru")
    assert settings.statuses.of("+78005553535") is vip and settings.statuses.of("0049301234") is vip
    assert settings.statuses.of("666").blocked and not settings.statuses.of("1").name
    care = settings.queues["sales"]
    assert care.callback is not None and (care.callback.key, care.callback.offer_s) == ("9", 40.0)
    assert (care.callback.via, care.callback.first) == ("carrier", "caller")
    assert str(care.overflow["closed"]) == "hangup" and str(care.overflow["full"]) == "extension:200"
    route = settings.plan.route(Asked("700", guest=False))
    assert route is not None and str(route.target) == "agent:anna" and str(route.fallback) == "queue:sales"
    assert (route.agent_wait_s, route.language) == (5.0, "tr")
    assert set(settings.phrases_in) == {"en", "ru", "tr"} and settings.agent_queues == {"anna": "sales"}
    assert settings.say("wait-5", "tr") != settings.say("wait-5", "ru") != settings.say("wait-5")


def test_the_comfort_messages_are_spoken_ahead(centre: Config) -> None:
    assert "Thank you for waiting." in {prompt.text for prompt in centre.all_prompts()}


@pytest.mark.parametrize(
    ("old", "new", "place", "telling"),
    [
        ('0 = "extension:200"', '0 = "extension:299"', "queues.sales.exits.0", "there is no extension '299'"),
        ('0 = "extension:200"', 'X = "extension:200"', "queues.sales.exits.X", "not a key of a telephone"),
        ('0 = "extension:200"', '0 = "callback"', "queues.sales.exits.9", "0 is the key of the callback"),
        ('via = "carrier"', 'via = "other"', "queues.sales.callback.via", "there is no peer 'other'"),
        ('"09:00-18:30"', '"9 to 5"', "queues.sales.callback.hours.0", "not a time of the day"),
        ("[10, 30]", "[30, 10]", "queues.sales.level_after_s", "times that rise"),
        ('file = "vip.csv"', 'file = "gone.csv"', "callers.vip.file", "cannot be read"),
        ('numbers = ["666"]', 'numbers = ["84951234567"]', "callers.blocked.numbers", "callers.vip already"),
        ('numbers = ["666"]\n', "", "callers.blocked", "it names nobody"),
        ('language = "tr"', 'language = "fr"', "routes.0.language", "no announcements in 'fr'"),
        ('to = "agent:anna"', 'to = "agent:boris"', "routes.0.to", "there is no agent 'boris'"),
        ('to = "agent:anna"', 'to = "agent:anna/none"', "routes.0.to", "there is no queue 'none'"),
        ('to = "agent:anna"', 'to = "queue:sales"', "routes.0.fallback", "only a route to an agent"),
        ('to = "agent:anna"', 'to = "callback"', "routes.0.to", "for those who wait"),
        ('fallback = "queue:sales"', 'fallback = "queue:none"', "routes.0.fallback", "there is no queue"),
        ('queues = ["sales"]', "queues = []", "routes.0.to", "is in no queue"),
        (
            'overflow_closed = "hangup"',
            'overflow_closed = "queue:x"',
            "queues.sales.overflow_closed",
            "no queue",
        ),
        ('country = "7"', 'country = "seven"', "numbers.country", "match"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, place: str, telling: str) -> None:
    assert old in CENTRE
    with pytest.raises(ConfigErrors) as caught:
        load(write(tmp_path, CENTRE.replace(old, new)))
    found = {problem.path: problem for problem in caught.value.problems}
    assert place in found, found
    assert telling in found[place].message and found[place].line
