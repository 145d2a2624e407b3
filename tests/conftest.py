"""What holds for all tests: the shared fixtures, and more time for those that run whole programs."""

import pytest

from tests.support.phones import phones

__all__ = ["phones"]

E2E_TIMEOUT_S = 120


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """End-to-end tests wait for audio in real time: 120 s instead of the 60 s of the others."""
    for item in items:
        if item.get_closest_marker("e2e") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(E2E_TIMEOUT_S))
