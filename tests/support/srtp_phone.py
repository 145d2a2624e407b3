"""A phone that sees what is on the wire: SIP over TLS by hand, one UDP socket, and libsrtp."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from pylibsrtp import Error, Policy, Session

from softswitch.sdp.crypto import Crypto, crypto_of
from softswitch.sdp.description import SessionDescription
from softswitch.sdp.offer_answer import LocalMedia, accept_answer, make_offer

SUITE, PROFILE = "AES_CM_128_HMAC_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80
WAIT_S = 20.0


class SrtpPhone(asyncio.DatagramProtocol):
    """One call of a guest. `raw` are the RTP datagrams as they came, `plain` what they hold, `strange` what
    is neither authentic SRTP nor SRTCP."""

    def __init__(self, server: str, ca: Path) -> None:
        self.raw: list[bytes] = []
        self.plain: list[bytes] = []
        self.strange: list[bytes] = []
        self._server = server
        self._context = ssl.create_default_context(cafile=str(ca))
        self._early: list[bytes] = []
        self._into: Session | None = None
        self._sequence = 100
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        host, _, port = self._server.partition(":")
        self._reader, self._writer = await asyncio.open_connection(host, int(port), ssl=self._context)
        loop = asyncio.get_running_loop()
        self._socket, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self._port: int = self._socket.get_extra_info("sockname")[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self._socket.close()

    def datagram_received(self, data: bytes, addr: tuple[str | int, int]) -> None:
        """From the switch; before its key is known, it waits."""
        if self._into is None:
            self._early.append(data)
        else:
            self._take(data)
        self._changed.set()

    def _take(self, data: bytes) -> None:
        assert self._into is not None
        try:
            if 192 <= data[1] <= 223:
                self._into.unprotect_rtcp(data)
            else:
                self.plain.append(self._into.unprotect(data))
                self.raw.append(data)
        except Error:
            self.strange.append(data)

    async def call(self, number: str) -> None:
        """Dial, and be answered."""
        key = Crypto(1, "AES_CM_128_HMAC_SHA1_80", secrets.token_bytes(30))
        local = LocalMedia("127.0.0.1", self._port, 1, 1, srtp="required", crypto=(key,))
        offer = make_offer(local)
        self._out = Session(Policy(key.key, Policy.SSRC_ANY_OUTBOUND, 0, PROFILE))
        self._number, self._tag = number, secrets.token_hex(4)
        self._send("INVITE", 1, offer.serialise())
        while True:
            status, headers, body = await self._message()
            if status >= 200:
                break
        assert status == 200, headers
        self._to = headers["to"]
        self._send("ACK", 1)
        answer = SessionDescription.parse(body)
        agreed = accept_answer(offer, answer, srtp="required")
        [line] = crypto_of(answer.media[0])
        self._remote = (agreed.address, agreed.port)
        self._into = Session(Policy(line.key, Policy.SSRC_ANY_INBOUND, 0, PROFILE))
        for data in self._early:
            self._take(data)

    async def listen(self, packets: int) -> None:
        """Until so many RTP packets have come, and nothing strange."""
        async with asyncio.timeout(WAIT_S):
            while len(self.plain) < packets and not self.strange:
                self._changed.clear()
                await self._changed.wait()

    def press(self, key: str, *, encrypted: bool) -> None:
        """A key by RFC 4733."""
        for duration, end in ((160, 0), (320, 0), (480, 0x80)):
            event = struct.pack(">BBH", int(key), end | 10, duration)
            packet = struct.pack(">BBHII", 0x80, 101, self._sequence, 160 * int(key), 77) + event
            self._sequence += 1
            self._socket.sendto(self._out.protect(packet) if encrypted else packet, self._remote)

    async def hang_up(self) -> None:
        """End the call."""
        self._send("BYE", 2)
        status, _, _ = await self._message()
        assert status == 200

    def _send(self, method: str, number: int, body: bytes = b"") -> None:
        to = getattr(self, "_to", f"<sip:{self._number}@{self._server}>")
        here = f"127.0.0.1:{self._writer.get_extra_info('sockname')[1]}"
        lines = [
            f"{method} sip:{self._number}@{self._server};transport=tls SIP/2.0",
            f"Via: SIP/2.0/TLS {here};branch=z9hG4bK{secrets.token_hex(6)};rport",
            f"From: <sip:tester@127.0.0.1>;tag={self._tag}",
            f"To: {to}",
            f"Call-ID: {self._tag}@wire",
            f"CSeq: {number} {method}",
            f"Contact: <sip:tester@{here};transport=tls>",
            "Max-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def _message(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(WAIT_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return int(first.split()[1]), headers, body
