"""Logging: structlog with one grammar, one line an event, as JSON or for a person.

The grammar: an event begins with `> ` for what we sent, `< ` for what we received, `= ` for a change of
state; all else is prose. Values go into fields, never into the event. `call` is bound once, where a call
begins.

Invariants: no password, no key of SRTP, no digest response and no key that was pressed (it may be one of a
PIN) is ever written (`redact`, `_hide_secrets`); a peer cannot forge a line or drive the terminal (control
characters are escaped); a line below the level costs a method call.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TextIO, cast

import msgspec
import structlog

Style = Literal["console", "json"]
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_MAX_VALUE_CHARS = 8192
_SECRET_FIELDS = frozenset(("password", "secret", "response", "ha1", "authorization", "proxy-authorization"))
_HIDDEN = "[hidden]"
# In digest credentials and in URIs with a password; the rest of the header stays, it is what one debugs by.
_RESPONSE = re.compile(r'\b(response|rspauth)\s*=\s*("(?:[^"\\]|\\.)*"|[^",;\s]+)', re.IGNORECASE)
# Bounded repeats: a hostile text of many openings must not cost its square.
_URI_PASSWORD = re.compile(r"(\bsips?:[^:@\s<>;,?\"]{1,128}:)[^@\s<>\"]{1,256}@", re.IGNORECASE)
_BASIC = re.compile(r"((?:Proxy-)?Authorization\s*:\s*(?!digest\b)\w+\s+)\S.*", re.IGNORECASE)
_MEDIA_KEY = re.compile(r"(\binline:|\bice-pwd:)[^\s]+", re.IGNORECASE)
"""Of an `a=crypto` (RFC 4568), and the password of ICE (RFC 8839)."""
_KEY = re.compile(r"^([ \t]*signal[ \t]*=[ \t]*)\S+", re.IGNORECASE | re.MULTILINE)
"""In `application/dtmf-relay`; it may be one of a PIN."""
_BARE_KEY = re.compile(
    r"^((?:Content-Type|c)[ \t]*:[ \t]*application/dtmf[ \t]*(?:;[^\r\n]*)?\r?\n"
    r"(?:[^\r\n]+\r?\n)*\r?\n)\s*\S+",
    re.IGNORECASE | re.MULTILINE,
)
"""In `application/dtmf`."""
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN = re.compile(r"[!-~]+")


class Log(Protocol):
    """The part of structlog's bound logger that is used here."""

    def bind(self, **fields: object) -> Log: ...
    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...
    def exception(self, event: str, **fields: object) -> None: ...


def redact(text: str) -> str:
    """The text of a SIP message without digest responses, basic credentials, passwords in URIs, keys of SRTP
    and keys that were pressed (INFO)."""
    text = _RESPONSE.sub(rf'\1="{_HIDDEN}"', text)
    text = _KEY.sub(rf"\1{_HIDDEN}", text)
    text = _BARE_KEY.sub(rf"\1{_HIDDEN}", text)
    text = _MEDIA_KEY.sub(rf"\1{_HIDDEN}", text)
    text = _BASIC.sub(rf"\1{_HIDDEN}", text)
    return _URI_PASSWORD.sub(rf"\1{_HIDDEN}@", text)


class _Threshold:
    """The level of the process, where the wire log can see it without building a logger."""

    level = logging.INFO


class _Lines:
    """Writes finished lines. A log that cannot be written must not stop a call, so failures end here."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def _write(self, line: str) -> None:
        stream = self._stream or sys.stderr
        with contextlib.suppress(OSError, ValueError):
            stream.write(line + "\n")
            stream.flush()

    debug = info = warning = error = _write


def configure(level: str = "info", style: Style = "console", stream: TextIO | None = None) -> None:
    """Set up logging for the process; may be called again. `level`: a key of LEVELS. Lines go to stderr."""
    renderer: Callable[..., str] = _render_json if style == "json" else _render_console
    _Threshold.level = LEVELS[level]
    structlog.configure(
        processors=[_add_time, structlog.processors.format_exc_info, _hide_secrets, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )


def logger(name: str, **fields: object) -> Log:
    """A logger with the name of its part of the program and with fields bound to every line."""
    if not structlog.is_configured():
        configure()
    return cast(Log, structlog.get_logger(part=name, **fields))


class WireLog:
    """What goes over the wire, whole and redacted, at level debug only; cheap when filtered."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def sent(self, data: bytes, flow: object) -> None:
        """Log bytes that left by a flow."""
        if _Threshold.level <= logging.DEBUG:
            self._log.debug("> " + _first_line(data), flow=str(flow), data=_text(data))

    def received(self, data: bytes, flow: object) -> None:
        """Log bytes that came by a flow."""
        if _Threshold.level <= logging.DEBUG:
            self._log.debug("< " + _first_line(data), flow=str(flow), data=_text(data))


def _text(data: bytes) -> str:
    return redact(data.decode("utf-8", "backslashreplace").replace("\r\n", "\n"))


def _first_line(data: bytes) -> str:
    """Hidden first, then cut: half a password is one too."""
    return redact(data.split(b"\r\n", 1)[0].decode("utf-8", "backslashreplace"))[:200]


Event = MutableMapping[str, Any]


def _add_time(_: object, method: str, event: Event) -> Event:
    now = datetime.now(UTC)
    event["time"] = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
    event["level"] = "error" if method == "exception" else method
    return event


def _hide_secrets(_: object, __: str, event: Event) -> Event:
    for name, value in event.items():
        if name.lower() in _SECRET_FIELDS:
            event[name] = _HIDDEN
        elif isinstance(value, str) and "@" in value and name != "data":  # which is redacted already
            event[name] = _URI_PASSWORD.sub(rf"\1{_HIDDEN}@", value)
    return event


def _harmless(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    if len(text) > _MAX_VALUE_CHARS:
        text = text[:_MAX_VALUE_CHARS] + f"... ({len(text)} characters)"
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _json_value(value: object) -> object:
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    return _harmless(value)


def _render_json(_: object, __: str, event: Event) -> str:
    head = {name: event.pop(name) for name in ("time", "level", "part", "event") if name in event}
    return msgspec.json.encode(
        {name: _json_value(value) for name, value in (head | dict(event)).items()}
    ).decode()


def _render_console(_: object, __: str, event: Event) -> str:
    time, level, part = event.pop("time", ""), event.pop("level", ""), event.pop("part", "")
    block = event.pop("data", None)
    trace = event.pop("exception", None)
    words = [f"{time} {level:<7} {part:<9}", _harmless(event.pop("event", "")).replace("\n", "\\n")]
    for name, value in event.items():
        text = _harmless(value).replace("\n", "\\n")
        words.append(f"{name}={text if _PLAIN.fullmatch(text) else msgspec.json.encode(text).decode()}")
    line = " ".join(words)
    for lines in (block, trace):
        # Indented, so that no line of a message can pass for a line of the log.
        if lines:
            line += "\n    " + _harmless(lines).rstrip("\n").replace("\n", "\n    ")
    return line
