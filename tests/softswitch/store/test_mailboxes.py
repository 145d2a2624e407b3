"""Messages in the database, and what a start makes of what it finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from softswitch.call.voicemail_box import Message
from softswitch.store import Writer
from softswitch.store.mailboxes import (
    BYTES_A_SECOND,
    HEADER_BYTES,
    Mail,
    adopt,
    forget_statement,
    keep_statement,
    mail_statement,
    mailed_statement,
)


def message(
    directory: Path, name: str, state: str = "new", box: str = "anna", seconds: float | None = 3.0
) -> Message:
    """A message with its file, unless `seconds` is None."""
    path = directory / box / f"{name}.wav"
    if seconds is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(HEADER_BYTES + round(seconds * BYTES_A_SECOND)))
    return Message(id=name, mailbox=box, state=state, at=1000.0, file=str(path), number="300")  # type: ignore[arg-type]


async def test_rows_survive(tmp_path: Path) -> None:
    one, two = message(tmp_path, "one"), message(tmp_path, "two", "heard")
    writer = await Writer.open(tmp_path / "cc.db")
    for row in (keep_statement(one), keep_statement(two), mail_statement(Mail("one", 5.0, 2, "no route"))):
        writer.put(row)
    await writer.flush()
    writer.put(forget_statement("two"))
    await writer.close()
    writer = await Writer.open(tmp_path / "cc.db")
    assert writer.messages == (one,)
    assert writer.mails == (Mail("one", 5.0, 2, "no route"),)
    writer.put(mailed_statement("one"))
    await writer.close()
    writer = await Writer.open(tmp_path / "cc.db")
    assert writer.mails == ()
    await writer.close()


def test_what_a_kill_leaves(tmp_path: Path) -> None:
    whole = message(tmp_path, "whole")
    cut = message(tmp_path, "cut", "recording", seconds=4.0)
    begun = message(tmp_path, "begun", "recording", seconds=0.2)
    lost = message(tmp_path, "lost", seconds=None)
    message(tmp_path, "stray", box="sales", seconds=2.0)
    message(tmp_path, "scrap", box="sales", seconds=0.0)
    (tmp_path / "sales" / "note.txt").write_text("not ours")
    found = adopt([whole, cut, begun, lost], tmp_path)
    by_name = {one.id: one for one in found.messages}
    assert set(by_name) == {"whole", "cut", "stray"}
    assert (by_name["cut"].state, by_name["cut"].length_s) == ("new", 4.0)
    assert (by_name["stray"].mailbox, by_name["stray"].state) == ("sales", "new")
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"anna/whole.wav", "anna/cut.wav", "sales/stray.wav", "sales/note.txt"}
    assert len(found.told) == 5
    changed = {statement[1][0] for statement in found.statements}
    assert changed == {"cut", "begun", "lost", "stray"}
    assert {one.id for one in found.untold} == {"cut", "stray"}, "their owners are told now"


def test_a_greeting_that_its_owner_has_not_approved_of_is_no_message(tmp_path: Path) -> None:
    found = adopt([message(tmp_path, "draft", "draft"), message(tmp_path, "own", "greeting")], tmp_path)
    assert [one.id for one in found.messages] == ["own"]
    assert [path.name for path in (tmp_path / "anna").iterdir()] == ["own.wav"]
    assert adopt(found.messages, tmp_path).told == ()


def test_what_cannot_be_removed_does_not_stop_the_start(tmp_path: Path) -> None:
    odd = message(tmp_path, "odd", "recording", seconds=None)
    (tmp_path / "anna" / "odd.wav").mkdir(parents=True)
    found = adopt([odd], tmp_path)
    assert not found.messages and "remove it by hand" in found.told[0]


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    first = adopt([message(tmp_path, "cut", "recording")], tmp_path)
    again = adopt(first.messages, tmp_path)
    assert again.messages == first.messages and not again.told and not again.statements


def test_a_disk_that_is_not_mounted_loses_nothing(tmp_path: Path) -> None:
    away = message(tmp_path / "away", "one", seconds=None)
    found = adopt([away], tmp_path / "away")
    assert not found.messages and not found.statements
    assert "is gone" in found.told[0]


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.wav"
    outside.write_bytes(bytes(10))
    box = tmp_path / "vm" / "anna"
    box.mkdir(parents=True)
    (box / "x.wav").symlink_to(outside)
    assert adopt([], tmp_path / "vm").told == ()
    assert outside.exists()


@pytest.mark.parametrize("name", ["\udcff", "a\0b"])
async def test_any_text_can_be_stored(tmp_path: Path, name: str) -> None:
    writer = await Writer.open(tmp_path / "cc.db")
    writer.put(keep_statement(Message(id="x", mailbox="b", state="new", at=1.0, file="/f", name=name)))
    await writer.flush()
    assert not writer.health().failing and writer.health().lost == 0
    await writer.close()
