"""Recordings: keys of the telephone that do not clash, key files that can be used, sounds that are there.

Invariant: as in `checks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from softswitch.config.draft import Draft, Fault
from softswitch.errors import LocalError


def check_recordings(draft: Draft) -> Iterator[Fault]:
    """Everything about them."""
    section = draft.config.recordings
    pause, record = section.pause_keys, section.record_keys
    if pause and record and (pause.endswith(record) or record.endswith(pause)):
        yield ("recordings", "record_keys"), f"ends with the same keys as pause_keys ({pause}); choose others"
    yield from _keys(draft)
    for prompt in section.announce:
        file = Path(draft.config.prompts.directory, prompt.file)
        if prompt.file and not file.is_file():
            message = f"the sound file {file} does not exist; put it there, or write a text"
            yield ("recordings", "announce"), message


def _keys(draft: Draft) -> Iterator[Fault]:
    section = draft.config.recordings
    if section.key_file is None and not section.old_key_files:
        return
    from softswitch.recordings.cipher import read_key  # its libraries take time to load

    files: list[tuple[tuple[str | int, ...], Path]] = []
    if section.key_file is not None:
        files.append((("recordings", "key_file"), section.key_file))
    for index, file in enumerate(section.old_key_files):
        files.append((("recordings", "old_key_files", index), file))
    for path, file in files:
        try:
            read_key(file)
        except LocalError as error:
            yield path, str(error)
