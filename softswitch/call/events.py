"""The neutral events that legs exchange with calls, and the effects that the switch asks its shell for.

Nothing here is SIP: a leg of another kind could give the same events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from acd.events import LogEvent
from ivr import messages as ivr
from media.messages import Command
from softswitch.call.leg import Leg
from softswitch.call.tape import TapeEffect
from softswitch.call.voicemail_box import VoicemailEffect
from softswitch.sip.flow import Flow
from softswitch.sip.message import Request
from softswitch.sip.outputs import Send
from softswitch.sip.uri import Uri

if TYPE_CHECKING:
    from acd.restart import AgentSnapshot
    from softswitch.call.errand import Errand
    from softswitch.call.kept import KeptCall
    from softswitch.call.record import CallRecord
    from softswitch.sip.registrar import Binding

# ----- a leg tells its call


@dataclass(frozen=True, slots=True)
class Incoming:
    """A new session is asked for; nothing but 100 has been answered."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Progress:
    """The called phone rings (180) or sends early media (`body` holds its description)."""

    leg: Leg
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The called phone answered; `body` is its answer (or its offer, where ours was none)."""

    leg: Leg
    body: bytes


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Our answer is acknowledged; `body` is the description in the ACK when we made the offer."""

    leg: Leg
    body: bytes


@dataclass(frozen=True, slots=True)
class Reoffer:
    """The peer wants to change the session: hold, resume, another address. `body` empty: it asks for our
    offer.
    """

    leg: Leg
    transaction: int
    request: Request


@dataclass(frozen=True, slots=True)
class InfoDigit:
    """A key came as SIP INFO."""

    leg: Leg
    digit: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over, and not by us. `status` is the SIP status that says why (200: a BYE)."""

    leg: Leg
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Registering:
    """A REGISTER awaits its answer."""

    transaction: int
    request: Request
    flow: Flow


@dataclass(frozen=True, slots=True)
class Subscribing:
    """A SUBSCRIBE, first or inside its dialog, awaits its answer."""

    transaction: int
    request: Request
    flow: Flow


@dataclass(frozen=True, slots=True)
class Replied:
    """A request of ours outside calls was answered with this status; 408 and 503: it was not."""

    transaction: int
    status: int


LegOutput = (
    Incoming
    | Progress
    | Accepted
    | Confirmed
    | Reoffer
    | InfoDigit
    | Ended
    | Registering
    | Subscribing
    | Replied
    | Send
)

# ----- the switch asks its shell


@dataclass(frozen=True, slots=True)
class Media:
    """Send the command to the media worker."""

    worker: int
    command: Command


@dataclass(frozen=True, slots=True)
class Append:
    """Append to the event log."""

    event: LogEvent


@dataclass(frozen=True, slots=True)
class Opened:
    """A call began: store its open record."""

    record: CallRecord


@dataclass(frozen=True, slots=True)
class Closed:
    """A call is over: its complete record."""

    record: CallRecord


@dataclass(frozen=True, slots=True)
class Resolve:
    """Find the addresses of a URI (RFC 3263); answered by `Switch.resolved` with the same key."""

    key: int
    uri: Uri


@dataclass(frozen=True, slots=True)
class CallbackKept:
    """Store this promise to call back, in the place of an older one for the number."""

    errand: Errand


@dataclass(frozen=True, slots=True)
class CallbackOver:
    """The promise for this number is kept, or given up."""

    number: str


@dataclass(frozen=True, slots=True)
class AgentKept:
    """Store what the agent is now, for the next start; None: he is logged out."""

    agent: str
    snapshot: AgentSnapshot | None


@dataclass(frozen=True, slots=True)
class CallKept:
    """Store what a call is now, for the next start; None: nothing is to be kept of it any more."""

    call: str
    kept: KeptCall | None


@dataclass(frozen=True, slots=True)
class QueueKept:
    """Store whether the queue is open, for the next start."""

    queue: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class PhoneKept:
    """Store where the extension is registered, for the next start."""

    number: str
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A menu of this call wants something; answered by `Switch.answered` with the same `ask`, once, or never:
    the menu has a time limit of its own."""

    call: str
    ask: int
    request: ivr.Request


@dataclass(frozen=True, slots=True)
class Speak:
    """Make the clips of these texts; answered by `Switch.spoken` with the same key."""

    key: int
    prompts: tuple[ivr.Prompt, ...]


@dataclass(frozen=True, slots=True)
class Warn:
    """Something an administrator should know; `fields` name the culprit."""

    text: str
    fields: tuple[tuple[str, str], ...] = ()


Effect = (
    Send
    | Media
    | Append
    | Opened
    | Closed
    | Resolve
    | CallbackKept
    | CallbackOver
    | AgentKept
    | CallKept
    | QueueKept
    | PhoneKept
    | Asked
    | Speak
    | Warn
    | VoicemailEffect
    | TapeEffect
)
