"""Session descriptions (RFC 4566, RFC 8866) and offer/answer (RFC 3264) as pure functions.

Knows neither SIP nor RTP: text in, values out. Raises only `softswitch.errors.PeerError`.
"""
