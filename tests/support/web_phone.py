"""Chromium (or Firefox) with the page of `examples/browser` as a telephone: what it says comes from a WAV
file, what it hears is taken from the page by WebAudio.

async def test_x(web_phones: WebPhoneMaker) -> None:
    anna = await web_phones(tone)
    await anna.register(switch.web_socket, "201", "secret")
"""

import asyncio
import contextlib
import fcntl
import functools
import hashlib
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import Error as PlaywrightError

from tests.support.audio import Samples, dominant_hz
from tests.support.firefox import Firefox, FirefoxPage
from tests.support.processes import find_program

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "browser"
SIPJS = Path(__file__).with_name("sipjs")
WAIT_S = 30.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
)

# Half a second of what the page hears, once it is not silent.
HEAR = """async () => {
  const stream = document.getElementById("heard").srcObject;
  if (!window.ears) {
    const context = new AudioContext();
    window.ears = { context, analyser: new AnalyserNode(context, { fftSize: 32768 }) };
    context.createMediaStreamSource(stream).connect(window.ears.analyser);
  }
  const { context, analyser } = window.ears;
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return { rate: context.sampleRate, samples: Array.from(samples) };
}"""

# The same without a sound card, which Firefox's AudioContext cannot do without: recorded, then decoded.
RECORD = """async () => {
  const recorder = new MediaRecorder(document.getElementById("heard").srcObject);
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const over = new Promise(done => { recorder.onstop = done; });
  recorder.start();
  await new Promise(done => setTimeout(done, 1000));
  recorder.stop();
  await over;
  const context = new OfflineAudioContext(1, 1, 48000);
  const heard = await context.decodeAudioData(await new Blob(parts).arrayBuffer());
  return { rate: heard.sampleRate, samples: Array.from(heard.getChannelData(0).slice(-24000)) };
}"""


class WebPhone:
    """One page. States are those of the page: offline, registered, calling, ringing, talking."""

    def __init__(self, page: Page | FirefoxPage, hear: str = HEAR) -> None:
        self.page = page
        self._hear = hear
        self._account: dict[str, str] = {}

    async def register(self, url: str, number: str, password: str) -> None:
        """Log in, and wait until that is done."""
        self._account = {"url": url, "uri": f"sip:{number}@127.0.0.1", "password": password}
        await self.page.evaluate("account => phone.start(account)", self._account)
        await self.until("registered")

    async def reload(self) -> None:
        """Load the page anew in the middle of a call, log in again, and wait until the two talk again."""
        await self.page.reload()
        await self.page.evaluate("account => phone.start(account)", self._account)
        await self.until("talking")

    async def until(self, state: str) -> None:
        """Wait until it is in this state."""
        try:
            await self.page.wait_for_function(
                "state => phone.state === state", arg=state, timeout=WAIT_S * 1000
            )
        except PlaywrightError:
            shown = await self.page.text_content("#state")
            raise AssertionError(f"the page is not {state} within {WAIT_S:g} s, but {shown}") from None

    async def call(self, target: str) -> None:
        """Dial, and wait until it is answered."""
        await self.page.evaluate("target => phone.call(target)", target)
        await self.until("talking")

    async def answer(self) -> None:
        """Pick up, and wait until the two talk."""
        await self.until("ringing")
        await self.page.evaluate("phone.answer()")
        await self.until("talking")

    async def press(self, key: str) -> None:
        """Send a key as telephone-event."""
        await self.page.evaluate("key => phone.press(key)", key)

    async def hang_up(self) -> None:
        """Put down."""
        await self.page.evaluate("phone.hangUp()")
        await self.until("registered")

    async def hold(self, *, held: bool) -> None:
        """Put the other side on hold, or take it back."""
        await self.page.evaluate(
            "held => new Promise(done => phone.session[held ? 'hold' : 'unhold']({}, done))", held
        )

    async def talk(self, seconds: float) -> None:
        """Wait until it has sent so much audio from now on."""
        wait = """async packets => {
          const sent = async () => [...(await phone.session.connection.getStats()).values()]
            .find(one => one.type === "outbound-rtp").packetsSent;
          const goal = await sent() + packets;
          while (await sent() < goal) {
            await new Promise(done => setTimeout(done, 100));  // between two looks
          }
        }"""
        async with asyncio.timeout(WAIT_S + seconds):
            await self.page.evaluate(wait, int(50 * seconds))

    async def local_port(self, but: int = 0) -> int:
        """The port that its audio goes from; wait until it is another than `but`."""
        report = """async but => {
          for (;;) {
            const stats = await phone.session.connection.getStats();
            const transport = [...stats.values()].find(one => one.type === "transport");
            const pair = stats.get(transport.selectedCandidatePairId);
            const port = pair && stats.get(pair.localCandidateId).port;
            if (port && port !== but) {
              return port;
            }
            await new Promise(done => setTimeout(done, 100));  // between two looks
          }
        }"""
        async with asyncio.timeout(WAIT_S):
            return int(await self.page.evaluate(report, but))

    async def until_recovered(self) -> None:
        """Wait until the page has registered again and restarted the call, after its network was lost."""
        await self.page.wait_for_function("phone.recovered > 0", timeout=WAIT_S * 1000)

    async def hears_hz(self, hz: float, off_by: float = 20.0) -> None:
        """Wait until this tone is what it hears."""
        heard: list[float] = []
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    rate, samples = await self._listen()
                    heard.append(dominant_hz(samples, rate))
                    if abs(heard[-1] - hz) <= off_by:
                        return
                    await asyncio.sleep(0.2)  # between two looks
        except TimeoutError:
            raise AssertionError(f"the page does not hear {hz:g} Hz; of late: {heard[-5:]}") from None

    async def _listen(self) -> tuple[int, Samples]:
        heard = await self.page.evaluate(self._hear)
        return int(heard["rate"]), np.array(heard["samples"], np.float64)

    async def codec(self) -> str:
        """What it is sending, such as `audio/PCMU`."""
        report = """async () => {
          const stats = [...(await phone.session.connection.getStats()).values()];
          const sent = stats.find(one => one.type === "outbound-rtp");
          return stats.find(one => one.id === sent.codecId).mimeType;
        }"""
        return str(await self.page.evaluate(report))


