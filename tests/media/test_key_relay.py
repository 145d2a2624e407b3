"""Keys as events, as tones or both: counted once, and sent on in the way of the peer and in no other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from media import g711, tone
from media.dtmf import InbandDetector
from media.messages import Connect, Digit, Disconnect, Flash
from media.telephone_event import EventReceiver
from tests.support.rtp import Datagram, EngineBench, Phone

FRAME = 160
EVENTS = 101


@pytest.fixture
def bench() -> Iterator[EngineBench]:
    made = EngineBench()
    yield made
    made.close()


def line(*parts: tuple[str, float], lead: int = 0, law: int = 0) -> list[bytes]:
    """Packets of 20 ms: after `lead` samples of silence, keys ("" for silence) for so many ms each."""
    sound = [np.zeros(lead, np.int16)]
    for digit, ms in parts:
        sound.append(tone.key(digit, ms) if digit else np.zeros(round(ms * 8), np.int16))
    samples = np.concatenate(sound)
    samples = np.pad(samples, (0, -len(samples) % FRAME))
    codes = g711.encode(samples, law).reshape(-1, FRAME)
    return [row.tobytes() for row in codes]


def say(bench: EngineBench, phone: Phone, packets: Iterable[bytes]) -> list[Datagram]:
    """One packet each tick, and 300 ms of silence after them; all that goes out."""
    silence = bytes([int(g711.SILENCE[0 if phone.payload_type == 0 else 1])]) * FRAME
    sent = []
    for payload in [*packets, *[silence] * 15]:
        sent += phone.talk(payload)
        sent += bench.tick()
    return sent


def press(phone: Phone, code: int, packets: int, step: int = 160) -> list[Datagram]:
    """The packets of one press by events, in order: growing, then three ends."""
    start = phone.timestamp
    growing = [phone.key(code, (at + 1) * step, start) for at in range(packets)]
    return growing + [phone.key(code, packets * step, start, end=True) for _ in range(3)]


def told(bench: EngineBench, leg: int) -> str:
    digits = ""
    for one in bench.take(Digit):
        assert isinstance(one, Digit)
        digits += one.digit if one.leg == leg else ""
    return digits


def as_tones(sent: Iterable[Datagram]) -> str:
    """The keys that a detector hears in the audio (mu-law) of these packets."""
    detector, heard = InbandDetector(1), ""
    slot, law = np.zeros(1, np.intp), np.zeros(1, np.uint8)
    audio = b"".join([one.payload for one in sent if one.payload_type == 0]) + b"\xff" * 5 * FRAME
    frames = np.frombuffer(audio, np.uint8)
    for frame in frames[: len(frames) // FRAME * FRAME].reshape(-1, 1, FRAME):
        _, codes = detector.detect(slot, frame, law)
        heard += "".join(tone.DIGITS[code] for code in codes.tolist())
    return heard


def as_events(sent: Iterable[Datagram]) -> str:
    """The keys that the event packets among these make."""
    receiver, heard = EventReceiver(1), ""
    for one in sent:
        if one.payload_type == EVENTS:
            payload = np.frombuffer(one.payload, np.uint8)[None, :4]
            _, codes = receiver.receive(np.zeros(1, np.intp), np.array([one.timestamp], np.uint32), payload)
            heard += "".join((tone.DIGITS + "!")[code] for code in codes.tolist())
    return heard


@pytest.mark.parametrize("lead", [0, 37, 80, 159])
def test_tones_of_a_leg_with_events_are_heard(bench: EngineBench, lead: int) -> None:
    phone = bench.phone(1)
    say(bench, phone, line(("4", 60), ("", 60), ("4", 60), ("", 60), ("#", 60), lead=lead))
    assert told(bench, 1) == "44#"


@pytest.mark.parametrize("peer_events", [EVENTS, None])
@pytest.mark.parametrize("numbers_left", [1, 4, 9])
@pytest.mark.parametrize("samples_left", [0, 160, 333, 2000])
def test_a_key_across_the_wraps_is_one(
    bench: EngineBench, samples_left: int, numbers_left: int, peer_events: int | None
) -> None:
    """The timestamp wraps while the key is held, the sequence number between two of its packets; the same key
    again is another."""
    a = bench.phone(1, "10.1.0.5")
    b = bench.phone(2, "10.1.0.6", events=peer_events)
    bench.do(Connect(1, 2))
    a.sequence, a.timestamp = 2**16 - numbers_left - 6, 2**32 - samples_left - 6 * FRAME
    heard = []
    for payload in line(("", 120)):
        heard += b.hears(a.talk(payload)) + b.hears(bench.tick())
    for _ in range(2):
        for one in press(a, 5, 10):
            heard += b.hears(bench.receive(one)) + b.hears(bench.tick())
        a.timestamp += 13 * FRAME
        for payload in line(("", 200)):
            heard += b.hears(a.talk(payload)) + b.hears(bench.tick())
    heard += b.hears(say(bench, a, []))
    assert a.sequence > 2**16 and a.timestamp > 2**32
    assert told(bench, 1) == "55"
    assert (as_events(heard), as_tones(heard)) == (("55", "") if peer_events else ("", "55"))


@pytest.mark.parametrize("late", [0, 1, 3])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_key_sent_both_ways_is_counted_once(bench: EngineBench, times: int, late: int) -> None:
    """Events and tones together; the events begin `late` packets after the tone."""
    phone = bench.phone(1)
    for _ in range(times):
        tones = line(("7", 80), ("", 60))
        events = press(phone, 7, 4)
        for at in range(12):
            if at < len(tones):
                phone.talk(tones[at])
            if late <= at < late + len(events):
                bench.receive(events[at - late])
            bench.tick()
    say(bench, phone, [])
    assert told(bench, 1) == "7" * times


def test_the_events_of_a_press_are_lost_but_the_last(bench: EngineBench) -> None:
    """The tone is told of first; the end packet that follows is of the same press, the next press is not."""
    phone = bench.phone(1)
    events = press(phone, 3, 5)
    for payload in line(("3", 100), ("", 40)):
        phone.talk(payload)
        bench.tick()
    bench.receive(events[-1])
    say(bench, phone, [])
    assert told(bench, 1) == "3"
    bench.receive(*press(phone, 3, 5))
    assert told(bench, 1) == "3"


@pytest.mark.parametrize("lead", range(0, FRAME, 23))
@pytest.mark.parametrize("size", [80, 160, 240, 480])
def test_tones_become_events_and_do_not_pass(bench: EngineBench, lead: int, size: int) -> None:
    a = bench.phone(1, "10.1.0.5", events=None)
    b = bench.phone(2, "10.1.0.6", events=EVENTS)
    bench.do(Connect(1, 2))
    sound = b"".join(
        line(("", 100), ("1", 120), ("", 80), ("1", 70), ("", 80), ("D", 60), ("", 200), lead=lead)
    )
    heard, samples = [], 0.0
    for at in range(0, len(sound) - size + 1, size):
        made = a.wrap(a.next(sound[at : at + size]).data)
        a.timestamp += size - FRAME
        heard += b.hears(bench.receive(made))
        samples += size
        while samples >= FRAME:
            samples -= FRAME
            heard += b.hears(bench.tick())
    heard += b.hears(bench.tick(30))
    assert told(bench, 1) == "11D"
    assert as_events(heard) == "11D"
    assert as_tones(heard) == ""


def test_a_pause_in_which_nothing_is_sent_parts_two_presses(bench: EngineBench) -> None:
    """Silence suppression: the same key again, without a packet between."""
    a = bench.phone(1, "10.1.0.5", events=None)
    b = bench.phone(2, "10.1.0.6", events=EVENTS)
    bench.do(Connect(1, 2))
    heard = []
    for _ in range(3):
        for payload in line(("9", 100)):
            heard += b.hears(a.talk(payload)) + b.hears(bench.tick())
        a.timestamp += 10 * FRAME
        heard += b.hears(bench.tick(10))
    assert (told(bench, 1), as_events(heard), as_tones(heard)) == ("999", "999", "")


@pytest.mark.parametrize("lead", [0, 53, 106])
@pytest.mark.parametrize("both", [False, True])
def test_events_become_tones(bench: EngineBench, lead: int, both: bool) -> None:
    """Also when their own tone comes along, longer than what is sent anew."""
    a = bench.phone(1, "10.1.0.5", events=EVENTS)
    b = bench.phone(2, "10.1.0.6", events=None)
    bench.do(Connect(1, 2))
    heard = []
    for code in (5, 5, 9):
        tones = line((tone.DIGITS[code], 320), ("", 80), lead=lead) if both else line(("", 400))
        events = press(a, code, 16)
        for at in range(24):
            heard += b.hears(a.talk(tones[at] if at < len(tones) else tones[-1]))
            heard += b.hears(bench.receive(*events[at : at + 1])) if at < len(events) else []
            heard += b.hears(bench.tick())
    heard += b.hears(say(bench, a, []))
    assert told(bench, 1) == "559"
    assert as_tones(heard) == "559"
    assert as_events(heard) == ""


def test_tones_of_a_leg_that_has_events_reach_a_peer_that_has_none(bench: EngineBench) -> None:
    a = bench.phone(1, "10.1.0.5", events=EVENTS)
    b = bench.phone(2, "10.1.0.6", events=None)
    bench.do(Connect(1, 2))
    heard = b.hears(say(bench, a, line(("", 60), ("6", 200), ("", 100), ("6", 60))))
    assert (told(bench, 1), as_tones(heard)) == ("66", "66")


def test_keys_faster_than_they_can_be_sent_wait(bench: EngineBench) -> None:
    a = bench.phone(1, "10.1.0.5", events=EVENTS)
    b = bench.phone(2, "10.1.0.6", events=None)
    bench.do(Connect(1, 2))
    heard = []
    for code in (1, 2, 3, 4):
        for one in press(a, code, 2):
            heard += b.hears(bench.receive(one))
            heard += b.hears(bench.tick())
        a.timestamp += 800
    heard += b.hears(bench.tick(40))
    assert as_tones(heard) == "1234"


def test_events_of_another_clock_are_sent_anew(bench: EngineBench) -> None:
    a = bench.phone(1, "10.1.0.5", events=EVENTS, event_clock_hz=48000)
    b = bench.phone(2, "10.1.0.6", events=EVENTS)
    bench.do(Connect(1, 2))
    heard = []
    for one in press(a, 8, 30, step=960):
        heard += b.hears(bench.receive(one))
        heard += b.hears(bench.tick())
    assert as_events(heard) == "8"
    durations = [int.from_bytes(one.payload[2:4], "big") for one in heard if one.payload_type == EVENTS]
    assert durations == [160, 320, 480, 640, 800, 800, 800]
    heard = []
    for one in press(b, 9, 4):
        heard += a.hears(bench.receive(one))
        heard += a.hears(bench.tick())
    heard += a.hears(bench.tick(10))
    durations = [int.from_bytes(one.payload[2:4], "big") for one in heard if one.payload_type == EVENTS]
    assert durations == [960, 1920, 2880, 3840, 4800, 4800, 4800]
    assert told(bench, 1) == "8"


def test_two_legs_without_events_hear_each_others_tones(bench: EngineBench) -> None:
    a = bench.phone(1, "10.1.0.5", events=None)
    b = bench.phone(2, "10.1.0.6", events=None)
    bench.do(Connect(1, 2))
    heard = b.hears(say(bench, a, line(("2", 80), ("", 60), ("2", 80))))
    assert (told(bench, 1), as_tones(heard)) == ("22", "22")


def test_a_key_held_over_a_bridge_is_one_press_and_stays_on_its_side(bench: EngineBench) -> None:
    a = bench.phone(1, "10.1.0.5", events=None)
    b = bench.phone(2, "10.1.0.6", events=EVENTS)
    heard = []
    for at, payload in enumerate(line(("0", 600), ("", 100))):
        if at == 15:
            bench.do(Connect(1, 2))
        heard += b.hears(a.talk(payload)) + b.hears(bench.tick())
    assert (told(bench, 1), as_events(heard), as_tones(heard)) == ("0", "", "")
    bench.do(Disconnect(1))
    say(bench, a, line(("0", 60)))
    assert told(bench, 1) == "0"


def test_a_flash_is_told_and_relayed(bench: EngineBench) -> None:
    a = bench.phone(1, "10.1.0.5", events=EVENTS)
    b = bench.phone(2, "10.1.0.6", events=EVENTS)
    bench.do(Connect(1, 2))
    heard = b.hears(bench.receive(*press(a, 16, 5)))
    assert [one.leg for one in bench.take(Flash) if isinstance(one, Flash)] == [1]
    assert (told(bench, 1), as_events(heard)) == ("", "!")
