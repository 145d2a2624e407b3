"""Digest authentication, both sides (RFC 3261 22, RFC 7616, RFC 8760).

Invariant: a nonce is ours only if its signature says so, it lives `nonce_s` seconds, and no (nonce, count)
pair is accepted twice. The server remembers nothing for an unanswered challenge; what it remembers of
answered ones is bounded.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from softswitch.errors import LocalError, PeerError
from softswitch.sip.headers import Auth, quote
from softswitch.sip.message import Request
from softswitch.sip.uri import Uri, same_uri

_HASHES: Final[Mapping[str, str]] = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
_STRENGTH = ("SHA-512-256", "SHA-256", "MD5")


class Verified(msgspec.Struct, frozen=True):
    """The credentials are right; the user of the switch decides what `user` may do."""

    user: str


class Stale(msgspec.Struct, frozen=True):
    """Right credentials perhaps, but the nonce is used up or too old: challenge again with stale=True."""


class Denied(msgspec.Struct, frozen=True):
    """No credentials for us, or wrong ones; `reason` is for the log, not for the peer."""

    reason: str


def hash_text(algorithm: str, text: str) -> str:
    """The hexadecimal digest of a text by an algorithm name of RFC 8760. Raises LocalError."""
    name = _HASHES.get(algorithm.upper())
    if name is None:
        raise LocalError(f"unknown digest algorithm {algorithm!r}; use one of {', '.join(_HASHES)}")
    return hashlib.new(name, text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def response_of(
    algorithm: str,
    *,
    username: str,
    realm: str,
    password: str,
    method: str,
    uri: str,
    nonce: str,
    qop: str = "",
    nonce_count: str = "",
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """The `response` (RFC 7616 3.4.1); `qop` is "", "auth" or "auth-int", `nonce_count` 8 hex digits."""
    ha1 = hash_text(algorithm, f"{username}:{realm}:{password}")
    a2 = f"{method}:{uri}"
    if qop == "auth-int":
        a2 += ":" + hashlib.new(_HASHES[algorithm.upper()], body, usedforsecurity=False).hexdigest()
    ha2 = hash_text(algorithm, a2)
    middle = f"{nonce}:{nonce_count}:{cnonce}:{qop}" if qop else nonce
    return hash_text(algorithm, f"{ha1}:{middle}:{ha2}")


class DigestServer:
    """Challenges and verifies for one realm. `secret` signs the nonces: random, private, 16 bytes or more."""

    def __init__(
        self,
        realm: str,
        secret: bytes,
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        nonce_s: int = 300,
        max_nonces: int = 20_000,
        *,
        allow_without_qop: bool = False,
    ) -> None:
        if len(secret) < 16:
            raise LocalError("the digest secret is shorter than 16 bytes; give it 16 random bytes or more")
        for algorithm in algorithms:
            hash_text(algorithm, "")  # an unknown name must stop the start, not the first call
        self._realm = realm
        self._secret = secret
        self._algorithms = algorithms
        self._nonce_s = nonce_s
        self._max_nonces = max_nonces
        self._allow_without_qop = allow_without_qop
        self._issued = 0
        self._highest: OrderedDict[str, int] = OrderedDict()  # nonce -> highest count seen
        self._floor_ms = 0  # nonces up to this time have been forgotten, and so are stale

    def challenge(self, now: float, stale: bool = False) -> list[str]:
        """The values for WWW-Authenticate or Proxy-Authenticate headers, a header each, strongest first."""
        self._issued += 1
        stamp = f"{int(now * 1000):x}.{self._issued:x}"
        nonce = f"{stamp}.{self._sign(stamp)}"
        tail = ", stale=true" if stale else ""
        return [
            f'Digest realm={quote(self._realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{tail}'
            for algorithm in self._algorithms
        ]

    def _sign(self, stamp: str) -> str:
        text = f"{stamp}:{self._realm}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:32]

    def verify(
        self, request: Request, header_name: str, credentials: Callable[[str], str | None], now: float
    ) -> Verified | Stale | Denied:
        """Check a request; `header_name` is Authorization or Proxy-Authorization.

        `credentials` gives the password of a user name, None for an unknown one.
        """
        auth = self._ours(request, header_name)
        if auth is None:
            return Denied("no credentials for this realm")
        params = auth.params
        username, nonce = params.get("username", ""), params.get("nonce", "")
        algorithm = params.get("algorithm", "MD5").upper()
        if algorithm not in self._algorithms:
            return Denied(f"algorithm {algorithm[:20]!a} was not offered")
        qop = params.get("qop", "")
        count = _count(params.get("nc", ""))
        if qop not in ("auth", "") or (qop == "" and not self._allow_without_qop):
            return Denied("qop=auth is required")
        if qop and (count is None or not params.get("cnonce")):
            return Denied("bad nonce count or no cnonce")
        if not _names_target(params.get("uri", ""), request):
            return Denied("the credentials are for another URI")
        issued_ms = self._issued_ms(nonce)
        if issued_ms is None:
            return Stale()  # of another secret, perhaps of our own life before a restart
        password = credentials(username)
        expected = response_of(
            algorithm,
            username=username,
            realm=self._realm,
            password=password if password is not None else "",
            method=request.method,
            uri=params.get("uri", ""),
            nonce=nonce,
            qop=qop,
            nonce_count=params.get("nc", ""),
            cnonce=params.get("cnonce", ""),
        )
        given = params.get("response", "").lower().encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(expected.encode(), given) or password is None:
            return Denied(f"wrong password or unknown user {username[:40]!a}")
        age_s = now - issued_ms / 1000
        if not -1 <= age_s <= self._nonce_s or not self._first_use(nonce, issued_ms, count or 0, bool(qop)):
            return Stale()
        return Verified(username)

    def _ours(self, request: Request, header_name: str) -> Auth | None:
        """The first digest credentials for our realm; what cannot be read is as good as absent."""
        for line in request.headers.all(header_name):
            try:
                auth = Auth.parse(line)
            except PeerError:
                continue
            if auth.scheme == "digest" and auth.params.get("realm") == self._realm:
                return auth
        return None

    def _issued_ms(self, nonce: str) -> int | None:
        stamp, _, signature = nonce.rpartition(".")
        given = signature.encode("utf-8", "surrogateescape")
        try:
            if not hmac.compare_digest(self._sign(stamp).encode(), given):
                return None
        except UnicodeEncodeError:  # a nonce with undecodable octets was never ours
            return None
        return int(stamp.partition(".")[0], 16)

    def _first_use(self, nonce: str, issued_ms: int, count: int, counted: bool) -> bool:
        """Whether this count of this nonce is new; it is remembered (RFC 7616 3.4, replay)."""
        highest = self._highest.get(nonce)
        if highest is None:
            if issued_ms <= self._floor_ms:
                return False
        elif not counted or count <= highest:
            return False
        self._highest[nonce] = count
        if len(self._highest) > self._max_nonces:
            forgotten, _ = self._highest.popitem(last=False)
            self._floor_ms = max(self._floor_ms, self._issued_ms(forgotten) or 0)
        return True


def _count(text: str) -> int | None:
    if len(text) != 8:
        return None
    try:
        return int(text, 16) if text.isalnum() and text.isascii() else None
    except ValueError:
        return None


def _names_target(text: str, request: Request) -> bool:
    """True when the `uri` of credentials is the Request-URI (22.4 rule 8; phones differ in parameters)."""
    if text == str(request.uri):
        return True
    try:
        uri = Uri.parse(text)
    except PeerError:
        return False
    if same_uri(uri, request.uri):
        return True
    return (uri.scheme, uri.user, uri.host) == (request.uri.scheme, request.uri.user, request.uri.host)


def answer(
    challenges: Iterable[str],
    *,
    method: str,
    uri: str,
    username: str,
    password: str,
    cnonce: str,
    nonce_count: int = 1,
    body: bytes = b"",
) -> str:
    """The value of an (Proxy-)Authorization header for the strongest challenge that we know (RFC 8760 2.4).

    Raises PeerError 401 when there is none.
    """
    offers: list[tuple[int, Auth]] = []
    for text in challenges:
        try:
            auth = Auth.parse(text)
        except PeerError:
            continue
        algorithm = auth.params.get("algorithm", "MD5").upper()
        if auth.scheme == "digest" and algorithm in _STRENGTH and auth.params.get("nonce"):
            offers.append((_STRENGTH.index(algorithm), auth))
    if not offers:
        raise PeerError(401, "No challenge with a known algorithm")
    rank, auth = min(offers, key=lambda offer: offer[0])
    algorithm, params = _STRENGTH[rank], auth.params
    qops = [qop.strip() for qop in params.get("qop", "").lower().split(",") if qop.strip()]
    qop = "auth" if "auth" in qops else "auth-int" if "auth-int" in qops else ""
    if qops and not qop:
        raise PeerError(401, "No challenge with a known quality of protection")
    realm, nonce = params.get("realm", ""), params["nonce"]
    count = f"{nonce_count:08x}" if qop else ""
    response = response_of(
        algorithm,
        username=username,
        realm=realm,
        password=password,
        method=method,
        uri=uri,
        nonce=nonce,
        qop=qop,
        nonce_count=count,
        cnonce=cnonce if qop else "",
        body=body,
    )
    parts = [f"username={quote(username)}", f"realm={quote(realm)}", f"nonce={quote(nonce)}"]
    parts += [f"uri={quote(uri)}", f'response="{response}"']
    if "algorithm" in params:
        parts.append(f"algorithm={algorithm}")
    if "opaque" in params:
        parts.append(f"opaque={quote(params['opaque'])}")
    if qop:
        parts += [f"qop={qop}", f"nc={count}", f"cnonce={quote(cnonce)}"]
    return "Digest " + ", ".join(parts)
