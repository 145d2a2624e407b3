"""`lookup`: ask a database or a web service about the caller; what it knows becomes variables.

Invariant: the caller waits `timeout_s` at most, whatever the other side does. Variables reach a statement
only as bound parameters and an address only percent-encoded, never as `..`, so no caller can change what is
asked; and what is found hides no attribute of the call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, field_validator, model_validator

from ivr.condition import text_of
from ivr.messages import Answer, PlayDone, Request
from ivr.names import VariableName, is_variable, variable_name
from ivr.node import Edge, Event, Go, Node, Prompts, Reference, Visit, Wait, Walk
from ivr.template import Slot, pieces, slots

QUIET_S = 0.5
"""An answer that comes within this is not announced by the prompt."""
MAX_VALUES = 50
MAX_SQL = 10_000

_QUOTED_OR_PARAMETER = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|([:@$?][A-Za-z0-9_]*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class AskDatabase(Request):
    """The first row of a statement: its columns by name, empty if there is none."""

    database: str
    sql: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 2.0


@dataclass(frozen=True, slots=True)
class AskService(Request):
    """The scalars of a JSON answer: those of `wanted` (path -> path), or all at the top if that is empty.

    `url` is complete, or begins with / and follows the one of `service`.
    """

    service: str
    url: str
    method: Literal["GET", "POST"] = "GET"
    body: str = ""
    wanted: tuple[str, ...] = ()
    timeout_s: float = 2.0


class Lookup(Node):
    """Ask a database or a web service; what it knows becomes variables."""

    database: str = Field("", description="the database, one of `[databases]`; give `sql` with it")
    sql: str = Field(
        "",
        max_length=MAX_SQL,
        description="one SELECT; `:name` stands for a variable or an attribute: "
        "`SELECT balance FROM accounts WHERE number = :account`. The first row counts",
    )
    service: str = Field("", description="the web service, one of `[services]`; `url` then begins with /")
    url: str = Field(
        "",
        max_length=2000,
        description="`https://host/path/{account}?from={caller}`; variables stand in path and query",
    )
    method: Literal["GET", "POST"] = Field("GET", description="how the service is asked")
    send: dict[str, str] = Field(
        {},
        max_length=MAX_VALUES,
        description="with POST: the fields of a JSON object, each a text with variables",
    )
    answer: dict[VariableName, str] = Field(
        {},
        max_length=MAX_VALUES,
        description="variable -> column, or place in the JSON such as `customer.accounts.0.balance`; "
        "without it, every column or every text and number at the top becomes a variable of its name, "
        "but for those that are attributes of the call (`status`, `number`, `language` ...)",
    )
    into: str = Field(
        "",
        pattern=r"^([A-Za-z][A-Za-z0-9_]{0,31})?$",
        description="what the names of these variables begin with, such as `customer_`",
    )
    timeout_s: float = Field(2.0, gt=0, le=30, description="how long the caller waits for the answer at most")
    prompt: Prompts = Field(
        (),
        description=f"what he hears if it takes longer than {QUIET_S} s; sound files are repeated (music)",
    )
    found: str = Field(description="where to go with the answer")
    not_found: str = Field(
        "",
        description="where to go if there is nothing (no row; 404, 410 or 204; nothing of `answer`); "
        "`failed` if absent",
    )
    failed: str = Field(description="where to go without an answer: too late, an error")

    @model_validator(mode="after")
    def _one_source(self) -> Lookup:
        if bool(self.database) == bool(self.url):
            raise ValueError("a look-up needs a database with sql, or a url (exactly one of the two)")
        if bool(self.database) != bool(self.sql):
            raise ValueError("database and sql belong together")
        if self.service and not self.url.startswith("/"):
            raise ValueError(f"the url goes on where the service {self.service!r} begins: write it from / on")
        if self.url and not self.service and urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(
                f"{self.url[:60]!r} does not begin with http:// or https://, and there is no service"
            )
        if self.send and self.method != "POST":
            raise ValueError('what is sent needs method = "POST"')
        for name in self.answer:
            variable_name(self.into + name)
        return self

    @field_validator("sql")
    @classmethod
    def _only_named(cls, sql: str) -> str:
        for name in _parameters(sql):
            if not re.fullmatch(r":[A-Za-z][A-Za-z0-9_]*", name):
                raise ValueError(f"{name!r}: a parameter is written :name, after a variable or an attribute")
        return sql

    @field_validator("url")
    @classmethod
    def _host_is_fixed(cls, url: str) -> str:
        slots(url)
        if any(char.isspace() or ord(char) < 32 for char in url):
            raise ValueError("an address has no spaces; write %20")
        if "{" in url[: _path_at(url)]:
            raise ValueError("a variable may stand in the path and the query, not in the name of the host")
        return url

    @field_validator("send")
    @classmethod
    def _templates(cls, send: dict[str, str]) -> dict[str, str]:
        for text in send.values():
            slots(text)
        return send

    # ----- the visit

    def visit(self, walk: Walk) -> Visit:
        """Ask, wait, keep what is found."""
        request = self._request(walk)
        if request is None:
            return Go(self.failed, {"lookup": "no address"})
        walk.ask(request)
        event = yield from self._wait(walk)
        walk.stop()
        if event is None:
            return Go(self.failed, {"lookup": "too late"})
        if event.error:
            return Go(self.failed, {"lookup": "failed"})
        values = self._named(event.values)
        walk.variables.update(values)
        if values:
            return Go(self.found, {"lookup": "found"})
        return Go(self.not_found or self.failed, {"lookup": "not found"})

    def _wait(self, walk: Walk) -> Generator[Wait, Event, Answer | None]:
        end = walk.now + self.timeout_s
        begin = walk.now + QUIET_S if self.prompt else end
        begun = end
        is_music = all(one.file for one in self.prompt)
        while True:
            event = yield Wait(until=min(begin, end), keys=False)
            if isinstance(event, Answer):
                return event
            if walk.now >= end:
                return None
            # What ended at once could not be played: it is not tried again and again.
            fresh = not isinstance(event, PlayDone) or (is_music and walk.now - begun > QUIET_S)
            if fresh:
                walk.play(self.prompt)
                begun = walk.now
            begin = end

    def _request(self, walk: Walk) -> Request | None:
        """What is asked; None where a value would lead to another address than the one that was written."""
        if self.database:
            names = [name.removeprefix(":") for name in _parameters(self.sql)]
            values = {name: text_of(walk.look(name)) for name in names}
            return AskDatabase(self.database, self.sql, values, self.timeout_s)
        body = json.dumps({name: walk.render(text) for name, text in self.send.items()}) if self.send else ""
        url = "".join(
            piece if isinstance(piece, str) else quote(text_of(walk.look(piece.name)), safe="")
            for piece in pieces(self.url)
        )
        if _has_dots(url) and not _has_dots(self.url):
            return None
        wanted = tuple(self.answer.values())
        return AskService(self.service, url, self.method, body, wanted, self.timeout_s)

    def _named(self, values: Mapping[str, str]) -> dict[str, str]:
        if self.answer:
            return {self.into + name: values[path] for name, path in self.answer.items() if path in values}
        fitting = {self.into + name: value for name, value in values.items()}
        kept = [name for name in fitting if is_variable(name)]
        return {name: fitting[name] for name in kept[:MAX_VALUES]}

    # ----- for the check

    def edges(self) -> tuple[Edge, ...]:
        """Found, not found, failed."""
        other = (Edge("not_found", self.not_found),) if self.not_found else ()
        return (Edge("found", self.found), *other, Edge("failed", self.failed))

    def references(self) -> tuple[Reference, ...]:
        """The database or the service."""
        if self.database:
            return (Reference("database", f"database:{self.database}"),)
        return (Reference("service", f"service:{self.service}"),) if self.service else ()

    def sets(self) -> tuple[str, ...]:
        """The variables of `answer`, or all that begin with `into`."""
        return tuple(self.into + name for name in self.answer) or (f"{self.into}*",)

    def reads(self) -> tuple[tuple[str, str], ...]:
        """The parameters of the statement, the variables of the address and of what is sent."""
        bound = tuple(("sql", name.removeprefix(":")) for name in _parameters(self.sql))
        inside = tuple(("url", piece.name) for piece in pieces(self.url) if isinstance(piece, Slot))
        sent = tuple((f"send.{key}", slot.name) for key, text in self.send.items() for slot in slots(text))
        return bound + inside + sent


def _parameters(sql: str) -> tuple[str, ...]:
    """The parameters of a statement as they are written, outside of texts and comments."""
    found = (match.group(1) for match in _QUOTED_OR_PARAMETER.finditer(sql))
    return tuple(dict.fromkeys(name for name in found if name))


def _has_dots(url: str) -> bool:
    """Whether a part of the path is `.` or `..`, which every client of the web resolves (RFC 3986 5.2.4)."""
    return not {".", ".."}.isdisjoint(url.partition("?")[0].split("/"))


def _path_at(url: str) -> int:
    """Where the path of an address begins: at once, or after the host."""
    if url.startswith("/"):
        return 0
    _, _, rest = url.partition("//")
    return len(url) - len(rest.partition("/")[2])
