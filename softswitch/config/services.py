"""The sections about what the switch asks and tells: databases, web services, webhooks, the recogniser of
speech.

Invariant: secrets are SecretStr, so that no message and no log can show them.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from softswitch.config.fields import FilePath, Seconds, Section

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_|~-]{1,64}")
_PHONES = re.compile(r"[A-Z]{1,2}( [A-Z]{1,2}){0,19}")
_WORD = re.compile(r"[a-z']{1,32}")


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or any(char <= " " for char in url):
        raise ValueError(f"{url!r} is not an address such as https://crm.example.com/api")
    if parts.username or parts.password:
        raise ValueError("a password does not belong into an address, which is logged; write a header")
    return url


def _header_name(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header")
    return name


def _header_value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable() or len(text) > 4000:
        raise ValueError("the value of a header is one line of printable ASCII, at most 4000 characters")
    return value


def _word(word: str) -> str:
    if not _WORD.fullmatch(word):
        raise ValueError(f"{word!r} is not a word of small letters and '")
    return word


def _pronunciation(phones: str) -> str:
    if not _PHONES.fullmatch(phones):
        raise ValueError(
            f"{phones!r} is not a pronunciation such as K AO F IY (phones of the CMU dictionary)"
        )
    return phones


WebAddress = Annotated[str, AfterValidator(_web_address)]
Headers = dict[
    Annotated[str, AfterValidator(_header_name)], Annotated[SecretStr, AfterValidator(_header_value)]
]


class Database(Section):
    """An SQLite database that menus look things up in, read-only."""

    path: FilePath = Field(description="the SQLite file; it is opened read-only, and anew for each question")
    at_once: int = Field(4, ge=1, le=64, description="questions at once; more wait for their turn")


class Service(Section):
    """A web service that menus look things up in."""

    url: WebAddress = Field(description="where it is; the `url` of a look-up goes on from here")
    headers: Headers = Field(
        {}, description='headers of every question, never logged: { Authorization = "Bearer ..." }'
    )
    at_once: int = Field(20, ge=1, le=1000, description="questions at once; more wait for their turn")


class Webhook(Section):
    """Another system that is told of calls, by POST."""

    url: WebAddress = Field(description="where the messages go")
    secret: SecretStr = Field(
        SecretStr(""),
        description="signs messages: `X-CC-Signature: t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.BODY`",
    )
    headers: Headers = Field({}, description="further headers, never logged")
    timeout_s: Seconds = Field(5.0, description="how long an attempt may take")
    attempts: int = Field(
        5,
        ge=1,
        le=20,
        description="how often it is tried, after 1, 2, 4 ... s; then it is given up",
    )
    at_once: int = Field(4, ge=1, le=64, description="messages under way at once")


class Speech(Section):
    """Words that callers say (nodes of the type `listen`)."""

    processes: int = Field(
        1, ge=1, le=32, description="recognisers, each a process of its own; they run only if a flow listens"
    )
    at_once: int = Field(
        16, ge=1, le=200, description="callers whom one of them listens to; others have the keys"
    )
    pronunciations: dict[
        Annotated[str, AfterValidator(_word)], Annotated[str, AfterValidator(_pronunciation)]
    ] = Field(
        {},
        max_length=1000,
        description="words that are in no dictionary, by the phones of the CMU dictionary: "
        '{ softswitch = "S AO F T S W IH CH" }',
    )
