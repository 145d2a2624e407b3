"""A bad line between a phone and the switch: a router that knows SIP, and what it does to the audio.

The phone calls `address` in place of the switch. The line puts its own ports in place of theirs into the SIP
that passes (all have five digits, so no length changes), and passes RTP on both ways; RTCP does not come this
way. Once `spoil` is called, the audio from the phone suffers what `Harm` says, counted in packets and not by
the clock; what is done is in `dropped`, `doubled`, `held`, `passed`.
"""

from __future__ import annotations

import asyncio
import re
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support.ports import free_port, free_rtp_port

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Harm:
    """Of every `period` packets one is dropped, one is sent twice, one is overtaken by the next, and one is
    held until `slow` others have passed it. Each has some sound ones around it, if the period is 20 or more.
    """

    period: int = 25
    slow: int = 8

    def of(self, number: int) -> str:
        """What befalls the packet with this number, from 0 on."""
        return {3: "drop", 6: "double", 9: "swap", 13: "slow"}.get(number % self.period, "")


@dataclass
class _Held:
    packet: bytes
    after: int  # packets that are still to pass it


@dataclass
class _Port(asyncio.DatagramProtocol):
    """A socket; `take` is called with every datagram."""

    take: Callable[[bytes], None]
    transport: asyncio.DatagramTransport = field(init=False)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set()

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        self.take(data)


class BadLine:
    """async with BadLine(phone_port, switch.port) as line: await caller.call(f"sip:601@{line.address}")"""

    def __init__(self, phone: int, switch: int, harm: Harm | None = None) -> None:
        """The ports of both ends' SIP over UDP."""
        self._harm = harm or Harm()
        self._phone, self._switch = phone, switch
        self._sip = {"phone": free_port(), "switch": free_port()}  # on the side of either
        self._rtp = {"phone": free_rtp_port(), "switch": free_rtp_port()}
        self._audio: dict[str, int] = {}  # the RTP ports of both ends
        self._ports: dict[str, _Port] = {}
        self._left: int | None = None
        self._number = 0
        self._waiting: list[_Held] = []
        self._over = asyncio.Event()
        self.dropped = self.doubled = self.held = self.passed = 0
        self.sent: list[tuple[float, int]] = []
        """When what went to the switch was sent, in seconds, and its RTP timestamp."""

    @property
    def address(self) -> str:
        """host:port to call in place of the switch."""
        return f"{HOST}:{self._sip['phone']}"

    async def __aenter__(self) -> Self:
        takers = {
            ("sip", "phone"): self._from_phone,
            ("sip", "switch"): self._from_switch,
            ("rtp", "phone"): self._hear,
            ("rtp", "switch"): self._answer,
        }
        loop = asyncio.get_running_loop()
        for (kind, side), take in takers.items():
            local = (HOST, (self._sip if kind == "sip" else self._rtp)[side])
            made = _Port(take)
            made.transport, _ = await loop.create_datagram_endpoint(lambda made=made: made, local_addr=local)  # type: ignore[misc]
            self._ports[kind + side] = made
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for port in self._ports.values():
            port.transport.close()
            await port.closed.wait()

    async def spoil(self, packets: int, timeout_s: float) -> None:
        """Harm the next so many packets from the phone, and pass none after them; returns then."""
        self._left, self._number = packets, 0
        async with asyncio.timeout(timeout_s):
            await self._over.wait()

    # ----- SIP

    def _from_phone(self, data: bytes) -> None:
        ports = {self._sip["phone"]: self._switch, self._phone: self._sip["switch"]}
        self._send("sipswitch", self._rewritten(data, "phone", "switch", ports), self._switch)

    def _from_switch(self, data: bytes) -> None:
        ports = {self._switch: self._sip["phone"], self._sip["switch"]: self._phone}
        self._send("sipphone", self._rewritten(data, "switch", "phone", ports), self._phone)

    def _rewritten(self, data: bytes, side: str, other: str, ports: dict[int, int]) -> bytes:
        def audio(found: re.Match[str]) -> str:
            self._audio[side] = int(found[1])
            return f"m=audio {self._rtp[other]} "

        def port(found: re.Match[str]) -> str:
            return f"{found[1]}{ports.get(int(found[2]), int(found[2]))}"

        text = re.sub(r"m=audio (\d{5}) ", audio, data.decode())
        return re.sub(rf"({re.escape(HOST)}:|rport=)(\d{{5}})\b", port, text).encode()

    # ----- RTP

    def _answer(self, packet: bytes) -> None:
        self._send("rtpphone", packet, self._audio["phone"])

    def _hear(self, packet: bytes) -> None:
        """From the phone: its audio, and what becomes of it."""
        if self._left is None:
            self._pass(packet)
            return
        if not self._left:
            return
        harm = self._harm.of(self._number)
        self._left -= 1
        self._number += 1
        if harm == "drop":
            self.dropped += 1
        elif harm in ("swap", "slow"):
            self.held += 1
            self._waiting.append(_Held(packet, 1 if harm == "swap" else self._harm.slow))
        else:
            self._pass(packet)
            if harm == "double":
                self.doubled += 1
                self._pass(packet)
        if harm != "drop":
            self._release()
        if not self._left:
            self._over.set()

    def _release(self) -> None:
        """One more has come; those whose turn it is now follow it."""
        for held in self._waiting[:]:
            held.after -= 1
            if held.after < 0:
                self._waiting.remove(held)
                self._pass(held.packet)

    def _pass(self, packet: bytes) -> None:
        self.passed += 1
        self.sent.append((time.monotonic(), struct.unpack_from(">I", packet, 4)[0]))
        self._send("rtpswitch", packet, self._audio["switch"])

    def _send(self, port: str, data: bytes, to: int) -> None:
        self._ports[port].transport.sendto(data, (HOST, to))
