"""The centres of `examples/` as they are, on free ports: a copy of the folder, its database made, one switch.

async with RunningExample("bank", tmp_path, prompts) as switch: ...
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from softswitch.api.client import ApiClient
from tests.support.switch import ROOT, RunningSwitch

EXAMPLES = ROOT / "examples"
CENTRES = ("bank", "clinic", "hotline", "outsourcer", "shop")
OURS = """
[media]
address = "127.0.0.1"
ports = "{first}-{last}"
workers = 1
"""


def runner() -> ModuleType:
    """examples/run.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("examples_run", EXAMPLES / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def copied(
    name: str,
    directory: Path,
    changes: Mapping[str, str] | None = None,
    rows: Callable[[str], bool] | None = None,
) -> Path:
    """A copy of the example with its data; its cc.toml with `changes` (old text -> new text), and of its
    clients those rows only that `rows` is true of.
    """
    folder = directory / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("var", "__pycache__"))
    runner().make_data(folder)
    text = (folder / "cc.toml").read_text(encoding="utf-8")
    for old, new in (changes or {}).items():
        assert old in text, f"{old!r} does not stand in {name}/cc.toml"
        text = text.replace(old, new)
    (folder / "cc.toml").write_text(text, encoding="utf-8")
    if rows is not None:
        clients = folder / "clients.csv"
        kept = [row for row in clients.read_text(encoding="utf-8").splitlines(keepends=True) if rows(row)]
        clients.write_text("".join(kept), encoding="utf-8")
    return folder


class RunningExample(RunningSwitch):
    """One of the examples as a running switch; `changes` and `rows` as in `copied`."""

    def __init__(
        self,
        name: str,
        directory: Path,
        prompts: Path,
        changes: Mapping[str, str] | None = None,
        rows: Callable[[str], bool] | None = None,
    ) -> None:
        folder = copied(name, directory, changes, rows)
        (folder / "var").mkdir(exist_ok=True)
        (folder / "var" / "prompts").symlink_to(prompts)
        text = (folder / "cc.toml").read_text(encoding="utf-8").replace("{", "{{").replace("}", "}}")
        assert "\n[sip]\n" in text and "[media]" not in text
        listen = '\n[sip]\nlisten = ["udp:127.0.0.1:{port}", "tcp:127.0.0.1:{port}"]\n'
        super().__init__(folder, prompts, text=text.replace("\n[sip]\n", listen) + OURS)
        self.api = ApiClient(folder / "var" / "cc.sock")
