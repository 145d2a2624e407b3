"""Plug-ins: a third party's package adds a node or a strategy; a broken one stops the start with one clear
line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from media.codecs import installed
from softswitch import plugins
from softswitch.app.settings import make_settings
from softswitch.config import load
from softswitch.errors import LocalError

MODULE = '''
from ivr.node import Edge, Go, Node, Prompts, Visit, Wait, Walk

class Beep(Node):
    """Beeps."""
    next: str
    times: int = 1
    def visit(self, walk: Walk) -> Visit:
        yield Wait(until=walk.now + self.times)
        return Go(self.next)
    def edges(self):
        return (Edge("next", self.next),)

def strategy():
    raise NotImplementedError

number = 5

from media.codecs import BUILT_IN
from dataclasses import replace
codec = replace(BUILT_IN["G722"], name="acme", payload_type=None)
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Put a package with the given entry points on the path, as pip would."""

    def put(entry_points: str, package: str = "acme") -> None:
        site = tmp_path / package
        info = site / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{package}_plugin.py").write_text(MODULE)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        monkeypatch.syspath_prepend(site)

    return put


def test_the_built_ins_are_there_and_cannot_be_changed() -> None:
    assert {"longest-idle", "least-occupancy", "ring-all", "round-robin"} <= plugins.strategies().keys()
    assert {"play", "menu", "queue", "transfer", "hangup"} <= plugins.nodes().keys()
    with pytest.raises(TypeError):
        plugins.nodes()["x"] = None  # type: ignore[index]


def test_a_third_party_adds_a_node_and_a_strategy(install, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    install(
        "[softswitch.nodes]\nbeep = acme_plugin:Beep\n[softswitch.strategies]\nmine = acme_plugin:strategy\n"
    )
    assert plugins.nodes()["beep"].__name__ == "Beep"
    assert "mine" in plugins.strategies()
    path = tmp_path / "cc.toml"
    path.write_text(
        '[queues.q]\nstrategy = "mine"\n'
        '[flows.f]\nstart = "a"\n'
        'nodes.a = { type = "beep", next = "b", times = 3 }\n'
        'nodes.b = { type = "queue", queue = "q" }\n'
    )
    assert load(path).menus["f"].nodes["a"].model_dump() == {"next": "b", "times": 3}
    path.write_text('[flows.f]\nstart = "a"\nnodes.a = { type = "beep", next = "b", tims = 3 }\n')
    with pytest.raises(LocalError) as caught:
        load(path)
    assert (
        "cc.toml:3: flows.f.nodes.a.tims: unknown key; known here: next, times, type; did you mean 'times'?"
        in str(caught.value)
    )


@pytest.mark.parametrize(
    ("entry_points", "words"),
    [
        (
            "[softswitch.nodes]\nbeep = acme_missing:Beep\n",
            "ModuleNotFoundError: No module named 'acme_missing'",
        ),
        ("[softswitch.nodes]\nbeep = acme_plugin:Missing\n", "AttributeError"),
        ("[softswitch.nodes]\nbeep = acme_plugin:number\n", "it is not a subclass of ivr.node.Node"),
        ("[softswitch.nodes]\nmenu = acme_plugin:Beep\n", "'menu' of the package 'acme' is also built in"),
        ("[softswitch.strategies]\nx = acme_plugin:number\n", "it is not callable"),
        ("[softswitch.codecs]\nx = acme_plugin:number\n", "it is no media.codecs.codec.Codec"),
        ("[softswitch.codecs]\nG722 = acme_plugin:codec\n", "'G722' of the package 'acme' is also built in"),
    ],
)
def test_a_broken_plug_in_is_named_with_the_remedy(install, entry_points: str, words: str) -> None:  # type: ignore[no-untyped-def]
    install(entry_points)
    with pytest.raises(LocalError) as caught:
        plugins.nodes()
        plugins.strategies()
        plugins.codecs()
    assert words in str(caught.value)
    assert "pip uninstall acme" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_third_party_adds_a_codec(install, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    install("[softswitch.codecs]\nacme = acme_plugin:codec\n")
    path = tmp_path / "cc.toml"
    path.write_text('[media]\ncodecs = ["acme", "PCMU"]\n')
    made = make_settings(load(path), tmp_path / "music.wav")
    assert [(one.name, one.payload_type) for one in made.codecs] == [("acme", 108), ("PCMU", 0)]
    assert installed()["ACME"].name == "acme"


def test_two_packages_with_one_name(install) -> None:  # type: ignore[no-untyped-def]
    install("[softswitch.nodes]\nbeep = acme_plugin:Beep\n")
    install("[softswitch.nodes]\nbeep = other_plugin:Beep\n", "other")
    with pytest.raises(LocalError, match=r"'beep' of the package '\w+' is also in the package '\w+'"):
        plugins.nodes()
