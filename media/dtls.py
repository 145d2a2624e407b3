"""DTLS for SRTP keys (RFC 5764): one association with one browser, in memory only.

It is fed with datagrams and gives datagrams; what it is for is `keys`. Whoever is on the other side shows a
certificate that nobody has signed: it is his when its fingerprint is the one that signalling brought (RFC
8122). Invariants: there are no keys before that has been compared; nothing is believed twice, so that a
failed association stays failed; of what comes after it is complete nothing counts. OpenSSL has a clock of its
own for repeating what was lost, and is asked by `timer`.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from media.messages import SRTP_KEY_BYTES, SrtpKeys, SrtpSuite

MTU_BYTES = 1200
"""What we send fits into any network (RFC 8446 4.1 of DTLS has no better guess; browsers use the same)."""
MAX_DATAGRAMS = 64
"""A handshake has about ten; whoever sends more before it is complete is no browser."""
_RECORD_HEADER_BYTES = 13
_ANYTHING = 1 << 14
_LABEL = b"EXTRACTOR-dtls_srtp"
_SALT_BYTES: dict[SrtpSuite, int] = {
    "AEAD_AES_128_GCM": 12,
    "AEAD_AES_256_GCM": 12,
    "AES_CM_128_HMAC_SHA1_80": 14,
}
_SUITES: dict[bytes, SrtpSuite] = {
    b"SRTP_AEAD_AES_128_GCM": "AEAD_AES_128_GCM",
    b"SRTP_AES128_CM_SHA1_80": "AES_CM_128_HMAC_SHA1_80",
    b"SRTP_AEAD_AES_256_GCM": "AEAD_AES_256_GCM",
}
"""In the order of our preference: AES-GCM costs least."""
_HASHES = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
"""OpenSSL's names by SDP's."""
_CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384"
_VALID = datetime.timedelta(days=365)


@dataclass(frozen=True)
class Identity:
    """A key pair with a certificate that it signed itself; one for all associations of a worker."""

    context: SSL.Context = field(repr=False)
    fingerprint: str

    @classmethod
    def make(cls) -> Identity:
        """A new one; nobody can tell from it what it is for."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, secrets.token_hex(8))])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _VALID)
            .not_valid_after(now + _VALID)
            .sign(key, hashes.SHA256())
        )
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_certificate(certificate)
        context.use_privatekey(key)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(_SUITES))
        context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        # Any certificate may come: it is compared with the fingerprint, afterwards.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        return cls(context, f"sha-256 {certificate.fingerprint(hashes.SHA256()).hex(':').upper()}")


class Association:
    """One handshake. `client`: we begin it (the peer is `passive`, RFC 5763). `fingerprint` is the peer's."""

    def __init__(self, identity: Identity, fingerprint: str, *, client: bool) -> None:
        self.fingerprint = fingerprint
        self.client = client
        self.keys: SrtpKeys | None = None
        """There when it is complete."""
        self.failure = ""
        """Why there will be no keys, for the log."""
        self._datagrams = 0
        self._connection = connection = SSL.Connection(identity.context, None)
        connection.set_ciphertext_mtu(MTU_BYTES)
        if client:
            connection.set_connect_state()
        else:
            connection.set_accept_state()

    @property
    def pending(self) -> bool:
        """It is neither complete nor failed."""
        return self.keys is None and not self.failure

    def receive(self, datagram: bytes) -> list[bytes]:
        """A datagram came; those to be sent. After the keys are there, only a peer who lost our last flight
        is answered."""
        if self.failure:
            return []
        self._datagrams += 1
        if self.pending and self._datagrams > MAX_DATAGRAMS:
            self.failure = "the handshake does not come to an end"
            return []
        self._connection.bio_write(datagram)
        return self._step()

    def begin(self) -> list[bytes]:
        """The first flight of a client."""
        return self._step() if self.client and self.pending else []

    def timer(self) -> list[bytes]:
        """What is to be repeated now, if anything; to be asked a few times a second while it is pending."""
        if not self.pending:
            return []
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:  # repeated too often
            self.failure = _told(error)
        return self._sent()

    def _step(self) -> list[bytes]:
        try:
            if self.pending:
                self._connection.do_handshake()
                self._complete()
            while (
                not self.pending
            ):  # alerts, and repetitions of the peer's last flight, which OpenSSL answers
                self._connection.recv(_ANYTHING)
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            if self.pending:
                self.failure = _told(error)
        return self._sent()

    def _complete(self) -> None:
        algorithm, _, _ = self.fingerprint.partition(" ")
        # Nobody reads what is in it: that could fail in many ways, and only its fingerprint counts.
        certificate = self._connection.get_peer_certificate()
        suite = _SUITES.get(self._connection.get_selected_srtp_profile())
        if certificate is None or algorithm not in _HASHES:
            self.failure = "there is no certificate to compare"
        elif f"{algorithm} {certificate.digest(_HASHES[algorithm]).decode()}" != self.fingerprint:
            self.failure = "the certificate is not the one that was announced"
        elif suite is None:
            self.failure = "no SRTP profile in common"
        else:
            self.keys = self._export(suite)

    def _export(self, suite: SrtpSuite) -> SrtpKeys:
        """RFC 5764 4.2: the keys of both sides, then the salts."""
        salt = _SALT_BYTES[suite]
        key = SRTP_KEY_BYTES[suite] - salt
        material = self._connection.export_keying_material(_LABEL, 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        inbound, outbound = (server, client) if self.client else (client, server)
        return SrtpKeys(suite, inbound, outbound)

    def _sent(self) -> list[bytes]:
        """What OpenSSL has written, as datagrams: a memory BIO forgets where they ended."""
        written = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                written += self._connection.bio_read(_ANYTHING)
        return datagrams_of(written)


def datagrams_of(records: bytes, most: int = MTU_BYTES) -> list[bytes]:
    """DTLS records (RFC 6347 4.1) packed into as few datagrams as they fit into, in order."""
    found: list[bytes] = []
    at = 0
    while at + _RECORD_HEADER_BYTES <= len(records):
        end = at + _RECORD_HEADER_BYTES + int.from_bytes(records[at + 11 : at + 13], "big")
        record = records[at:end]
        if found and len(found[-1]) + len(record) <= most:
            found[-1] += record
        else:
            found.append(record)
        at = end
    return found


def _told(error: SSL.Error) -> str:
    """OpenSSL's own words, if it has any."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(reason for _, _, reason in reasons) or type(error).__name__
