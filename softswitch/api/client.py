"""The client's side: one request, one answer, over the Unix socket; the standard library alone, so it starts
fast.

Invariant: whatever goes wrong is told by one of three exceptions: nobody answers (`NotRunning`), the switch
refused (`RefusedByServer`), or the answer is nonsense (LocalError).
"""

from __future__ import annotations

import http.client
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

import msgspec

from softswitch.errors import LocalError

TIMEOUT_S = 15.0


class NotRunning(LocalError):
    """No switch answers at the socket."""


class RefusedByServer(LocalError):
    """The switch answered with an error; `status` is HTTP's."""

    def __init__(self, status: int, error: str, remedy: str) -> None:
        super().__init__(f"{error}: {remedy}" if remedy else error)
        self.status = status
        self.error = error
        self.remedy = remedy


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class ApiClient:
    """Asks the switch behind the socket at `path`, and waits so long for each answer."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self.path = path
        self._timeout_s = timeout_s

    def get(self, *parts: str, query: Mapping[str, Any] | None = None) -> Any:
        """GET /v1/PARTS; the decoded JSON."""
        return self._ask("GET", parts, query, None)

    def post(self, *parts: str, body: Mapping[str, Any] | None = None) -> Any:
        """POST /v1/PARTS with a JSON body; the decoded JSON."""
        return self._ask("POST", parts, None, body or {})

    def delete(self, *parts: str, query: Mapping[str, Any] | None = None) -> Any:
        """DELETE /v1/PARTS; the decoded JSON."""
        return self._ask("DELETE", parts, query, None)

    def raw(self, *parts: str) -> bytes:
        """GET /v1/PARTS; the body as it is, such as a sound file."""
        connection = self._send("GET", parts, None, None)
        try:
            return self._response(connection).read()
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from error
        finally:
            connection.close()

    def save(self, target: BinaryIO, *parts: str, query: Mapping[str, Any] | None = None) -> int:
        """GET /v1/PARTS; the body, of any length, into a file. Returns its length in octets."""
        connection = self._send("GET", parts, query, None)
        try:
            response = self._response(connection)
            shutil.copyfileobj(response, target)
            if response.length:  # what is still missing
                raise http.client.IncompleteRead(b"", response.length)
            return target.tell()
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from error
        finally:
            connection.close()

    def lines(self, *parts: str, query: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """GET /v1/PARTS?format=ndjson; the decoded lines while they come."""
        connection = self._send("GET", parts, {**(query or {}), "format": "ndjson"}, None)
        try:
            response = self._response(connection)
            while line := response.readline():
                yield msgspec.json.decode(line)
        except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
            raise self._broken(error) from error
        finally:
            connection.close()

    def _ask(
        self,
        method: str,
        parts: tuple[str, ...],
        query: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
    ) -> Any:
        connection = self._send(method, parts, query, body)
        try:
            return msgspec.json.decode(self._response(connection).read())
        except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
            raise self._broken(error) from error
        finally:
            connection.close()

    def _send(
        self,
        method: str,
        parts: tuple[str, ...],
        query: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
    ) -> http.client.HTTPConnection:
        path = "/v1/" + "/".join(quote(part, safe="") for part in parts)
        given = {key: value for key, value in (query or {}).items() if value not in (None, "", ())}
        if given:
            path += "?" + urlencode(given, doseq=True)
        connection = _UnixConnection(self.path, self._timeout_s)
        try:
            data = None if body is None else msgspec.json.encode(body)
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        except PermissionError as error:
            connection.close()
            raise LocalError(f"no right to open {self.path}: run as the user who runs the switch") from error
        except OSError as error:
            connection.close()
            raise NotRunning(
                f"no switch answers at {self.path}: start it with `cc serve`, or name its "
                "configuration with -c"
            ) from error
        return connection

    def _response(self, connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        response = connection.getresponse()
        if response.status < 300:
            return response
        try:
            refusal = msgspec.json.decode(response.read(), type=dict[str, str])
        except msgspec.MsgspecError:
            refusal = {"error": f"the switch answered {response.status} {response.reason}"}
        raise RefusedByServer(response.status, refusal.get("error", ""), refusal.get("remedy", ""))

    def _broken(self, error: Exception) -> LocalError:
        return LocalError(f"the switch at {self.path} gave no proper answer ({error}): see its log")
