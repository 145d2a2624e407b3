"""What holds for all tests: the shared fixtures, no wall times, more time for whole programs."""

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.phones import phones
from tests.support.web_phone import firefox_phone, phone_page, sipjs_page, sipjs_phones, web_phones

__all__ = ["firefox_phone", "phone_page", "phones", "sipjs_page", "sipjs_phones", "web_phones"]

E2E_TIMEOUT_S = 120

# No deadline: no test here asserts a wall time. With CI set, the examples are the same in every run.
settings.register_profile("house", deadline=None, print_blob=True)
settings.register_profile("house-ci", deadline=None, print_blob=True, derandomize=True, database=None)
settings.load_profile("house-ci" if os.environ.get("CI") else "house")

# A shell without job control starts what is in the background with SIGINT ignored, and so would be all
# programs that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """End-to-end tests wait for audio in real time: 120 s instead of the 60 s of the others."""
    for item in items:
        if item.get_closest_marker("e2e") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(E2E_TIMEOUT_S))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """No garbage collection while a failure is put into words.

    That parses source; a leaked socket collected meanwhile warns, the warning's traceback parses source too,
    and CPython 3.11 cannot nest the two (SystemError: AST constructor recursion depth mismatch), which would
    end the whole run instead of failing one test.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
