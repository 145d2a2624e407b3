"""`cc workers`: what administrators see of media workers, and what they may do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.acd_centre import AcdCentre

Cc = Callable[..., Any]


def test_workers(cc: Cc, centre: AcdCentre) -> None:
    listed = cc("workers", "list")
    assert listed.code == 0 and "worker-0" in listed.out and "7%" in listed.out and "0.5 ms" in listed.out
    assert cc("workers", "drain", "worker-0").out == "worker-0 takes no new calls; 0 legs are on it\n"
    assert "no (drained)" in cc("workers", "list").out
    assert "DRAINED" in cc("status").out and "3 LATE TICKS" in cc("status").out
    assert cc("workers", "undrain", "worker-0", "--json").json["drained"] is False
    refused = cc("workers", "restart", "worker-0")
    assert refused.code == 1 and "cc workers drain worker-0" in refused.err
    unknown = cc("workers", "drain", "worker-9")
    assert unknown.code == 1 and "no media worker is called" in unknown.err
