"""Orders of administrators to the core: what is refused is told, and nothing of it is left lying."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from softswitch.app.control import SwitchControl
from softswitch.app.rooms import RoomControl
from softswitch.call.events import Effect
from softswitch.call.settings import Peer, Target
from softswitch.errors import LocalError
from softswitch.sip.uri import Uri
from tests.support.centre import Centre


def test_what_had_begun_before_an_order_was_refused_is_in_the_log_at_once() -> None:
    """The carrier has no channel left: the call to the third party has begun and has ended."""
    carrier = Peer("pbx", Uri("sip", None, None, "10.0.9.9", 5060), max_calls=0)
    centre = Centre(
        routes={"601": Target("queue", "sales"), "555": Target("peer", "pbx")},
        more={"peers": {"pbx": carrier}},
    )
    centre.log_in("201")
    centre.phones["201"].on_incoming = centre.phones["201"].answer
    centre.phones["300"].call("601")
    centre.settle()
    [host] = centre.switch.calls

    def feed(call: Callable[[float], list[Effect]]) -> bool:
        centre._carry_out(call(centre.now))
        return True

    clock, config = SimpleNamespace(now=lambda: centre.now), SimpleNamespace(store=SimpleNamespace(path=None))
    rest: Any = None
    control = SwitchControl(
        cast(Any, config), centre.switch, centre.acd, cast(Any, clock), feed, rest, rest, (), rest
    )
    with pytest.raises(LocalError, match="cannot be called"):
        RoomControl(centre.switch, control.give).add(host, "555", "lea")
    assert list(centre.switch.calls) == [host]
    [refused] = set(centre.opened) - {host}
    assert centre.records[refused].to_number == "555"
