"""The demo's parts: its scene, its judgement, its view. tests/e2e/test_demo.py runs the whole."""

from __future__ import annotations

import io
import socket
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from cli.demo import proof, stage, verdict
from cli.demo.story import AGENTS, CALLERS, NUMBER, Caller
from cli.demo.view import View, line, picture
from cli.demo.watch import Snapshot
from softswitch.config import load
from softswitch.errors import LocalError
from tests.cli.conftest import Cc
from tests.support.acd_centre import AcdCentre

# ----- the scene


def test_the_story_is_that_of_the_example() -> None:
    table = tomllib.loads(stage.SOURCE.read_text())
    for agent in AGENTS:
        extension = table["agents"][agent.name]["extension"]
        assert (agent.extension, agent.password) == (extension, table["extensions"][extension]["password"])
        assert agent.display_name == table["extensions"][extension]["name"]
    assert {route["number"]: route["to"] for route in table["routes"]}[NUMBER] == "flow:main"
    keys = table["flows"]["main"]["nodes"]["choose"]["keys"]
    assert all(keys[caller.key] == caller.queue for caller in CALLERS)
    assert [caller.disposition for caller in CALLERS].count("abandoned") == 1


def test_the_configuration_is_right_for_another_address_and_port(tmp_path: Path) -> None:
    file = tmp_path / "cc.toml"
    file.write_text(stage.adapted(stage.SOURCE.read_text(), "127.0.0.2", 5099))
    config = load(file)
    assert config.sip.listen == ("udp:127.0.0.2:5099", "tcp:127.0.0.2:5099")
    assert config.media.address == "127.0.0.2"
    assert config.store.path == tmp_path / "cc.db" and config.api.socket == tmp_path / "cc.sock"


