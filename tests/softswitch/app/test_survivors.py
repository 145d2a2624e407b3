"""Which calls of the last run go on, by what the configuration still knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from media import messages as m
from softswitch.app.survivors import Survivors
from softswitch.config import load
from softswitch.store.kept import Kept
from tests.softswitch.call.test_menu import centre
from tests.softswitch.call.test_menus_go_on import PLACE
from tests.softswitch.call.test_taking_over import present
from tests.support.centre import Centre

FLOW = """
[flows.{name}]
start = "bye"
[flows.{name}.nodes.bye]
type = "hangup"
"""
QUEUE = """
[queues.{name}]
"""


class Workers:
    """What was found of them."""

    def __init__(self, first: Centre) -> None:
        self.present = present(first)

    async def rejoin(self) -> dict[int, m.Rejoined]:
        return self.present


async def alive(tmp_path: Path, first: Centre, text: str) -> frozenset[str]:
    """Those of the centre's calls that go on by this configuration."""
    path = tmp_path / "cc.toml"
    path.write_text(text)
    return await Survivors(load(path), Workers(first)).find(Kept(calls=tuple(first.kept_calls.values())))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "goes_on"), [("main", True), ("another", False)])
async def test_a_menu_goes_on_where_its_flow_is(tmp_path: Path, name: str, goes_on: bool) -> None:
    first, call = centre(PLACE)
    assert await alive(tmp_path, first, FLOW.format(name=name)) == ({call.id} if goes_on else set())


@pytest.mark.parametrize(("name", "goes_on"), [("sales", True), ("another", False)])
async def test_a_wait_goes_on_where_its_queue_is(tmp_path: Path, name: str, goes_on: bool) -> None:
    first = Centre()
    first.phones["300"].call("601")
    first.settle()
    call = first.call.id
    assert await alive(tmp_path, first, QUEUE.format(name=name)) == ({call} if goes_on else set())


async def test_nobody_goes_on_whose_worker_is_gone(tmp_path: Path) -> None:
    first, _ = centre(PLACE)
    first.workers[1].live.clear()
    assert not await alive(tmp_path, first, FLOW.format(name="main"))
