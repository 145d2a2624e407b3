"""What the log's page of a call says of its sound."""

from __future__ import annotations

from cli.sound import codecs_spoken, quality_lines
from media.messages import Quality
from softswitch.call.record import LegRecord


def test_both_directions_of_a_leg() -> None:
    quality = Quality(
        990, 1000, 10, 3.21, 9.9, 20, 4.0, 55.0,
        packets_late=3, packets_duplicated=1, concealed_ms=260, buffer_ms=38.0, mos=4.12, remote_mos=3.9,
    )  # fmt: skip
    legs = (
        LegRecord(role="caller", party="0700", quality=quality),
        LegRecord(role="agent", party="anna", quality=Quality(500, 500, 0, 1.0, 2.0)),
        LegRecord(role="agent", party="ben", quality=Quality(0, 0, 0, 0.0, 0.0)),
        LegRecord(role="agent", party="eve"),
    )
    assert quality_lines(legs) == [
        (
            "from caller 0700: MOS 4.1, 1.0 % lost, 3 late, 1 twice, 260 ms concealed, "
            "jitter 3.2 ms (at most 9.9), buffered 38 ms"
        ),
        "to caller 0700: MOS 3.9, 20 of 1000 packets lost, jitter 4.0 ms, round trip 55 ms",
        "from agent anna: 0.0 % lost, jitter 1.0 ms (at most 2.0)",
    ]


def test_the_codecs_of_a_call() -> None:
    legs = (
        LegRecord(role="caller", party="0700", codec="OPUS"),
        LegRecord(role="agent", party="anna", codec="PCMU"),
        LegRecord(role="agent", party="ben"),
    )
    assert codecs_spoken(legs) == "caller 0700 OPUS, agent anna PCMU"
    assert codecs_spoken(()) == ""
