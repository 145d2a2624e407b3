"""A caller who walks through flows: a session with its clock, and what he hears."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ivr.condition import Look, World
from ivr.flow import Flow, check
from ivr.messages import (
    Answer,
    Ask,
    Entered,
    EnterQueue,
    HangUp,
    Input,
    Key,
    Output,
    Play,
    PlayDone,
    Prompt,
    Request,
    Start,
    StopPlay,
    Transfer,
    Withdraw,
)
from ivr.nodes import BUILT_IN
from ivr.session import Session


def flow(start: str, nodes: Mapping[str, Mapping[str, Any]], name: str = "main", language: str = "") -> Flow:
    """A flow as the configuration would make it."""
    made = {
        node: BUILT_IN[fields["type"]].model_validate({k: v for k, v in fields.items() if k != "type"})
        for node, fields in nodes.items()
    }
    return Flow(name, start, made, language)


def faults(*flows: Flow) -> list[str]:
    """What the check says of the flows."""
    return [str(problem) for problem in check({each.name: each for each in flows})]


END = {"type": "hangup"}


class Caller:
    """Walks from the start of the first flow. `hears` is what is being played, `end` how it came out."""

    def __init__(
        self,
        *flows: Flow,
        variables: Mapping[str, str] | None = None,
        look: Look | None = None,
        world: World | None = None,
        now: float = 1000.0,
    ) -> None:
        by_name = {each.name: each for each in flows}
        self.session = Session(by_name, flows[0].name, variables, look, world)
        self.now = now
        self.playing = 0
        self.prompts: tuple[Prompt, ...] = ()
        self.asked: Ask | None = None
        self.last: list[Output] = []
        self.path: list[str] = []
        """The nodes that he entered, `flow.node`."""
        self.data: dict[str, Mapping[str, str]] = {}
        """Node -> what was noted when it was reached last."""
        self.end: EnterQueue | Transfer | HangUp | None = None
        self.send(Start())

    @property
    def hears(self) -> list[str]:
        """The texts that are being played."""
        return [prompt.text or prompt.file for prompt in self.prompts]

    @property
    def at(self) -> str:
        """The node that he is at."""
        return self.session.place

    @property
    def request(self) -> Request | None:
        """What is asked for and not answered yet."""
        return self.asked.request if self.asked is not None else None

    def send(self, event: Input) -> list[Output]:
        """Something happens."""
        return self._note(self.session.handle(event, self.now))

    def press(self, keys: str) -> list[Output]:
        """Press keys, one after the other."""
        for key in keys:
            self.send(Key(key))
        return self.last

    def listen(self) -> list[Output]:
        """Hear what is played to its end."""
        return self.send(PlayDone(self.playing))

    def silence(self) -> list[Output]:
        """Wait for the deadline."""
        deadline = self.session.deadline()
        assert deadline is not None
        self.now = deadline
        return self._note(self.session.handle_timer(self.now))

    def answer(self, error: str = "", **values: str) -> list[Output]:
        """Answer what is asked for."""
        assert self.asked is not None
        asked, self.asked = self.asked, None
        return self.send(Answer(asked.ask, values, error))

    def _note(self, outputs: list[Output]) -> list[Output]:
        self.last = outputs
        for output in outputs:
            match output:
                case Play(play, prompts):
                    self.playing, self.prompts = play, prompts
                case StopPlay(play):
                    assert play == self.playing
                    self.prompts = ()
                case Ask():
                    self.asked = output
                case Withdraw():
                    self.asked = None
                case Entered(flow_name, node, data):
                    self.path.append(f"{flow_name}.{node}")
                    self.data[node] = data
                case EnterQueue() | Transfer() | HangUp():
                    assert self.end is None and output is outputs[-1]
                    self.end = output
        return outputs
