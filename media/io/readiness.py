"""Waiting for descriptors, to the microsecond.

poll and epoll wait for whole milliseconds; select does not, but cannot see descriptors above 1023. So select
waits for an epoll, which sees the others.
"""

from __future__ import annotations

import select


class Readiness:
    """The descriptors of the control connection and of whatever else the loop waits for."""

    def __init__(self) -> None:
        # Made before there are many sockets, so that its own number is small.
        self._epoll = select.epoll()

    def register(self, descriptor: int) -> None:
        """Wait for it, too."""
        self._epoll.register(descriptor, select.EPOLLIN)

    def unregister(self, descriptor: int) -> None:
        """No longer, before it is closed."""
        self._epoll.unregister(descriptor)

    def wait(self, most_s: float) -> list[int]:
        """Those that can be read, after `most_s` at most."""
        if not select.select((self._epoll,), (), (), most_s)[0]:
            return []
        return [descriptor for descriptor, _ in self._epoll.poll(0)]

    def close(self) -> None:
        """Let go of it; the descriptors themselves are others' to close."""
        self._epoll.close()
