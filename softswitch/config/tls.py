"""TLS: the certificate that phones, browsers and peers see, and whom of them we trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from softswitch.config.fields import FilePath, Section

if TYPE_CHECKING:
    from softswitch.net.tls_context import Certificate, TlsSettings


class Tls(Section):
    """TLS, for all listeners that speak it. Certificates and keys are read again by `cc reload`."""

    certificate: FilePath | None = Field(
        None,
        description="PEM file: the switch's certificate, then those between it and the authority; "
        "a `tls:` in sip.listen needs it",
    )
    key: FilePath | None = Field(
        None,
        description="PEM file with its private key, without a passphrase; that of the certificate if absent",
    )
    ca: FilePath | None = Field(
        None,
        description="PEM file with the authorities that certificates of peers (and of phones, if asked for) "
        "must come from; those of the system if absent",
    )
    min_version: Literal["1.2", "1.3"] = Field("1.2", description="the oldest TLS that is spoken")
    client_certificates: Literal["no", "optional", "required"] = Field(
        "no",
        description="whether those who connect show a certificate of `ca`: `optional` checks what is shown, "
        "`required` refuses who shows none",
    )

    def own(self) -> Certificate | None:
        """The switch's own certificate, looked at; None without one. Raises LocalError."""
        from softswitch.net.tls_context import read_certificate

        return read_certificate(self.settings()) if self.certificate is not None else None

    def settings(self) -> TlsSettings:
        """As the transports take it."""
        from softswitch.net.tls_context import TlsSettings  # its libraries take time to load

        return TlsSettings(self.certificate, self.key, self.ca, self.min_version, self.client_certificates)
