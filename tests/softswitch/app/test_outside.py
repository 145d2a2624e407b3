"""What menus ask of the world, under one configuration and then under another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from ivr.nodes.lookup import AskDatabase
from softswitch.app.outside import Outside
from softswitch.call.events import Asked
from softswitch.config import Config, load


class World:
    """One, and the answers that it has given."""

    def __init__(self, config: Config) -> None:
        self.answers: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        self.outside = Outside(config, self.answered, lambda: "token")

    def answered(self, ask: int, values: Mapping[str, str], error: str) -> None:
        self.answers.put_nowait((ask, error))

    async def reason(self, ask: int) -> str:
        """Why a question to the database `bank` has no answer (there is no such file)."""
        request = AskDatabase("bank", "SELECT 1", {}, 2.0)
        self.outside.requests[AskDatabase](Asked("call", ask, request))
        async with asyncio.timeout(20):
            answered, error = await self.answers.get()
        assert answered == ask
        return error


LISTENING = """
[flows.main]
start = "ask"
[flows.main.nodes.ask]
type = "listen"
prompt = "Yes or no?"
words = { yes = "bye", no = "bye" }
[flows.main.nodes.bye]
type = "hangup"
[speech]
at_once = 7
"""


def config(directory: Path, text: str) -> Config:
    path = directory / "cc.toml"
    path.write_text(text)
    return load(path)


async def test_what_is_prepared_is_not_in_force_yet(tmp_path: Path) -> None:
    before = config(tmp_path, f'[databases.bank]\npath = "{tmp_path}/bank.db"\n')
    after = config(tmp_path, "")
    world = World(before)
    await world.outside.open()
    await world.outside.prepare(after)
    assert "unable to open" in await world.reason(1)
    world.outside.configure(after)
    assert "no database 'bank' any more" in await world.reason(2)
    await world.outside.close()


async def test_recognisers_come_with_the_first_flow_that_listens_and_keep_their_section(
    tmp_path: Path,
) -> None:
    silent, listening = config(tmp_path, ""), config(tmp_path, LISTENING)
    world = World(silent)
    await world.outside.open()
    assert world.outside.ears == () and world.outside.speech is silent.speech
    await world.outside.prepare(listening)
    assert [Path(ear).exists() for ear in world.outside.ears] == [True]
    world.outside.configure(listening)
    assert world.outside.speech.at_once == 7
    ears = world.outside.ears
    await world.outside.prepare(config(tmp_path, LISTENING.replace("7", "9")))
    assert world.outside.ears == ears and world.outside.speech.at_once == 7
    await world.outside.close()
    await world.outside.prepare(listening)
    assert not Path(ears[0]).exists()
