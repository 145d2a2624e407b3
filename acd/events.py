"""The vocabulary of the append-only event log: the only source of every counter, report and live figure.

The names are Asterisk's queue_log names where it has one, so that existing report tools keep working; the
rest is what it lacks. `data` holds plain JSON values; its keys per kind are listed in `DATA_KEYS`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct


class Kind(StrEnum):
    """What happened."""

    # a call's life
    CALL_START = "CALL_START"
    MENU = "MENU"
    DIGIT = "DIGIT"
    CARRIED = "CARRIED"
    DID = "DID"
    CALL_END = "CALL_END"
    # a queue
    ENTERQUEUE = "ENTERQUEUE"
    REFUSED = "REFUSED"
    ABANDON = "ABANDON"
    EXITEMPTY = "EXITEMPTY"
    EXITWITHTIMEOUT = "EXITWITHTIMEOUT"
    EXITWITHKEY = "EXITWITHKEY"
    EXITSYSTEM = "EXITSYSTEM"
    PRIORITY_CHANGED = "PRIORITY_CHANGED"
    CALL_HANDED = "CALL_HANDED"
    OFFER = "OFFER"
    RINGNOANSWER = "RINGNOANSWER"
    RINGCANCELED = "RINGCANCELED"
    CONNECT = "CONNECT"
    HOLD = "HOLD"
    UNHOLD = "UNHOLD"
    COMPLETEAGENT = "COMPLETEAGENT"
    COMPLETECALLER = "COMPLETECALLER"
    COMPLETESYSTEM = "COMPLETESYSTEM"
    BLINDTRANSFER = "BLINDTRANSFER"
    ATTENDEDTRANSFER = "ATTENDEDTRANSFER"
    DISPOSITION = "DISPOSITION"
    # an agent
    AGENTLOGIN = "AGENTLOGIN"
    AGENTLOGOFF = "AGENTLOGOFF"
    PAUSE = "PAUSE"
    UNPAUSE = "UNPAUSE"
    WRAPUP_START = "WRAPUP_START"
    WRAPUP_END = "WRAPUP_END"
    WRAPUP_EXTENDED = "WRAPUP_EXTENDED"
    PAUSE_EXCEEDED = "PAUSE_EXCEEDED"
    AGENT_BUSY = "AGENT_BUSY"
    AGENT_IDLE = "AGENT_IDLE"
    AGENT_UNREACHABLE = "AGENT_UNREACHABLE"
    AGENT_REACHABLE = "AGENT_REACHABLE"
    # a queue as a whole
    QUEUE_OPEN = "QUEUE_OPEN"
    QUEUE_CLOSE = "QUEUE_CLOSE"
    # a callback
    CALLBACK_REQUESTED = "CALLBACK_REQUESTED"
    CALLBACK_ATTEMPT = "CALLBACK_ATTEMPT"
    CALLBACK_REACHED = "CALLBACK_REACHED"
    CALLBACK_ANSWERED = "CALLBACK_ANSWERED"
    CALLBACK_FAILED = "CALLBACK_FAILED"
    CALLBACK_DROPPED = "CALLBACK_DROPPED"
    # a conference, by the call of each who is in it
    CONFERENCE_JOIN = "CONFERENCE_JOIN"
    CONFERENCE_LEAVE = "CONFERENCE_LEAVE"
    CONFERENCE_MUTE = "CONFERENCE_MUTE"
    CONFERENCE_GAIN = "CONFERENCE_GAIN"
    CONFERENCE_LOCK = "CONFERENCE_LOCK"
    # who else is in a talk
    PARTY_ADDED = "PARTY_ADDED"
    PARTY_LEFT = "PARTY_LEFT"
    SUPERVISION = "SUPERVISION"
    SUPERVISION_END = "SUPERVISION_END"
    # a mailbox
    VOICEMAIL = "VOICEMAIL"
    VOICEMAIL_REFUSED = "VOICEMAIL_REFUSED"
    VOICEMAIL_DELETED = "VOICEMAIL_DELETED"
    VOICEMAIL_MAILED = "VOICEMAIL_MAILED"
    # the system
    SYSTEM_START = "SYSTEM_START"
    SYSTEM_STOP = "SYSTEM_STOP"
    CONFIGRELOAD = "CONFIGRELOAD"
    RECORDING = "RECORDING"
    RECORDING_START = "RECORDING_START"
    RECORDING_STOP = "RECORDING_STOP"
    RECORDING_PAUSE = "RECORDING_PAUSE"
    RECORDING_RESUME = "RECORDING_RESUME"
    RECORDING_KEPT = "RECORDING_KEPT"
    RECORDING_EXPORTED = "RECORDING_EXPORTED"
    RECORDING_DELETED = "RECORDING_DELETED"


QUEUE_EXITS = frozenset(
    {Kind.ABANDON, Kind.EXITEMPTY, Kind.EXITWITHTIMEOUT, Kind.EXITWITHKEY, Kind.EXITSYSTEM}
)
"""What ends a wait without a talk; CONNECT ends it with one."""
TALK_ENDS = frozenset(
    {Kind.COMPLETEAGENT, Kind.COMPLETECALLER, Kind.COMPLETESYSTEM, Kind.BLINDTRANSFER, Kind.ATTENDEDTRANSFER}
)
"""What ends a talk of an agent with a caller from a queue."""

DATA_KEYS: dict[Kind, tuple[str, ...]] = {
    # and, where they apply: trunk (the peer it comes from), status, client, route, callback_of
    Kind.CALL_START: ("from", "to", "direction", "transport"),
    Kind.MENU: ("flow", "node"),
    Kind.DIGIT: ("digit", "method"),
    Kind.CARRIED: (),  # what the menu learned and the agent is told, by name
    Kind.DID: (),  # not written so far
    Kind.CALL_END: ("disposition", "cause", "ended_by"),
    # and, where they apply: credit_s (waited before), agent (whom he wants), callback
    Kind.ENTERQUEUE: ("caller", "priority", "position"),
    Kind.REFUSED: ("reason",),  # full | empty | closed
    Kind.ABANDON: ("position", "entry_position", "wait_s"),
    Kind.EXITEMPTY: ("position", "entry_position", "wait_s"),
    Kind.EXITWITHTIMEOUT: ("position", "entry_position", "wait_s"),
    # and, where the queue says so: target
    Kind.EXITWITHKEY: ("key", "position", "entry_position", "wait_s"),
    # a move to another queue has the cause "moved", and: to, by
    Kind.EXITSYSTEM: ("cause", "position", "entry_position", "wait_s"),
    Kind.PRIORITY_CHANGED: ("priority", "by"),
    Kind.CALL_HANDED: ("by",),
    Kind.OFFER: ("offer",),
    Kind.RINGNOANSWER: ("offer", "ring_s", "reason"),  # reason: timeout | refused | unreachable
    Kind.RINGCANCELED: ("offer", "ring_s", "reason"),  # answered elsewhere, caller gone, agent logged out
    Kind.CONNECT: ("offer", "wait_s", "ring_s"),
    Kind.HOLD: (),
    Kind.UNHOLD: (),
    Kind.COMPLETEAGENT: ("wait_s", "talk_s", "hold_s", "entry_position"),
    Kind.COMPLETECALLER: ("wait_s", "talk_s", "hold_s", "entry_position"),
    Kind.COMPLETESYSTEM: ("wait_s", "talk_s", "hold_s", "entry_position", "cause"),
    Kind.BLINDTRANSFER: (
        "wait_s",
        "talk_s",
        "hold_s",
        "entry_position",
        "cause",
    ),  # the agent's part of the call ended
    Kind.ATTENDEDTRANSFER: ("wait_s", "talk_s", "hold_s", "entry_position", "cause"),
    Kind.DISPOSITION: (),  # not written so far
    # and, where a restart has not ended his talk: in_call (which), held
    Kind.AGENTLOGIN: ("phone", "by"),
    Kind.AGENTLOGOFF: ("phone", "by", "login_s"),
    Kind.PAUSE: ("reason", "by"),
    Kind.UNPAUSE: ("by", "pause_s", "reason"),
    Kind.WRAPUP_START: ("limit_s",),
    Kind.WRAPUP_END: ("wrapup_s", "by"),  # by: timer | agent | system
    Kind.WRAPUP_EXTENDED: ("extra_s", "by"),
    Kind.PAUSE_EXCEEDED: ("reason", "limit_s"),
    Kind.AGENT_BUSY: ("direction",),  # a call of his own, not from a queue
    Kind.AGENT_IDLE: ("direction", "talk_s"),
    Kind.AGENT_UNREACHABLE: ("reason",),  # phone (not registered) | rest (just could not be reached)
    Kind.AGENT_REACHABLE: (),
    Kind.CALLBACK_REQUESTED: ("number", "first", "position", "of"),  # of: the call that changed into it
    Kind.CALLBACK_ATTEMPT: ("number", "attempt"),
    # it is a call now: the number has answered, or (agent first) an agent is rung for it; wait_s: since the
    # caller entered, or asked
    Kind.CALLBACK_REACHED: ("number", "attempt", "wait_s"),
    Kind.CALLBACK_ANSWERED: ("number", "attempt"),  # he who is called back has picked up
    Kind.CALLBACK_FAILED: ("number", "attempt", "reason"),
    Kind.CALLBACK_DROPPED: ("number", "reason"),
    Kind.CONFERENCE_JOIN: ("conference", "members", "moderator"),
    Kind.CONFERENCE_LEAVE: ("conference", "members", "joined_s"),
    Kind.CONFERENCE_MUTE: ("conference", "muted", "by"),
    Kind.CONFERENCE_GAIN: ("conference", "gain_db", "by"),
    Kind.CONFERENCE_LOCK: ("conference", "locked", "by"),
    # he is there, or does something else now; mode: listen | whisper | barge
    Kind.SUPERVISION: ("supervisor", "mode", "by"),
    Kind.PARTY_ADDED: ("party", "by"),
    Kind.PARTY_LEFT: ("party", "by", "joined_s"),
    Kind.SUPERVISION_END: ("supervisor", "mode", "by", "listened_s"),
    Kind.VOICEMAIL: ("mailbox", "message", "length_s"),  # left by the caller
    Kind.VOICEMAIL_REFUSED: ("mailbox", "reason"),  # reason: full | short | failed
    Kind.VOICEMAIL_DELETED: ("mailbox", "message", "by"),
    Kind.VOICEMAIL_MAILED: ("mailbox", "message", "attempt", "error"),  # error: empty, or why it is given up
    Kind.QUEUE_OPEN: ("by",),
    Kind.QUEUE_CLOSE: ("by",),
    Kind.SYSTEM_START: (),
    Kind.SYSTEM_STOP: (),
    Kind.CONFIGRELOAD: ("by",),
    Kind.RECORDING: ("path",),  # and duration_ms, or error
    Kind.RECORDING_START: ("recording", "by"),  # by an order; what the configuration says is not told
    Kind.RECORDING_STOP: ("recording", "by"),
    Kind.RECORDING_PAUSE: ("recording", "by"),
    Kind.RECORDING_RESUME: ("recording", "by"),
    Kind.RECORDING_KEPT: ("recording", "path", "bytes", "sha256", "error"),  # compressed; error: or not
    Kind.RECORDING_EXPORTED: ("recording", "by"),
    Kind.RECORDING_DELETED: ("recording", "path", "by"),
}


class LogEvent(Struct, frozen=True):
    """One line of the log. `at` is epoch seconds; empty strings where a field does not apply."""

    at: float
    kind: Kind
    call: str = ""
    queue: str = ""
    agent: str = ""
    data: dict[str, Any] = {}
