"""A supervisor at the command line: what he orders is done, told, refused clearly, logged with his name."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from typing import Any

from tests.support.acd_centre import AcdCentre

Cc = Callable[..., Any]
USER = pwd.getpwuid(os.getuid()).pw_name


def test_queues_are_closed_and_opened(cc: Cc, centre: AcdCentre) -> None:
    assert cc("queues", "close", "sales").out == "sales is closed, 0 wait in it\n"
    assert "sales (closed)" in cc("queues", "list").out
    assert cc("queues", "open", "sales", "--by", "maria", "--json").json["is_open"] is True
    logged = cc("log", "events", "--kind", "QUEUE_CLOSE", "--kind", "QUEUE_OPEN", "--json").json
    assert [event["data"]["by"] for event in logged] == [USER, "maria"]
    refused = cc("queues", "close", "sails")
    assert refused.code == 1 and refused.err.count("\n") == 1 and "did you mean 'sales'" in refused.err


def test_calls_are_moved_lifted_and_handed(cc: Cc, centre: AcdCentre) -> None:
    centre.arrive("c1", "sales", "+7")
    centre.arrive("c2", "sales", "+8")
    assert cc("calls", "priority", "c2", 3).out == "c2: waiting in sales, position 1, priority 3\n"
    assert cc("calls", "priority", "c2", -2, "--json").json["priority"] == -2
    assert cc("calls", "move", "c2", "support").out == "c2: waiting in support, position 1, priority -2\n"
    refused = cc("calls", "hand", "c1", "anna")
    assert refused.code == 1 and "anna is not logged in: hand the call to one who is" in refused.err
    cc("agents", "login", "anna", "--by", "maria")
    assert "not" in cc("calls", "move", "c1", "support").err, "he talks"
    assert cc("calls", "hand", "c2", "anna").code == 0
    centre.hangup("c1", "done")
    extended = cc("agents", "extend", "anna", 45)
    assert extended.out.startswith("anna: wrap-up")
    logged = cc("log", "events", "--json").json
    named = {event["kind"]: event["data"]["by"] for event in logged if event["data"].get("by")}
    assert named["AGENTLOGIN"] == "maria" and named["WRAPUP_EXTENDED"] == USER
    assert named["PRIORITY_CHANGED"] == named["CALL_HANDED"] == named["EXITSYSTEM"] == USER
