"""`cc flow try`: one caller's walk through a flow in the terminal; no phone, no switch, no sound.

Invariant: the real session walks, with a clock of its own that jumps from event to event; a caller who has
nothing more to say is silent, so every trial ends.
"""

from __future__ import annotations

import dataclasses
import shlex
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption
from cli.output import plain, print_json
from cli.place import find_config
from cli.refusals import FAILED, BadUsage

if TYPE_CHECKING:
    from ivr.messages import Output, Request
    from softswitch.app.flow_trial import Trial

TIME_OUT = "t"
GIVE_UP = "q"
MAX_INPUTS = 2000
_CHARS_PER_S = 14.0
_FILE_S = 3.0
_KEY_S = 0.5

KeysOption = Annotated[
    str | None,
    typer.Option(
        "--keys",
        metavar="KEYS",
        help="What the caller presses, such as '1 2 t 1234#'; t waits for the time-out. Afterwards he is "
        "silent. Without it the keys are asked for.",
    ),
]
AnswersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--answer",
        metavar="ANSWER",
        help="What a look-up finds, in turn: 'name=value other=\"two words\"', 'none', 'fail:REASON', or the "
        "word that is heard. Without it the look-up fails, or the answer is asked for.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A variable or an attribute, such as queue.sales.waiting=5 or header.X-Account=7.",
    ),
]


def try_flow(
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="The flow's name.", show_default=False)],
    caller: Annotated[str, typer.Option("--from", metavar="NUMBER", help="Who calls.")] = "anonymous",
    number: Annotated[str, typer.Option("--to", metavar="NUMBER", help="What he dialled.")] = "",
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="WHEN",
            help="When, in the configuration's time zone: '2026-12-31 23:30', 23:30 (today); now if absent.",
        ),
    ] = "",
    keys: KeysOption = None,
    answer: AnswersOption = None,
    given: SetOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Walk through a flow in the terminal: what would be heard, what follows from keys and look-ups.

    Nothing is called, asked or written. Ends with 1 if the flow breaks.
    """
    path = find_config(config)
    typed = None if keys is None else _keys(keys)
    from softswitch.app.flow_trial import Trial
    from softswitch.call.rehearsal import moment
    from softswitch.config import load
    from softswitch.errors import LocalError

    loaded = load(path)
    if flow not in loaded.menus:
        from softswitch.api.control import UnknownName

        raise UnknownName("flow", flow, loaded.menus)
    try:
        began = moment(at, loaded.world.time_zone, time.time())
    except LocalError as error:
        raise BadUsage(f"--at {error}") from None
    trial = Trial(loaded, flow, caller, number, dict(_pair(one) for one in given or ()))
    hand = Hand(typed, deque(answer or ()), ask=None if json or typed is not None else _ask)
    steps: list[Step] = []
    for step in walk(trial, hand, began):
        steps.append(step)
        if not json:
            print(_shown(step))
    if json:
        way = [step.text for step in steps if step.what == "node"]
        print_json({"flow": flow, "path": way, "steps": steps})
    if steps and steps[-1].what == "failure":
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened: `what` is node, hears, key, timeout, asks, answer, queue, transfer, hangup,
    failure or given up; `text` says it, `data` the particulars.
    """

    at: float
    what: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Hand:
    """What the caller does and the world answers: what was given ahead, then what `ask` gets typed (None:
    he is silent, and nothing is found).
    """

    typed: deque[str] | None
    answers: deque[str]
    ask: Callable[[str], str] | None = None
    pending: deque[str] = field(default_factory=deque)

    def key(self) -> str:
        """The next key, TIME_OUT or GIVE_UP."""
        if self.pending:
            return self.pending.popleft()
        if self.typed:
            return self.typed.popleft()
        if self.ask is None:
            return TIME_OUT
        while True:
            said = self.ask(f"key ({TIME_OUT}: time-out, {GIVE_UP}: hang up)> ")
            try:
                self.pending = _keys(said)
            except BadUsage as error:
                print(error)
                continue
            if self.pending:
                return self.pending.popleft()

    def answer(self) -> str:
        """What is found."""
        if self.answers:
            return self.answers.popleft()
        if self.ask is None:
            return "fail:no --answer was given"
        return self.ask("answer (name=value ..., none, fail, t: too late)> ").strip()


