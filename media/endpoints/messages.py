"""What the switch and its pjsua2 processes know of one another; no pjsua2 is needed to know it."""

from __future__ import annotations

from typing import Final

import msgspec

LOOPBACK: Final = "127.0.0.1"
PLACES: Final = 4
"""Calls that one process can hold: the limit of the wheel's build. A leg that it terminates takes two."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """It listens for SIP on loopback, on these ports."""

    udp_port: int
    tcp_port: int


class Still(msgspec.Struct, frozen=True, tag=True):
    """The answer to a line: it lives."""


Said = Ready | Still
