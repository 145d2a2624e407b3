"""`voicemail`: the caller leaves a message in a mailbox, and that is the end of his call."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from ivr.messages import Transfer
from ivr.node import Leave, Node, Prompts, Reference, Visit, Wait, Walk


class Voicemail(Node):
    """Leave a message in a mailbox: its greeting, a tone, the recording."""

    ends: ClassVar[bool] = True

    mailbox: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}$")] = Field(
        description="the mailbox, one of [mailboxes]"
    )
    call_type: str = Field("", max_length=128, description="the choice of the menu, for the log")
    prompt: Prompts = Field(
        (), validate_default=False, description="what is said before the greeting of the mailbox"
    )

    def visit(self, walk: Walk) -> Visit:
        """Say what is to be said, then lead him there."""
        if self.prompt:
            walk.play(self.prompt)
            yield Wait(keys=False, barge_in=True)
            walk.stop()
        return Leave(Transfer(f"voicemail:{self.mailbox}", self.call_type))

    def references(self) -> tuple[Reference, ...]:
        """The mailbox."""
        return (Reference("mailbox", f"voicemail:{self.mailbox}"),)
