"""The mailboxes as administrators see them: `softswitch.api.voicemail.Mailboxes` over the running switch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from softswitch.api.voicemail import MailboxStatus, MessageStatus
from softswitch.app.control import Feed
from softswitch.call.switch import Switch
from softswitch.call.voicemail_box import Message, MessageState
from softswitch.config import Config


class MailboxControl:
    """Snapshots and commands. `feed` runs the core."""

    def __init__(self, config: Callable[[], Config], switch: Switch, feed: Feed) -> None:
        self._config = config
        self._switch = switch
        self._feed = feed

    def mailboxes(self) -> Sequence[MailboxStatus]:
        """All of the configuration."""
        return [self._box(name) for name in self._config().mailboxes]

    def messages(self, box: str) -> Sequence[MessageStatus]:
        """What is in one, the oldest first."""
        return [_status(message) for message in self._switch.mailboxes.of(box)]

    def read(self, box: str, message: str, heard: bool) -> None:
        """Mark as heard, or as new."""
        state: MessageState = "heard" if heard else "new"
        self._feed(lambda now: self._switch.mark_message(box, message, state, now))

    def delete(self, box: str, message: str, by: str) -> None:
        """Remove it, and its sound."""
        self._feed(lambda now: self._switch.delete_message(box, message, by, now))

    def _box(self, name: str) -> MailboxStatus:
        kept = self._switch.mailboxes
        new, heard = kept.counts(name)
        box = self._switch.hub.settings.mailboxes.get(name)
        return MailboxStatus(
            name=name,
            new=new,
            heard=heard,
            max_messages=box.max_messages if box is not None else 0,
            extensions=box.extensions if box is not None else (),
            has_own_greeting=kept.greeting(name) is not None,
        )


def _status(message: Message) -> MessageStatus:
    return MessageStatus(
        id=message.id,
        mailbox=message.mailbox,
        state=message.state,
        at=message.at,
        length_s=message.length_s,
        number=message.number,
        name=message.name,
        queue=message.queue,
        call=message.call,
        file=message.file,
    )
