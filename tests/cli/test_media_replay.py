"""`cc media replay`: what a capture holds as text, JSON, sound and a picture; hostile captures included."""

from __future__ import annotations

import json
import wave
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from cli.main import run
from cli.media_picture import COLUMNS, draw
from media.g711 import encode_ulaw
from media.replay import Key, Replayed
from tests.media.test_replay import capture
from tests.support.rtp import rtp

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Two seconds of a tone of which three packets are lost, then noise for a second, then the tone again."""
    sound = (6000 * np.sin(2 * np.pi * 200 * np.arange(160) / 8000)).astype(np.int16)
    tone = encode_ulaw(sound).tobytes()
    packets = [(0.02 * n, rtp(n, 160 * n, 7, 0, tone)) for n in range(100) if n not in (40, 41, 60)]
    packets.append((2.0, rtp(100, 160 * 100, 7, 13, bytes([40]))))
    packets += [(3.0 + 0.02 * n, rtp(101 + n, 160 * (150 + n), 7, 0, tone)) for n in range(50)]
    return capture(tmp_path / "talk.pcap", packets)


def test_all_of_it(talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn, folder = tmp_path / "talk.svg", tmp_path / "wav"
    assert run(["media", "replay", str(talk), "--json", "--picture", str(drawn), "--wav", str(folder)]) == 0
    [told] = json.loads(capsys.readouterr().out)
    assert (told["lost"], told["late"], told["comfort_noise"], sum(told["lost_at"])) == (3, 0, 1, 2)
    assert 40 <= told["concealed_ms"] <= 120, "what was lost, and not the second of silence"
    with wave.open(told["wav"]) as file:
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    noise = heard[int(2.2 * 8000) : int(2.9 * 8000)]
    assert abs(20 * np.log10(noise.std() / (32124 * 10**-2))) < 1.5, "the noise that was told of"
    svg = ET.parse(drawn).getroot()
    assert len(svg.findall(f"{SVG}g")) == 1
    [line] = list(svg.iter(f"{SVG}polyline"))
    assert 100 <= len(line.attrib["points"].split()) <= COLUMNS
    [lost] = [one for one in svg.iter(f"{SVG}path") if one.attrib["class"] == "lost"]
    assert lost.attrib["d"].count("M") == 2
    assert any("lost 1.99 %" in (one.text or "") for one in svg.iter(f"{SVG}text"))


def test_people_see_a_table(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["media", "replay", str(talk)]) == 0
    shown = capsys.readouterr().out
    assert "10.0.0.1:4000 -> 10.0.0.2:5000" in shown and "▁" in shown and "comfort noise 1" in shown


def test_a_picture_that_cannot_be_written(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["media", "replay", str(talk), "--picture", str(talk / "no" / "x.svg")]) != 0
    assert "Not a directory" in capsys.readouterr().err


def test_nothing_of_a_capture_becomes_markup() -> None:
    stream = Replayed("<script>", '"><b', 7, "&", 0.0, 1.0, packets=10)
    stream.keys = [Key(0.5, "<", "inband"), Key(99.0, "#", "inband"), Key(-3.0, "*", "rfc4733")]
    stream.delay_ms, stream.lost_at, stream.sound = [0.0] * 5000, [True] * 5000, [b"\0\x80" * 160] * 5000
    svg = ET.fromstring(draw([stream, Replayed("a", "b", 8, "G729", 0.0, 1.0, packets=4)]))
    assert {one.tag for one in svg.iter()} == {
        SVG + name for name in ("svg", "style", "rect", "g", "text", "polyline", "path")
    }
    assert len(ET.tostring(svg)) < 200_000
