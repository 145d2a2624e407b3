"""The configuration of recordings: what the keys mean, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from softswitch.app.settings import make_settings
from softswitch.call.routing import Asked
from softswitch.config import Config, ConfigErrors, load

CENTRE = """
[extensions.201]
password = "secret"
record = "on-demand"

[queues.sales]
record = {queue}

[recordings]
{section}

[[routes]]
number = "600"
to = "queue:sales"
{route}
"""


def centre(tmp_path: Path, *, queue: str = "true", section: str = "", route: str = "") -> Config:
    file = tmp_path / "cc.toml"
    file.write_text(CENTRE.format(queue=queue, section=section, route=route))
    return load(file)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", "always"),
        ("false", "no"),
        ('"always"', "always"),
        ('"on-demand"', "on-demand"),
        ('"no"', "no"),
    ],
)
def test_modes(tmp_path: Path, written: str, meant: str) -> None:
    config = centre(tmp_path, queue=written, route='record = "never"')
    settings = make_settings(config, tmp_path / "music.wav")
    assert settings.queues["sales"].record == meant
    assert settings.phones["201"].record == "on-demand"
    assert config.routes[0].record == "never"
    rule = config.rules.first(Asked("600", False, None, normal=config.numbering.normal))
    assert rule is not None and rule.route.record == "never"


def test_announcement_and_keys_reach_the_core(tmp_path: Path) -> None:
    config = centre(tmp_path, section='announce = "Recorded."\npause_keys = "*7"\nrecord_keys = "*8"')
    taping = make_settings(config, tmp_path / "music.wav").taping
    assert [prompt.text for prompt in taping.announce] == ["Recorded."]
    assert (taping.pause_keys, taping.record_keys) == ("*7", "*8")
    assert any(prompt.text == "Recorded." for prompt in config.all_prompts()), "it is spoken ahead"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"queue": '"sometimes"'}, "record"),
        ({"section": 'pause_keys = "7*7*7"'}, "pause_keys"),
        ({"section": 'pause_keys = "*7"\nrecord_keys = "*7"'}, "the same keys"),
        ({"section": 'pause_keys = "7"\nrecord_keys = "*7"'}, "the same keys"),
        ({"section": 'key_file = "none"'}, "cannot be read"),
        ({"section": 'old_key_files = ["none"]'}, "cannot be read"),
        ({"section": 'announce = { file = "none.wav" }'}, "does not exist"),
    ],
)
def test_refused(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        centre(tmp_path, **more)
    assert said in str(caught.value)


def test_a_key_that_others_can_read_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(ConfigErrors, match=r"cc.toml:10.*chmod 600"):
        centre(tmp_path, section='key_file = "key"')
