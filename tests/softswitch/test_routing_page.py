"""docs/routing.md: every condition of its table is read, and its examples are a configuration that starts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from ivr.condition import Condition
from softswitch.config import load

PAGE = (Path(__file__).parents[2] / "docs" / "routing.md").read_text(encoding="utf-8")

BASE = """
time_zone = "Europe/Moscow"
[sip]
guests = true
[extensions.201]
password = "secret"
[agents.anna]
extension = "201"
queues = ["sales"]
[queues.sales]
[queues.moscow]
[flows.orders]
start = "wait"
[flows.orders.nodes.wait]
type = "queue"
queue = "sales"
"""


def test_the_conditions_of_the_table() -> None:
    rows = re.findall(r"^\| (`.+`.*?) \| .+ \|$", PAGE, re.MULTILINE)
    written = [code for row in rows for code in re.findall(r"`([^`]+)`", row) if " = " in code]
    assert len(written) > 20
    for code in written:
        text = code.replace("...", '"header.X-Account"')
        assert Condition.model_validate(tomllib.loads(f"when = {{ {text} }}")["when"]).root


def test_the_examples_start(tmp_path: Path) -> None:
    examples = "\n".join(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
    examples = re.sub(r"^time_zone.*$", "", examples, flags=re.MULTILINE)  # stands in BASE, at the top
    examples = examples.replace("voicemail:acme", "queue:sales")
    (rows,) = re.findall(r"```\n(id,name.*?)```", PAGE, re.DOTALL)
    (tmp_path / "clients.csv").write_text(rows)
    (tmp_path / "vip.csv").write_text("number\n84951234567\n")
    (tmp_path / "cc.toml").write_text(BASE + examples)
    config = load(tmp_path / "cc.toml")
    assert set(config.clients) == {"shop", "acme"} and len(config.routes) == 3
    assert config.world.listed("vip", "+74951234567")
