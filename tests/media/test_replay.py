"""Captures through the core: what was put in is what is told, and no file is too strange to be read."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import dpkt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.capture import read
from media.errors import CaptureError
from media.g711 import encode_alaw, encode_ulaw
from media.replay import Key, replay
from media.tone import keys as tones
from tests.support.rtp import event, rtp

SIPP = Path("/usr/share/sip-tester")


def frame(payload: bytes, source_port: int = 4000) -> bytes:
    """An Ethernet frame around a datagram."""
    udp = dpkt.udp.UDP(sport=source_port, dport=5000, data=payload)
    udp.ulen = len(udp)
    ip = dpkt.ip.IP(src=socket.inet_aton("10.0.0.1"), dst=socket.inet_aton("10.0.0.2"), p=17, data=udp)
    ip.len = len(ip)
    return bytes(dpkt.ethernet.Ethernet(data=ip))


def capture(path: Path, packets: list[tuple[float, bytes]], *, ng: bool = False) -> Path:
    """A capture of these datagrams."""
    with path.open("wb") as file:
        writer = dpkt.pcapng.Writer(file) if ng else dpkt.pcap.Writer(file)
        for at, payload in packets:
            writer.writepkt(frame(payload), 1_700_000_000.0 + at)
    return path


@pytest.mark.parametrize("ng", [False, True])
@pytest.mark.parametrize("law", [0, 8])
def test_what_is_put_in_is_told(tmp_path: Path, ng: bool, law: int) -> None:
    random = np.random.default_rng(5)
    sound = random.normal(0.0, 2000.0, 160 * 400).clip(-30000, 30000).astype(np.int16)
    pressed = tones("5", 100, 100)
    sound[160 * 200 : 160 * 200 + pressed.size] = pressed
    coded = (encode_ulaw if law == 0 else encode_alaw)(sound).reshape(-1, 160)
    packets = []
    for number in range(400):
        at = 0.02 * number + random.uniform(0.0, 0.004)
        if number in (100, 101, 150):
            continue
        if number == 120:
            at += 0.021  # after its successor
        packet = rtp(65500 + number, 160 * number, 0xABC, law, coded[number].tobytes())
        packets += [(at, packet)] * (2 if number == 300 else 1)
    for number in range(6):
        payload = event(7, 160 * number, number >= 3)
        packets.append((3.0 + 0.02 * number, rtp(900 + number, 77, 0xDEF, 101, payload)))
    packets.sort(key=lambda one: one[0])
    streams = replay(read(capture(tmp_path / "x.pcap", packets, ng=ng)))
    assert [stream.ssrc for stream in streams] == [0xABC, 0xDEF]
    audio, keys = streams
    assert (audio.source, audio.destination) == ("10.0.0.1:4000", "10.0.0.2:5000")
    assert audio.codec == ("PCMU" if law == 0 else "PCMA")
    assert (audio.packets, audio.lost, audio.reordered, audio.duplicated) == (398, 3, 1, 1)
    assert 0.0 < audio.jitter_ms < 6.0
    assert 60 <= audio.concealed_ms <= 240
    assert 1.0 <= audio.mos < 4.41
    assert sum(audio.lost_at) >= 2 and len(audio.delay_ms) >= 400
    [key] = audio.keys
    assert (key.digit, key.method) == ("5", "inband") and 4.0 <= key.at_s <= 4.2
    assert abs(len(audio.sound) - 400) < 60
    whole = np.frombuffer(b"".join(audio.sound), "<i2").astype(float)
    assert 0.5 < whole.std() / sound.std() < 1.2
    assert (keys.codec, keys.keys) == ("telephone-event", [Key(0.0, "7", "rfc4733")])


@pytest.mark.skipif(not SIPP.is_dir(), reason="sip-tester is not installed")
@pytest.mark.parametrize(
    ("name", "digit"), [(str(n), str(n)) for n in range(10)] + [("star", "*"), ("pound", "#")]
)
def test_the_captures_of_sipp(name: str, digit: str) -> None:
    [stream] = replay(read(SIPP / f"dtmf_2833_{name}.pcap"))
    assert [key.digit for key in stream.keys] == [digit]


@pytest.mark.skipif(not SIPP.is_dir(), reason="sip-tester is not installed")
def test_thirty_millisecond_packets_of_sipp() -> None:
    [stream] = replay(read(SIPP / "g711a.pcap"))
    assert (stream.codec, stream.lost, stream.late, sum(stream.lost_at)) == ("PCMA", 0, 0, 0)
    assert stream.buffer_ms <= 40.0


def test_a_file_that_is_no_capture(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pcap"
    wrong.write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(CaptureError, match=r"wrong\.pcap is no capture"):
        list(read(wrong))
    with pytest.raises(CaptureError, match="No such file"):
        list(read(tmp_path / "none.pcap"))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_file(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Cut and spoilt captures: what can be read is, else CaptureError."""
    path = tmp_path_factory.mktemp("any") / "x.pcap"
    packets = [(0.02 * number, rtp(number, 160 * number, 7)) for number in range(8)]
    whole = bytearray(capture(path, packets, ng=data.draw(st.booleans())).read_bytes())
    for _ in range(data.draw(st.integers(0, 12))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    with contextlib.suppress(CaptureError):
        replay(read(path))
