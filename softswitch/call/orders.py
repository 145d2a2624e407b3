"""What administrators, and the commands that stand for them, order of a running switch.

Invariant: an order is handled to its end, as any other input; one that is refused raises LocalError and
changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from acd import messages as acd
from acd.errors import AcdError
from softswitch.call.call import Call
from softswitch.call.conferences import Conferences
from softswitch.call.desk import Desk
from softswitch.call.events import Effect
from softswitch.call.hub import Hub
from softswitch.call.promises import Promise, cancel, promises
from softswitch.call.reconcile import Discrepancy, compare
from softswitch.call.supervision import Mode
from softswitch.call.tape import Order
from softswitch.call.voicemail_box import MessageState
from softswitch.call.voicemail_messages import Messages
from softswitch.errors import LocalError


class Orders(ABC):
    """The orders; the switch is one who takes them."""

    hub: Hub
    desk: Desk

    @abstractmethod
    def finish(self, now: float) -> list[Effect]:
        """Handle what follows from an input in other parts; then all effects."""

    def command(self, message: acd.Input, now: float) -> list[Effect]:
        """A command to the distributor, such as LogIn. Raises LocalError when it is refused."""
        try:
            self.desk.queueing.handle(message, now)
        except AcdError as error:
            raise LocalError(str(error)) from error
        return self.finish(now)

    def hang_up(self, name: str, by: str, now: float) -> list[Effect]:
        """End a call. Raises LocalError when there is none of this name."""
        call = self._live(name)
        self.desk.callbacks.give_up(call, f"hung up by {by}", now)
        self.desk.end(call, None, f"hung up by {by}", "system", now)
        return self.finish(now)

    def record(self, name: str, what: Order, by: str, now: float) -> list[Effect]:
        """Start, stop, pause or resume the recording of a call. Raises LocalError when that cannot be."""
        call = self._live(name)
        self.desk.recordings.order(call, what, by, now)
        return self.finish(now)

    def supervise(self, name: str, mode: Mode, extension: str, by: str, now: float) -> list[Effect]:
        """Let whoever is at the extension listen to a talk, whisper to its agent, or talk with both. Raises
        LocalError when that cannot be."""
        call = self._live(name)
        self.desk.supervision.order(call, mode, extension, by, now)
        return self.finish(now)

    def add_party(self, name: str, number: str, by: str, now: float) -> list[Effect]:
        """Call a number and let whoever answers join a talk. Raises LocalError when that cannot be."""
        call = self._live(name)
        self.desk.third_parties.add(call, number, by, now)
        return self.finish(now)

    @property
    def conferences(self) -> Conferences:
        """The conferences, to be looked at; orders go through `carry_out`."""
        return self.desk.conferences

    def carry_out(self, order: Callable[[float], None], now: float) -> list[Effect]:
        """An order of an administrator to a part, with all that follows from it. Raises LocalError."""
        order(now)
        return self.finish(now)

    def settle(self, now: float) -> list[Effect]:
        """After an order that was refused: what had been begun for it, and is over."""
        return self.finish(now)

    def drain(self, worker: int, drained: bool, by: str, now: float) -> list[Effect]:
        """Let a media worker take no new call, or again. Raises LocalError when there is none."""
        self.hub.plane.pool.drain(worker, drained)
        text = "a media worker takes no new calls" if drained else "a media worker takes calls again"
        self.hub.warn(text, worker=str(worker), by=by)
        return self.finish(now)

    def refuse_recordings(self, reason: str) -> list[Effect]:
        """Begin no recording from now on, because of this; "": begin them again."""
        self.desk.recordings.refusal = reason
        return self.hub.take_effects()

    def recording_moved(self, call: str, old: str, new: str) -> list[Effect]:
        """The file of a recording has another name now; "": it is gone."""
        self.desk.closing.recording_moved(call, old, new)
        return self.hub.take_effects()

    def promises(self) -> list[Promise]:
        """Who will be called back."""
        return promises(self.desk)

    def cancel_promise(self, number: str, by: str, now: float) -> list[Effect]:
        """Take a promise to call back. Raises LocalError when this number has none."""
        cancel(self.desk, number, by, now)
        return self.finish(now)

    @property
    def mailboxes(self) -> Messages:
        """What the mailboxes hold, to be looked at."""
        return self.desk.voicemail.messages

    def mark_message(self, box: str, name: str, state: MessageState, now: float) -> list[Effect]:
        """A message counts as heard, or as new."""
        if (message := self.mailboxes.find(box, name)) is not None:
            self.mailboxes.mark(message, state, now)
        return self.finish(now)

    def delete_message(self, box: str, name: str, by: str, now: float) -> list[Effect]:
        """Remove a message."""
        if (message := self.mailboxes.find(box, name)) is not None:
            self.mailboxes.delete(message, by, now)
        return self.finish(now)

    def compare(self) -> list[Discrepancy]:
        """What contradicts itself between calls, media and distributor (softswitch.call.reconcile)."""
        return compare(self.desk)

    def mend(self, found: Discrepancy, now: float) -> list[Effect]:
        """Put right what `compare` has found, and still finds."""
        if found.mend is not None:
            self.hub.warn(f"mended: {found.what}", part=found.part, by=found.remedy)
            found.mend(now)
        return self.finish(now)

    def _live(self, name: str) -> Call:
        """Raises LocalError when there is none of this name."""
        call = self.hub.calls.get(name)
        if call is None:
            raise LocalError(f"no live call {name!r}; `cc calls list` shows them")
        return call
