"""The example of a third party's node: installed, found by its entry point, checked and walked through."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "node"

WALK = """
from collections import Counter
from ivr.flow import Flow, check
from ivr.messages import Start
from ivr.session import Session
from softswitch.plugins import nodes

known = nodes()
node = known["share"].model_validate({"percent": 30, "chosen": "new", "otherwise": "old"})
ends = {name: known["hangup"].model_validate({"cause": name}) for name in ("new", "old")}
flows = {"main": Flow("main", "share", {"share": node, **ends})}
assert check(flows) == []
assert check({"main": Flow("main", "share", {"share": node})})

def way(caller, now):
    session = Session(flows, "main", {"caller": str(caller)})
    return session.handle(Start(), now)[-1].cause

ways = Counter(way(caller, 0.0) for caller in range(1000))
assert 200 < ways["new"] < 400, ways
assert all(way(caller, 0.0) == way(caller, 86_000.0) for caller in range(50))
print(type(node).__module__)
"""


def test_the_example_is_installed_found_checked_and_walked(tmp_path: Path) -> None:
    uv = pytest.importorskip("uv").find_uv_bin()
    site = tmp_path / "site"
    install = [uv, "pip", "install", "--offline", "--no-deps", "--quiet", "--python", sys.executable]
    environment = {**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run([*install, "--target", site, EXAMPLE], check=True, env=environment, timeout=50)
    environment["PYTHONPATH"] = os.pathsep.join((str(site), str(ROOT)))
    asked = subprocess.run(
        [sys.executable, "-c", WALK], capture_output=True, text=True, check=False, env=environment, timeout=50
    )
    assert asked.stdout.strip() == "softswitch_share", asked.stderr
