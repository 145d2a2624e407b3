"""What the transaction layer tells its shell (`Send`) and its user (all the others)."""

from __future__ import annotations

import msgspec

from softswitch.sip.flow import Flow
from softswitch.sip.message import Request, Response
from softswitch.sip.parser import parse


class Send(msgspec.Struct, frozen=True):
    """Put `data` on the wire by `flow`."""

    data: bytes
    flow: Flow

    @property
    def message(self) -> Request | Response:
        """`data` read again, for tests and tools. Raises PeerError when it answers something malformed."""
        return parse(self.data)


class RequestReceived(msgspec.Struct, frozen=True):
    """A new request; answer it by `respond(transaction, ...)`. Never ACK or CANCEL."""

    transaction: int
    request: Request
    flow: Flow


class AckReceived(msgspec.Struct, frozen=True):
    """The ACK of a 2xx (or one that matches nothing)."""

    request: Request
    flow: Flow


class CancelReceived(msgspec.Struct, frozen=True):
    """The peer gives up the INVITE `transaction`, not answered yet: answer that one with 487."""

    transaction: int
    request: Request


class ResponseReceived(msgspec.Struct, frozen=True):
    """A response to a request of ours. A repeated 2xx to INVITE comes again: send its ACK again."""

    transaction: int
    response: Response
    flow: Flow


class TimedOut(msgspec.Struct, frozen=True):
    """No answer came (treat as 408), or on the server side no ACK."""

    transaction: int


class TransportFailed(msgspec.Struct, frozen=True):
    """The flow of the transaction is gone (treat as 503)."""

    transaction: int


class Terminated(msgspec.Struct, frozen=True):
    """The last that is heard of a transaction; its number is never used again."""

    transaction: int


Output = (
    Send
    | RequestReceived
    | AckReceived
    | CancelReceived
    | ResponseReceived
    | TimedOut
    | TransportFailed
    | Terminated
)
