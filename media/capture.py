"""UDP datagrams out of a capture file: pcap and pcapng, over Ethernet, Linux "any", loopback or bare IP.

Invariant: whatever a file holds, nothing but CaptureError is raised: for a file that is no capture, with its
name and the remedy. Packets that are cut short, fragments, and anything that is not UDP over IP are left out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dpkt

from media.errors import CaptureError

_RAW = (12, 14, 101, 228, 229)
_LOOPBACK = (0, 108)
_COOKED, _COOKED_2 = 113, 276
_IPV4, _IPV6 = 0x0800, 0x86DD


@dataclass(frozen=True, slots=True)
class Captured:
    """One datagram: when it passed (epoch seconds), both ends as `address:port`, and what it carried."""

    at: float
    source: str
    destination: str
    payload: bytes


def read(path: Path) -> Iterator[Captured]:
    """The datagrams of a capture, in the order of the file. Raises CaptureError."""
    try:
        with path.open("rb") as file:
            try:
                packets = dpkt.pcap.UniversalReader(file)
            except (dpkt.Error, ValueError) as error:
                raise CaptureError(f"{path} is no capture; pcap and pcapng can be read") from error
            yield from _datagrams(path, packets)
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror or error}") from error


def _datagrams(path: Path, packets: Iterator[tuple[float, bytes]]) -> Iterator[Captured]:
    kind: int = packets.datalink()  # type: ignore[attr-defined]
    try:
        for at, frame in packets:
            found = _datagram(float(at), kind, bytes(frame))
            if found is not None:
                yield found
    except (dpkt.Error, ValueError) as error:  # the file was cut while it was written
        raise CaptureError(f"{path}: the capture is damaged or cut short: {error}") from error


def _datagram(at: float, kind: int, frame: bytes) -> Captured | None:
    try:
        packet = _ip(kind, frame)
        if packet is None or not isinstance(packet.data, dpkt.udp.UDP):
            return None
        udp = packet.data
        ends = [
            f"{ipaddress.ip_address(address)}:{port}"
            for address, port in ((packet.src, udp.sport), (packet.dst, udp.dport))
        ]
        return Captured(at, ends[0], ends[1], bytes(udp.data))
    except (dpkt.Error, ValueError, IndexError, AttributeError):
        return None


def _ip(kind: int, frame: bytes) -> dpkt.ip.IP | dpkt.ip6.IP6 | None:
    if kind == dpkt.pcap.DLT_EN10MB:
        inner = dpkt.ethernet.Ethernet(frame).data
        return inner if isinstance(inner, dpkt.ip.IP | dpkt.ip6.IP6) else None
    if kind == _COOKED:
        return _of_type(int.from_bytes(frame[14:16], "big"), frame[16:])
    if kind == _COOKED_2:
        return _of_type(int.from_bytes(frame[0:2], "big"), frame[20:])
    if kind in _LOOPBACK:
        frame = frame[4:]
    elif kind not in _RAW:
        return None
    return _of_type(_IPV4 if frame[:1] and frame[0] >> 4 == 4 else _IPV6, frame)


def _of_type(ethertype: int, data: bytes) -> dpkt.ip.IP | dpkt.ip6.IP6 | None:
    if ethertype == _IPV4:
        return dpkt.ip.IP(data)
    return dpkt.ip6.IP6(data) if ethertype == _IPV6 else None
