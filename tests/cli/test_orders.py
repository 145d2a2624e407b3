"""A supervisor at the command line: what he orders is done, told, refused clearly, logged with his name."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from typing import Any

from acd import messages as acd
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


def test_promises_to_call_back_are_shown_and_cancelled(cc: Cc, centre: AcdCentre) -> None:
    assert cc("callbacks", "list").out == "Nobody waits to be called back.\n"
    centre.give(acd.Callback("back-1", "+71", queue="sales"))
    centre.give(acd.Callback("back-2", "+72", queue="support", attempt=1))
    shown = cc("callbacks", "list").out
    assert "when an agent is free" in shown and "1 of 3" in shown
    listed = cc("callbacks", "list", "--queue", "support", "--json").json
    assert [(one["number"], one["state"], one["failed"]) for one in listed] == [("+72", "later", 1)]
    assert listed[0]["next_at"] == listed[0]["since"] + 300.0
    assert cc("callbacks", "cancel", "+72", "--by", "maria").out == (
        "+72 is not called back any more, for support\n"
    )
    assert cc("callbacks", "cancel", "+71", "--json").json["queue"] == "sales"
    logged = cc("log", "events", "--kind", "CALLBACK_DROPPED", "--json").json
    reasons = {event["data"]["number"]: event["data"]["reason"] for event in logged}
    assert reasons == {"+72": "cancelled by maria", "+71": f"cancelled by {USER}"}
    refused = cc("callbacks", "cancel", "+71")
    assert refused.code == 1 and "no callback is called '+71'" in refused.err
