"""The worker's I/O shell: what the engine needs of sockets, files and threads. Nothing here knows RTP."""

from __future__ import annotations

from media.io.clip_loader import ClipLoader
from media.io.control_socket import ControlSocket
from media.io.datagrams import BatchIo, PortSockets, bind_udp
from media.io.ipv6 import Ipv6Io, PairedSockets, SplitSender
from media.io.lifeline import Grace, Lifeline

__all__ = [
    "BatchIo",
    "ClipLoader",
    "ControlSocket",
    "Grace",
    "Ipv6Io",
    "Lifeline",
    "PairedSockets",
    "PortSockets",
    "SplitSender",
    "bind_udp",
]
