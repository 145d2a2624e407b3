"""A worker whose kernel forwards on loopback, and two phones that are bridged there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.kernel_forwarding import (
    ForwardingWorker,
    InKernel,
    WirePhone,
    bridge,
)


@pytest.fixture
def worker() -> Iterator[ForwardingWorker]:
    with ForwardingWorker() as made:
        yield made


@pytest.fixture
def inside(worker: ForwardingWorker) -> InKernel:
    return worker.inside()


@pytest.fixture
def pair(worker: ForwardingWorker, inside: InKernel) -> Iterator[tuple[WirePhone, WirePhone]]:
    """Bridged, each hearing the other, and the kernel forwards."""
    both = WirePhone(worker, 1), WirePhone(worker, 2)
    bridge(worker, *both)
    inside.until_forwards(2)
    yield both
