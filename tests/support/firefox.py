"""Firefox as it is in Debian, moved by WebDriver BiDi (W3C), which it speaks itself: no driver is between.

What it says is a tone of its own (`SAYS_HZ`): it has no microphone that plays a file.

async with Firefox(home) as firefox:
    page = await firefox.open("http://127.0.0.1:8000/")
    await page.evaluate("number => number + 1", 1)
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import pytest
import websockets
from playwright.async_api import Error as PlaywrightError

from tests.support.processes import Program

SAYS_HZ = 440
START_S, ANSWER_S = 60.0, 60.0
PREFERENCES: dict[str, bool | int | str] = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.navigator.audio.fake_frequency": SAYS_HZ,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "extensions.getAddons.cache.enabled": False,
}


UNTIL = """async argument => {{
  const look = () => {{ const found = ({}); return typeof found === "function" ? found(argument) : found; }};
  while (!look()) {{
    await new Promise(done => setTimeout(done, 50));  // between two looks
  }}
}}"""


def own_address() -> str:
    """An IPv4 address of this machine that is not on loopback. Nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError as error:
            pytest.fail(f"this machine has no network but loopback ({error}), and Firefox has no ICE there")
        return str(probe.getsockname()[0])


class FirefoxPage:
    """A page, with the part of playwright's `Page` that `WebPhone` uses."""

    def __init__(self, context: str, ask: Callable[..., Awaitable[dict[str, Any]]]) -> None:
        self._context = context
        self._ask = ask

    async def evaluate(self, text: str, argument: object = None) -> Any:
        """The value of an expression, or of a function with this argument."""
        wrapped = (
            f"(async () => {{ const found = ({text}); const value = typeof found === 'function' ? "
            f"await found({json.dumps(argument)}) : await found; return JSON.stringify(value ?? null); }})()"
        )
        answer = await self._ask(
            "script.evaluate",
            expression=wrapped,
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        if answer["type"] != "success":
            raise PlaywrightError(f"{text}: {answer['exceptionDetails']['text']}")
        return json.loads(answer["result"]["value"])

    async def wait_for_function(self, text: str, *, arg: object = None, timeout: float) -> None:
        """Until it is true; `timeout` in ms."""
        try:
            async with asyncio.timeout(timeout / 1000):
                await self.evaluate(UNTIL.format(text), arg)
        except TimeoutError:
            raise PlaywrightError(f"{text}: not true within {timeout:g} ms") from None

    async def text_content(self, selector: str) -> str:
        """Of one element."""
        return str(await self.evaluate("selector => document.querySelector(selector).textContent", selector))

    async def reload(self) -> None:
        """Load it anew."""
        await self._ask("browsingContext.reload", context=self._context, wait="complete")


class Firefox(Program):
    """One browser with a profile of its own below `home`."""

    def __init__(self, home: Path) -> None:
        if shutil.which("firefox-esr") is None:
            pytest.fail("firefox-esr is not installed: `make test` installs it")
        profile = home / "firefox"
        profile.mkdir()
        lines = (f'user_pref("{name}", {json.dumps(value)});' for name, value in PREFERENCES.items())
        (profile / "user.js").write_text("\n".join(lines) + "\n")
        arguments = ("--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0")
        super().__init__("firefox-esr", *arguments, "about:blank", env={"HOME": str(home)})
        self._last = 0

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        try:
            where = await self.wait_line(r"WebDriver BiDi listening on (ws://\S+)", START_S)
            self._socket = await websockets.connect(f"{where[1]}/session", max_size=None, proxy=None)
            await self._ask("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        except BaseException:
            await self.stop()
            raise
        return self

    async def open(self, address: str) -> FirefoxPage:
        """A page in its window."""
        context = (await self._ask("browsingContext.getTree"))["contexts"][0]["context"]
        await self._ask("browsingContext.navigate", context=context, url=address, wait="complete")
        return FirefoxPage(context, self._ask)

    async def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command, and its answer; events are passed over (none is subscribed to)."""
        self._last += 1
        await self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        async with asyncio.timeout(ANSWER_S):
            while True:
                answer: dict[str, Any] = json.loads(await self._socket.recv())
                if answer.get("id") == self._last:
                    break
        if answer["type"] != "success":
            raise PlaywrightError(f"{method}: {answer['error']}: {answer['message']}")
        result: dict[str, Any] = answer["result"]
        return result
