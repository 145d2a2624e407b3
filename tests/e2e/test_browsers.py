"""Browsers as telephones: JsSIP in Chromium and Firefox, SIP.js in Chromium, over WebSocket, ICE and DTLS;
the tone of each side is heard at the other."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any, Self

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.support.audio import dominant_hz, read_wav, write_tone_wav
from tests.support.baresip import Baresip
from tests.support.certificates import Authority
from tests.support.firefox import SAYS_HZ, own_address
from tests.support.phones import PhoneMaker
from tests.support.switch import CENTRE, PASSWORD, RunningSwitch
from tests.support.web_phone import WebPhone, WebPhoneMaker

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("browsers")]

PAGE_HZ, PHONE_HZ = 440.0, 1000.0


@pytest.fixture
def tones(tmp_path: Path) -> tuple[Path, Path]:
    """What the page says, and what the softphone says."""
    return (
        write_tone_wav(tmp_path / "page.wav", PAGE_HZ, 10, rate=48000),
        write_tone_wav(tmp_path / "phone.wav", PHONE_HZ, 2),
    )


async def reach_an_agent(page: WebPhone, switch: RunningSwitch) -> None:
    """The page registers, calls the menu, presses a key and hears the agent's phone."""
    await page.register(switch.web_socket, "203", PASSWORD)
    await page.call("sip:600@127.0.0.1")
    await switch.only_call("menu")
    await page.press("1")
    await switch.only_call("talking")
    await page.hears_hz(PHONE_HZ)


async def digits(switch: RunningSwitch, record: Any) -> list[Any]:
    """What the log tells of the keys of a call."""
    events = (await switch.get("log", "calls", record["id"]))["events"]
    return [event["data"] for event in events if event["kind"] == "DIGIT"]


@pytest.mark.parametrize(("transport", "codec"), [("ws", "PCMU"), ("wss", "opus")])
async def test_a_browser_calls_the_menu_and_talks_to_an_agent(
    tmp_path: Path,
    tones: tuple[Path, Path],
    switches: SwitchMaker,
    phones: PhoneMaker,
    web_phones: WebPhoneMaker,
    transport: str,
    codec: str,
) -> None:
    """Opus is transcoded for the agent, whose phone has none."""
    authority = Authority(tmp_path) if transport == "wss" else None
    switch = await switches(browsers=True, authority=authority, media=f'codecs = ["{codec}", "PCMA"]')
    heard = tmp_path / "heard.wav"
    anna = await phones(auto_answer_after_s=0, play=str(tones[1]), play_loop=True, record=str(heard))
    await anna.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    # The test's authority is none that a browser knows.
    page = await web_phones(tones[0], "--ignore-certificate-errors")
    await reach_an_agent(page, switch)
    assert await page.codec() == f"audio/{codec}"
    await page.talk(2)
    await page.hang_up()
    record = await switch.record()
    assert (record["disposition"], record["agent"], record["transport"]) == ("answered", "anna", transport)
    assert await digits(switch, record) == [{"digit": "1", "method": "rfc4733"}]
    await anna.close()
    assert dominant(heard) == pytest.approx(PAGE_HZ, abs=5)


@pytest.mark.parametrize("transport", ["ws", "wss"])
async def test_a_browser_over_ipv6_alone(
    tmp_path: Path,
    tones: tuple[Path, Path],
    switches: SwitchMaker,
    web_phones: WebPhoneMaker,
    transport: str,
) -> None:
    """No address of IPv4 is there for its candidates: signalling and audio have one way only."""
    text = CENTRE.replace("127.0.0.1:{port}", "[::1]:{port}").replace('address = "127.0.0.1"\n', "")
    text = text.replace("{listen}", f', "{transport}:[::1]:{{web_port}}"')
    authority = Authority(tmp_path) if transport == "wss" else None
    switch = await switches(browsers=True, text=text, authority=authority)
    said = write_tone_wav(tmp_path / "agent.wav", PHONE_HZ, 60)
    options = {"user": "201", "server": switch.ipv6_address, "password": PASSWORD}
    anna = Baresip(tmp_path, said, answer="auto", ipv6=True, **options)  # type: ignore[arg-type]
    async with anna:
        await anna.event("REGISTER_OK", 10)
        page = await web_phones(tones[0], "--ignore-certificate-errors")
        await page.register(f"{transport}://[::1]:{switch.web_port}", "203", PASSWORD)
        await page.call("sip:201@[::1]")
        await switch.only_call("talking")
        await page.hears_hz(PHONE_HZ)
        await page.talk(2)
        await page.hang_up()
        await anna.event("CALL_CLOSED", 10)
    assert (await switch.record())["disposition"] == "answered"
    assert dominant(anna.heard()[0]) == pytest.approx(PAGE_HZ, abs=5)


