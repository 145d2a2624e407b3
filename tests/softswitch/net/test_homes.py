"""Where workers are found again: one switch at a time, nothing believed that does not fit."""

import stat
from pathlib import Path

import pytest

from softswitch.net.homes import Homes

PORTS = (40000, 40999)


def homes(directory: Path) -> Homes:
    made = Homes(directory)
    assert made.open() == []
    return made


def test_what_a_dead_switch_leaves_is_found(tmp_path: Path) -> None:
    first = homes(tmp_path / "run")
    home, gone = first.settle(3, PORTS), first.settle(4, PORTS)
    first.leave(gone)
    first.close()  # as the kernel does
    assert home is not None and len(home.incarnation) == 32
    assert Homes(tmp_path / "run").open() == [home]
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_the_sockets_of_a_dead_switch_are_removed(tmp_path: Path) -> None:
    first = homes(tmp_path / "run")
    old, new, foreign = tmp_path / "cc-media-old", tmp_path / "cc-media-new", tmp_path / "thesis"
    for directory in (old, new, foreign):
        directory.mkdir()
    first.scratch(old)
    first.close()
    second = homes(tmp_path / "run")
    second.scratch(new)
    assert not old.exists() and new.exists()
    (tmp_path / "run" / "scratch").write_text(str(foreign))
    second.scratch(new)
    assert foreign.exists(), "only what is called as ours is"


def test_a_second_switch_does_not_touch_those_of_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = homes(tmp_path)
    home = first.settle(1, PORTS)
    second = Homes(tmp_path)
    assert second.open() == [] and second.settle(2, PORTS) is None
    assert home is not None and home.path.with_suffix(".json").exists()


def test_what_does_not_fit_is_removed(tmp_path: Path) -> None:
    first = homes(tmp_path)
    home = first.settle(1, PORTS)
    assert home is not None
    text = home.path.with_suffix(".json").read_text()
    (tmp_path / "2.json").write_text(text)  # tells of another's socket
    (tmp_path / "3.json").write_text("{")
    (tmp_path / "4.json").write_text('{"path": 4, "incarnation": "", "number": 1, "ports": [1, 2]}')
    first.close()
    assert Homes(tmp_path).open() == [home]
    assert sorted(file.name for file in tmp_path.glob("*.json")) == ["1.json"]


@pytest.mark.parametrize("directory", ["x" * 100, "file/below"])
def test_without_a_place_workers_die_with_us(directory: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    none = Homes(tmp_path / directory)
    assert none.open() == [] and none.settle(1, PORTS) is None
    assert Homes(None).open() == []
