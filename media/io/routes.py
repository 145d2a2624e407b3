"""By which interface, and from which of our addresses, packets leave (rtnetlink(7), IPv4)."""

from __future__ import annotations

import fcntl
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

from media.forwarding import NO_ROUTE, Route
from media.forwarding_memory import LOOPBACK

_NETLINK_ROUTE = 0
_GET_ROUTE, _NEW_ROUTE, _REQUEST = 26, 24, 1
_HEADER, _ROUTE_MESSAGE = struct.Struct("=IHHII"), struct.Struct("=8BI")
_ATTRIBUTE = struct.Struct("=HH")
_DESTINATION, _SOURCE, _INTERFACE, _PREFERRED_SOURCE = 1, 2, 4, 7
_UNICAST, _LOCAL = 1, 2
_LINKS_ADDRESSES_ROUTES_RULES = 0x01 | 0x10 | 0x40 | 0x80
_ANSWER_BYTES = 1 << 16
_GET_ADDRESS = 0x8915  # SIOCGIFADDR
_ETHERNET, _LOOPBACK = "1", "772"
MOST_KNOWN = 1 << 16
ANSWER_S = 0.05
MOST_NEWS = 4096
"""Changes that are read at once."""
ASK_EVERY_S = 1.0
"""Where much changes, routes are asked for anew so often: thousands take the worker as many times 20 us."""


def interfaces() -> dict[int, str]:
    """Those with an IPv4 address whose packets begin with an Ethernet header, loopback among them; names by
    index."""
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for index, name in socket.if_nameindex():
            try:
                fcntl.ioctl(asking, _GET_ADDRESS, struct.pack("=256s", name.encode()[:15]))
                kind = Path("/sys/class/net", name, "type").read_text("ascii").strip()
            except OSError:
                continue
            if kind in (_ETHERNET, _LOOPBACK):
                found[index] = name
    return found


def _attributes(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, at)
        if size < _ATTRIBUTE.size:
            break
        found[kind] = data[at + _ATTRIBUTE.size : at + size]
        at += -(-size // 4) * 4
    return found


class KernelRoutes:
    """What the kernel says, kept until something changes there. `bind` is the address that our packets are
    sent from, 0.0.0.0 for whichever the route says; `among` the interfaces that they may leave by."""

    def __init__(self, bind: str, among: set[int], clock: Callable[[], float] = time.monotonic) -> None:
        self._bind = int.from_bytes(socket.inet_aton(bind), "big")
        self._among = among
        self._known: dict[int, Route] = {}
        self._asked = 0
        self._clock, self._quiet_until = clock, 0.0
        self._news = False
        """Has something changed since all was forgotten?"""
        self._asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE)
        self._asking.settimeout(ANSWER_S)
        self._watching = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE)
        self._watching.setblocking(False)
        self._watching.bind((0, _LINKS_ADDRESSES_ROUTES_RULES))

    def to(self, address: int) -> Route:
        """As of media.forwarding.Routes."""
        if address not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[address] = self._ask(address)
        return self._known[address]

    def _ask(self, address: int) -> Route:
        addresses = [(_DESTINATION, address), *([(_SOURCE, self._bind)] if self._bind else [])]
        body = b"".join(_ATTRIBUTE.pack(8, kind) + one.to_bytes(4, "big") for kind, one in addresses)
        message = _ROUTE_MESSAGE.pack(socket.AF_INET, 32, 32 if self._bind else 0, *[0] * 6) + body
        self._asked += 1
        header = _HEADER.pack(_HEADER.size + len(message), _GET_ROUTE, _REQUEST, self._asked & 0xFFFFFFFF, 0)
        try:
            self._asking.send(header + message)
            answer = self._asking.recv(_ANSWER_BYTES)
            # Others answer questions that were given up.
            while _HEADER.unpack_from(answer)[3] != self._asked & 0xFFFFFFFF:
                answer = self._asking.recv(_ANSWER_BYTES)
        except OSError:
            self._news = True  # ask another time
            return NO_ROUTE
        size, kind = _HEADER.unpack_from(answer)[:2]
        if kind != _NEW_ROUTE:
            return NO_ROUTE
        body = answer[_HEADER.size : size]
        way = _ROUTE_MESSAGE.unpack_from(body)[7]
        found = _attributes(body[_ROUTE_MESSAGE.size :])
        source = self._bind or int.from_bytes(found.get(_PREFERRED_SOURCE, b""), "big")
        interface = int.from_bytes(found.get(_INTERFACE, b""), "little")
        if way == _LOCAL:
            return Route(source, LOOPBACK)
        return Route(source, interface) if way == _UNICAST and interface in self._among else NO_ROUTE

    def changed(self) -> bool:
        """As of media.forwarding.Routes."""
        for _ in range(MOST_NEWS):
            try:
                self._watching.recv(_ANSWER_BYTES)
            except BlockingIOError:
                break
            except OSError:  # more has changed than it can tell
                pass
            self._news = True
        now = self._clock()
        if not self._news or now < self._quiet_until:
            return False
        self._news, self._quiet_until = False, now + ASK_EVERY_S
        self._known.clear()
        return True

    def close(self) -> None:
        """Ask no more."""
        self._asking.close()
        self._watching.close()
