"""The codecs: every name is one, and what is asked for by name is installed.

Invariant: as in `checks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivr.flow import suggest
from media.codecs import G711
from media.codecs.codec import Codec
from softswitch.config.draft import Draft, Fault
from softswitch.config.fields import listen_host


def check_codecs(draft: Draft, codecs: Mapping[str, Codec]) -> Iterator[Fault]:
    """`codecs` are those besides G.711, by their names in upper case."""
    config = draft.config
    lists: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    if "codecs" in config.media.model_fields_set:  # of the default, what is not installed is left out
        lists.append((("media", "codecs"), config.media.codecs))
    lists += [(("peers", name, "codecs"), peer.codecs) for name, peer in config.peers.items()]
    lists += [(("extensions", name, "codecs"), one.codecs) for name, one in config.extensions.items()]
    for where, names in lists:
        for name in names:
            if name not in G711 and name not in codecs:
                yield where, f"there is no codec {name!r}; {suggest(name, [*G711, *codecs])}"
            elif name in codecs and (missing := codecs[name].missing()):
                yield where, f"{name}: {missing}, or leave it out of the list"
        if len(set(names)) < len(names):
            yield where, "a codec is listed twice"
    yield from _check_endpoints(draft)


def _check_endpoints(draft: Draft) -> Iterator[Fault]:
    config = draft.config
    if config.media.endpoint_processes:
        hosts = [listen_host(one) for one in config.sip.listen if one.startswith(("udp:", "tcp:"))]
        if all(":" in host for host in hosts):
            why = "pjsua2 processes speak SIP over IPv4 with the switch; listen on udp:127.0.0.1:PORT too"
            yield ("media", "endpoint_processes"), why
        return
    for section, ones in (("peers", config.peers), ("extensions", config.extensions)):
        for name, one in ones.items():
            if one.endpoint == "pjsua2":
                why = "there are no pjsua2 processes; give media.endpoint_processes, one for each two calls"
                yield (section, name, "endpoint"), why
