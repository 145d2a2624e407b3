"""The real switch as a program: `cc serve` with a configuration of the test's own, on free ports.

async with RunningSwitch(tmp_path, prompts) as switch:
    await anna.register(switch.address, "201", "secret")
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from softswitch.api.client import ApiClient
from tests.support.certificates import Authority
from tests.support.ports import free_port, free_rtp_port
from tests.support.processes import Program

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "secret"
PORT_PAIRS = 60
READY_S = 90  # hundreds of texts are spoken before the first start, on a busy machine too

CENTRE = """\
language = "en"

[sip]
listen = ["udp:127.0.0.1:{port}", "tcp:127.0.0.1:{port}"{listen}]
realm = "test"
guests = true

{tls}

[media]
address = "127.0.0.1"
{media}
ports = "{first}-{last}"
workers = 1
lost_s = {lost_s}

[store]
path = "cc.db"

[api]
socket = "cc.sock"

[recordings]
directory = "recordings"
min_free_mb = 0
{recordings}

[prompts]
cache = "{prompts}"

[extensions.201]
name = "Anna"
password = "secret"

[extensions.202]
name = "Boris"
password = "secret"

[extensions.203]
password = "secret"

[agents.anna]
extension = "201"
queues = ["sales", "support"]

[agents.boris]
extension = "202"
queues = ["sales", "support"]

[queues.sales]
strategy = "longest-idle"
ring_s = 10
wrapup_s = 2
record = true
{sales}

[queues.support]
strategy = "least-occupancy"
ring_s = 10
wrapup_s = 0

[flows.main]
start = "choose"

[flows.main.nodes.choose]
type = "menu"
prompt = "For sales, press 1. For support, press 2. To hear this again, press the star key."
timeout_s = 10
retries = 1
keys = {{ 1 = "sales", 2 = "support", 9 = "bye", "*" = "@repeat" }}
otherwise = "bye"

[flows.main.nodes.sales]
type = "queue"
queue = "sales"
call_type = "sales"

[flows.main.nodes.support]
type = "queue"
queue = "support"

[flows.main.nodes.bye]
type = "hangup"

[[routes]]
number = "600"
to = "flow:main"
guests = true

[[routes]]
number = "601"
to = "queue:sales"
guests = true

{extra}
"""


class RunningSwitch(Program):
    """One switch. `extra` is TOML added at the end, `sales` keys of the queue `sales`, `recordings` of
    [recordings], `media` of [media]; with `browsers` it listens for WebSockets too, with an `authority` over
    TLS, at `tls_address`; with `ipv6` on ::1 too (not for browsers)."""

    def __init__(
        self,
        directory: Path,
        prompts: Path,
        *,
        extra: str = "",
        sales: str = "",
        recordings: str = 'format = "wav"',
        lost_s: float = 30,
        media: str = "",
        authority: Authority | None = None,
        text: str | None = None,
        browsers: bool = False,
        ipv6: bool = False,
    ) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.web_port = free_port() if browsers else 0
        self.directory = directory
        first = free_rtp_port(PORT_PAIRS)
        self.config = directory / "cc.toml"
        values: dict[str, Any] = {
            "port": self.port,
            "web_port": self.web_port,
            "first": first,
            "last": first + 2 * PORT_PAIRS - 1,
            "prompts": prompts,
        }
        values |= {"tls": "", "media": media}
        self._web = "ws" if authority is None else "wss"
        values["listen"] = f', "{self._web}:127.0.0.1:{self.web_port}"' if browsers else ""
        if ipv6:
            values["listen"] += f', "udp:[::1]:{self.port}", "tcp:[::1]:{self.port}"'
        if authority is not None:
            pair = authority.sign("switch", "127.0.0.1", "::1", "localhost")
            values["listen"] += f', "tls:127.0.0.1:{self.tls_port}"'
            if ipv6:
                values["listen"] += f', "tls:[::1]:{self.tls_port}"'
            values["tls"] = (
                f'[tls]\ncertificate = "{pair.certificate}"\nkey = "{pair.key}"\nca = "{authority.file}"'
            )
        values |= {"extra": extra, "sales": sales, "recordings": recordings, "lost_s": lost_s}
        self.config.write_text((text or CENTRE).format(**values))
        self.api = ApiClient(directory / "cc.sock")
        arguments = ("-m", "cli.main", "serve", "-c", self.config)
        super().__init__(sys.executable, *arguments, cwd=ROOT)

    @property
    def address(self) -> str:
        """host:port of its SIP."""
        return f"127.0.0.1:{self.port}"

    @property
    def web_socket(self) -> str:
        """Where browsers connect."""
        return f"{self._web}://127.0.0.1:{self.web_port}"

    @property
    def tls_address(self) -> str:
        """host:port of its SIP over TLS."""
        return f"127.0.0.1:{self.tls_port}"

    @property
    def ipv6_address(self) -> str:
        """host:port of its SIP on IPv6."""
        return f"[::1]:{self.port}"

    def uri(self, number: str) -> str:
        """What a caller dials."""
        return f"sip:{number}@{self.address}"

    async def start(self) -> None:
        """Starts it, and returns when it takes calls."""
        await super().start()
        await self.wait_line(r"= ready", READY_S)

    async def get(self, *parts: str, **query: Any) -> Any:
        """An answer of the API."""
        return await asyncio.to_thread(self.api.get, *parts, query=query)

    async def post(self, *parts: str, **body: Any) -> Any:
        """A command."""
        return await asyncio.to_thread(self.api.post, *parts, body=body)

    async def until(
        self, what: Callable[[Any], Any], *parts: str, timeout_s: float = 15.0, **query: Any
    ) -> Any:
        """The first answer that `what` is true of; AssertionError with the last one when the time is over."""
        answer: Any = None
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    answer = await self.get(*parts, **query)
                    if what(answer):
                        return answer
                    await asyncio.sleep(0.03)  # between two looks, not a wait for something to happen
        except TimeoutError:
            raise AssertionError(f"it did not come to that within {timeout_s} s; last: {answer}") from None

    async def agent(self, name: str, state: str) -> None:
        """Wait until the agent is in this state."""
        await self.until(lambda answer: answer["state"] == state, "agents", name)

    async def only_call(self, state: str) -> Any:
        """Wait until there is one live call in this state."""
        calls = await self.until(lambda all_: [c["state"] for c in all_] == [state], "calls")
        return calls[0]

    async def record(self, timeout_s: float = 15.0) -> Any:
        """The record of the only call, once it is over."""
        calls = await self.until(
            lambda all_: len(all_) == 1 and all_[0]["ended_at"] is not None,
            "log",
            "calls",
            timeout_s=timeout_s,
        )
        return calls[0]

    async def kinds(self, call: str) -> list[str]:
        """What the log tells of a call, in order."""
        return [event["kind"] for event in (await self.get("log", "calls", call))["events"]]
