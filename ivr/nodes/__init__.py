"""The built-in node types, one file each. Third parties add theirs by the entry point group
`softswitch.nodes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ivr.node import Node
from ivr.nodes.hangup import Hangup
from ivr.nodes.menu import Menu
from ivr.nodes.play import Play
from ivr.nodes.queue import Queue
from ivr.nodes.transfer import Transfer

BUILT_IN: Mapping[str, type[Node]] = MappingProxyType(
    {
        "play": Play,
        "menu": Menu,
        "queue": Queue,
        "transfer": Transfer,
        "hangup": Hangup,
    }
)
"""Name in the configuration (`type = "menu"`) -> node type."""
