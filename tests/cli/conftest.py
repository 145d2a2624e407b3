"""A running centre for the commands to talk to, and the commands themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import run
from tests.support.acd_centre import AcdCentre, serving


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.out)


Cc = Callable[..., Result]


@pytest.fixture
def cc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cc:
    """Run a command line in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CC_CONFIG", raising=False)

    def command(*arguments: object) -> Result:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return command


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration that says where things are."""
    file = tmp_path / "cc.toml"
    file.write_text(
        '[store]\npath = "log/cc.db"\n[api]\nsocket = "cc.sock"\n[queues.sales]\nservice_level_s = 10\n'
    )
    return file


@pytest.fixture
def centre(config: Path) -> Iterator[AcdCentre]:
    """A running switch of that configuration."""
    with serving(config.parent / "cc.sock", config.parent / "log" / "cc.db", time.time() - 120) as centre:
        yield centre
