"""The kernel's routes, as far as every machine has them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from media.forwarding import NO_ROUTE, Route
from media.forwarding_memory import LOOPBACK
from media.io.routes import KernelRoutes, interfaces
from tests.support.bpf_run import number


@pytest.fixture
def routes() -> Iterator[KernelRoutes]:
    made = KernelRoutes("0.0.0.0", set(interfaces()))
    yield made
    made.close()


def test_loopback_is_an_interface_to_forward_by() -> None:
    assert interfaces()[LOOPBACK] == "lo"


def test_what_is_on_this_machine(routes: KernelRoutes) -> None:
    assert routes.to(number("127.0.0.1")) == Route(number("127.0.0.1"), LOOPBACK)


def test_what_is_no_single_machine_has_no_route(routes: KernelRoutes) -> None:
    assert routes.to(number("255.255.255.255")) == NO_ROUTE
    assert routes.to(number("224.0.0.1")) == NO_ROUTE


def test_the_bound_address_is_what_packets_come_from() -> None:
    bound = KernelRoutes("127.0.0.2", set(interfaces()))
    try:
        assert bound.to(number("127.0.0.1")) == Route(number("127.0.0.2"), LOOPBACK)
    finally:
        bound.close()


def test_an_interface_that_we_may_not_use_has_no_route(routes: KernelRoutes) -> None:
    elsewhere = number("192.0.2.1")
    nobody = KernelRoutes("0.0.0.0", set())
    try:
        assert nobody.to(elsewhere) == NO_ROUTE
    finally:
        nobody.close()
    assert routes.to(elsewhere) == NO_ROUTE or routes.to(elsewhere).interface in interfaces()


def test_nothing_has_changed(routes: KernelRoutes) -> None:
    assert not routes.changed()
