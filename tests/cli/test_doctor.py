"""`cc doctor`: what it prints, and how it ends."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.acd_centre import AcdCentre, serving

Cc = Callable[..., Any]


def test_a_running_switch(cc: Cc, centre: AcdCentre) -> None:
    found = cc("doctor")
    assert found.code == 0 and "the running switch" in found.out and "All agree." in found.out
    assert cc("doctor", "--json", "--mend").json["findings"] == []


def test_a_database_alone(cc: Cc, config: Path) -> None:
    path = config.parent / "log" / "cc.db"
    assert cc("doctor").code == 1, "there is none yet"
    with serving(config.parent / "cc.sock", path, time.time() - 120) as centre:
        centre.agent_login("anna", None, "test")
        centre.arrive("c1", "sales", "+7")
        centre.pass_time(5.0)
        centre.hangup("c1", "done")
        centre.arrive("c2", "sales", "+8")
    sound = cc("doctor", "--since", "1h")
    assert sound.code == 1, "c2 was up when the switch died"
    assert "call c2 is open in the database" in sound.out and "`--mend` mends." in sound.out
    mended = cc("doctor", "--mend")
    assert mended.code == 0 and "    mended: close it where the log ends" in mended.out
    assert cc("doctor").out.endswith("All agree.\n")
    database = sqlite3.connect(path)
    database.execute("UPDATE calls SET disposition = 'failed' WHERE id = 'c1'")
    database.commit()
    database.close()
    found = cc("doctor", "--json")
    assert found.code == 1 and "'answered' in the log" in found.json["findings"][0]["what"]
