"""The far end of a browser's leg, without a browser: checks made by aioice, a DTLS client, libsrtp.

It knows no socket and no clock: datagrams in, datagrams out. The tests of the engine and the load generator
of the benchmark `webrtc` move it.
"""

from __future__ import annotations

import secrets

from aioice import stun
from pylibsrtp import Policy, Session

from media.dtls import Association, Identity
from media.messages import Browser, IceCredentials, SrtpKeys
from media.srtp import PROFILES


class FarBrowser:
    """A full agent that controls, and the DTLS client. `theirs` are the credentials of the leg."""

    def __init__(self, theirs: IceCredentials, fingerprint: str, identity: Identity | None = None) -> None:
        self.identity = identity or Identity.make()
        self.mine = IceCredentials(secrets.token_hex(4), secrets.token_hex(16))
        self.theirs = theirs
        self.association = Association(self.identity, fingerprint, client=True)
        self.answered = 0
        """Good answers to checks."""
        self._inbound: Session | None = None
        self._outbound: Session | None = None

    def settled(self, *, client: bool = False) -> Browser:
        """What offer and answer would tell the worker of this browser."""
        return Browser(self.theirs, self.identity.fingerprint, client)

    def check(self, *, nominate: bool = True, priority: int = 1 << 30, password: str | None = None) -> bytes:
        """A check of a candidate pair."""
        attributes: dict[str, object] = {
            "USERNAME": f"{self.theirs.ufrag}:{self.mine.ufrag}",
            "PRIORITY": priority,
            "ICE-CONTROLLING": secrets.randbits(64),
        }
        if nominate:
            attributes["USE-CANDIDATE"] = None
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
        message.add_message_integrity((password or self.theirs.password).encode())
        return bytes(message)

    def receive(self, datagram: bytes) -> list[bytes]:
        """STUN or DTLS from the switch; what to send."""
        if datagram[0] < 4:
            answer = stun.parse_message(datagram)
            assert answer.check_message_integrity(self.theirs.password.encode())
            assert answer.message_class == stun.Class.RESPONSE
            self.answered += 1
            return self.association.begin()
        return self.association.receive(datagram)

    @property
    def keys(self) -> SrtpKeys | None:
        """What DTLS gave, once it is complete."""
        return self.association.keys

    def protect(self, packet: bytes, *, rtcp: bool = False) -> bytes:
        """RTP to SRTP, or RTCP to SRTCP."""
        if self._outbound is None:
            self._outbound = _session(self.keys, outbound=True)
        protected: bytes = self._outbound.protect_rtcp(packet) if rtcp else self._outbound.protect(packet)
        return protected

    def unprotect(self, packet: bytes) -> bytes:
        """SRTP to RTP. Raises pylibsrtp.Error for what is not for us."""
        if self._inbound is None:
            self._inbound = _session(self.keys, outbound=False)
        plain: bytes = self._inbound.unprotect(packet)
        return plain


def _session(keys: SrtpKeys | None, *, outbound: bool) -> Session:
    assert keys is not None, "DTLS is not complete"
    return Session(
        Policy(
            key=keys.outbound if outbound else keys.inbound,
            ssrc_type=Policy.SSRC_ANY_OUTBOUND if outbound else Policy.SSRC_ANY_INBOUND,
            srtp_profile=PROFILES[keys.suite],
        )
    )
