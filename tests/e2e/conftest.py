"""What the end-to-end tests share: the spoken prompts, made once a session; switches that end with their
test."""

import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.switch import RunningSwitch

SwitchMaker = Callable[..., Coroutine[Any, Any, RunningSwitch]]


@pytest.fixture(scope="session")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for spoken texts that all tests share, those of other workers too: files in it are complete."""
    root = tmp_path_factory.getbasetemp()
    cache = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "prompts"
    cache.mkdir(exist_ok=True)
    return cache


@pytest.fixture
async def switches(tmp_path: Path, prompts: Path) -> AsyncIterator[SwitchMaker]:
    """A function that starts a switch with the options of `RunningSwitch`."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> RunningSwitch:
            return await stack.enter_async_context(RunningSwitch(tmp_path, prompts, **options))

        yield start
