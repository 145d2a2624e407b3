"""The four transaction machines as tables (RFC 3261 17, with the Accepted state of RFC 6026).

Reading a table: `table[state][input] == (actions, next state)`. An input that a state does not list changes
nothing and does nothing: a late retransmission, a timer that outlived its state, a second final response.
So no timer is ever stopped; it fires into a state that does not know it.

INVITE client. `calling` resends the INVITE (timer A, doubling, UDP only) until something comes or timer B
ends the wait. A 1xx stops the resending. A 3xx-6xx is acknowledged here (same branch, 17.1.1.3), and
`completed` acknowledges its repetitions until timer D. A 2xx leads to `accepted`, which passes every
repeated 2xx up, since its ACK is the user's; forked 2xx come the same way; timer M ends it. After a CANCEL
the wait is limited (9.1, timer "cancel").

Client, other methods. Timer E resends (doubling to T2, at T2 once a 1xx came), timer F gives up, timer K
absorbs repeated finals.

INVITE server. The user gets 200 ms before `100` goes out by itself. A repeated INVITE repeats the last
provisional response. A 3xx-6xx is resent (timer G) until the ACK or timer H; `confirmed` absorbs repeated
ACKs (timer I). A 2xx leads to `accepted`: repeated INVITEs are absorbed, the user resends the 2xx itself,
an ACK that carries the same branch is passed up; timer L ends it. A transport error is told and changes no
state (RFC 6026 section 7.1).

Server, other methods. `trying` absorbs repetitions, `proceeding` and `completed` answer them with the last
response, timer J ends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from softswitch.sip.flow import Flow
from softswitch.sip.message import Request

State = Literal["idle", "calling", "trying", "proceeding", "completed", "confirmed", "accepted", "terminated"]
Input = Literal[
    "request", "ack", "1xx", "2xx", "3xx-6xx", "transport_error",
    "timer_a", "timer_b", "timer_d", "timer_e", "timer_f", "timer_g", "timer_h", "timer_i", "timer_j",
    "timer_k", "timer_l", "timer_m", "timer_100", "timer_cancel",
]  # fmt: skip
Action = Literal[
    "send", "resend", "pass_up", "ack", "send_100", "timed_out", "transport_failed",
    "start_a", "start_b", "start_d", "start_e", "start_f", "start_g", "start_h", "start_i", "start_j",
    "start_k", "start_l", "start_m", "start_100", "double_a", "double_e", "double_g", "slow_e",
]  # fmt: skip
Step = tuple[tuple[Action, ...], State]
Table = Mapping[State, Mapping[Input, Step]]

INVITE_CLIENT: Table = {
    "idle": {"request": (("send", "start_a", "start_b"), "calling")},
    "calling": {
        "timer_a": (("resend", "double_a"), "calling"),
        "timer_b": (("timed_out",), "terminated"),
        "1xx": (("pass_up",), "proceeding"),
        "2xx": (("pass_up", "start_m"), "accepted"),
        "3xx-6xx": (("ack", "pass_up", "start_d"), "completed"),
        "transport_error": (("transport_failed",), "terminated"),
    },
    "proceeding": {
        "1xx": (("pass_up",), "proceeding"),
        "2xx": (("pass_up", "start_m"), "accepted"),
        "3xx-6xx": (("ack", "pass_up", "start_d"), "completed"),
        "timer_cancel": (("timed_out",), "terminated"),
        "transport_error": (("transport_failed",), "terminated"),
    },
    "completed": {
        "3xx-6xx": (("resend",), "completed"),
        "timer_d": ((), "terminated"),
        "transport_error": (("transport_failed",), "terminated"),
    },
    "accepted": {
        "2xx": (("pass_up",), "accepted"),
        "timer_m": ((), "terminated"),
    },
    "terminated": {},
}

CLIENT: Table = {
    "idle": {"request": (("send", "start_e", "start_f"), "trying")},
    "trying": {
        "timer_e": (("resend", "double_e"), "trying"),
        "timer_f": (("timed_out",), "terminated"),
        "1xx": (("pass_up",), "proceeding"),
        "2xx": (("pass_up", "start_k"), "completed"),
        "3xx-6xx": (("pass_up", "start_k"), "completed"),
        "transport_error": (("transport_failed",), "terminated"),
    },
    "proceeding": {
        "timer_e": (("resend", "slow_e"), "proceeding"),
        "timer_f": (("timed_out",), "terminated"),
        "1xx": (("pass_up",), "proceeding"),
        "2xx": (("pass_up", "start_k"), "completed"),
        "3xx-6xx": (("pass_up", "start_k"), "completed"),
        "transport_error": (("transport_failed",), "terminated"),
    },
    "completed": {"timer_k": ((), "terminated")},
    "terminated": {},
}

INVITE_SERVER: Table = {
    "idle": {"request": (("pass_up", "start_100"), "proceeding")},
    "proceeding": {
        "request": (("resend",), "proceeding"),
        "timer_100": (("send_100",), "proceeding"),
        "1xx": (("send",), "proceeding"),
        "2xx": (("send", "start_l"), "accepted"),
        "3xx-6xx": (("send", "start_g", "start_h"), "completed"),
        "transport_error": (("transport_failed",), "proceeding"),
    },
    "completed": {
        "request": (("resend",), "completed"),
        "timer_g": (("resend", "double_g"), "completed"),
        "timer_h": (("timed_out",), "terminated"),
        "ack": (("start_i",), "confirmed"),
        "transport_error": (("transport_failed",), "completed"),
    },
    "confirmed": {"timer_i": ((), "terminated")},
    "accepted": {
        "2xx": (("send",), "accepted"),
        "ack": (("pass_up",), "accepted"),
        "timer_l": ((), "terminated"),
        "transport_error": (("transport_failed",), "accepted"),
    },
    "terminated": {},
}

SERVER: Table = {
    "idle": {"request": (("pass_up",), "trying")},
    "trying": {
        "1xx": (("send",), "proceeding"),
        "2xx": (("send", "start_j"), "completed"),
        "3xx-6xx": (("send", "start_j"), "completed"),
        "transport_error": (("transport_failed",), "trying"),
    },
    "proceeding": {
        "request": (("resend",), "proceeding"),
        "1xx": (("send",), "proceeding"),
        "2xx": (("send", "start_j"), "completed"),
        "3xx-6xx": (("send", "start_j"), "completed"),
        "transport_error": (("transport_failed",), "proceeding"),
    },
    "completed": {
        "request": (("resend",), "completed"),
        "timer_j": ((), "terminated"),
        "transport_error": (("transport_failed",), "completed"),
    },
    "terminated": {},
}

Key = tuple[object, ...]


class Transaction:
    """One running machine. `out_flow` is where it sends, `sent` what "resend" repeats."""

    __slots__ = (
        "broken", "cancel_headers", "due", "flow", "id", "interval_s", "is_client", "key", "merge_key",
        "out_flow", "request", "sent", "silent", "state", "table",
    )  # fmt: skip

    def __init__(
        self, number: int, table: Table, key: Key, request: Request, flow: Flow, out_flow: Flow
    ) -> None:
        self.id = number
        self.table = table
        self.is_client = table is INVITE_CLIENT or table is CLIENT
        self.state: State = "idle"
        self.key = key
        self.merge_key: Key | None = None
        self.request: Request | None = request  # until the final response has been dealt with
        self.flow = flow
        self.out_flow = out_flow
        self.broken = False  # the connection of `out_flow` is gone
        self.sent = b""  # the last message, "" for none
        self.due: dict[str, float] = {}  # timer input -> when it fires; older heap entries are void
        self.interval_s = 0.0  # of timer A, E or G, of which a machine has one
        self.silent = False  # the layer's own (CANCEL): the user never hears of it
        self.cancel_headers: tuple[tuple[str, str], ...] | None = None  # a CANCEL waits for the first 1xx


def input_for(status: int) -> Input:
    """The table input of a response with this status."""
    if status < 200:
        return "1xx"
    return "2xx" if status < 300 else "3xx-6xx"
