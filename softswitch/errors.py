"""The two kinds of failure, and nothing else.

Invariant: whatever goes wrong is either ours (`LocalError`: the message names the culprit and the remedy, a
person reads it) or the peer's (`PeerError`: carries the SIP status that tells the peer, RFC 3261 section
21). Parsers raise `PeerError` only; one place in the transaction layer turns it into a response.
"""


class SwitchError(Exception):
    """The root, so that a shell can catch all that this software raises on purpose."""


class LocalError(SwitchError):
    """Our side is at fault: configuration, programming, the machine; the text names culprit and remedy."""


class PeerError(SwitchError):
    """The peer sent what cannot be honoured.

    `status` is a SIP status from 300 to 699, `reason` the phrase for the status line, `headers` what that
    response must carry (`Min-Expires` for 423, `Allow` for 405 ...) as (name, value) pairs.
    """

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.headers = headers
