"""Which calls of the last run go on, by what the configuration still knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from acd import messages as acd
from media import messages as m
from softswitch.app.survivors import Survivors
from softswitch.config import load
from softswitch.store.kept import Kept
from tests.softswitch.call.test_menu import centre
from tests.softswitch.call.test_menus_go_on import PLACE
from tests.softswitch.call.test_supervision import Story, centre_of
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
AGENT = """
[agents.agent201]
queues = ["{queue}"]
"""


class Workers:
    """What was found of them."""

    def __init__(self, first: Centre) -> None:
        self.present = present(first)

    async def rejoin(self) -> dict[int, m.Rejoined]:
        return self.present


async def alive(tmp_path: Path, first: Centre, text: str) -> set[str]:
    """Those of the centre's calls that go on by this configuration."""
    path = tmp_path / "cc.toml"
    path.write_text(text)
    survivors = Survivors(load(path), Workers(first))  # type: ignore[arg-type]
    agents = tuple(one for one in first.kept.values() if one is not None)
    return set(await survivors.find(Kept(agents, calls=tuple(first.kept_calls.values()))))


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


@pytest.mark.parametrize(("name", "goes_on"), [("sales", True), ("another", False)])
async def test_a_supervisor_goes_on_where_the_talk_does(tmp_path: Path, name: str, goes_on: bool) -> None:
    story = Story(centre_of())
    story.order("listen")
    both = {story.call.id, story.pick_up().id}
    text = QUEUE.format(name=name) + AGENT.format(queue=name)
    assert await alive(tmp_path, story.centre, text) == (both if goes_on else set())


async def test_the_talk_of_an_agent_who_wants_to_log_out_goes_on(tmp_path: Path) -> None:
    story = Story(centre_of())
    story.centre.command(acd.LogOut("agent201"))
    text = QUEUE.format(name="sales") + AGENT.format(queue="sales")
    assert await alive(tmp_path, story.centre, text) == {story.call.id}


async def test_nobody_goes_on_whose_worker_is_gone(tmp_path: Path) -> None:
    first, _ = centre(PLACE)
    first.workers[1].live.clear()
    assert not await alive(tmp_path, first, FLOW.format(name="main"))
