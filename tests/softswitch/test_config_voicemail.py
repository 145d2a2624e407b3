"""Mailboxes, mail and overflows in steps in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from softswitch.app.settings import make_boxes, make_settings
from softswitch.call.settings import Target
from softswitch.config import Config, ConfigErrors, load

GOOD = """
[extensions.201]
password = "x"
voicemail = "anna"
[extensions.202]
password = "x"
[mailboxes.anna]
pin = "1234"
greeting = "Hello."
language = "ru"
email = "anna@example.org"
extensions = ["202"]
[mailboxes.205]
[mail]
host = "mail.example.org"
sender = "switch@example.org"
[queues.sales]
overflow = "extension:202"
overflow_then = ["voicemail:anna", "hangup"]
[flows.main]
start = "box"
[flows.main.nodes.box]
type = "voicemail"
mailbox = "anna"
[[routes]]
number = "700"
to = "voicemail:anna"
"""


def read(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "cc.toml"
    file.write_text(text)
    return load(file)


def errors(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path, text)
    return str(caught.value)


def test_what_the_switch_is_told(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    boxes = make_boxes(config)
    anna = boxes["anna"]
    assert anna.extensions == ("201", "202") and anna.pin == "1234" and anna.mail
    assert [(prompt.text, prompt.language) for prompt in anna.greeting] == [("Hello.", "ru")]
    assert boxes["205"].extensions == () and not boxes["205"].mail
    settings = make_settings(config, tmp_path / "music.wav")
    assert settings.phones["201"].voicemail == "anna"
    care = settings.queues["sales"]
    assert care.overflow["timeout"] == Target("extension", "202")
    assert care.then["timeout"] == (Target("voicemail", "anna"), Target("hangup"))
    assert settings.voicemail.directory == str(tmp_path / "var/voicemail")
    assert "ru" in config.languages and config.mail.real_port == 587
    assert any(prompt.text == "Hello." for prompt in config.all_prompts())


def test_the_feature_code(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    assert config.feature("*98") == ("voicemail", "")
    assert config.feature("*98205") == ("voicemail", "205")
    assert config.feature("*98999") is None
    assert config.feature("205") is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('voicemail = "anna"', 'voicemail = "ana"'), "extensions.201.voicemail: there is no mailbox 'ana'"),
        (('mailbox = "anna"', 'mailbox = "ana"'), "there is no mailbox 'ana'"),
        (('to = "voicemail:anna"', 'to = "voicemail:x"'), "there is no mailbox 'x'"),
        (('["voicemail:anna", "hangup"]', '["voicemail:x"]'), "overflow_then.0: there is no mailbox 'x'"),
        (('overflow = "extension:202"\n', ""), "there is no overflow before it"),
        (('extensions = ["202"]', 'extensions = ["203"]'), "there is no extension '203'"),
        (('pin = "1234"', 'pin = "12ab"'), "a PIN has 3 to 16 digits"),
        (('"anna@example.org"', '"anna example"'), "is not a mail address"),
        (('sender = "switch@example.org"', ""), "mails need a sender"),
        (('host = "mail.example.org"', 'host = "a b"'), "is not the name or the address of a mail server"),
        (('language = "ru"', 'language = "xx"'), "no announcements in 'xx'"),
        (('greeting = "Hello."', 'greeting = "no.wav"'), "does not exist"),
        (('pin = "1234"', 'pin = "1234"\nmin_message_s = 30\nmax_message_s = 20'), "must be below"),
        (('host = "mail', 'security = "none"\nuser = "x"\nhost = "mail'), "in the clear"),
        (("[mail]", "[male]"), "unknown key"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    assert change[0] in GOOD
    assert told in errors(tmp_path, GOOD.replace(*change))


def test_mail_without_a_server(tmp_path: Path) -> None:
    text = GOOD.replace('[mail]\nhost = "mail.example.org"\nsender = "switch@example.org"\n', "")
    assert "give mail.host and mail.sender" in errors(tmp_path, text)


def test_no_secret_is_shown(tmp_path: Path) -> None:
    text = GOOD.replace("[mail]", "[mail]\npassword = 47114711").replace('"1234"', "98769876")
    told = errors(tmp_path, text)
    assert "47114711" not in told and "98769876" not in told
