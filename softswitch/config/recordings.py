"""The section about recorded conversations, and the type by which queues, extensions and routes say what is
recorded.

Invariant: as in `sections`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Strict, StringConstraints

from ivr.node import Prompts
from softswitch.call.tape import RecordMode
from softswitch.config.fields import FilePath, Section


def _mode(value: Any) -> Any:
    """`true` and `false` are what they always were."""
    return {True: "always", False: "no"}[value] if isinstance(value, bool) else value


Record = Annotated[RecordMode, BeforeValidator(_mode)]
"""`always` (or true), `on-demand`, `no` (or false), `never`."""
OptionalRecord = Annotated[RecordMode | Literal[""], BeforeValidator(_mode)]
Keys = Annotated[str, StringConstraints(pattern=r"^([0-9A-D*#]{1,4})?$")]
"""Keys of a telephone, at most four; empty: none."""


class Recordings(Section):
    """Recorded conversations."""

    directory: FilePath = Field(Path("var/recordings"), description="where recordings are written")
    format: Literal["wav", "flac", "opus"] = Field(
        "flac",
        description="what a recording becomes after its call: `flac` is half as large and loses nothing, "
        "`opus` is a tenth and takes ten times the work, `wav` stays as it is",
    )
    opus_kbps: int = Field(
        24, ge=8, le=128, description="for `opus`: kilobits a second for both sides together"
    )
    workers: int = Field(
        1, ge=1, le=16, description="how many recordings are compressed at once; read at the start"
    )
    announce: Prompts = Field(
        (),
        validate_default=False,
        description="what both hear before a talk is recorded, such as `This call may be recorded.`; "
        "the talk begins after it. Nothing if empty",
    )
    pause_keys: Keys = Field(
        "",
        description="keys by which an agent pauses the recording in a talk and resumes it, such as `*7`; his "
        "caller hears them. None if empty",
    )
    record_keys: Keys = Field(
        "",
        description="keys by which an agent starts and stops the recording where it is `on-demand`; none if "
        "empty",
    )
    keep_days: Annotated[float, Field(ge=0, le=36_500)] = Field(
        0.0, description="days after which recordings are deleted; 0: they are kept for ever"
    )
    min_free_mb: int = Field(
        200,
        ge=0,
        le=100_000_000,
        description="megabytes that stay free on the disk of the recordings: with less, none is begun (see "
        "`when_full`); 0: no limit",
    )
    when_full: Literal["stop", "delete-oldest"] = Field(
        "stop",
        description="what happens below `min_free_mb`: no recording is begun, or the oldest are deleted "
        "first",
    )
    key_file: FilePath | None = Field(
        None,
        description="a file with the key (32 random octets in base64) by which recordings are encrypted "
        "after their call; without it they are not",
    )
    old_key_files: Annotated[tuple[FilePath, ...], Strict(False), Field(max_length=100)] = Field(
        (), description="files with earlier keys, so that older recordings can still be heard"
    )
