"""The demo from beginning to end.

Invariant: whatever happens, every process that was started is ended; the step at which it failed is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli import log, report
from cli.demo import PORT, verdict
from cli.demo.people import SIGNAL_S, AgentPhone, CallerPhone, Scene
from cli.demo.proof import read
from cli.demo.stage import Stage, check_programs, free_port, set_up
from cli.demo.story import AGENTS, CALLERS, NUMBER, Agent
from cli.demo.switch import SwitchProcess, tail
from cli.demo.view import View, to_stderr, to_stdout
from cli.demo.watch import Watch
from cli.output import print_json
from cli.refusals import DONE, FAILED
from softswitch.errors import LocalError

LIMIT_S = 115.0
TAIL_LINES = 15
NOTE_LINES = 6
INTERRUPTED = 130
BETWEEN_CALLS_S = 0.7


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    port: int | None = None
    address: str = "127.0.0.1"
    keep: bool = False
    directory: Path | None = None
    json: bool = False


def run(options: Options) -> int:
    """The exit code. Raises LocalError only before anything was started."""
    check_programs()
    show = Show(options)
    try:
        asyncio.run(show.run())
    except asyncio.CancelledError:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told with its step, never by a traceback
        show.tell_failure(_cause(error))
        return FAILED
    return DONE


def _cause(error: BaseException) -> BaseException:
    """What went wrong first, out of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class Show:
    """One performance. `step` says how far it has come."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.step = "setting the scene"
        self.view: View = to_stderr() if options.json else to_stdout()
        self.stage: Stage | None = None
        self.result: dict[str, Any] = {"ok": False}

    async def run(self) -> None:
        """Everything. Raises whatever fails."""
        started = time.monotonic()
        options = self.options
        performance = asyncio.current_task()
        assert performance is not None  # this is a coroutine
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, performance.cancel)
        port = free_port(options.address, options.port, PORT)
        if options.port is None and port != PORT:
            self.view.say(f"port {PORT} is taken; this switch uses {port}")
        self.stage = await asyncio.to_thread(set_up, options.directory, options.address, port)
        self._step("starting the switch")
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(LIMIT_S):
                switch = await stack.enter_async_context(SwitchProcess(self.stage))
                self.view.say(f"the switch listens on {self.stage.server} (its log: {self.stage.log})")
                await self._perform(switch, stack)
            self.result |= {"ok": True, "seconds": round(time.monotonic() - started, 1)}
            if options.keep:
                await self._keep(switch)
            self._step("stopping the switch")
            await self._stop(switch)
        if not options.keep:
            self._finish()

    def _step(self, step: str) -> None:
        self.step = step

    async def _perform(self, switch: SwitchProcess, stack: AsyncExitStack) -> None:
        assert self.stage is not None
        watch = Watch(switch)
        scene = Scene(self.stage, watch, self.view.say)
        agents = {agent.name: AgentPhone(agent, scene) for agent in AGENTS}
        callers = [CallerPhone(caller, scene, agents) for caller in CALLERS]
        since = time.time()
        with self.view.live():
            async with asyncio.TaskGroup() as group:
                background = [
                    group.create_task(work) for work in (watch.run(), self.view.run(watch), switch.died())
                ]
                self._step("starting the phones")
                phones = [one.phone for one in agents.values()] + [one.phone for one in callers]
                await asyncio.gather(*(stack.enter_async_context(phone) for phone in phones))
                self._step("logging the agents in")
                await asyncio.gather(*(agent.log_in() for agent in agents.values()))
                self._step("the calls")
                await self._calls(callers)
                self._step("the end of wrap-up")
                await watch.until(
                    lambda now: not now.calls and all(agent["state"] == "ready" for agent in now.agents),
                    SIGNAL_S,
                    "all calls are to be over and all agents ready again",
                )
                for task in background:
                    task.cancel()
        self._step("judging")
        await self._judge(switch, since, agents, callers)
        if self.options.keep:  # the first agent's place is for the phone of whoever watches
            self._step("making room for another phone")
            await switch.post("agents", AGENTS[0].name, "logout")
            await agents[AGENTS[0].name].phone.close()

    async def _calls(self, callers: list[CallerPhone]) -> None:
        async with asyncio.TaskGroup() as group:
            for caller in callers:
                group.create_task(caller.perform())
                await asyncio.sleep(BETWEEN_CALLS_S)

    async def _judge(
        self, switch: SwitchProcess, since: float, agents: dict[str, AgentPhone], callers: list[CallerPhone]
    ) -> None:
        assert self.stage is not None
        stage = self.stage
        records = [r for r in await switch.get("log", "calls", number=NUMBER) if r["started_at"] >= since]
        counted = await switch.get("report", since=since)
        faults = [*verdict.record_faults(records), *verdict.report_faults(counted, records)]
        voices = {name: read(path)[0] for name, path in stage.lines.items()}
        agent_voices = {agent.display_name: voices[agent.name] for agent in AGENTS}
        caller_voices = {caller.name: voices[caller.name] for caller in CALLERS}
        told: list[dict[str, Any]] = []
        sounds: list[str] = []
        for one in callers:
            record = verdict.record_of(one.caller, records)
            told.append({"caller": one.caller.name, "expected": one.caller.disposition, "record": record})
            if record is None or record["agent"] not in agents:
                sounds.append(f"  {one.caller.name} gave up waiting: nobody to hear")
                continue
            agent = agents[record["agent"]]
            name = agent.agent.display_name
            proof = verdict.Proof(
                await agent.recording_of(record["id"]), one.heard, stage.directory / record["recording"]
            )
            heard = await asyncio.to_thread(proof.judge, caller_voices, agent_voices)
            faults += verdict.sound_faults(one.caller, name, heard)
            told[-1]["heard"] = heard
            sounds.append(f"  {one.caller.name} and {name}: {heard}")
        self.result |= {"server": stage.server, "directory": str(stage.directory)}
        self.result |= {"calls": told, "report": counted, "faults": faults}
        if not self.options.json:
            self._print_log(stage, since, sounds)
        if faults:
            raise LocalError("; ".join(faults))

    def _print_log(self, stage: Stage, since: float, sounds: list[str]) -> None:
        print("\nThe call log (cc log calls):\n")
        log.calls(number=NUMBER, config=stage.config)
        print("\nThe report (cc report):\n")
        report.report(since=str(int(since)), config=stage.config)
        print("\nWho is heard in the recordings (1.00 is the same sound, sample by sample):\n")
        print("\n".join(sounds))

    async def _stop(self, switch: SwitchProcess) -> None:
        assert self.stage is not None
        code = await switch.stop()
        if code:
            raise LocalError(f"the switch ended with exit code {code}")
        if "Traceback (most recent call last)" in self.stage.log.read_text(errors="replace"):
            raise LocalError(f"a traceback is in {self.stage.log}")

    async def _keep(self, switch: SwitchProcess) -> None:
        """Until Ctrl-C."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        ended = asyncio.create_task(stop.wait())
        died = asyncio.create_task(switch.died())
        self._step("running on")
        self._finish()
        try:
            await asyncio.wait((ended, died), return_when=asyncio.FIRST_COMPLETED)
            if died.done():
                died.result()
        finally:
            for task in (ended, died):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, LocalError):
                    await task

    def _finish(self) -> None:
        assert self.stage is not None
        if self.options.json:
            print_json(self.result)
            sys.stdout.flush()
            return
        answered = sum(not caller.gives_up for caller in CALLERS)
        print(
            f"\nAll is as it should be: {len(CALLERS)} calls, {answered} answered and heard on both sides, "
            f"{len(CALLERS) - answered} abandoned, in {self.result['seconds']:.0f} s.\n"
        )
        print(invitation(self.stage, AGENTS[0], kept=self.options.keep))
        sys.stdout.flush()

    def tell_failure(self, error: BaseException) -> None:
        """The step, the cause, and the end of the switch's log."""
        text = "it took too long" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        lines = tail(self.stage.log, TAIL_LINES) if self.stage is not None else []
        if self.options.json:
            print_json(self.result | {"ok": False, "step": self.step, "error": text, "switch_log": lines})
            return
        print(f"\ncc demo: FAILED at {self.step}: {text}", file=sys.stderr)
        for note in getattr(error, "__notes__", ())[-NOTE_LINES:]:
            print(f"    {note}", file=sys.stderr)
        if lines and self.stage is not None:
            print(f"\nThe end of {self.stage.log}:\n", file=sys.stderr)
            print("\n".join(lines), file=sys.stderr)


def invitation(stage: Stage, agent: Agent, *, kept: bool) -> str:
    """How to register a real phone."""
    lines = [
        "Register a phone of your own (docs/phones.md has it step by step):",
        f"  server    {stage.server}, UDP or TCP",
        f"  user      {agent.extension}",
        f"  password  {agent.password}",
        f"  dial      {NUMBER} for the menu; *11 to be {agent.display_name} and answer, *12 to leave",
    ]
    if kept:
        lines.append(
            f"{agent.display_name}'s place is yours, the others answer. The switch runs until Ctrl-C."
        )
        program = Path(sys.executable).with_name("cc")  # a bare `cc` may be the C compiler
        lines.append(f"To watch it: {program} calls list -c {stage.config}")
    else:
        lines.append("The switch has ended; `make demo ARGS=--keep` leaves it running for your phone.")
    if stage.address.startswith("127."):
        lines.append(
            "It is reached from this machine only; --address ADDRESS opens it to phones of the network."
        )
    return "\n".join(lines)
