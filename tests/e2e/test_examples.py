"""The five centres of `examples/`, each called by phones: keys in three ways, a balance that is heard, a
service that hangs, a spoken yes, a client's greeting at the agent's phone, a message left at night and heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.softphone.client import Softphone
from ivr.messages import Prompt
from media.g711 import encode_ulaw
from softswitch.config import load
from tests.e2e.test_voicemail import until
from tests.support.audio import (
    DTMF_HZ,
    Samples,
    read_wav,
    rms_dbfs,
    sine,
    tone_level_db,
    write_tone_wav,
    write_wav,
)
from tests.support.example import RunningExample
from tests.support.likeness import A_WORD_S, longest_missing
from tests.support.phones import PhoneMaker
from tests.support.sipp import Sipp
from tests.support.sipp_scenarios import call_with_audio, called
from tests.support.switch import RunningSwitch
from tests.support.voices import spoken
from tests.support.web import WebServer, never

# One worker runs them all: what one centre speaks is there for the next.
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("examples")]

ExampleMaker = Callable[..., Coroutine[Any, Any, RunningExample]]
TONE_HZ = 700.0


@pytest.fixture
async def examples(tmp_path: Path, prompts: Path) -> AsyncIterator[ExampleMaker]:
    """A function that starts one of the examples, with changes to its file."""
    async with AsyncExitStack() as stack:

        async def start(name: str, *changes: Any, **options: Any) -> RunningExample:
            return await stack.enter_async_context(
                RunningExample(name, tmp_path, prompts, *changes, **options)
            )

        yield start


async def waiting(switch: RunningSwitch, number: int = 1) -> list[dict[str, Any]]:
    """The calls, once so many are there and all of them wait."""
    calls = await switch.until(
        lambda all_: [call["state"] for call in all_] == ["waiting"] * number, "calls", timeout_s=30
    )
    return list(calls)


async def over(switch: RunningSwitch, number: int = 1) -> list[dict[str, Any]]:
    """The records, once there are so many and all are closed."""
    calls = await switch.until(
        lambda all_: len(all_) == number and all(call["ended_at"] for call in all_),
        "log",
        "calls",
        timeout_s=30,
    )
    return list(calls)


async def answered(phone: Softphone, uri: str) -> None:
    """Call, and wait until audio flows."""
    await phone.call(uri)
    await phone.wait("media", 20)


async def at_node(switch: RunningSwitch, call: str, node: str) -> None:
    """Wait until a live call has come to this node of a menu."""

    def there(story: dict[str, Any]) -> bool:
        return any(event["data"].get("node") == node for event in story["events"])

    story = await switch.until(
        lambda story: there(story) or story["record"]["ended_at"], "log", "calls", call, timeout_s=60
    )
    assert there(story), story


async def events(switch: RunningSwitch, call: str, kind: str) -> list[dict[str, Any]]:
    """What the log tells of a call, of one kind."""
    story = await switch.get("log", "calls", call)
    return [event["data"] for event in story["events"] if event["kind"] == kind]


def keys_as_tones(path: Path, keys: str) -> Path:
    """Raw mu-law with these keys as tones, and a long silence after them."""
    parts: list[Samples] = [np.zeros(8000)]
    for key in keys:
        parts += [sine(DTMF_HZ[key], 0.1), np.zeros(2400)]
    sound = np.concatenate([*parts, np.zeros(8000 * 30)])
    path.write_bytes(encode_ulaw(np.round(sound * 32767).astype(np.int16)).tobytes())
    return path


def is_heard(switch: RunningSwitch, text: str, language: str, heard: Path) -> bool:
    """Whether the clip of a text that was spoken for one caller is in his recording, every word of it."""
    clip = load(switch.config).catalogue.clip(Prompt(text=text, language=language, live=True))
    (_, (said,)), (rate, (all_,)) = read_wav(clip), read_wav(heard)
    assert rate == 8000
    return longest_missing(said, all_) < A_WORD_S


async def test_shop_keys_in_three_ways_and_a_carrier_that_hangs(
    tmp_path: Path, examples: ExampleMaker, phones: PhoneMaker
) -> None:
    async with WebServer(never) as carrier:
        switch = await examples("shop", {"http://127.0.0.1:8901": carrier.url})

        async def press(method: str) -> Softphone:
            phone = await phones()
            await answered(phone, switch.uri("600"))
            await phone.digits("122", method)
            return phone

        # Without telephone-event, as old gateways call.
        tones = call_with_audio(keys_as_tones(tmp_path / "keys.ulaw", "122"), talk_ms=3500)
        tones = "\n".join(line for line in tones.replace(" 101\n", "\n").splitlines() if ":101 " not in line)
        async with Sipp(tmp_path, tones, remote=switch.address) as gateway:
            callers = await asyncio.gather(press("rfc4733"), press("info"))
            for call in await waiting(switch, 3):
                assert (call["queue"], call["call_type"]) == ("orders", "another address")
            await callers[0].hangup()
            await gateway.result(30)

        await callers[1].hangup()
        await callers[1].wait("ended", 10)
        await switch.until(lambda calls: not calls, "calls")
        patient = callers[0]
        await answered(patient, switch.uri("600"))
        await patient.digits("111002")
        (asked,) = await carrier.asked(1, 30)
        assert asked.path == "/parcels/P77001"
        await at_node(switch, (await switch.only_call("menu"))["id"], "sent")
        await patient.digits("0")
        (call,) = await waiting(switch)
        assert call["call_type"] == "order 1002"
        await patient.hangup()
        await over(switch, 4)
    records = await switch.get("log", "calls", oldest_first="true")
    methods = set()
    for record in records[:3]:
        assert record["path"] == [
            "main.welcome", "main.choose", "orders.choose", "change.choose", "change.address",
        ]  # fmt: skip
        digits = await events(switch, record["id"], "DIGIT")
        assert [digit["digit"] for digit in digits] == list("122")
        methods |= {digit["method"] for digit in digits}
    assert methods == {"rfc4733", "info", "inband"}
    await told_without_the_carrier(switch, records[3])


async def told_without_the_carrier(switch: RunningSwitch, record: dict[str, Any]) -> None:
    """The carrier was asked in vain, the caller heard what the table has, and went to the agents with it."""
    assert record["path"][-5:] == [
        "orders.state", "orders.parcel", "orders.sent", "orders.more", "people.wait",
    ]  # fmt: skip
    nodes = {data["node"]: data for data in await events(switch, record["id"], "MENU")}
    assert nodes["sent"]["lookup"] in ("failed", "too late")
    (carried,) = await events(switch, record["id"], "CARRIED")
    assert "1002" in str(carried) and "sent" in str(carried)


BALANCES = {
    "en": ("1110010", "4711", "one thousand two hundred and thirty-four euros and fifty-six cents"),
    "ru": ("2110020", "0815", "двадцать одна тысяча пятьсот двадцать один рубль пять копеек"),
}


async def test_bank_balances_are_heard_in_two_languages(
    tmp_path: Path, examples: ExampleMaker, phones: PhoneMaker
) -> None:
    switch = await examples("bank")

    async def ask(language: str, keys: str) -> Softphone:
        phone = await phones(user=language, record=str(tmp_path / f"{language}.wav"))
        await answered(phone, switch.uri("600"))
        await phone.digits(keys)
        return phone

    callers = await asyncio.gather(*(ask(name, keys + pin) for name, (keys, pin, _) in BALANCES.items()))
    for call in await switch.get("calls"):
        await at_node(switch, call["id"], "last")  # the balance has been said
    await asyncio.gather(*(caller.digits("0") for caller in callers))
    calls = await waiting(switch, 2)
    assert {call["queue"]: call["call_type"] for call in calls} == {
        "clerks": "account 10010",
        "clerks-ru": "account 10020, ru",
    }
    for caller in callers:
        await caller.hangup()
    for record in await over(switch, 2):
        assert "balance.tell" in record["path"]
        keys, _, _ = BALANCES["ru" if record["queue"] == "clerks-ru" else "en"]
        pressed = [data["digit"] for data in await events(switch, record["id"], "DIGIT")]
        assert "".join(pressed).startswith(keys + "????"), "the PIN is in no log"
    for caller in callers:
        await caller.close()
    for language, (_, _, words) in BALANCES.items():
        assert is_heard(switch, words, language, tmp_path / f"{language}.wav"), words


async def test_clinic_a_spoken_yes_books_and_the_nurse_sees_what(
    tmp_path: Path, examples: ExampleMaker, phones: PhoneMaker
) -> None:
    always = 'mon-fri = "08:00-20:00", sat = "09:00-13:00"'
    holidays = 'holidays = ["01-01", "12-25..12-26"]'
    exceptions = 'exceptions = { 2026-12-24 = "08:00-12:00", 2026-12-31 = "08:00-12:00" }'
    switch = await examples("clinic", {always: 'daily = "00:00-24:00"', holidays: "", exceptions: ""})
    nurse = await phones()
    await nurse.register(switch.address, "201", "grace-secret")
    await switch.post("agents", "grace", "login")
    yes = spoken("yes", lead_s=1.0).astype(np.float64) / 32768.0
    patient = await phones(user="02079460018")
    await answered(patient, switch.uri("600"))
    await patient.digits("11")
    await at_node(switch, (await switch.only_call("menu"))["id"], "offer")
    await patient.play(write_wav(tmp_path / "yes.wav", yes), loop=True)
    incoming = await nurse.wait("incoming", 30)
    await nurse.answer()
    await switch.only_call("talking")
    await patient.hangup()
    (record,) = await over(switch)
    nodes = {data["node"]: data for data in await events(switch, record["id"], "MENU")}
    assert nodes["confirm"]["said"] == "yes"
    assert "main.known" in record["path"], "a patient of ours, by his number"
    assert (record["disposition"], record["agent"]) == ("answered", "grace")
    assert record["call_type"].startswith("book dentist 2") and record["call_type"].endswith("10:30")
    headers = {name.lower(): value for name, value in incoming.headers.items()}
    assert headers["x-cc-patient"] == "Mary Jones" and headers["x-cc-slot-time"] == "10:30", headers


async def test_outsourcer_the_agent_sees_whom_the_caller_called(
    examples: ExampleMaker, phones: PhoneMaker
) -> None:
    always = 'mon-sat = "09:00-18:00" }\nholidays = ["01-01", "12-25..12-26"]'
    # Without two of the languages: speaking all texts ahead takes its time.
    switch = await examples(
        "outsourcer",
        {always: 'daily = "00:00-24:00" }'},
        rows=lambda row: not row.startswith(("hali", "vin")),
    )
    irina = await phones()
    await irina.register(switch.address, "201", "irina-secret")
    await switch.post("agents", "irina", "login")

    by_number = await phones()
    await answered(by_number, switch.uri("7104"))
    await by_number.digits("1")
    incoming = await irina.wait("incoming", 30)
    headers = {name.lower(): value for name, value in incoming.headers.items()}
    assert headers["x-cc-client"] == "chai" and headers["x-cc-script"] == "tea"
    await by_number.hangup()
    (first,) = await over(switch)
    assert (first["client"], first["queue"], first["call_type"]) == ("chai", "general-ru", "order")
    assert first["greeting"] == "Чайный дом, здравствуйте. Меня зовут Irina."

    by_code = await phones()
    await answered(by_code, switch.uri("7000"))
    await by_code.digits("71011")
    incoming = await irina.wait("incoming", 30)
    headers = {name.lower(): value for name, value in incoming.headers.items()}
    assert headers["x-cc-client"] == "florist"
    assert headers["x-cc-greeting"] == "Rose and Sons, Irina speaking. What may we send?"
    await by_code.hangup()
    await over(switch, 2)
    report = await switch.get("report", by="client")
    assert {one["client"]: one["calls"] for one in report["clients"] if one["calls"]} == {
        "chai": 1,
        "florist": 1,
    }


async def test_hotline_at_night_a_message_an_engineer_and_a_blocked_caller(
    tmp_path: Path, examples: ExampleMaker, phones: PhoneMaker
) -> None:
    async with Sipp(tmp_path, called()) as engineer:
        switch = await examples(
            "hotline",
            {
                'hours = { mon-thu = "08:00-18:00", fri = "08:00-16:00" }': "",  # always night
                'exceptions = { 2026-12-24 = "08:00-12:00" }': "",
                'hours = { sun = "23:00-01:00" }': "",
                '"192.0.2.20"': '"127.0.0.20"',
                "sip:192.0.2.20:5060": f"sip:{engineer.address}",
            },
        )
        blocked = await phones(user="02079460666")
        await blocked.call(switch.uri("700"))
        assert (await blocked.wait("ended", 10)).status == 603

        pays = await phones()
        await answered(pays, switch.uri("700"))
        await pays.digits("1245678")
        await switch.only_call("talking")
        await pays.hangup()
        await engineer.result(30)
        assert "INVITE sip:07700900123@" in engineer.messages()

    tone = write_tone_wav(tmp_path / "tone.wav", TONE_HZ, 2)
    caller = await phones(play=str(tone), play_loop=True)
    await answered(caller, switch.uri("700"))
    await caller.digits("2")
    await switch.only_call("mailbox")
    await caller.digits("#")  # no greeting
    folder = switch.directory / "var/voicemail/hotline"
    await until(lambda: sum(file.stat().st_size for file in folder.glob("*.wav")) > 40_000)
    await caller.hangup()
    await switch.until(len, "mailboxes", "hotline", "messages")

    heard = tmp_path / "heard.wav"
    owner = await phones(record=str(heard))
    await owner.register(switch.address, "202", "paul-secret")
    await owner.call(switch.uri("*98hotline"))
    await owner.wait("media", 10)
    await owner.digits("2580#1")
    await switch.until(
        lambda all_: all_[0]["state"] == "heard", "mailboxes", "hotline", "messages", timeout_s=40
    )
    await owner.hangup()
    records = await over(switch, 4)
    await owner.close()
    rate, (samples,) = read_wav(heard)
    pieces = samples[: len(samples) // 2000 * 2000].reshape(-1, 2000)
    loud = [piece for piece in pieces if rms_dbfs(piece) > -40]
    assert sum(tone_level_db(piece, rate, TONE_HZ) > -3 for piece in loud) >= 4, "a second of it, at least"
    outcomes = sorted(record["disposition"] for record in records)
    assert outcomes == ["answered", "refused", "self-service", "voicemail"]
