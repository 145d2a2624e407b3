"""The whole configuration, in one TOML file, validated at start: `load(path) -> Config`, or all its errors at
once.
"""

from softswitch.call.settings import Target
from softswitch.config.centre import Agent, Extension, FlowConfig, Peer, Queue, Route
from softswitch.config.conferences import Conference
from softswitch.config.errors import ConfigErrors, Problem
from softswitch.config.fields import parse_target
from softswitch.config.loading import load
from softswitch.config.model import Config, Feature
from softswitch.config.reference import Row, markdown, reference
from softswitch.config.services import Database, Service, Speech, Webhook

__all__ = [
    "Agent",
    "Conference",
    "Config",
    "ConfigErrors",
    "Database",
    "Extension",
    "Feature",
    "FlowConfig",
    "Peer",
    "Problem",
    "Queue",
    "Route",
    "Row",
    "Service",
    "Speech",
    "Target",
    "Webhook",
    "load",
    "markdown",
    "parse_target",
    "reference",
]
