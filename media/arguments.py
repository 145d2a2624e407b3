"""What a media process is started with (`python -m media.worker`)."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Sequence
from pathlib import Path


def _ports(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not (dash and first.isdigit() and last.isdigit() and 1024 <= int(first) < int(last) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a range FIRST-LAST inside 1024-65535")
    return int(first), int(last)


def _ipv4(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IPv4 address") from error


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IPv6 address") from error


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; exits with status 2 and a message when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m media.worker", description="One media process of the switch."
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--connect", metavar="PATH", help="Unix socket on which the signalling process listens"
    )
    source.add_argument("--control-fd", type=int, metavar="N", help="an inherited, connected Unix socket")
    parser.add_argument("--address", type=_ipv4, help="local IPv4 address that is announced (default: none)")
    parser.add_argument(
        "--bind", type=_ipv4, help="that of the sockets (default: the announced one, or else 127.0.0.1)"
    )
    parser.add_argument(
        "--ipv6-address", type=_ipv6, help="IPv6 address that is announced (default: no IPv6)"
    )
    parser.add_argument(
        "--ipv6-bind", type=_ipv6, help="that of the sockets of IPv6 (default: the announced one)"
    )
    parser.add_argument(
        "--ports", type=_ports, required=True, metavar="FIRST-LAST", help="RTP and RTCP port range"
    )
    parser.add_argument("--capacity", type=int, default=4000, help="legs (default %(default)s)")
    parser.add_argument(
        "--media-timeout-s", type=float, default=30.0, help="silence that counts as lost media"
    )
    parser.add_argument(
        "--jitter-max-ms", type=int, default=480, help="longest delay of a jitter buffer (80 to 1280)"
    )
    parser.add_argument(
        "--dscp", type=int, choices=range(64), default=0, metavar="0-63", help="marking of what is sent"
    )
    parser.add_argument("--cpu", type=int, metavar="N", help="the processor that the loop is kept on")
    parser.add_argument("--realtime", action="store_true", help="schedule the loop before ordinary programs")
    parser.add_argument(
        "--kernel-forwarding", action="store_true", help="let the kernel pass on what is only relayed (eBPF)"
    )
    parser.add_argument(
        "--rejoin", type=Path, metavar="PATH", help="where to wait when the signalling process has died"
    )
    parser.add_argument("--incarnation", default="", help="what another signalling process must know of this")
    parser.add_argument("--grace-s", type=float, default=30.0, help="how long to wait then")
    parser.add_argument("--plain-sockets", action="store_true", help="do not use recvmmsg and sendmmsg")
    return parser.parse_args(arguments)
