"""From the configuration to what calls want to know."""

from pathlib import Path

import pytest

from softswitch.app.settings import make_settings, make_thresholds
from softswitch.call.routing import Asked
from softswitch.call.settings import Settings, Target
from softswitch.config import Config, load
from softswitch.sdp.codecs import PCMA

TEXT = """
[sip]
guests = true
max_calls = 50

[media]
codecs = ["PCMA"]

[extensions.201]
name = "Anna"
password = "secret"
max_contacts = 2

[extensions.301]
contact = "sip:10.0.0.9:5070"

[agents.anna]
extension = "201"
queues = ["sales"]

[queues.sales]
record = true
service_level_s = 15
short_abandon_s = 3
max_wait_s = 60
overflow = "extension:201"
overflow_timeout = "hangup"

[peers.pbx]
address = ["10.0.0.2"]
target = "sip:10.0.0.2:5080"
max_calls = 4

[[routes]]
number = "600"
to = "queue:sales"
priority = 2
call_type = "orders"
guests = true

[[routes]]
number = "0*"
to = "peer:pbx"
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "cc.toml"
    path.write_text(TEXT)
    return load(path)


@pytest.fixture
def settings(config: Config) -> Settings:
    return make_settings(config, Path("/default.wav"))


def test_phones(settings: Settings) -> None:
    anna, fixed = settings.phones["201"], settings.phones["301"]
    assert (anna.name, anna.password, anna.contact, anna.max_contacts) == ("Anna", "secret", None, 2)
    assert str(fixed.contact) == "sip:301@10.0.0.9:5070", "the number is what it is called by"


def test_peers(settings: Settings) -> None:
    peer = settings.peers["pbx"]
    assert str(peer.number("+4311")) == "sip:+4311@10.0.0.2:5080" and peer.max_calls == 4
    assert settings.plan.peer_of("10.0.0.2") == "pbx" and settings.plan.peer_of("10.0.0.3") is None


def test_queues(config: Config, settings: Settings) -> None:
    care = settings.queues["sales"]
    assert care.music == ("/default.wav",) and care.record and care.short_abandon_s == 3
    assert care.overflow["timeout"] == Target("hangup"), "the particular before the general"
    assert care.overflow["full"] == Target("extension", "201")
    thresholds = make_thresholds(config)["sales"]
    assert (thresholds.service_level_s, thresholds.short_abandon_s) == (15, 3)


def test_the_dial_plan(settings: Settings) -> None:
    route = settings.plan.route(Asked("600", guest=True))
    assert route is not None
    assert (route.target, route.priority, route.call_type) == (Target("queue", "sales"), 2, "orders")
    assert settings.plan.route(Asked("0123", guest=True)) is None
    assert settings.plan.route(Asked("0123", guest=False)) is not None
    assert settings.plan.feature("600") is None


def test_the_rest(settings: Settings) -> None:
    assert settings.guests and settings.max_calls == 50 and settings.codecs == (PCMA,)
    assert settings.music == ("/default.wav",) and Path(settings.recordings).is_absolute()
    assert settings.say("logged-in") and not settings.say("no such phrase")
