"""Where numbers lead, and for whom."""

import pytest

from softswitch.call.identity import Identity
from softswitch.call.router import route
from softswitch.call.routing import Asked, Explain, Step
from softswitch.call.settings import Feature, Phone, Route, Settings, Target
from softswitch.errors import LocalError, PeerError

ANNA = Identity("extension", "201", "201", "Anna")
PBX = Identity("peer", "pbx", "+4312345", "")
GUEST = Identity("guest", "", "someone", "")


class Plan:
    """`*11` logs in; 600 is open to guests, 700 is not, 800 is the peer's own."""

    def feature(self, number: str) -> tuple[Feature, str] | None:
        return ("login", "") if number == "*11" else None

    def route(self, asked: Asked) -> Route | None:
        guest, peer = asked.guest, asked.peer
        match asked.dialled:
            case "600":
                return Route(Target("flow", "main"), 3, "sales")
            case "700" if not guest:
                return Route(Target("queue", "sales"))
            case "800" if peer == "pbx":
                return Route(Target("peer", "pbx", "1"))
            case "202":
                return Route(Target("queue", "support"))
        return None

    def trace(self, asked: Asked, explain: Explain) -> tuple[Step, ...]:
        return ()

    def peer_of(self, address: str) -> str | None:
        return None


SETTINGS = Settings(
    plan=Plan(),
    phones={number: Phone(number) for number in ("201", "202", "203")},
    peers={},
    queues={},
    flows={},
    phrases={},
    clip=str,
    music=(),
)


@pytest.mark.parametrize(
    ("number", "identity", "kind"),
    [
        ("*11", ANNA, "feature"),
        ("600", ANNA, "flow"),
        ("600", PBX, "flow"),
        ("600", GUEST, "flow"),
        ("700", ANNA, "queue"),
        ("700", PBX, "queue"),
        ("800", PBX, "peer"),
        ("203", ANNA, "extension"),
        ("203", PBX, "extension"),
        ("202", ANNA, "queue"),  # a route comes before an extension
    ],
)
def test_who_reaches_what(number: str, identity: Identity, kind: str) -> None:
    assert route(SETTINGS, number, identity).target.kind == kind


@pytest.mark.parametrize(
    ("number", "identity"),
    [("*11", PBX), ("*11", GUEST), ("700", GUEST), ("800", ANNA), ("203", GUEST), ("999", ANNA), ("", GUEST)],
)
def test_all_else_does_not_exist(number: str, identity: Identity) -> None:
    """A stranger learns nothing by trying numbers: what is closed to him looks like what is not there."""
    with pytest.raises(PeerError) as refusal:
        route(SETTINGS, number, identity)
    assert (refusal.value.status, refusal.value.reason) == (404, "Not Found")


def test_what_the_route_says_goes_along() -> None:
    found = route(SETTINGS, "600", GUEST)
    assert (found.priority, found.call_type) == (3, "sales")


@pytest.mark.parametrize(
    "text", ["flow:main", "queue:sales", "extension:201", "peer:pbx", "peer:pbx/+431", "hangup"]
)
def test_targets_are_read_as_they_are_written(text: str) -> None:
    assert str(Target.parse(text)) == text


@pytest.mark.parametrize("text", ["", "queue", "queue:", "hangup:now", "feature:login", "peer:pbx/a b"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(LocalError):
        Target.parse(text)