WebPhoneMaker = Callable[..., Coroutine[Any, Any, WebPhone]]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def phone_page() -> Iterator[str]:
    """The address of the built page."""
    with _served(EXAMPLE) as address:
        yield address


@pytest.fixture(scope="session")
def sipjs_page() -> Iterator[str]:
    """The address of the page with SIP.js."""
    with _served(SIPJS) as address:
        yield address


@contextlib.contextmanager
def _served(directory: Path) -> Iterator[str]:
    _build(directory)
    handler = functools.partial(_Quiet, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
        server.shutdown()
        thread.join()


def _build(directory: Path) -> None:
    """`npm ci` and the bundle, unless they are there for these very files; one test process at a time."""
    names = ("package.json", "package-lock.json", "phone.js")
    wanted = hashlib.sha256(b"".join((directory / name).read_bytes() for name in names)).hexdigest()
    dist = directory / "dist"
    dist.mkdir(exist_ok=True)
    with (dist / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = dist / ".built-of"
        if stamp.exists() and stamp.read_text() == wanted and (dist / "phone.js").exists():
            return
        for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            made = subprocess.run(
                [find_program("npm"), *arguments],
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert made.returncode == 0, f"npm {' '.join(arguments)}: {made.stdout}{made.stderr}"
        stamp.write_text(wanted)


@pytest.fixture
async def web_phones(tmp_path: Path, phone_page: str) -> AsyncIterator[WebPhoneMaker]:
    """A function that opens the page in a browser of its own, which says what is in the WAV file."""
    async with _browsers(tmp_path, phone_page) as start:
        yield start


@pytest.fixture
async def sipjs_phones(tmp_path: Path, sipjs_page: str) -> AsyncIterator[WebPhoneMaker]:
    """The same with the page that uses SIP.js."""
    async with _browsers(tmp_path, sipjs_page) as start:
        yield start


@pytest.fixture
async def firefox_phone(tmp_path: Path, phone_page: str) -> AsyncIterator[WebPhone]:
    """The page in Firefox, which says `firefox.SAYS_HZ`."""
    async with Firefox(tmp_path) as firefox:
        yield WebPhone(await firefox.open(phone_page), RECORD)


@contextlib.asynccontextmanager
async def _browsers(home: Path, address: str) -> AsyncIterator[WebPhoneMaker]:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("chromium is not installed: `make test` installs it, or `apt-get install chromium`")
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())

        async def start(says: Path, *flags: str) -> WebPhone:
            browser: Browser = await playwright.chromium.launch(
                executable_path=executable,
                args=[*FLAGS, *flags, f"--use-file-for-fake-audio-capture={says}"],
                env={**os.environ, "HOME": str(home)},
            )
            stack.push_async_callback(browser.close)
            page = await browser.new_page()
            page.on("console", lambda message: print("page:", message.text))
            page.on("pageerror", lambda error: print("page:", error))
            await page.goto(address)
            return WebPhone(page)

        yield start
