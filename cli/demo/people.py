"""Agents and callers: each is a softphone in a process of its own, and one readable story.

Invariant: nobody waits for a time where there is something to wait for: a person goes on when the switch or
his phone says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.demo.stage import Stage
from cli.demo.story import LOGIN_CODE, MENU_NODE, NUMBER, Agent, Caller
from cli.demo.watch import Snapshot, Watch
from cli.softphone import messages
from cli.softphone.client import Softphone, SoftphoneError
from softswitch.errors import LocalError

ANSWER_AFTER_S = 1.0
SIGNAL_S = 15.0  # for one step of signalling, on a busy machine too
TURN_S = 75.0  # until it is the last caller's turn
GIVES_UP_AFTER_S = 7.0  # longer than a short abandon (queues.*.short_abandon_s, 5 s)
LISTENS_S = 1.0  # after his own words, so that the agent is heard as well

Say = Callable[[str], None]


@dataclass(slots=True)
class Scene:
    """What all people share. `may_end`: the one who gives up has done so, the talks may end."""

    stage: Stage
    watch: Watch
    say: Say
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    def all_agents_talk(self, now: Snapshot) -> bool:
        """Whether whoever comes now has to wait."""
        return all(agent["state"] == "talking" for agent in now.agents)


class AgentPhone:
    """An agent at his phone."""

    def __init__(self, agent: Agent, scene: Scene) -> None:
        self.agent = agent
        self._scene = scene
        stage = scene.stage
        self.phone = Softphone(
            messages.Start(
                address=stage.address,
                auto_answer_after_s=ANSWER_AFTER_S,
                play=str(stage.lines[agent.name]),
                play_loop=True,
                record=str(stage.directory / f"{agent.name}-heard.wav"),
            )
        )

    async def log_in(self) -> None:
        """Register, and tell the switch by the feature code. Raises LocalError."""
        agent, scene = self.agent, self._scene
        try:
            await self.phone.register(
                scene.stage.server, agent.extension, agent.password, display_name=agent.display_name
            )
            call = await self.phone.call(scene.stage.uri(LOGIN_CODE))
            await self.phone.wait("answered", SIGNAL_S, call)
            await self.phone.wait("ended", SIGNAL_S, call)
        except SoftphoneError as error:
            raise named(agent.display_name, error) from error
        await scene.watch.until(
            lambda now: now.agent(agent.name)["state"] == "ready",
            SIGNAL_S,
            f"{agent.display_name} is to be ready after {LOGIN_CODE}",
        )
        scene.say(f"{agent.display_name} has registered as {agent.extension} and logged in with {LOGIN_CODE}")

    def call_of(self, switch_call: str) -> int:
        """The phone's number of a call of the switch. Raises LocalError."""
        for event in self.phone.events:
            if isinstance(event, messages.Incoming) and event.headers.get("X-Call-ID") == switch_call:
                return event.call
        raise LocalError(f"the call {switch_call} never rang at {self.agent.display_name}")

    async def recording_of(self, switch_call: str) -> Path:
        """What he heard in this call, once it is over. Raises LocalError."""
        call = self.call_of(switch_call)
        for event in self.phone.events:
            if isinstance(event, messages.Recorded) and event.call == call:
                return Path(event.path)
        recorded = await self.phone.take(messages.Recorded, SIGNAL_S, call)
        return Path(recorded.path)


class CallerPhone:
    """A caller, from the first ring to the last word."""

    def __init__(self, caller: Caller, scene: Scene, agents: Mapping[str, AgentPhone]) -> None:
        self.caller = caller
        self._scene = scene
        self._agents = agents
        self.heard = scene.stage.directory / f"{caller.name.lower()}-heard.wav"
        self.phone = Softphone(
            messages.Start(
                user=caller.number,
                display_name=caller.name,
                address=scene.stage.address,
                record=str(self.heard),
            )
        )

    async def perform(self) -> None:
        """Dial, choose, wait, talk. Raises LocalError."""
        try:
            await self._perform()
        except LocalError as error:
            raise named(self.caller.name, error) from error

    async def _perform(self) -> None:
        caller, phone, say = self.caller, self.phone, self._scene.say
        if caller.gives_up:
            await self._until(self._scene.all_agents_talk, TURN_S, "all agents are to be talking")
        call = await phone.call(self._scene.stage.uri(NUMBER))
        await phone.wait("answered", SIGNAL_S, call)
        say(f"{caller.name} has dialled {NUMBER} and hears the menu")
        await self._until(
            lambda now: MENU_NODE in self._live(now)["path"], SIGNAL_S, "the menu is to be played"
        )
        await phone.digits(caller.key, caller.method)
        chosen = await self._until(
            lambda now: self._live(now)["queue"] == caller.queue,
            SIGNAL_S,
            f"the queue {caller.queue} is to come",
        )
        say(f"{caller.name} has pressed {caller.key} ({_told(caller.method)}): {caller.queue}")
        if caller.gives_up:
            await self._give_up(call)
        else:
            await self._talk(call, self._live(chosen)["id"])
        await phone.wait("ended", SIGNAL_S, call)

    async def _give_up(self, call: int) -> None:
        entered = self._live(self._scene.watch.now)
        if entered["state"] != "waiting":
            raise LocalError(f"was to wait, but his call is {entered['state']}")
        await self._until(
            lambda now: now.at - entered["since"] > GIVES_UP_AFTER_S,
            SIGNAL_S,
            "the wait is to become too long",
        )
        await self.phone.hangup(call)
        self._scene.say(f"{self.caller.name} has waited for {GIVES_UP_AFTER_S:g} s and gives up")
        self._scene.may_end.set()

    async def _talk(self, call: int, switch_call: str) -> None:
        caller, phone, scene = self.caller, self.phone, self._scene
        now = await self._until(
            lambda now: self._live(now)["state"] == "talking", TURN_S, "an agent is to answer"
        )
        agent = self._agents[self._live(now)["agent"]]
        name = agent.agent.display_name
        scene.say(f"{caller.name} talks with {name}")
        await phone.play(scene.stage.lines[caller.name], call=call)
        await phone.wait("played", SIGNAL_S, call)
        async with asyncio.timeout(TURN_S):
            await scene.may_end.wait()
        await asyncio.sleep(LISTENS_S)
        if caller.agent_ends:
            await agent.phone.hangup(agent.call_of(switch_call))
        else:
            await phone.hangup(call)
        scene.say(f"{name if caller.agent_ends else caller.name} hangs up")

    def _live(self, now: Snapshot) -> dict[str, Any]:
        return now.call(self.caller.number)

    async def _until(self, what: Callable[[Snapshot], bool], timeout_s: float, label: str) -> Snapshot:
        return await self._scene.watch.until(what, timeout_s, label)


def _told(method: messages.DigitMethod) -> str:
    return {"rfc4733": "RFC 4733", "info": "SIP INFO", "inband": "tones"}[method]


def named(who: str, error: LocalError) -> LocalError:
    """The error with the person it happened to; its notes stay."""
    told = LocalError(f"{who}: {error}")
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told
