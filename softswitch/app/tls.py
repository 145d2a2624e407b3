"""The certificates of a configuration, read at the start and at every reload."""

from __future__ import annotations

from softswitch.config import Config
from softswitch.log import logger
from softswitch.net.tls_context import Contexts, make_contexts, read_certificate

EXPIRES_SOON_DAYS = 14.0

log = logger("tls")


def read_tls(config: Config, now: float) -> Contexts | None:
    """Ready to be used, None without a certificate; says in the log when it has run out or soon will. Raises
    LocalError."""
    settings = config.tls.settings()
    if settings.certificate is None:
        return None
    found = read_certificate(settings)
    if found.days_left(now) < EXPIRES_SOON_DAYS:
        log.warning("the certificate must be renewed", file=settings.certificate, it=found.expiry(now))
    return make_contexts(settings)