@pytest.mark.parametrize("transport", ["ws", "wss"])
async def test_a_page_with_sipjs(
    tmp_path: Path,
    tones: tuple[Path, Path],
    switches: SwitchMaker,
    sipjs_phones: WebPhoneMaker,
    phones: PhoneMaker,
    transport: str,
) -> None:
    """It calls the menu, presses a key and talks to an agent; then it is called itself."""
    authority = Authority(tmp_path) if transport == "wss" else None
    switch = await switches(browsers=True, authority=authority)
    heard, heard_again = tmp_path / "heard.wav", tmp_path / "heard-2.wav"
    anna = await phones(auto_answer_after_s=0, play=str(tones[1]), play_loop=True, record=str(heard))
    await anna.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    page = await sipjs_phones(tones[0], "--ignore-certificate-errors")
    await reach_an_agent(page, switch)
    assert await page.codec() == "audio/PCMU"
    await page.talk(2)
    await page.hang_up()
    await anna.wait("ended", 10)
    await anna.call(switch.uri("203"))
    await page.answer()
    await page.hears_hz(PHONE_HZ)
    await page.talk(2)
    await anna.hangup()
    await page.until("registered")
    called, calling = await switch.until(
        lambda calls: len(calls) == 2 and all(one["ended_at"] for one in calls), "log", "calls"
    )
    assert (calling["agent"], calling["transport"], called["ended_by"]) == ("anna", transport, "caller")
    assert await digits(switch, calling) == [{"digit": "1", "method": "rfc4733"}]
    await anna.close()
    for file in (heard, heard_again):
        assert dominant(file) == pytest.approx(PAGE_HZ, abs=5)


@pytest.mark.parametrize(("transport", "codec"), [("ws", "PCMU"), ("wss", "opus")])
async def test_a_page_in_firefox(
    tmp_path: Path,
    switches: SwitchMaker,
    phones: PhoneMaker,
    firefox_phone: WebPhone,
    transport: str,
    codec: str,
) -> None:
    """It calls the menu, presses a key, talks to an agent; then it is called itself, and loaded anew. Its
    audio goes to an address of this machine: Firefox has no candidates on loopback, nor for it."""
    authority = Authority(tmp_path) if transport == "wss" else None
    text = CENTRE.replace('address = "127.0.0.1"\n', f'address = "{own_address()}"\n')
    media = f'codecs = ["{codec}", "PCMA"]'
    switch = await switches(browsers=True, authority=authority, media=media, text=text)
    heard, said = tmp_path / "heard.wav", write_tone_wav(tmp_path / "phone.wav", PHONE_HZ, 2)
    anna = await phones(auto_answer_after_s=0, play=str(said), play_loop=True, record=str(heard))
    await anna.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    page = firefox_phone
    await reach_an_agent(page, switch)
    assert (await page.codec()).lower() == f"audio/{codec}".lower()
    await page.talk(2)
    await page.hang_up()
    await anna.wait("ended", 10)
    await anna.call(switch.uri("203"))
    await page.answer()
    await page.hears_hz(PHONE_HZ)
    await page.reload()
    await page.hears_hz(PHONE_HZ)
    await page.talk(2)
    await anna.hangup()
    await page.until("registered")
    _, first = await switch.until(
        lambda calls: len(calls) == 2 and all(one["ended_at"] for one in calls), "log", "calls"
    )
    assert await digits(switch, first) == [{"digit": "1", "method": "rfc4733"}]
    assert (first["agent"], first["transport"]) == ("anna", transport)
    await anna.close()
    for file in (heard, tmp_path / "heard-2.wav"):
        assert dominant(file) == pytest.approx(SAYS_HZ, abs=5)


