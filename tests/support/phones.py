"""Softphones as fixtures: `phones` makes any number of them and ends them with the test.

async def test_x(phones: PhoneMaker) -> None:
    anna = await phones(auto_answer_after_s=0)
"""

import importlib.util
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from cli.softphone import messages
from cli.softphone.client import Softphone

PhoneMaker = Callable[..., Coroutine[Any, Any, Softphone]]


@pytest.fixture
async def phones() -> AsyncIterator[PhoneMaker]:
    """A function that starts a softphone with the options of `messages.Start`."""
    if importlib.util.find_spec("pjsua2") is None:
        pytest.fail("pjsua2 is not installed: run `make test`, or `uv sync --frozen --extra phone`")
    started: list[Softphone] = []

    async def start(**options: Any) -> Softphone:
        phone = Softphone(messages.Start(**options))
        started.append(phone)
        await phone.start()
        return phone

    yield start
    for phone in reversed(started):
        for event in phone.events:
            print(messages.encoder.encode(event).decode())
        await phone.close()


def uri(phone: Softphone, user: str = "phone", transport: messages.Transport = "udp") -> str:
    """Where a softphone can be called directly."""
    ready = next(event for event in phone.events if isinstance(event, messages.Ready))
    port = ready.tcp_port if transport == "tcp" else ready.udp_port
    return f"sip:{user}@{ready.address}:{port}"
