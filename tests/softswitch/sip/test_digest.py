"""Digest: the vectors of RFC 2617 and RFC 7616, replay, stale, hostile input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import LocalError, PeerError
from softswitch.sip.digest import Denied, DigestServer, Stale, Verified, answer, response_of
from softswitch.sip.headers import Auth
from softswitch.sip.message import Request
from softswitch.sip.uri import Uri

SECRET = b"0123456789abcdef"
PASSWORDS = {"alice": "wonder", "bob": "builder"}


def test_vector_of_rfc_2617() -> None:
    assert (
        response_of(
            "MD5",
            username="Mufasa",
            realm="testrealm@host.com",
            password="Circle Of Life",
            method="GET",
            uri="/dir/index.html",
            nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
            qop="auth",
            nonce_count="00000001",
            cnonce="0a4f113b",
        )
        == "6629fae49393a05397450978507c4ef1"
    )


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_vectors_of_rfc_7616(algorithm: str, expected: str) -> None:
    assert (
        response_of(
            algorithm,
            username="Mufasa",
            realm="http-auth@example.org",
            password="Circle of Life",
            method="GET",
            uri="/dir/index.html",
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop="auth",
            nonce_count="00000001",
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        )
        == expected
    )


def register(value: str | None, uri: str = "sip:pbx.example.org") -> Request:
    headers = [("Authorization", value)] if value is not None else []
    return Request("REGISTER", Uri.parse(uri), headers)


def credentials(
    challenges: list[str],
    count: int = 1,
    user: str = "alice",
    password: str = "wonder",
    uri: str = "sip:pbx.example.org",
) -> str:
    return answer(
        challenges,
        method="REGISTER",
        uri=uri,
        username=user,
        password=password,
        cnonce="c0",
        nonce_count=count,
    )


def server(**options: int) -> DigestServer:
    return DigestServer("pbx", SECRET, **options)  # type: ignore[arg-type]


def check(digest: DigestServer, value: str | None, now: float) -> Verified | Stale | Denied:
    return digest.verify(register(value), "Authorization", PASSWORDS.get, now)


def test_the_strongest_known_algorithm_is_answered_and_accepted() -> None:
    digest = server()
    challenges = digest.challenge(100.0)
    assert [Auth.parse(text).params["algorithm"] for text in challenges] == ["SHA-256", "MD5"]
    value = credentials(["Digest realm=pbx, nonce=n, algorithm=FUTURE-1", "Bearer x", *challenges])
    assert Auth.parse(value).params["algorithm"] == "SHA-256"
    assert check(digest, value, 100.5) == Verified("alice")
    assert check(digest, credentials([digest.challenge(101.0)[1]]), 101.0) == Verified("alice")


def test_a_count_is_accepted_once_and_must_grow() -> None:
    digest = server()
    challenges = digest.challenge(100.0)
    assert check(digest, credentials(challenges, 1), 100.0) == Verified("alice")
    assert check(digest, credentials(challenges, 1), 100.0) == Stale()
    assert check(digest, credentials(challenges, 5), 100.0) == Verified("alice")
    assert check(digest, credentials(challenges, 4), 100.0) == Stale()


def test_nonces_age_and_belong_to_their_server() -> None:
    digest = server(nonce_s=60)
    value = credentials(digest.challenge(100.0))
    assert check(digest, value, 161.0) == Stale()
    assert check(DigestServer("pbx", b"another secret, 16"), value, 100.0) == Stale()
    assert "stale=true" in digest.challenge(200.0, stale=True)[0]


def test_wrong_password_unknown_user_wrong_uri() -> None:
    digest = server()
    challenges = digest.challenge(100.0)
    for value in (
        None,
        "Basic abc",
        'Digest realm="elsewhere", nonce="x"',
        credentials(challenges, password="guess"),
        credentials(challenges, user="mallory"),
        credentials(challenges, user="mallory", password=""),
        credentials(challenges, uri="sip:other.example.org"),
    ):
        assert isinstance(check(digest, value, 100.0), Denied), value


def test_a_wrong_password_uses_no_count_up() -> None:
    digest = server()
    challenges = digest.challenge(100.0)
    assert isinstance(check(digest, credentials(challenges, 3, password="guess"), 100.0), Denied)
    assert check(digest, credentials(challenges, 1), 100.0) == Verified("alice")


def test_without_qop_only_when_allowed_and_once_a_nonce() -> None:
    digest = server()
    lenient = server(allow_without_qop=True)
    old = [digest.challenge(100.0)[1].replace(', qop="auth"', "")]
    assert "qop" not in credentials(old)
    assert isinstance(check(digest, credentials(old), 100.0), Denied)
    assert check(lenient, credentials(old), 100.0) == Verified("alice")
    assert check(lenient, credentials(old), 100.0) == Stale()


def test_memory_is_bounded_and_what_is_forgotten_is_stale() -> None:
    digest = server(max_nonces=3)
    values = []
    for second in range(5):
        values.append(credentials(digest.challenge(100.0 + second)))
        assert check(digest, values[-1], 100.0 + second) == Verified("alice")
    assert len(digest._highest) == 3
    assert [check(digest, value, 105.0) for value in values] == [Stale()] * 5


def test_auth_int_covers_the_body() -> None:
    challenge = 'Digest realm="r", nonce="n", qop="auth-int", algorithm=SHA-256, opaque="o"'
    values = [
        Auth.parse(
            answer([challenge], method="M", uri="sip:a", username="u", password="p", cnonce="c", body=body)
        ).params
        for body in (b"one", b"two")
    ]
    assert [value["qop"] for value in values] == ["auth-int", "auth-int"]
    assert [value["opaque"] for value in values] == ["o", "o"]
    assert values[0]["response"] != values[1]["response"]


@pytest.mark.parametrize(
    "change", ["nc=zzzzzzzz", "nc=1", "qop=auth-int", 'cnonce=""', "algorithm=SHA-512-256", 'uri=":"']
)
def test_malformed_credentials_are_denied(change: str) -> None:
    digest = server()
    value = credentials(digest.challenge(100.0))
    name = change.partition("=")[0]
    parts = [part for part in value.removeprefix("Digest ").split(", ") if not part.startswith(name + "=")]
    assert isinstance(check(digest, "Digest " + ", ".join([*parts, change]), 100.0), Denied)


def test_configuration_errors_are_local() -> None:
    with pytest.raises(LocalError, match="16"):
        DigestServer("pbx", b"short")
    with pytest.raises(LocalError, match="SHA-257"):
        DigestServer("pbx", SECRET, ("SHA-257",))


def test_no_usable_challenge() -> None:
    for challenges in (
        [],
        ["Bearer"],
        ['Digest realm="a", nonce="b", algorithm=X'],
        ['Digest nonce="b", qop="x"'],
    ):
        with pytest.raises(PeerError):
            credentials(challenges)


@given(st.dictionaries(st.sampled_from(
    ["username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce"]
), st.text(max_size=20)))  # fmt: skip
def test_any_credentials_are_judged(params: dict[str, str]) -> None:
    params = {"realm": "pbx", "qop": "auth", "nc": "00000001", "cnonce": "c", "algorithm": "MD5", **params}
    value = "Digest " + ", ".join(
        f'{name}="' + text.replace("\\", "").replace('"', "") + '"' for name, text in params.items()
    )
    assert not isinstance(check(server(), value, 1.0), Verified)