def walk(trial: Trial, hand: Hand, began: float) -> Iterator[Step]:
    """The walk, step by step, until it ends or the caller hangs up."""
    from ivr import messages as ivr

    session, now, playing = trial.session, began, 0
    asked: ivr.Ask | None = None
    outputs = session.handle(ivr.Start(), now)
    for _ in range(MAX_INPUTS):
        listens_s = 0.0
        for output in outputs:
            match output:
                case ivr.Play(play, prompts):
                    playing = play
                    for prompt in prompts:
                        listens_s += len(prompt.text) / _CHARS_PER_S if prompt.text else _FILE_S
                case ivr.StopPlay():
                    playing = 0
                case ivr.Ask():
                    asked = output
                case ivr.Withdraw():
                    asked = None
            hidden = [value for name in session.secrets if (value := session.variables.get(name))]
            yield from _steps(output, now, hidden)
        if session.done:
            return
        deadline = session.deadline()
        if asked is not None:
            open_ask, asked = asked, None
            if (found := trial.known(open_ask.request)) is not None:
                text = "answered: " + (" ".join(found.values()) or "none")
                yield Step(now, "answer", text, {"values": dict(found), "error": ""})
                outputs = session.handle(ivr.Answer(open_ask.ask, found, ""), now)
                continue
            said = hand.answer()
            if said != TIME_OUT:
                values, error = _answer(said, open_ask.request)
                yield Step(now, "answer", f"answered: {said}", {"values": values, "error": error})
                outputs = session.handle(ivr.Answer(open_ask.ask, values, error), now)
                continue
            yield Step(now, "timeout", "no answer comes")
            if deadline is not None:
                now = max(now, deadline)
                outputs = session.handle_timer(now)
                continue
        if playing:
            now, playing, done = now + listens_s, 0, playing
            outputs = session.handle(ivr.PlayDone(done), now)
            continue
        key = hand.key()
        if key == GIVE_UP:
            yield Step(now, "given up", "hangs up")
            return
        if key == TIME_OUT:
            now = max(now, deadline if deadline is not None else now)
            yield Step(now, "timeout", "says and presses nothing")
            outputs = session.handle_timer(now)
        else:
            now = min(now + _KEY_S, deadline) if deadline is not None else now + _KEY_S
            shown = "*" if session.is_secret else key
            yield Step(now, "key", f"presses {shown}", {"key": shown})
            outputs = session.handle(ivr.Key(key), now)
    yield Step(now, "given up", f"stopped after {MAX_INPUTS} inputs")


def _steps(output: Output, now: float, hidden: list[str]) -> Iterator[Step]:
    """What people want to know of an output; what is `hidden` (a PIN) is not shown in what is asked for."""
    from ivr import messages as ivr

    match output:
        case ivr.Entered(flow, node, data):
            yield Step(now, "node", f"{flow}.{node}", dict(data))
        case ivr.Play(_, prompts):
            for prompt in prompts:
                text = prompt.text or prompt.file
                yield Step(now, "hears", text, {"language": prompt.language, "file": prompt.file})
        case ivr.Ask(_, request):
            particulars = dataclasses.asdict(request) if dataclasses.is_dataclass(request) else {}
            shown = {key: _masked(value, hidden) for key, value in particulars.items() if value}
            yield Step(now, "asks", type(request).__name__, shown)
        case ivr.EnterQueue(queue, priority, call_type, carry):
            told: dict[str, Any] = {"queue": queue, "priority": priority, "call_type": call_type}
            yield Step(now, "queue", f"waits in the queue {queue}", told | {"carry": dict(carry)})
        case ivr.Transfer(target, call_type):
            yield Step(now, "transfer", f"goes to {target}", {"target": target, "call_type": call_type})
        case ivr.HangUp(cause, detail):
            what = "failure" if cause == "failure" else "hangup"
            yield Step(now, what, f"the call ends: {detail or cause}", {"cause": cause, "detail": detail})


def _masked(value: Any, hidden: list[str]) -> Any:
    """The value without what must not be seen, also inside."""
    if isinstance(value, dict):
        return {key: _masked(inner, hidden) for key, inner in value.items()}
    if isinstance(value, str):
        for secret in hidden:
            value = value.replace(secret, "*")
    return value


def _answer(said: str, request: Request) -> tuple[dict[str, str], str]:
    """The values and the error that were typed."""
    from ivr.nodes.listen import CONFIDENCE, PHRASE, Hear

    if said == "none" or not said:
        return {}, ""
    if said == "fail" or said.startswith("fail:"):
        return {}, said.partition(":")[2] or "it failed"
    if isinstance(request, Hear) and "=" not in said:
        return {PHRASE: said, CONFIDENCE: "1"}, ""
    try:
        words = shlex.split(said)
    except ValueError as error:
        raise BadUsage(f"{said!r}: {error}; a value with spaces is quoted: name='two words'") from None
    return dict(_pair(one) for one in words), ""


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadUsage(f"{text!r} says nothing: write NAME=VALUE")
    return name, value


def _keys(text: str) -> deque[str]:
    """Keys and time-outs, one each."""
    from ivr.node import KEYS

    found: deque[str] = deque()
    for token in text.split():
        if token in (TIME_OUT, GIVE_UP):
            found.append(token)
        elif set(token.upper()) <= KEYS:
            found.extend(token.upper())
        else:
            raise BadUsage(
                f"{token!r} cannot be pressed: 0 to 9, *, #, A to D, or {TIME_OUT} for the time-out"
            )
    return found


def _ask(prompt: str) -> str:
    """A line from the terminal; the end of the input hangs up."""
    sys.stdout.write(prompt)
    sys.stdout.flush()
    line = sys.stdin.readline()
    return line.strip() or TIME_OUT if line else GIVE_UP


def _shown(step: Step) -> str:
    """One line for people."""
    more = ", ".join(f"{name} {_brief(value)}" for name, value in step.data.items() if value)
    match step.what:
        case "node":
            return plain(step.text) + (f"  ({more})" if more else "")
        case "hears":
            quoted = f"♪ {step.text}" if step.data["file"] else f"“{step.text}”"
            return f"    {plain(quoted)}"
        case "key" | "timeout" | "given up" | "answer":
            return f"  > {plain(step.text)}"
        case "asks":
            return f"    asks {step.text}: {more}"
    return f"= {plain(step.text)}" + (f"  ({more})" if more else "")


def _brief(value: object) -> str:
    text = plain(value if isinstance(value, str | Sequence) else str(value))
    return text if len(text) <= 120 else text[:117] + "..."
