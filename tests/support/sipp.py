"""SIPp as a peer: its built-in scenarios or ours (`sipp_scenarios`), over UDP or TCP, its statistics read.

Traps: always `-nostdin` and no input; in the background `-bg` loses the exit code, so it runs in the
foreground of a process that asyncio watches. It sends all media from one port (`media_port`). Audio from a
file is raw mu-law (`rtp_stream`). The built-in `uas` keeps each call for 4 s after its BYE, and over TCP
counts it as failed when the connection closes meanwhile: use `sipp_scenarios.called`. `play_pcap_audio` opens
a raw socket and therefore needs root: digits are better sent by a softphone.
"""

import asyncio
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.ports import free_port, free_rtp_port
from tests.support.processes import Program, ProgramError

Transport = Literal["udp", "tcp"]
DIGIT_PCAPS = Path("/usr/share/sip-tester")
BOUND_S = 10.0
GLOBAL_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Statistics:
    """SIPp's last cumulated line. `retransmissions` counts its own; `failed` with its causes in `log`."""

    created: int
    successful: int
    failed: int
    retransmissions: int
    exit_code: int
    log: str


class Sipp(Program):
    """One SIPp. As a caller give `remote` (host:port); as a called party leave it out and read `port`.

    async with Sipp(tmp_path, "uas") as uas, Sipp(tmp_path, "uac", remote=uas.address) as uac:
        assert (await uac.result(10)).successful == 1
    """

    def __init__(
        self,
        directory: Path,
        scenario: str,
        *extra: str,
        remote: str | None = None,
        calls: int = 1,
        rate: float = 10,
        transport: Transport = "udp",
        service: str = "600",
        keys: dict[str, str] | None = None,
        injection: Path | None = None,
        port: int | None = None,
        media_port: int | None = None,
        ipv6: bool = False,
    ) -> None:
        """`scenario` is a built-in name (`uac`, `uas` ...) or the XML itself;

        its files stay in `directory`. With `ipv6` it is on ::1, else on 127.0.0.1.
        """
        self.host = "[::1]" if ipv6 else "127.0.0.1"
        self.port = port if port is not None else free_port()
        self.media_port = media_port if media_port is not None else free_rtp_port(2)
        self.directory = directory
        self._stem = f"sipp-{self.port}"
        arguments: list[str | Path] = [remote] if remote is not None else []
        if scenario.lstrip().startswith("<"):
            path = directory / f"{self._stem}.xml"
            path.write_text(scenario)
            arguments += ["-sf", path]
        else:
            arguments += ["-sn", scenario]
        for name, value in (keys or {}).items():
            arguments += ["-key", name, value]
        if injection is not None:
            arguments += ["-inf", injection]
        arguments += ["-i", self.host, "-p", str(self.port)]
        arguments += ["-mi", self.host, "-mp", str(self.media_port)]
        arguments += ["-t", "t1" if transport == "tcp" else "u1", "-s", service]
        arguments += ["-m", str(calls), "-r", f"{rate:g}", "-nostdin"]
        arguments += ["-timeout", f"{GLOBAL_TIMEOUT_S}s"]  # should the tests be killed, it ends by itself
        arguments += ["-trace_err", "-error_file", self._file("errors")]
        arguments += ["-trace_screen", "-screen_file", self._file("screen")]
        arguments += ["-trace_msg", "-message_file", self._file("messages")]
        arguments += ["-trace_stat", "-stf", self._file("csv"), "-fd", "1"]
        super().__init__("sipp", *arguments, *extra, cwd=directory)
        self.transport: Transport = transport

    @property
    def address(self) -> str:
        """host:port of its SIP."""
        return f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Starts it, and returns when it can be called."""
        await super().start()
        if self.arguments[0].startswith("-"):
            await self._bound()

    async def result(self, timeout_s: float) -> Statistics:
        """Waits for its end; ProgramError with everything it said unless every call succeeded."""
        statistics = await self.statistics(timeout_s)
        if statistics.exit_code != 0 or statistics.failed:
            raise ProgramError(f"SIPp failed: {statistics}\n{self.describe()}")
        return statistics

    async def statistics(self, timeout_s: float) -> Statistics:
        """Waits for its end, whatever that is."""
        code = await self.wait(timeout_s)
        with self._file("csv").open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        if not rows:
            raise ProgramError(f"SIPp wrote no statistics\n{self.describe()}")
        last = rows[-1]
        return Statistics(
            created=int(last["TotalCallCreated"]),
            successful=int(last["SuccessfulCall(C)"]),
            failed=int(last["FailedCall(C)"]),
            retransmissions=int(last["Retransmissions(C)"]),
            exit_code=code,
            log=self._text("errors"),
        )

    def messages(self) -> str:
        """Every SIP message that it sent and received."""
        return self._text("messages")

    def describe(self) -> str:
        """Its command, its output and its error log."""
        return f"{super().describe()}{self._text('errors')}"

    def _file(self, suffix: str) -> Path:
        return self.directory / f"{self._stem}.{suffix}"

    def _text(self, suffix: str) -> str:
        path = self._file(suffix)
        return path.read_text(errors="replace") if path.exists() else ""

    async def _bound(self) -> None:
        """Waits until its port is taken, looking every 20 ms: SIPp does not say when it listens."""
        async with asyncio.timeout(BOUND_S):
            while not self._is_bound():
                if self.exit_code is not None:
                    raise ProgramError(f"SIPp ended at once\n{self.describe()}")
                await asyncio.sleep(0.02)

    def _is_bound(self) -> bool:
        if self.host == "[::1]":
            there, table = f"{'0' * 24}01000000:{self.port:04X} ", f"/proc/net/{self.transport}6"
        else:
            there, table = f"0100007F:{self.port:04X} ", f"/proc/net/{self.transport}"
        return there in Path(table).read_text()
