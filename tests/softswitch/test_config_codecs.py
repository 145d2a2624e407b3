"""The configuration of codecs: what the keys mean, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from softswitch import plugins
from softswitch.app.settings import make_settings
from softswitch.call.settings import Settings
from softswitch.config import ConfigErrors, load


def settings(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "cc.toml"
    file.write_text(text)
    return make_settings(load(file), tmp_path / "music.wav")


def test_lists_of_the_switch_a_peer_and_an_extension(tmp_path: Path) -> None:
    made = settings(
        tmp_path,
        '[media]\ncodecs = ["g722", "PCMU"]\n'
        '[peers.carrier]\naddress = "192.0.2.1"\ncodecs = ["PCMA"]\n'
        '[extensions.201]\npassword = "x"\ncodecs = ["Opus", "PCMU"]\n'
        '[extensions.202]\npassword = "x"\n',
    )
    assert [one.name for one in made.codecs] == ["G722", "PCMU"]
    assert [one.name for one in made.codecs_of("peer", "carrier")] == ["PCMA"]
    assert [one.name for one in made.codecs_of("extension", "201")] == ["opus", "PCMU"]
    assert made.codecs_of("extension", "202") == made.codecs


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[media]\ncodecs = ["G729"]', "cc.toml:2: media.codecs: there is no codec 'G729'"),
        ('[media]\ncodecs = ["G772"]', "did you mean 'G722'?"),
        ('[media]\ncodecs = ["PCMU", "pcmu"]', "cc.toml:2: media.codecs: a codec is listed twice"),
        ("[media]\ncodecs = []", "cc.toml:2: media.codecs"),
        ('[extensions.201]\npassword = "x"\ncodecs = ["speex"]', "cc.toml:3: extensions.201.codecs: there"),
        (
            '[extensions.201]\npassword = "x"\nendpoint = "pjsua2"',
            "cc.toml:3: extensions.201.endpoint: there are no pjsua2 processes; give media.endpoint",
        ),
        ('[extensions.201]\npassword = "x"\nendpoint = "sip"', "cc.toml:3: extensions.201.endpoint"),
        ('[peers.p]\naddress = "192.0.2.1"\ncodecs = ["x"]', "cc.toml:3: peers.p.codecs: there is no"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        settings(tmp_path, text)
    assert words in str(caught.value)


def test_a_library_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is missed only where somebody asks for it."""
    monkeypatch.setitem(sys.modules, "opuslib_next", None)
    assert [one.name for one in settings(tmp_path, "").codecs] == ["PCMU", "PCMA", "G722"]
    with pytest.raises(ConfigErrors, match=r"media\.codecs: OPUS: .*pip install opuslib-next-bundled"):
        settings(tmp_path, '[media]\ncodecs = ["PCMU", "opus"]')


def test_the_workers_find_what_the_switch_finds() -> None:
    from media.codecs import installed

    assert dict(installed()) == dict(plugins.codecs())
