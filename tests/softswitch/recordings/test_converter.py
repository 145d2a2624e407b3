"""The converter: sound by its content, files whole or not at all, jobs that fail alone."""

from __future__ import annotations

import base64
import hashlib
import os
import resource
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest

from media import wav
from softswitch.recordings import converter
from softswitch.recordings.converter import Answer, Decode, Done, Failed, Job, Keep
from softswitch.recordings.process import PROGRAM
from tests.support.audio import dominant_hz, read_wav, sine, write_wav


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "call.wav", np.stack([sine(440, 3.3), sine(1000, 3.3)]))


@pytest.fixture
def key(tmp_path: Path) -> str:
    file = tmp_path / "key"
    file.write_bytes(base64.b64encode(os.urandom(32)))
    file.chmod(0o600)
    return str(file)


def perform(*jobs: Job) -> list[Answer]:
    """All of them, here."""
    return [converter.perform(job) for job in jobs]


def in_a_process(lines: bytes, limit_bytes: int = resource.RLIM_INFINITY) -> list[Answer]:
    """As the switch has it done; `limit_bytes` is the largest file that it may write."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    done = subprocess.run(PROGRAM, input=lines, capture_output=True, check=True, preexec_fn=limit)
    return [msgspec.json.decode(line, type=Answer) for line in done.stdout.splitlines()]


def heard(path: Path) -> tuple[float, list[float]]:
    rate, channels = read_wav(path)
    assert rate == 8000
    return len(channels[0]) / rate, [dominant_hz(one, rate) for one in channels]


@pytest.mark.parametrize("form", ["wav", "flac", "opus"])
def test_a_conference_has_one_channel(tmp_path: Path, form: str) -> None:
    source = write_wav(tmp_path / "conference.wav", sine(440, 3.3))
    target = source if form == "wav" else tmp_path / f"kept.{form}"
    (kept,) = perform(Keep(str(source), str(target), form, 24, ""))  # type: ignore[arg-type]
    assert isinstance(kept, Done) and kept.length_s == pytest.approx(3.3)


@pytest.mark.parametrize("form", ["wav", "flac", "opus"])
@pytest.mark.parametrize("encrypt", [False, True])
def test_there_and_back(sound: Path, key: str, tmp_path: Path, form: str, encrypt: bool) -> None:
    before = sound.read_bytes()
    target, back = tmp_path / f"kept.{form}", tmp_path / "back.wav"
    keys = (key,) if encrypt else ()
    kept, decoded = perform(
        Keep(str(sound), str(target), form, 24, key if encrypt else ""),  # type: ignore[arg-type]
        Decode(str(target), str(back), keys),
    )
    assert isinstance(kept, Done) and isinstance(decoded, Done)
    data = target.read_bytes()
    assert (kept.bytes, kept.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert kept.length_s == pytest.approx(3.3)
    assert form == "wav" or len(data) < len(before) / 2
    assert data.startswith(b"CCREC1\n") == encrypt
    length_s, tones = heard(back)
    assert length_s == pytest.approx(3.3, abs=0.03)
    assert tones == pytest.approx([440, 1000], abs=2)
    if form == "flac":
        assert np.array_equal(read_wav(back)[1], read_wav(sound)[1]), "it loses nothing"
    assert sound.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"call.wav", "key", target.name, "back.wav"}


def test_as_it_is_kept_but_decrypted(sound: Path, key: str, tmp_path: Path) -> None:
    target, back = tmp_path / "kept.flac.enc", tmp_path / "back.flac"
    perform(
        Keep(str(sound), str(target), "flac", key_file=key), Decode(str(target), str(back), (key,), wav=False)
    )
    assert back.read_bytes().startswith(b"fLaC")


def test_a_wav_file_that_stays_gets_its_checksum(sound: Path) -> None:
    (done,) = perform(Keep(str(sound), str(sound), "wav"))
    assert isinstance(done, Done) and done.sha256 == hashlib.sha256(sound.read_bytes()).hexdigest()


def test_a_recording_of_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.write_bytes(wav.header(0))
    for form in ("flac", "opus"):
        (done,) = perform(Keep(str(empty), str(tmp_path / f"e.{form}"), form))  # type: ignore[arg-type]
        assert isinstance(done, (Done, Failed))
        assert empty.exists()


def test_bad_jobs_are_their_own_answer(sound: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    answers = perform(
        Keep(str(tmp_path / "none.wav"), str(tmp_path / "a.flac"), "flac"),
        Keep(str(text), str(tmp_path / "b.flac"), "flac"),
        Keep(str(sound), str(tmp_path / "none" / "c.flac"), "flac"),
        Keep(str(sound), str(tmp_path / "d.flac"), "flac", key_file=str(tmp_path / "nokey")),
        Decode(str(sound), str(tmp_path / "e.wav"), (str(tmp_path / "nokey"),)),
        Keep(str(sound), str(tmp_path / "f.flac"), "flac"),
    )
    assert [type(one) for one in answers] == [Failed] * 5 + [Done]
    assert {path.name for path in tmp_path.iterdir()} == {"call.wav", "text.wav", "f.flac"}


def test_a_process_goes_on_after_nonsense(sound: Path, tmp_path: Path) -> None:
    job = Keep(str(sound), str(tmp_path / "kept.flac"), "flac")
    answers = in_a_process(b"nonsense\n" + msgspec.json.encode(job) + b"\n")
    assert [type(one) for one in answers] == [Failed, Done]


@pytest.mark.parametrize("form", ["wav", "flac", "opus"])
def test_a_full_disk_leaves_nothing_half_made(sound: Path, key: str, tmp_path: Path, form: str) -> None:
    target = tmp_path / "kept.enc"
    job = Keep(str(sound), str(target), form, key_file=key)  # type: ignore[arg-type]
    (answer,) = in_a_process(msgspec.json.encode(job) + b"\n", limit_bytes=4096)
    assert isinstance(answer, Failed) and "File too large" in answer.reason
    assert {path.name for path in tmp_path.iterdir()} == {"call.wav", "key"}
