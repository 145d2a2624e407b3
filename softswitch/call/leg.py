"""One leg of a call: an INVITE session with one phone (RFC 3261 sections 13 to 15), and the audio that
belongs to it.

A leg knows its dialog and its media; it does not know what the call is for. The user agent moves its SIP
state by the table below; a missing key means that the event does not apply in that state and changes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Literal

from softswitch.call.allowance import Allowance
from softswitch.call.info_keys import InfoKeys
from softswitch.sdp.crypto import SrtpPolicy
from softswitch.sip.flow import Flow
from softswitch.sip.message import Request

if TYPE_CHECKING:
    from softswitch.call.media import Audio
    from softswitch.call.user_agent import PendingAck
    from softswitch.sip.dialog import Dialog
    from softswitch.sip.outputs import Send


class LegState(Enum):
    """Where the INVITE session is."""

    NEW = auto()  # outgoing, waiting for its RTP port or for DNS; nothing was sent
    CALLING = auto()  # outgoing, INVITE sent
    CANCELLING = auto()  # outgoing, CANCEL sent or held back; a 2xx may still cross it
    INCOMING = auto()  # incoming, no final response yet
    ANSWERED = auto()  # incoming, 2xx sent, no ACK yet
    CLOSING = auto()  # as ANSWERED, and to be ended as soon as the ACK comes (section 15: no BYE before it)
    CONFIRMED = auto()  # both sides know that the session is on
    ENDED = auto()


class LegEvent(Enum):
    """What can happen to the session of a leg."""

    INVITE_SENT = auto()
    ACCEPTED = auto()  # 2xx received
    FAILED = auto()  # final non-2xx, time-out or transport failure; for an incoming leg: refused or cancelled
    ANSWER = auto()  # 2xx sent
    ACKED = auto()
    HANG_UP = auto()  # by us
    BYE = auto()  # by the peer
    ACK_MISSING = auto()  # no ACK within 64*T1


TABLE: dict[LegState, dict[LegEvent, LegState]] = {
    LegState.NEW: {
        LegEvent.INVITE_SENT: LegState.CALLING,
        LegEvent.FAILED: LegState.ENDED,
        LegEvent.HANG_UP: LegState.ENDED,
    },
    LegState.CALLING: {
        LegEvent.ACCEPTED: LegState.CONFIRMED,
        LegEvent.FAILED: LegState.ENDED,
        LegEvent.HANG_UP: LegState.CANCELLING,
    },
    LegState.CANCELLING: {
        LegEvent.ACCEPTED: LegState.ENDED,  # the 2xx won the race: ACK, then BYE
        LegEvent.FAILED: LegState.ENDED,
    },
    LegState.INCOMING: {
        LegEvent.ANSWER: LegState.ANSWERED,
        LegEvent.FAILED: LegState.ENDED,
        LegEvent.HANG_UP: LegState.ENDED,
        LegEvent.BYE: LegState.ENDED,
    },
    LegState.ANSWERED: {
        LegEvent.ACKED: LegState.CONFIRMED,
        LegEvent.HANG_UP: LegState.CLOSING,
        LegEvent.BYE: LegState.ENDED,
        LegEvent.ACK_MISSING: LegState.ENDED,
        LegEvent.FAILED: LegState.ENDED,
    },
    LegState.CLOSING: {
        LegEvent.ACKED: LegState.ENDED,
        LegEvent.BYE: LegState.ENDED,
        LegEvent.ACK_MISSING: LegState.ENDED,
        LegEvent.FAILED: LegState.ENDED,
    },
    LegState.CONFIRMED: {
        LegEvent.HANG_UP: LegState.ENDED,
        LegEvent.BYE: LegState.ENDED,
        LegEvent.ACK_MISSING: LegState.ENDED,  # of a re-INVITE
    },
    LegState.ENDED: {},
}


@dataclass(slots=True, eq=False)
class Leg:
    """A leg. `id` is unique in the life of the process and is also its id in the media worker.

    `transaction` is the INVITE's: the server's for an incoming leg, the client's for an outgoing one.
    `gone` is set once the call has let go of the leg: the user agent finishes it quietly.
    """

    id: int
    direction: Literal["in", "out"]
    invite: Request
    flow: Flow
    state: LegState
    local_tag: str
    call: str = ""
    transaction: int = 0
    dialog: Dialog | None = None
    pending_ack: PendingAck | None = None
    ack: Send | None = None
    """Our ACK of the 2xx, to be sent again whenever that comes again."""
    audio: Audio | None = None
    keys: InfoKeys = field(default_factory=InfoKeys)
    orders: Allowance = field(default_factory=Allowance)
    """What its keys may still change."""
    reoffers: Allowance = field(default_factory=Allowance)
    """How often it may still be held, resumed or moved."""
    gone: bool = False
    ringing: bool = False
    contact: str = ""
    early: set[tuple[str, str, str]] = field(default_factory=set)
    srtp: SrtpPolicy = "off"
    """Whether its audio may, or must, be encrypted."""

    def move(self, event: LegEvent) -> bool:
        """Take the event; False, and nothing changed, when it does not apply now."""
        after = TABLE[self.state].get(event)
        if after is None:
            return False
        self.state = after
        return True
