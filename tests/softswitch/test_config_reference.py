"""The reference of the configuration: complete, and the page in docs/ is the one that is generated."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from acd.strategies import BUILT_IN
from softswitch.config import markdown, reference
from softswitch.system_prompts import LANGUAGES

ROOT = Path(__file__).parents[2]


def test_every_key_has_a_description_and_stands_once() -> None:
    rows = reference()
    assert [row.key for row in rows if not row.description] == []
    types = [(row.key, row.type) for row in rows]
    assert len(set(types)) == len(types)


def test_the_keys_of_the_demonstration_are_in_the_reference() -> None:
    known = {row.key for row in reference()}
    data = tomllib.loads((ROOT / "examples/demo.toml").read_text())
    assert "queues.QUEUE.ring_s" in known
    assert "flows.FLOW.nodes.NODE(menu).keys" in known
    missing = [key for key in _keys(data) if key not in known]
    assert missing == []


def _keys(data: dict[str, Any]) -> list[str]:
    """The keys of a configuration as the reference writes them."""
    found: list[str] = []
    singular = {"extensions": "NUMBER", "agents": "AGENT", "queues": "QUEUE", "flows": "FLOW"}
    for section, content in data.items():
        if not isinstance(content, dict | list):
            found.append(section)
        elif isinstance(content, list):
            found += [f"{section}[].{key}" for table in content for key in table]
        elif section in singular:
            for table in content.values():
                nodes = table.pop("nodes", {})
                found += [f"{section}.{singular[section]}.{key}" for key in table]
                for node in nodes.values():
                    kind = node.pop("type")
                    found += [f"flows.FLOW.nodes.NODE({kind}).{key}" for key in node]
        else:
            found += [f"{section}.{key}" for key in content]
    return found


def test_secrets_have_no_default_that_is_shown() -> None:
    [password] = [row for row in reference() if row.key == "extensions.NUMBER.password"]
    assert password.default == "none"


def test_the_page_names_the_strategies_and_the_languages() -> None:
    told = {row.key: row.description for row in reference()}
    assert all(f"`{name}`" in told["queues.QUEUE.strategy"] for name in BUILT_IN)
    assert all(f"`{language}`" in told["language"] for language in LANGUAGES)


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs/configuration.md").read_text() == markdown(), "run scripts/gen_docs.py"


def test_the_generator_says_what_is_stale_and_refuses_other_arguments() -> None:
    script = str(ROOT / "scripts/gen_docs.py")
    wrong = subprocess.run([sys.executable, script, "--wrong"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stderr) == (2, "usage: gen_docs.py [--check]\n")
