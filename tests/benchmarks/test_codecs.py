"""Transcoding beside the bare libraries, for a moment: both do the same work and are counted."""

from __future__ import annotations

from benchmarks.codecs import run


def test_every_codec_has_a_row() -> None:
    rows = run(quick=True)
    assert [row.name for row in rows] == ["transcoding G722", "transcoding opus"]
    assert all(row.ours > 0 and row.peer is not None and row.peer > 0 for row in rows)
