"""TLS: certificates that can be read and fit their key; addresses that need one have one.

Invariant: as in `checks`. That a certificate has run out is no fault of the file: a switch that did not start
for it would not serve UDP either. `cc check` and the log say it.
"""

from __future__ import annotations

from collections.abc import Iterator

from softswitch.config.draft import Draft, Fault
from softswitch.errors import LocalError
from softswitch.sip.uri import Uri


def check_tls(draft: Draft) -> Iterator[Fault]:
    """Everything about it."""
    section = draft.config.tls
    for index, listen in enumerate(draft.config.sip.listen):
        if listen.startswith(("tls:", "wss:")) and "certificate" not in draft.names("tls"):
            yield ("sip", "listen", index), "TLS needs a certificate; name its file with tls.certificate"
    yield from _reached_over_tls(draft)
    if section.key is not None and section.certificate is None:
        yield ("tls", "key"), "is the key of no certificate; name that with tls.certificate"
    if section.client_certificates != "no" and section.ca is None:
        message = "would take anybody's certificate; name the authority of your phones and peers with tls.ca"
        yield ("tls", "client_certificates"), message
    if section.certificate is None and section.ca is None:
        return
    from softswitch.net.tls_context import make_contexts, read_authorities  # its libraries take time to load

    try:
        if section.ca is not None:
            read_authorities(section.ca)
    except LocalError as error:
        yield ("tls", "ca"), str(error)
        return
    try:
        make_contexts(section.settings())
    except LocalError as error:
        yield ("tls", "certificate"), str(error)


def _reached_over_tls(draft: Draft) -> Iterator[Fault]:
    """Whoever is called over TLS is called from a `tls:` of ours."""
    config = draft.config
    if any(listen.startswith("tls:") for listen in config.sip.listen):
        return
    places = [(("peers", name, "target"), peer.target) for name, peer in config.peers.items()]
    places += [(("extensions", name, "contact"), one.contact) for name, one in config.extensions.items()]
    for path, place in places:
        if place and ((uri := Uri.parse(place)).scheme == "sips" or uri.transport == "tls"):
            yield path, "is reached over TLS, which sip.listen does not have; add tls:ADDRESS:PORT there"
