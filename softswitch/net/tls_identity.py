"""Whom a certificate speaks for: the rules of SIP (RFC 5922 section 7), on what `ssl` has read of it.

Pure. The chain has been checked before; here it is only the name. A domain is spoken for by a URI
`sip:DOMAIN` among the certificate's alternative names, or where there is none by a DNS name, or where there
is none of those either by the common name (7.1). Unlike 7.2, a DNS name may begin with `*.`, which stands for
one label: carriers have such certificates, and everything else on the Internet takes them (RFC 6125).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

Decoded = Mapping[str, Any]
"""As `ssl.SSLSocket.getpeercert()` gives it."""


def speaks_for(certificate: Decoded, domain: str) -> bool:
    """Is it the certificate of `domain`, the host of a SIP URI (a name or an IP address)?"""
    wanted = _canonical(domain)
    names = [(str(kind), str(value)) for kind, value in certificate.get("subjectAltName", ())]
    try:
        address = ip_address(wanted)
    except ValueError:
        return any(_matches(name, wanted) for name in _domains(certificate, names))
    found = (value for kind, value in names if kind == "IP Address")
    return any(_same_address(value, address) for value in found)


def identities(certificate: Decoded) -> tuple[str, ...]:
    """The names that it has, for people."""
    names = [str(value) for _, value in certificate.get("subjectAltName", ())]
    return tuple(names or _common_names(certificate))


def _domains(certificate: Decoded, names: list[tuple[str, str]]) -> list[str]:
    by_uri = [value[4:] for kind, value in names if kind == "URI" and value[:4].lower() == "sip:"]
    if by_uri:  # with a user part it speaks for that user, not for the domain
        return [name.partition(";")[0].partition(":")[0] for name in by_uri if "@" not in name]
    return [value for kind, value in names if kind == "DNS"] or list(_common_names(certificate))


def _common_names(certificate: Decoded) -> Iterator[str]:
    for part in certificate.get("subject", ()):
        for key, value in part:
            if key == "commonName":
                yield str(value)


def _canonical(name: str) -> str:
    return name.strip("[]").rstrip(".").lower()


def _matches(name: str, wanted: str) -> bool:
    name = _canonical(name)
    if not name.startswith("*."):
        return bool(name) and name == wanted
    label, dot, rest = wanted.partition(".")
    return bool(label and dot) and rest == name[2:] and "." in rest and "*" not in rest


def _same_address(text: str, address: object) -> bool:
    try:
        return ip_address(text.strip()) == address
    except ValueError:
        return False
