"""Keys in SIP INFO: `application/dtmf-relay` (`Signal=5`) and `application/dtmf` (`5`), as phones send
them.
"""

from __future__ import annotations

from softswitch.errors import PeerError
from softswitch.sip.message import Request

DIGITS = "0123456789*#ABCD"
# Some gateways write the RFC 4733 event code instead of the key.
_BY_CODE = {str(code): digit for code, digit in enumerate(DIGITS)}


def digit_of(request: Request) -> str:
    """The key that the INFO carries, "" when it is of another kind. Raises PeerError 400 for an unknown
    key.
    """
    kind = request.content_type
    if kind not in ("application/dtmf-relay", "application/dtmf"):
        return ""
    text = request.body[:256].decode("ascii", "replace")
    signal = text.strip()
    if kind == "application/dtmf-relay":
        fields = (line.partition("=") for line in text.splitlines())
        signal = next((value.strip() for name, _, value in fields if name.strip().lower() == "signal"), "")
    digit = _BY_CODE.get(signal, signal.upper())
    if len(digit) != 1 or digit not in DIGITS:
        raise PeerError(400, f"Unknown key in INFO: {signal[:8]!a}")
    return digit
