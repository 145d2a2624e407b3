"""Files of certificates: what is wrong with them is said in words, with the file."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import LocalError
from softswitch.net.tls_context import TlsSettings, make_contexts, read_authorities, read_certificate
from softswitch.net.tls_identity import identities, speaks_for
from tests.support.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_certificate_tells_its_names_and_its_end(authority: Authority) -> None:
    pair = authority.sign("a", "a.example", "sip:a.example", "192.0.2.1", days=10)
    found = read_certificate(TlsSettings(pair.certificate, pair.key))
    assert found.names == ("a.example", "sip:a.example", "192.0.2.1")
    now = found.not_after.timestamp() - 5 * 86_400
    assert round(found.days_left(now)) == 5 and "in 5 days" in found.expiry(now)
    assert "HAS RUN OUT" in found.expiry(now + 6 * 86_400)


def test_key_and_certificate_in_one_file(authority: Authority, tmp_path: Path) -> None:
    pair = authority.sign("a", "a.example")
    both = tmp_path / "both.pem"
    both.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
    assert make_contexts(TlsSettings(both)).server is not None


def test_what_is_wrong_is_said(authority: Authority, tmp_path: Path) -> None:
    pair, other = authority.sign("a", "a.example"), authority.sign("b", "b.example")
    missing, rubbish, secret = tmp_path / "none.pem", tmp_path / "rubbish.pem", tmp_path / "secret.pem"
    rubbish.write_bytes(b"\x00\xff not a certificate")
    private = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    secret.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        )
    )
    for settings, told in (
        (TlsSettings(missing, pair.key), "none.pem cannot be read: No such file"),
        (TlsSettings(rubbish, pair.key), "rubbish.pem holds no certificate"),
        (TlsSettings(pair.certificate, missing), "none.pem cannot be read"),
        (TlsSettings(pair.certificate, rubbish), "rubbish.pem is not a private key"),
        (TlsSettings(pair.certificate), "a.pem is not a private key"),
        (TlsSettings(pair.certificate, secret), "protected by a passphrase"),
        (TlsSettings(pair.certificate, other.key), "does not belong to the certificate"),
        (TlsSettings(pair.certificate, pair.key, rubbish), "rubbish.pem holds no certificate"),
    ):
        with pytest.raises(LocalError, match=told):
            make_contexts(settings)
    assert read_authorities(authority.file) == 1


@given(
    st.dictionaries(
        st.sampled_from(["subjectAltName", "subject"]),
        st.lists(st.tuples(st.sampled_from(["DNS", "URI", "IP Address"]), st.text(max_size=20))),
    ),
    st.text(max_size=20),
)
def test_any_names_are_read_without_harm(names: dict[str, list[tuple[str, str]]], domain: str) -> None:
    certificate = {
        "subjectAltName": names.get("subjectAltName", []),
        "subject": [[("commonName", value)] for _, value in names.get("subject", [])],
    }
    assert speaks_for(certificate, domain) in (True, False)
    assert isinstance(identities(certificate), tuple)


@pytest.mark.parametrize(
    ("certificate", "domain", "good"),
    [
        ({"subject": [[("commonName", "a.example")]]}, "a.example", True),
        (
            {"subject": [[("commonName", "a.example")]], "subjectAltName": [("DNS", "b.example")]},
            "a.example",
            False,
        ),
        ({"subjectAltName": [("URI", "sip:user@a.example")]}, "a.example", False),
        ({"subjectAltName": [("URI", "sip:a.example:5061;x=y")]}, "a.example", True),
        ({"subjectAltName": [("IP Address", "0:0:0:0:0:0:0:1")]}, "[::1]", True),
        ({"subjectAltName": [("DNS", "127.0.0.1")]}, "127.0.0.1", False),
        ({"subjectAltName": [("DNS", "*.*.example")]}, "a.b.example", False),
        ({}, "a.example", False),
        ({"subjectAltName": [("DNS", "")]}, "", False),
    ],
)
def test_whom_a_certificate_speaks_for(certificate: dict[str, object], domain: str, good: bool) -> None:
    assert speaks_for(certificate, domain) == good
