"""What a menu has learned and the agent is to know: variables as `X-CC-NAME` headers of the INVITE to his
phone.

Invariant: at most MAX_CARRIED of them, each on one line of at most MAX_CHARS printable characters: nothing
that a caller typed or a database held can begin a header of its own, or pass for one of the switch.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from softswitch.call.text import printable

MAX_CARRIED = 16
MAX_CHARS = 128
PREFIX = "X-CC-"


def carry(carried: dict[str, str], learned: Mapping[str, str]) -> dict[str, str]:
    """Add what was learned; what was added, fit to be sent and logged."""
    added = {}
    for name, value in learned.items():
        if name in carried or len(carried) < MAX_CARRIED:
            carried[name] = added[name] = printable(value, MAX_CHARS)
    return added


def headers(carried: Mapping[str, str], taken: Container[str] = ()) -> list[tuple[str, str]]:
    """`account_no` as `X-CC-Account-No`; without those that are `taken` by what the switch itself says."""
    named = (
        (PREFIX + "-".join(map(str.capitalize, name.split("_"))), value) for name, value in carried.items()
    )
    return [(name, value) for name, value in named if name not in taken]