async def test_an_agent_in_a_browser_is_called_and_holds(
    tmp_path: Path,
    tones: tuple[Path, Path],
    switches: SwitchMaker,
    phones: PhoneMaker,
    web_phones: WebPhoneMaker,
) -> None:
    switch = await switches(browsers=True)
    anna = await web_phones(tones[0])
    await anna.register(switch.web_socket, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    heard = tmp_path / "heard.wav"
    caller = await phones(play=str(tones[1]), play_loop=True, record=str(heard))
    await caller.call(switch.uri("601"))
    await anna.answer()
    call = await switch.only_call("talking")
    await anna.hears_hz(PHONE_HZ)
    await anna.hold(held=True)
    await switch.until(
        lambda answer: "HOLD" in [event["kind"] for event in answer["events"]], "log", "calls", call["id"]
    )
    await anna.hold(held=False)
    await anna.hears_hz(PHONE_HZ)
    await anna.talk(2)
    await caller.hangup()
    await anna.until("registered")
    record = await switch.record()
    assert (record["disposition"], record["agent"], record["ended_by"]) == ("answered", "anna", "caller")
    await caller.close()
    assert dominant(heard) == pytest.approx(PAGE_HZ, abs=5)


@pytest.mark.parametrize("codec", ["PCMU", "opus"])
async def test_two_browsers_talk_to_each_other(
    tmp_path: Path, tones: tuple[Path, Path], switches: SwitchMaker, web_phones: WebPhoneMaker, codec: str
) -> None:
    """Opus goes across as it is, encrypted anew."""
    switch = await switches(browsers=True, media=f'codecs = ["{codec}", "PCMA"]')
    other = write_tone_wav(tmp_path / "other.wav", PHONE_HZ, 10, rate=48000)
    caller, called = await web_phones(tones[0]), await web_phones(other)
    await caller.register(switch.web_socket, "202", PASSWORD)
    await called.register(switch.web_socket, "203", PASSWORD)
    async with asyncio.TaskGroup() as both:
        both.create_task(caller.call("sip:203@127.0.0.1"))
        both.create_task(called.answer())
    await caller.hears_hz(PHONE_HZ)
    await called.hears_hz(PAGE_HZ)
    assert [await caller.codec(), await called.codec()] == [f"audio/{codec}"] * 2
    await called.hang_up()
    await caller.until("registered")
    assert (await switch.record())["disposition"] == "answered"


async def test_a_call_survives_the_reload_of_its_page(
    tmp_path: Path,
    tones: tuple[Path, Path],
    switches: SwitchMaker,
    phones: PhoneMaker,
    web_phones: WebPhoneMaker,
) -> None:
    """The page that comes back has another address, another certificate, and another connection."""
    switch = await switches(browsers=True)
    heard = tmp_path / "heard.wav"
    anna = await phones(auto_answer_after_s=0, play=str(tones[1]), play_loop=True)
    await anna.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    page = await web_phones(tones[0])
    await page.register(switch.web_socket, "203", PASSWORD)
    await page.call("sip:601@127.0.0.1")
    before = await switch.only_call("talking")
    await page.hears_hz(PHONE_HZ)
    await page.reload()
    await page.hears_hz(PHONE_HZ)
    after = await switch.only_call("talking")
    assert after["id"] == before["id"]
    await anna.record(heard)
    await page.talk(2)
    await page.hang_up()
    record = await switch.record()
    assert (record["id"], record["ended_by"]) == (before["id"], "caller")
    await anna.close()
    assert dominant(heard) == pytest.approx(PAGE_HZ, abs=5)


async def test_a_call_survives_another_network(
    tones: tuple[Path, Path], switches: SwitchMaker, phones: PhoneMaker, web_phones: WebPhoneMaker
) -> None:
    """The connection breaks; by another one the page registers, and restarts ICE from other ports."""
    switch = await switches(browsers=True)
    anna = await phones(auto_answer_after_s=0, play=str(tones[1]), play_loop=True)
    await anna.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    page = await web_phones(tones[0])
    async with CutProxy(switch.web_port) as network:
        await page.register(network.url, "203", PASSWORD)
        await page.call("sip:601@127.0.0.1")
        await switch.only_call("talking")
        await page.hears_hz(PHONE_HZ)
        before = await page.local_port()
        network.cut()
        await page.until_recovered()
        await page.local_port(but=before)
        await page.hears_hz(PHONE_HZ)
        await page.hang_up()
    assert (await switch.record())["ended_by"] == "caller"


class CutProxy:
    """A network between the page and the switch, which can break."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, there[1]]
        await asyncio.gather(_carry(reader, there[1]), _carry(there[0], writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def dominant(path: Path) -> float:
    """The strongest frequency in the second half of a recording."""
    rate, (samples, *_) = read_wav(path)
    assert len(samples) > rate, f"{path.name} is shorter than a second"
    return dominant_hz(samples[len(samples) // 2 :], rate)
