"""Certificates and keys for TLS: what the configuration names, read, and made into contexts of `ssl`.

Used by every listener that speaks TLS. Invariants: whatever cannot serve is a LocalError that names the file
and the remedy, told before anything listens; TLS 1.2 is the least; a peer whose certificate cannot be checked
is never taken on trust. Nothing here is ever changed: new certificates are new contexts.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from softswitch.errors import LocalError

ClientCertificates = Literal["no", "optional", "required"]
MinVersion = Literal["1.2", "1.3"]
MAX_BYTES: Final = 1 << 20
"""A larger file is no certificate."""
_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What TLS is spoken with. `certificate`: PEM, ours first, then those up to the authority; `ca`: those
    whom peers (and clients) must be certified by, the system's if None; `clients`: are they asked for a
    certificate of their own?
    """

    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    min_version: MinVersion = "1.2"
    clients: ClientCertificates = "no"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Our own: the names that it is for, and until when it counts."""

    names: tuple[str, ...]
    not_after: datetime

    def days_left(self, now: float) -> float:
        """From `now` (seconds since 1970) on; negative: it has run out."""
        return (self.not_after - datetime.fromtimestamp(now, UTC)).total_seconds() / 86_400

    def expiry(self, now: float) -> str:
        """For people: when it runs out, or that it has."""
        days, when = self.days_left(now), f"{self.not_after:%Y-%m-%d %H:%M} UTC"
        if days < 0:
            return f"HAS RUN OUT on {when}: nobody who checks it will connect; have it renewed"
        return f"of {', '.join(self.names) or 'no name'} runs out on {when}, in {days:.0f} days"


@dataclass(frozen=True, slots=True)
class Contexts:
    """Both sides of TLS, made of one reading of the files. `server` is None without a certificate."""

    server: ssl.SSLContext | None
    client: ssl.SSLContext


def make_contexts(settings: TlsSettings) -> Contexts:
    """Raises LocalError as `server_context` and `client_context` do."""
    server = server_context(settings) if settings.certificate is not None else None
    return Contexts(server, client_context(settings))


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """For those who connect to us, phones and browsers. Raises LocalError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.min_version]
    _load_own(context, settings)
    if settings.clients != "no":
        context.verify_mode = ssl.CERT_OPTIONAL if settings.clients == "optional" else ssl.CERT_REQUIRED
        _load_authorities(context, settings.ca, ssl.Purpose.CLIENT_AUTH)
    return context


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """For those whom we connect to, with our own certificate if there is one. The chain is checked by `ssl`,
    the name by `softswitch.net.tls_identity`, which knows SIP's rules (RFC 5922). Raises LocalError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _VERSIONS[settings.min_version]
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if settings.certificate is not None:
        _load_own(context, settings)
    _load_authorities(context, settings.ca, ssl.Purpose.SERVER_AUTH)
    return context


def read_certificate(settings: TlsSettings) -> Certificate:
    """Ours, looked at. Raises LocalError when it cannot be read, or its key is another's."""
    certificate, key = _files(settings)
    found = _certificates(certificate)[0]
    private = _read(key)
    try:
        public = serialization.load_pem_private_key(private, None).public_key()
    except TypeError:
        raise LocalError(
            f"the key {key} is protected by a passphrase, which nobody could type at a start; "
            "store it without one (openssl pkey -in OLD -out NEW), readable by the switch only"
        ) from None
    except ValueError:
        raise LocalError(
            f"{key} is not a private key in PEM form (-----BEGIN PRIVATE KEY-----); name its file"
        ) from None
    encoding = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*encoding) != found.public_key().public_bytes(*encoding):
        raise LocalError(
            f"the key {key} does not belong to the certificate {certificate}; "
            "name the key that it was made with (our own certificate must be the first in its file)"
        )
    return Certificate(_names(found), found.not_valid_after_utc)


def read_authorities(path: Path) -> int:
    """How many authorities a file names. Raises LocalError."""
    return len(_certificates(path))


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    names: list[str] = [*found.get_values_for_type(x509.DNSName)]
    names += found.get_values_for_type(x509.UniformResourceIdentifier)
    names += [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return tuple(names)


def _files(settings: TlsSettings) -> tuple[Path, Path]:
    if settings.certificate is None:
        raise LocalError("TLS needs a certificate; name its file with tls.certificate")
    return settings.certificate, settings.key or settings.certificate


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise LocalError(
            f"{path} cannot be read: {error.strerror}; check the path, and that the switch's user may read it"
        ) from error
    if len(data) > MAX_BYTES:
        raise LocalError(f"{path} is larger than {MAX_BYTES} bytes; name a file in PEM form")
    return data


def _certificates(path: Path) -> Sequence[x509.Certificate]:
    data = _read(path)
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise LocalError(
            f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----); name its file, "
            "or convert it (openssl x509 -inform der -in OLD -out NEW)"
        ) from None


def _load_own(context: ssl.SSLContext, settings: TlsSettings) -> None:
    certificate, key = _files(settings)
    read_certificate(settings)  # says what is wrong in words; `ssl` has numbers
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise LocalError(f"TLS cannot be spoken with {certificate} and {key}: {error}") from error


def _load_authorities(context: ssl.SSLContext, ca: Path | None, purpose: ssl.Purpose) -> None:
    if ca is None:
        context.load_default_certs(purpose)
        return
    read_authorities(ca)
    try:
        context.load_verify_locations(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise LocalError(f"the authorities in {ca} cannot be used: {error}") from error
