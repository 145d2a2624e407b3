"""Whatever a test does with a whole centre: when all is delivered, calls, media and distributor agree."""

from __future__ import annotations

import pytest

from tests.support.centre import Centre


@pytest.fixture(autouse=True)
def reconciled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reconciler looks on; not where the test damages the tables itself."""
    if request.module.__name__.endswith("test_reconcile"):
        return
    settle = Centre.settle

    def settle_and_look(centre: Centre) -> None:
        settle(centre)
        found = centre.switch.compare()
        assert not found, found

    monkeypatch.setattr(Centre, "settle", settle_and_look)
