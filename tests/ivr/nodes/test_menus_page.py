"""docs/menus.md: its tables are the program's, and its examples are a configuration that starts."""

from __future__ import annotations

import re
import sys
import wave
from pathlib import Path

import pytest

from softswitch.config import load

ROOT = Path(__file__).parents[3]

BASE = """
[extensions.201]
password = "secret-201"

[agents.anna]
extension = "201"
queues = ["sales"]

[queues.sales]

[sip]
listen = ["udp:127.0.0.1:5060"]
"""


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(ROOT))
    return (ROOT / "docs" / "menus.md").read_text()


def test_the_tables_are_up_to_date_and_complete(page: str) -> None:
    from scripts.menus_page import missing
    from scripts.menus_page import page as made

    assert page == made(), "run scripts/gen_docs.py"
    assert missing() == [], "docs/menus.md says nothing of these nodes"
    assert "scripts.menus_page" in sys.modules


def test_the_examples_start(page: str, tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(examples) > 5
    (tmp_path / "prompts").mkdir()
    with wave.open(str(tmp_path / "prompts" / "hello-ru.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    path = tmp_path / "centre.toml"
    path.write_text("\n".join([BASE, *examples]))
    config = load(path)
    assert {"main", "balance", "reception", "identify"} <= config.flows.keys()
