"""The built-in node types, one file each. Third parties add theirs by the entry point group
`softswitch.nodes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ivr.node import Node
from ivr.nodes.agent import Agent
from ivr.nodes.branch import Branch
from ivr.nodes.callback import Callback
from ivr.nodes.client import Client
from ivr.nodes.collect import Collect
from ivr.nodes.hangup import Hangup
from ivr.nodes.language import Language
from ivr.nodes.listen import Listen
from ivr.nodes.lookup import Lookup
from ivr.nodes.menu import Menu
from ivr.nodes.play import Play
from ivr.nodes.queue import Queue
from ivr.nodes.record import Record
from ivr.nodes.say import Say
from ivr.nodes.set import Set
from ivr.nodes.subflow import Subflow
from ivr.nodes.transfer import Transfer
from ivr.nodes.voicemail import Voicemail
from ivr.nodes.webhook import Webhook

BUILT_IN: Mapping[str, type[Node]] = MappingProxyType(
    {
        "play": Play,
        "menu": Menu,
        "collect": Collect,
        "say": Say,
        "branch": Branch,
        "set": Set,
        "language": Language,
        "client": Client,
        "subflow": Subflow,
        "queue": Queue,
        "agent": Agent,
        "transfer": Transfer,
        "voicemail": Voicemail,
        "record": Record,
        "callback": Callback,
        "lookup": Lookup,
        "webhook": Webhook,
        "listen": Listen,
        "hangup": Hangup,
    }
)
"""Name in the configuration (`type = "menu"`) -> node type."""
