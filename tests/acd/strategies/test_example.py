"""The example of a third party's strategy: built, installed, found by its entry point, and it conforms."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "strategy"

ASK = """
from acd.strategies.conformance import check_strategy
from softswitch.plugins import strategies
check_strategy(strategies()["breather"])
print(strategies()["breather"].__module__)
"""


def test_the_example_is_installed_found_and_conforms(tmp_path: Path) -> None:
    uv = pytest.importorskip("uv").find_uv_bin()
    site = tmp_path / "site"
    install = [uv, "pip", "install", "--offline", "--no-deps", "--quiet", "--python", sys.executable]
    environment = {**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run([*install, "--target", site, EXAMPLE], check=True, env=environment, timeout=50)
    environment["PYTHONPATH"] = os.pathsep.join((str(site), str(ROOT)))
    asked = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, check=True, env=environment, timeout=50
    )
    assert asked.stdout.strip() == "softswitch_breather"
