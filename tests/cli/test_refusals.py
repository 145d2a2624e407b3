"""What goes wrong: one clear line on stderr, and the exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.moments import epoch
from cli.output import duration, moment, plain, print_table
from cli.place import DEFAULT_DATABASE, DEFAULT_SOCKET, find_place
from cli.refusals import BadUsage
from softswitch.config import load
from tests.support.acd_centre import AcdCentre

Cc = Callable[..., Any]
ROOT = Path(__file__).parents[2]

NO_SERVER = (
    ("status",),
    ("agents", "list"),
    ("agents", "login", "anna"),
    ("queues", "list"),
    ("calls", "list"),
    ("calls", "hangup", "c1"),
)


@pytest.mark.parametrize("command", NO_SERVER)
def test_no_server(cc: Cc, config: Path, command: tuple[str, ...]) -> None:
    result = cc(*command)
    assert result.code == 1
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert "no switch answers at" in result.err
    assert "cc serve" in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("status",), 2, "no configuration found"),
        (("status", "-c", "missing.toml"), 2, "there is no configuration file missing.toml"),
        (("check", "missing.toml"), 2, "there is no configuration file missing.toml"),
        (("serve",), 2, "no configuration found"),
        (("log", "calls", "--database", "missing.db"), 1, "there is no database missing.db"),
        (("log", "calls", "--database", ".", "--since", "soon"), 2, "--since 'soon' is no time"),
        (("log", "calls", "--database", "x", "--disposition", "lost"), 2, "--disposition 'lost' is unknown"),
        (("log", "events", "--database", "x", "--kind", "NONE"), 2, "--kind"),
        (("log", "export", "--format", "xml"), 2, "--format 'xml' is unknown"),
        (("log", "export", "--what", "agents"), 2, "--what 'agents' is unknown"),
        (("report", "--formula", "F9"), 2, "--formula 'F9' is unknown"),
        (("report", "--queue", "a", "--agent", "b"), 2, "exclude one another"),
        (("status", "--socket", "nothing.sock"), 1, "no switch answers at nothing.sock"),
        (("log", "calls", "--socket", "nothing.sock"), 1, "no switch answers at nothing.sock"),
        (("agents", "dance"), 2, "No such command"),
        (("queues", "show"), 2, "Missing argument"),
    ],
)
def test_wrong_usage(cc: Cc, arguments: tuple[str, ...], code: int, told: str) -> None:
    result = cc(*arguments)
    assert result.code == code
    assert told in result.err
    assert "Traceback" not in result.err


def test_unknown_names(cc: Cc, centre: AcdCentre) -> None:
    assert cc("agents", "pause", "ana").err == "cc: no agent is called 'ana': did you mean 'anna'?\n"
    assert cc("queues", "show", "zzz").err == "cc: no queue is called 'zzz': there are sales, support\n"
    assert cc("calls", "hangup", "c9").code == 1
    assert cc("log", "calls", "c9").err.startswith("cc: no call in the log is called 'c9'")
    assert cc("agents", "login", "anna", "--phone", "999").err == "cc: no extension 999: use 201 or 202\n"
    assert cc("agents", "ready", "anna").code == 1
    for command in (("log", "calls"), ("log", "events"), ("report",)):
        found = cc(*command, "--queue", "sale")
        assert (found.code, found.err) == (1, "cc: no queue is called 'sale': did you mean 'sales'?\n")
        assert cc(*command, "--queue", "sales").code == 0
        assert cc(*command, "--agent", "nobody").code == 1


def test_nothing_is_written_of_a_log_that_cannot_be_read(cc: Cc, tmp_path: Path) -> None:
    for form in (("--what", "calls"), ("--what", "events"), ("--format", "queue_log"), ("--json",)):
        result = cc("log", "export", "--database", tmp_path / "no.db", *form)
        assert (result.code, result.out) == (1, "")


def test_intervals_need_a_beginning(cc: Cc, config: Path) -> None:
    assert cc("report", "--since", "", "--interval", "15").err == (
        "cc: --interval needs a beginning: give --since too\n"
    )


def test_a_reason_is_a_word_not_a_book(cc: Cc, centre: AcdCentre) -> None:
    assert cc("agents", "login", "anna").code == 0
    assert "length <= 128" in cc("agents", "pause", "anna", "x" * 129).err
    assert cc("agents", "pause", "anna", "обед").out.startswith("anna: paused (обед)")


def test_the_version(cc: Cc) -> None:
    assert cc("--version").out.startswith("cc ")


def test_files_that_are_not_what_they_should_be(cc: Cc, tmp_path: Path, centre: AcdCentre) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("[sip\n")
    assert cc("status", "-c", broken).code == 2
    checked = cc("check", broken)
    assert (checked.code, checked.out) == (2, "")
    assert "broken.toml:1" in checked.err
    assert cc("check", broken, "--json").json["right"] is False
    letter = tmp_path / "letter.db"
    letter.write_text("Dear Sir, this is no database at all, however long you look at it.\n" * 30)
    assert "is no SQLite file" in cc("log", "calls", "--database", letter).err
    assert "cannot write" in cc("log", "export", "-o", tmp_path / "no" / "where.csv").err


def test_a_directory_is_no_configuration(cc: Cc, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    told = "cc: etc is a directory: name the configuration file in it\n"
    assert (cc("check", "etc").code, cc("check", "etc").err) == (2, told)
    (tmp_path / "etc" / "cc.toml").write_text("")
    assert cc("serve", "-c", "etc").err == "cc: etc is a directory: say etc/cc.toml\n"


def test_one_is_not_many(cc: Cc, tmp_path: Path) -> None:
    (tmp_path / "cc.toml").write_text("[queues.sales]\n")
    counts = "0 extensions, 0 agents, 1 queue, 0 flows, 0 routes"
    assert cc("check").out == f"cc.toml is right: {counts}\n"


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (("--transport", "tls"), "Invalid value for '--transport': 'tls' is not one of udp, tcp\n"),
        (("--digit-method", "voice"), "'voice' is not one of rfc4733, info, inband\n"),
    ],
)
def test_a_word_that_is_none_of_the_choices(cc: Cc, option: tuple[str, ...], told: str) -> None:
    result = cc("phone", "call", "sip:600@127.0.0.1", *option)
    assert result.code == 2 and result.err.endswith(told)
    assert "Value error" not in result.err


def test_the_example_is_right(cc: Cc) -> None:
    example = ROOT / "examples" / "demo.toml"
    assert cc("check", example).code == 0
    assert cc("check", example, "--json").json["queues"] == 2


def test_places_are_those_of_the_whole_configuration(tmp_path: Path) -> None:
    file = tmp_path / "cc.toml"
    file.write_text('[extensions.201]\npassword = "secret-201"\n')
    whole, place = load(file), find_place(file)
    assert (place.socket, place.database) == (whole.api.socket, whole.store.path)
    assert (place.socket, place.database) == (tmp_path / DEFAULT_SOCKET, tmp_path / DEFAULT_DATABASE)


def test_the_configuration_is_looked_for(
    cc: Cc, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert str(tmp_path / "cc.sock") in cc("status").err  # ./cc.toml
    other = tmp_path / "other" / "x.toml"
    other.parent.mkdir()
    other.write_text("")
    monkeypatch.setenv("CC_CONFIG", str(other))
    assert str(tmp_path / "other" / "var" / "cc.sock") in cc("status").err
    assert str(tmp_path / "cc.sock") in cc("status", "-c", config).err


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "ago_s"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604_800), ("1w", 604_800)]
)
def test_times_ago(text: str, ago_s: float) -> None:
    assert epoch(text, "--since", NOW) == NOW - ago_s


def test_times_of_day_and_dates() -> None:
    today = epoch("today", "--since", NOW)
    assert today is not None
    assert 0 <= NOW - today < 90_000
    clock = epoch("23:30", "--since", NOW)
    assert clock is not None
    assert clock - today in (84_600, 84_600 - 3600, 84_600 + 3600)  # a day may have 23 or 25 hours
    assert epoch("2023-11-14T22:13:20+00:00", "--since", 0.0) == NOW
    assert epoch("1700000000", "--since", 0.0) == NOW
    assert epoch("", "--since", NOW) is None
    for wrong in ("soon", "25:00", "2023-13-01", "-1h"):
        with pytest.raises(BadUsage, match="is no time"):
            epoch(wrong, "--since", NOW)


def test_durations() -> None:
    assert [duration(s) for s in (None, 0, 59.4, 59.6, 600, 3599.9, 3600, 90_061)] == [
        "", "0:00", "0:59", "1:00", "10:00", "1:00:00", "1:00:00", "25:01:01",
    ]  # fmt: skip
    assert moment(None) == ""
    assert moment(1e30) == "1e+30"


def test_a_caller_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "\x1b[2J[red]Иван[/red]"
    print_table(("name", "number>"), [(nasty, 5), (None, (1, 2))], empty="nobody")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\u001b[2J[red]Иван[/red]" in out
    assert plain(["a", None]) == "a, "
    print_table(("name",), [], empty="nobody")
    assert capsys.readouterr().out == "nobody\n"


def cc_process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("CC_CONFIG", None)
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=50, check=False, **options
    )


def test_exit_codes_of_the_program(tmp_path: Path) -> None:
    assert cc_process("--help", cwd=tmp_path).returncode == 0
    assert cc_process("status", cwd=tmp_path).returncode == 2
    gone = cc_process("status", "--socket", "x.sock", cwd=tmp_path)
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr.startswith("cc: no switch answers at x.sock")


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; from cli.main import run; run(['--help']); "
        "heavy = {'numpy', 'pydantic', 'starlette', 'uvicorn', 'aiosqlite', 'httpx', 'structlog'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stderr == ""


@pytest.mark.parametrize("command", [("status",), ("log", "export"), ("report", "--json")])
def test_an_output_that_cannot_be_written(
    tmp_path: Path, centre: AcdCentre, command: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *command, "-c", str(tmp_path / "cc.toml")],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=50,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "cc: cannot write the output: No space left on device; make room where it goes\n"


def test_since_comes_before_until(cc: Cc, config: Path) -> None:
    for command in (("log", "calls"), ("report",)):
        done = cc(*command, "--since", "2h", "--until", "3h", "-c", config)
        assert (done.code, "--since '2h' is after --until '3h'" in done.err) == (2, True)


def test_a_reader_that_leaves_early_is_no_traceback(tmp_path: Path, centre: AcdCentre) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", "log", "export", "-c", str(tmp_path / "cc.toml")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(50) == 1  # as other programs end when nobody reads them
