"""The memory that a worker and its program in the kernel have in common (media.forwarding_program).

The worker writes ways, and reads notes; the program does the contrary, but for `on`, `highest`, `budget` and
`refused`, which both write. What is in it is up to `media.forwarding`.
"""

from __future__ import annotations

import numpy as np

CONTROL = np.dtype(
    {
        "names": ["head", "tail", "enabled", "turn"],
        "formats": ["u8", "u8", "u4", "u4"],
        "offsets": [0, 64, 128, 132],
        "itemsize": 192,
    }
)
"""Numbers of the next note and of the oldest that is wanted; whether anything is forwarded; and
what is another number when ways were changed. `head` is the program's, in a cache line of its own."""
CONTROL_BYTES = CONTROL.itemsize
NOTE = np.dtype(
    [
        ("arrival", "u8"),  # ns of CLOCK_MONOTONIC
        ("headers", "u4", 3),  # first word, timestamp and SSRC as they came
        ("slot", "u2"),
        ("length", "u2"),  # of the datagram
        ("stamp", "u4"),  # low bits of the note's number and 1 more, written last
        ("_", "u4"),
    ]
)
ROOM = 1 << 16
"""Notes, a power of 2: those of a fifth of a second of 3 000 calls."""
MARGIN = 1024
"""So many processors can find at once that there is room for one more."""
WAY = np.dtype(
    [
        ("on", "u4"),  # whether the leg's packets are forwarded
        ("expected", "u4"),  # as in media.steady, from here
        ("ssrc", "u4"),
        ("highest", "u4"),
        ("sequence_step", "u2"),
        ("head_step", "u2"),
        ("timestamp_step", "u4"),
        ("ssrc_step", "u4"),  # to here
        ("budget", "u4"),  # packets until the next tick
        ("local", "u4"),  # the address that they are sent to; this and the others as they lie in a packet
        ("source", "u4"),  # what they are given as addresses and ports
        ("destination", "u4"),
        ("ports", "u4"),
        ("arrives", "u4"),  # the interface that they come in by
        ("leaves", "u4"),  # and leave by; LOOPBACK: they stay on this machine
        ("checksum", "u4"),  # sum of their new IP header but for its length, in words of 16 bits
        ("refused", "u4"),  # how many of its packets went to the socket
    ]
)
"""A leg's, 64 bytes: a cache line."""
LOOPBACK = 1
"""The number of its interface."""