def test_an_example_that_changed_is_told() -> None:
    with pytest.raises(LocalError, match=r"does not contain .*5060.* exactly once"):
        stage.adapted(stage.SOURCE.read_text().replace("5060", "5061"), "127.0.0.1", 5060)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_taken_port(kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        assert stage.free_port("127.0.0.1", None, taken) != taken
        with pytest.raises(LocalError, match=f"127.0.0.1:{taken} is taken"):
            stage.free_port("127.0.0.1", taken, 5060)


def test_an_address_of_another_machine() -> None:
    with pytest.raises(LocalError, match="name an address of this machine"):
        stage.free_port("203.0.113.1", None, 5060)


def test_the_directory_begins_empty_but_only_its_own(tmp_path: Path) -> None:
    own, foreign = tmp_path / "own", tmp_path / "foreign"
    made = stage.set_up(own, "127.0.0.1", 5060)
    assert set(made.lines) == {person.name for person in (*AGENTS, *CALLERS)}
    assert all(proof.read(path).shape[0] == 1 for path in made.lines.values())
    (own / "left.over").touch()
    stage.set_up(own, "127.0.0.1", 5060)
    assert not (own / "left.over").exists()
    foreign.mkdir()
    (foreign / "thesis.txt").touch()
    with pytest.raises(LocalError, match="no demo made"):
        stage.set_up(foreign, "127.0.0.1", 5060)
    assert (foreign / "thesis.txt").exists()


def test_the_usual_directory_is_no_exception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has his own centre there keeps it."""
    monkeypatch.setattr(stage, "ROOT", tmp_path)
    (tmp_path / "var" / "demo").mkdir(parents=True)
    (tmp_path / "var" / "demo" / "cc.db").touch()
    with pytest.raises(LocalError, match="no demo made"):
        stage.set_up(None, "127.0.0.1", 5060)
    assert (tmp_path / "var" / "demo" / "cc.db").exists()


def test_a_running_switch_keeps_its_directory(centre: AcdCentre, config: Path) -> None:
    with pytest.raises(LocalError, match=r"a switch runs in .*: end it"):
        stage.set_up(config.parent, "127.0.0.1", 5060)
    assert config.exists()


def test_without_espeak_one_line_says_how_to_get_it(
    cc: Cc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = cc("demo")
    assert (result.code, result.out) == (1, "")
    assert result.err.count("\n") == 1 and "apt-get install espeak-ng" in result.err


def test_a_failure_names_its_step(cc: Cc, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    result = cc("demo", "--directory", tmp_path / "full")
    assert result.code == 1 and "FAILED at setting the scene" in result.err
    result = cc("demo", "--json", "--directory", tmp_path / "full")
    assert (result.code, result.json["ok"], result.json["step"]) == (1, False, "setting the scene")


# ----- who is heard


def voice(seed: int, seconds: float = 4.0) -> proof.Samples:
    """Noise with the loudness of speech: nothing else sounds like it."""
    count = round(seconds * proof.RATE_HZ)
    loudness = 2000 * (1.1 + np.sin(np.arange(count) / 900.0))
    return np.random.default_rng(seed).normal(size=count) * loudness


def test_a_voice_is_found_anywhere_in_a_recording_at_any_level() -> None:
    silence = np.zeros(12_345)
    heard = np.concatenate([voice(9), silence, 0.2 * voice(1), silence])
    heard += np.random.default_rng(5).normal(size=len(heard)) * 20
    assert proof.score(voice(1), heard) > 0.95
    assert proof.score(voice(2), heard) < 0.3
    voices = {"Olga": voice(1), "Pavel": voice(2)}
    assert proof.speaker(heard, voices)[0] == "Olga"


@pytest.mark.parametrize(
    "heard", [np.zeros(80_000), np.zeros(10), np.empty(0), np.random.default_rng(7).normal(size=80_000) * 300]
)
def test_nobody_is_heard_in_silence_or_noise(heard: proof.Samples) -> None:
    assert proof.speaker(heard, {"Olga": voice(1), "Pavel": voice(2)})[0] == ""


def test_two_at_once_are_nobody_in_particular() -> None:
    assert proof.speaker(voice(1) + voice(2), {"Olga": voice(1), "Pavel": voice(2)})[0] == ""


def test_one_lost_piece_does_not_decide() -> None:
    heard = voice(1).copy()
    heard[: len(heard) // 4] = 0.0
    assert proof.score(voice(1), heard) > 0.9


def test_the_voices_of_the_story_are_told_apart(tmp_path: Path) -> None:
    made = stage.set_up(tmp_path / "demo", "127.0.0.1", 5060)
    voices = {name: proof.read(path)[0] for name, path in made.lines.items()}
    for name, said in voices.items():
        assert proof.speaker(said, voices)[0] == name


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVE", b"nothing"])
def test_what_is_no_recording_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(LocalError, match=r"x\.wav cannot be read"):
        proof.read(tmp_path / "x.wav")


# ----- the judgement


def record(caller: Caller, **other: Any) -> dict[str, Any]:
    """The record that this caller's call must have."""
    right = {
        "from_number": caller.number,
        "from_name": caller.name,
        "disposition": caller.disposition,
        "ended_by": caller.ended_by,
        "queue": caller.queue,
        "call_type": caller.queue,
        "agent": "" if caller.gives_up else "anna",
        "ended_at": 1.0,
        "talk_s": None if caller.gives_up else 7.0,
        "wrapup_s": None if caller.gives_up else 3.0,
    }
    return {**right, **other}


def report(**sales: int) -> dict[str, Any]:
    """The report that fits to those records."""
    queues = {
        "sales": {"offered": 4, "answered": 3, "abandoned": 1, "short_abandons": 0, "talk_s": 21.0, **sales},
        "support": {"offered": 2, "answered": 2, "abandoned": 0, "short_abandons": 0, "talk_s": 14.0},
    }
    return {
        "queues": [{"queue": name, **row} for name, row in queues.items()],
        "agents": [{"agent": "anna", "handled": 5}],
    }


RECORDS = [record(caller) for caller in CALLERS]


def test_a_log_that_is_right() -> None:
    assert list(verdict.record_faults(RECORDS)) == []
    assert list(verdict.report_faults(report(), RECORDS)) == []


@pytest.mark.parametrize(
    ("records", "fault"),
    [
        (RECORDS[1:], "Olga's call has 0 records"),
        ([*RECORDS, RECORDS[0]], "Olga's call has 2 records"),
        ([*RECORDS, {**RECORDS[0], "from_number": "1"}], "7 records for 6 calls"),
        (
            [record(CALLERS[0], disposition="abandoned"), *RECORDS[1:]],
            "disposition 'abandoned' instead of 'answered'",
        ),
        (
            [*RECORDS[:-1], record(CALLERS[-1], disposition="answered")],
            "disposition 'answered' instead of 'abandoned'",
        ),
        ([record(CALLERS[0], ended_at=None), *RECORDS[1:]], "still open"),
        ([record(CALLERS[0], wrapup_s=None), *RECORDS[1:]], "no wrap-up"),
        ([record(CALLERS[0], queue="support"), *RECORDS[1:]], "queue 'support' instead of 'sales'"),
    ],
)
def test_a_log_that_is_wrong(records: list[dict[str, Any]], fault: str) -> None:
    assert any(fault in found for found in verdict.record_faults(records))


def test_a_report_that_does_not_add_up() -> None:
    assert any("offered 5" in fault for fault in verdict.report_faults(report(offered=5), RECORDS))
    assert any("20" in fault for fault in verdict.report_faults(report(talk_s=20), RECORDS))
    empty = {"queues": [], "agents": []}
    assert any("anna handled None" in fault for fault in verdict.report_faults(empty, RECORDS))


def test_who_is_not_heard_is_named() -> None:
    right = verdict.Heard("Olga", "Anna", "Olga", "Anna", (1.0, 1.0, 1.0, 1.0))
    assert list(verdict.sound_faults(CALLERS[0], "Anna", right)) == []
    wrong = verdict.Heard("", "Boris", "Olga", "Olga", (0.1, 1.0, 1.0, 1.0))
    faults = list(verdict.sound_faults(CALLERS[0], "Anna", wrong))
    assert len(faults) == 3
    assert "nobody is heard instead of Olga" in faults[0] and "Boris is heard instead of Anna" in faults[1]
    assert "nobody 0.10" in str(wrong)


# ----- the view


def snapshot() -> Snapshot:
    """Two agents, one call that waits, whose name is meant to drive the terminal."""
    queue = {
        "name": "sales",
        "waiting": [{"wait_s": 5.0}],
        "ready": 0,
        "ringing": 0,
        "talking": 1,
        "wrapup": 0,
    }
    agent = {"name": "anna", "display_name": "Anna", "state": "talking", "since": 40.0, "calls": 2}
    call = {
        "id": "c1",
        "from_number": "7495",
        "from_name": "\x1b[2JOlga",
        "to_number": NUMBER,
        "state": "waiting",
        "since": 95.0,
        "queue": "sales",
        "position": 1,
        "agent": "",
    }
    return Snapshot(at=100.0, queues=[queue], agents=[agent], calls=[call])


def test_one_look_as_a_line_and_as_tables() -> None:
    assert line(snapshot()) == "= waiting: sales 1; agents: anna talking; calls: 1"
    assert snapshot().call("7495")["id"] == "c1" and snapshot().call("1")["state"] == "none"
    stream = io.StringIO()
    Console(file=stream, width=140).print(picture(snapshot()))
    shown = stream.getvalue()
    assert "Anna" in shown and "1:00" in shown and "\\u001b[2JOlga" in shown and "\x1b" not in shown


def test_no_terminal_gets_plain_lines() -> None:
    stream = io.StringIO()
    view = View(stream)
    with view.live():
        view.say("Olga hangs up")
    assert stream.getvalue() == "0:00  Olga hangs up\n"
