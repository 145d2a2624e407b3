"""Asterisk's format, field by field, and that no value can break a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd.events import Kind, LogEvent
from acd.queue_log import line, lines
from tests.acd.test_agent_stats import shift

DONE = {"wait_s": 12.9, "talk_s": 60.4, "hold_s": 5.8, "entry_position": 3, "cause": "200"}
EXIT = {"position": 2, "entry_position": 5, "wait_s": 45.6}


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (Kind.ENTERQUEUE, {"caller": "+7495", "priority": 0, "position": 1}, "ENTERQUEUE||+7495|1"),
        (Kind.CONNECT, {"offer": 7, "wait_s": 12.9, "ring_s": 3.2}, "CONNECT|12|offer-7|3"),
        (Kind.COMPLETEAGENT, DONE, "COMPLETEAGENT|12|66|3"),
        (Kind.COMPLETECALLER, DONE, "COMPLETECALLER|12|66|3"),
        (Kind.COMPLETESYSTEM, DONE, "COMPLETEAGENT|12|66|3"),
        (Kind.EXITSYSTEM, EXIT, "ABANDON|2|5|45"),
        (Kind.BLINDTRANSFER, DONE, "BLINDTRANSFER|200||12|66|3"),
        (Kind.ATTENDEDTRANSFER, DONE, "ATTENDEDTRANSFER|BRIDGE|c1|12|66|3"),
        (Kind.ABANDON, EXIT, "ABANDON|2|5|45"),
        (Kind.EXITEMPTY, EXIT, "EXITEMPTY|2|5|45"),
        (Kind.EXITWITHTIMEOUT, EXIT, "EXITWITHTIMEOUT|2|5|45"),
        (Kind.EXITWITHKEY, {**EXIT, "key": "9"}, "EXITWITHKEY|9|2|5|45"),
        (Kind.RINGNOANSWER, {"offer": 1, "ring_s": 20.0, "reason": "timeout"}, "RINGNOANSWER|20000"),
        (Kind.RINGCANCELED, {"offer": 1, "ring_s": 1.5, "reason": "caller gone"}, "RINGCANCELED|1500"),
        (Kind.AGENTLOGIN, {"phone": "101", "by": "agent"}, "AGENTLOGIN|101"),
        (Kind.AGENTLOGOFF, {"phone": "101", "by": "agent", "login_s": 61.9}, "AGENTLOGOFF|101|61"),
        (Kind.PAUSE, {"reason": "lunch", "by": "agent"}, "PAUSEALL|lunch"),
        (Kind.UNPAUSE, {"reason": "lunch", "by": "agent", "pause_s": 3.0}, "UNPAUSEALL|lunch"),
        (Kind.SYSTEM_START, {}, "QUEUESTART"),
        (Kind.CONFIGRELOAD, {"by": "root"}, "CONFIGRELOAD"),
    ],
)
def test_each_kind(kind: Kind, data: dict[str, object], expected: str) -> None:
    event = LogEvent(1_700_000_000.9, kind, "c1", "sales", "anna", data)
    assert line(event) == f"1700000000|c1|sales|anna|{expected}"


def test_empty_fields_are_none_and_unknown_kinds_are_left_out() -> None:
    assert line(LogEvent(5.0, Kind.PAUSE, agent="anna")) == "5|NONE|NONE|anna|PAUSEALL|"
    assert line(LogEvent(5.0, Kind.WRAPUP_START, "c1", "sales", "anna", {"limit_s": 10.0})) is None


@given(st.text())
def test_a_caller_cannot_forge_a_line(caller: str) -> None:
    text = line(LogEvent(5.0, Kind.ENTERQUEUE, caller, "sales", data={"caller": caller}))
    assert text is not None
    assert text.count("|") == 7
    assert len(text.splitlines()) == 1


def test_a_whole_shift() -> None:
    names = [text.split("|")[4] for text in lines(shift().log)]
    assert names == [
        "AGENTLOGIN",
        "ENTERQUEUE",
        "CONNECT",
        "COMPLETECALLER",
        "PAUSEALL",
        "UNPAUSEALL",
        "ENTERQUEUE",
        "RINGNOANSWER",
        "CONNECT",
        "BLINDTRANSFER",
        "AGENTLOGOFF",
    ]
