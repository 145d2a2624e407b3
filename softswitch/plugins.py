"""Built-ins and third parties' additions, as read-only mappings from the name in the configuration to the
thing.

Third parties add by entry points: ACD strategies in the group `softswitch.strategies`, menu nodes in
`softswitch.nodes`, codecs in `softswitch.codecs`.

Invariant: a name means one thing. Whatever is wrong with an installed plug-in stops the start with a
LocalError that names the plug-in, its package and the remedy; nothing is skipped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TypeVar

from acd.strategies import BUILT_IN as BUILT_IN_STRATEGIES
from acd.strategy import StrategyFactory
from ivr.node import Node
from ivr.nodes import BUILT_IN as BUILT_IN_NODES
from media.codecs import BUILT_IN as BUILT_IN_CODECS
from media.codecs import GROUP as CODECS_GROUP
from media.codecs import as_codec
from media.codecs.codec import Codec
from softswitch.errors import LocalError

STRATEGIES_GROUP = "softswitch.strategies"
NODES_GROUP = "softswitch.nodes"

Thing = TypeVar("Thing")


def strategies() -> Mapping[str, StrategyFactory]:
    """Every ACD strategy: name -> factory."""
    return _gather(STRATEGIES_GROUP, BUILT_IN_STRATEGIES, _as_strategy)


def nodes() -> Mapping[str, type[Node]]:
    """Every node type of the menus: name -> class."""
    return _gather(NODES_GROUP, BUILT_IN_NODES, _as_node)


def codecs() -> Mapping[str, Codec]:
    """Every codec besides G.711, by its name in upper case: what `media.codecs.installed` gives the media
    workers, but for what is said of a package that cannot be used."""
    found = _gather(CODECS_GROUP, BUILT_IN_CODECS, as_codec)
    return MappingProxyType({name.upper(): codec for name, codec in found.items()})


def _as_strategy(thing: object) -> StrategyFactory:
    if not callable(thing):
        raise TypeError("it is not callable; the entry point of a strategy names its factory")
    return thing


def _as_node(thing: object) -> type[Node]:
    if not (isinstance(thing, type) and issubclass(thing, Node)):
        raise TypeError("it is not a subclass of ivr.node.Node")
    return thing


def _gather(
    group: str, built_in: Mapping[str, Thing], accept: Callable[[object], Thing]
) -> Mapping[str, Thing]:
    """The built-ins and what is installed; `accept` gives a thing back, or raises TypeError with what it
    lacks.
    """
    things = dict(built_in)
    origin = dict.fromkeys(built_in, "built in")
    for entry in entry_points(group=group):
        package = entry.dist.name if entry.dist is not None else entry.module
        if entry.name in things:
            raise LocalError(
                f"{group}: {entry.name!r} of the package {package!r} is also {origin[entry.name]}; "
                f"rename it there, or remove the package: pip uninstall {package}"
            )
        try:
            things[entry.name] = accept(entry.load())
        except Exception as error:
            raise LocalError(
                f"{group}: {entry.name!r} ({entry.value}) cannot be used: {type(error).__name__}: {error}; "
                f"repair the package {package!r}, or remove it: pip uninstall {package}"
            ) from error
        origin[entry.name] = f"in the package {package!r}"
    return MappingProxyType(things)
