"""Conferences and who supervises: their names and PINs.

Invariant: as in `checks`.
"""

from __future__ import annotations

from collections.abc import Iterator

from softswitch.call.settings import EVERY_QUEUE
from softswitch.config.check_calls import no_such
from softswitch.config.draft import Draft, Fault


def check_rooms(draft: Draft) -> Iterator[Fault]:
    """Everything about rooms."""
    for number, extension in draft.config.extensions.items():
        for index, queue in enumerate(extension.supervises):
            if queue != EVERY_QUEUE and queue not in draft.names("queues"):
                yield ("extensions", number, "supervises", index), no_such(draft, "queue", queue)
    for name, conference in draft.config.conferences.items():
        pin = conference.pin.get_secret_value()
        if pin and pin == conference.moderator_pin.get_secret_value():
            message = "it is the PIN of everybody; give moderators one of their own, or leave it out"
            yield ("conferences", name, "moderator_pin"), message
