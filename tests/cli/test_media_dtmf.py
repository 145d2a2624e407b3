"""`cc media dtmf`: any usual file, its keys and their times; what is no sound is told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cli.main import run
from media import g711, tone
from tests.support.audio import write_dtmf_wav, write_wav


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_a_wav_of_any_rate(rate: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_dtmf_wav(tmp_path / "keys.wav", "3A*", tone_ms=60, gap_ms=60, rate=rate)
    assert run(["media", "dtmf", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [key["digit"] for key in told["keys"]] == ["3", "A", "*"]
    assert [key["at_s"] for key in told["keys"]] == pytest.approx([0.2, 0.32, 0.44], abs=0.01)


def test_people_see_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys.ulaw"
    path.write_bytes(g711.encode_ulaw(tone.keys("08", 100, 100, lead_ms=100)).tobytes())
    assert run(["media", "dtmf", str(path)]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[-2:]] == ["0", "8"]
    assert "channel" not in rows[0]


def test_channels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = np.zeros((2, 4000))
    both[1, 1000:1800] = tone.key("6", 100) / 32768.0
    path = write_wav(tmp_path / "stereo.wav", both)
    assert run(["media", "dtmf", str(path)]) == 0
    assert capsys.readouterr().out.split()[-1] == "2"


def test_silence_and_what_is_no_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["media", "dtmf", str(write_wav(tmp_path / "quiet.wav", np.zeros(8000)))]) == 0
    assert capsys.readouterr().out == "No key in 1.0 s.\n"
    (tmp_path / "letter.txt").write_text("Dear Sir")
    assert run(["media", "dtmf", str(tmp_path / "letter.txt")]) == 1
    assert "letter.txt: is not a WAV file" in capsys.readouterr().err
    assert run(["media", "dtmf", str(tmp_path / "missing.wav")]) == 1
    assert "missing.wav" in capsys.readouterr().err
