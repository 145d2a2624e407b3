"""`cc route try`, `cc lists`, `cc clients`, `cc report --by client`, without a switch."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.acd_centre import serving

Cc = Callable[..., Any]

CENTRE = """
time_zone = "Europe/Moscow"
[sip]
guests = true
[numbers]
country = "7"
[extensions.201]
password = "secret"
[queues.sales]
[calendars.office]
hours = { mon-fri = "09:00-18:00" }
holidays = ["12-31"]
[lists.vip]
file = "vip.csv"
[lists.inline]
numbers = ["+7812*"]
[callers.spam]
numbers = ["+74990000000"]
blocked = true
[peers.carrier]
address = "192.0.2.9"
[clients]
file = "clients.csv"
[clients.acme]
numbers = ["8-800-555-01-00"]
queues = ["sales"]
[[routes]]
number = "601"
to = "queue:sales"
[[routes]]
name = "day"
number = "600"
when = { calendar = "office", "header.X-Account" = "~^[0-9]+$" }
to = "queue:sales"
call_type = "day"
guests = true
[[routes]]
number = "600"
to = "hangup"
sip_status = 480
guests = true
"""


@pytest.fixture
def centre(tmp_path: Path) -> Path:
    (tmp_path / "cc.toml").write_text(CENTRE)
    (tmp_path / "vip.csv").write_text("number\n+74951234567\n")
    (tmp_path / "clients.csv").write_text("id,numbers,queues\nshop,700,sales\n")
    return tmp_path


def test_where_a_call_would_go_and_why(cc: Cc, centre: Path) -> None:
    day = cc(
        "route",
        "try",
        "--from",
        "84951234567",
        "--to",
        "600",
        "--at",
        "2026-11-20 12:00",
        "--header",
        "X-Account=7",
    )
    assert day.code == 0 and day.out.splitlines() == [
        "caller   +74951234567 (guest)",
        "dialled  600",
        "at       2026-11-20 12:00:00+03:00",
        "",
        "  -  1 route is for other numbers",
        (
            " =>  day (600 to queue:sales): calendar 'office' holds (office is open); "
            "header.X-Account '~^[0-9]+$' holds (it is '7')"
        ),
        "goes to queue:sales: by day (call_type day)",
    ]
    eve = cc("route", "try", "--from", "84951234567", "--to", "600", "--at", "2026-12-31 12:00", "--json")
    assert eve.code == 1, "it would be refused"
    assert (eve.json["sip_status"], eve.json["by"], eve.json["rule"], eve.json["to"]) == (
        480,
        "route",
        "routes.2",
        "",
    )
    assert [step["why"] for step in eve.json["steps"]] == [
        "it is for 601",
        "calendar 'office' does not hold (office is closed for the holiday 2026-12-31)",
        "",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("--from", "8 499 000-00-00", "--to", "600"),
            1,
            "refused with 603, Decline: the caller is blocked (callers.spam)",
        ),
        (("--from", "201", "--to", "201"), 0, "goes to extension:201: it is an extension"),
        (("--from", "201", "--to", "*11"), 0, "goes to feature:login: it is a feature code"),
        (("--trunk", "carrier", "--to", "88005550100"), 0, "goes to queue:sales: by the client acme"),
        (
            ("--from", "300", "--to", "700"),
            1,
            " -  client shop (700 to queue:sales): it is not for guests (guests = false)\nrefused with 404",
        ),
        (("--to", "999"), 1, "refused with 404, Not Found: nothing takes this call"),
        (
            ("--to", "600", "--at", "noon"),
            2,
            "--at 'noon' is no time: write 2026-12-31 23:30, or 23:30 for today",
        ),
        (
            ("--to", "600", "--trunk", "x"),
            1,
            "there is no peer 'x' to come from; the configuration has carrier",
        ),
        (("--to", "600", "--header", "x"), 2, "--header 'x': write NAME=VALUE"),
    ],
)
def test_each_verdict(cc: Cc, centre: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = cc("route", "try", *arguments)
    assert done.code == code and said in done.out + done.err


def test_a_list_is_imported_with_every_bad_row_named(cc: Cc, centre: Path) -> None:
    new = centre / "new.csv"
    new.write_text("name,number\nAnna,8 495 765-43-21\nBoris,hello\nCora,\nDora,+7499*\n")
    refused = cc("lists", "import", "vip", new)
    assert refused.code == 1 and (centre / "vip.csv").read_text() == "number\n+74951234567\n"
    assert refused.err.splitlines() == [
        f"{new}, line 3: 'hello' has no digit",
        f"{new}, line 4: '' is empty",
        "cc: 2 rows are bad; nothing was changed (--skip-bad leaves them out)",
    ]
    done = cc("lists", "import", "vip", new, "--skip-bad", "--add", "--json")
    assert (
        done.code == 0 and done.json["numbers"] == 3 and [row["line"] for row in done.json["bad"]] == [3, 4]
    )
    assert (centre / "vip.csv").read_text() == "number\n+74951234567\n+74957654321\n+7499*\n"
    assert cc("lists", "find", "8 (495) 765 43 21").out == "+74957654321 stands in vip\n"
    assert cc("lists", "find", "84990000000").out.splitlines() == [
        "+74990000000 stands in vip",
        "its status is spam (callers.spam)",
    ]
    assert {one["name"]: one["numbers"] for one in cc("lists", "list", "--json").json} == {
        "vip": 3,
        "inline": 1,
    }
    assert "vip" in cc("lists", "list").out


def test_a_list_is_imported_before_its_file_is_there(cc: Cc, centre: Path) -> None:
    (centre / "vip.csv").unlink()
    new = centre / "new.csv"
    new.write_text("+74951234567\n")
    assert cc("check").code == 2
    assert cc("lists", "import", "vip", new).code == 0 and cc("check").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("vipp", "new.csv"), 1, "no list is called 'vipp': did you mean 'vip'?"),
        (("inline", "new.csv"), 2, 'add lists.inline.file = "inline.csv"'),
        (("vip", "gone.csv"), 2, "cannot read gone.csv"),
        (("vip", "binary.csv"), 1, "is no CSV file in UTF-8"),
    ],
)
def test_imports_that_cannot_be(
    cc: Cc, centre: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (centre / "new.csv").write_text("1\n")
    (centre / "binary.csv").write_bytes(b"\xff\xfe\x00")
    done = cc("lists", "import", *arguments)
    assert done.code == code and said in done.err


def test_clients_are_imported_all_or_none(cc: Cc, centre: Path) -> None:
    new = centre / "new.csv"
    new.write_text(
        "id,numbers,queues,greeting\nzoo,88005550300,sales,Zoo\nbad,701,nosuch,\nacme,702,sales,\n"
    )
    refused = cc("clients", "import", new)
    assert refused.code == 1 and "shop" in (centre / "clients.csv").read_text()
    assert sorted(refused.err.splitlines()) == [
        f"{new}, line 3, queues: there is no queue 'nosuch'; known: sales",
        f"{new}, line 4, id: stands in the configuration already",
        f"cc: 2 faults in {new}; nothing was changed",
    ]
    new.write_text("id,numbers,queues\nzoo,8 800 555-03-00; 703,sales\n")
    assert cc("clients", "import", new, "--json").json == {
        "file": str(centre / "clients.csv"),
        "imported": True,
        "clients": 1,
        "faults": [],
        "warnings": [],
    }
    assert [one["id"] for one in cc("clients", "list", "--json").json] == ["zoo", "acme"]
    assert "8 800 555-03-00" in cc("clients", "list").out
    assert cc("route", "try", "--from", "201", "--to", "+78005550300", "--json").json["client"] == "zoo"


def test_every_bad_row_of_clients_is_named_in_one_go(cc: Cc, centre: Path) -> None:
    new = centre / "new.csv"
    new.write_text(
        "id,numbers,queues,to,priority\n"
        "one,70x,sals,,\n"
        "two,701,sals,,high\n"
        "three,702,,,\n"
        "four,702,,queue,\n"
        "fi ve,705,sals,,\n"
        "six,,sales,,\n"
        "seven,707;707,sales,,\n"
    )
    refused = cc("clients", "import", new)
    assert refused.code == 1
    assert [line.removeprefix(f"{new}, ").partition(";")[0] for line in refused.err.splitlines()] == [
        "line 2, numbers: '70x' is no number",
        "line 2, queues: there is no queue 'sals'",
        "line 3, priority: 'high': Input should be a valid integer",
        "line 3, queues: there is no queue 'sals'",
        "line 4, to: its calls lead nowhere",
        "line 5, to: 'queue': 'queue' is not a target",
        "line 5, numbers: 702 is the client 'three''s already",
        "line 6, id: 'fi ve': letters, digits and _ . + -, at most 64, the first one a letter, a digit or _",
        "line 6, queues: there is no queue 'sals'",
        "warning: line 7, numbers: the client has no number, so that no call is for it",
        "warning: line 8, numbers: '707' stands there twice",
        f"cc: 9 faults in {new}",
    ]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            b"id;name;numbers\nx;X;701\n",
            "line 1: the columns are divided by semicolons; divide them by commas",
        ),
        (b"id,name\nx,Caf\xe9\n", "line 2: the byte 0xe9 is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_file_of_clients_that_is_no_such_file(cc: Cc, centre: Path, data: bytes, told: str) -> None:
    new = centre / "new.csv"
    new.write_bytes(data)
    refused = cc("clients", "import", new)
    assert refused.code == 1 and refused.err.startswith(f"{new}, {told}")
    assert refused.err.endswith(f"cc: 1 fault in {new}; nothing was changed\n")


def test_a_configuration_without_a_file_for_clients_says_so(cc: Cc, centre: Path) -> None:
    (centre / "cc.toml").write_text("")
    (centre / "new.csv").write_text("id\na\n")
    done = cc("clients", "import", "new.csv")
    assert done.code == 2 and 'add file = "clients.csv" under [clients]' in done.err
    assert cc("clients", "list").out == "The configuration has no clients.\n"


def test_reports_by_client_refuse_what_does_not_go_together(cc: Cc, centre: Path) -> None:
    assert "--by excludes" in cc("report", "--by", "client", "--queue", "sales").err
    assert "a report is by client" in cc("report", "--by", "queue").err


def test_a_report_by_client_of_a_running_switch(cc: Cc, centre: Path) -> None:
    with serving(centre / "var" / "cc.sock", centre / "var" / "cc.db", time.time() - 120) as running:
        running.arrive("c1", "sales", "+7")
        running.hangup("c1", "done")
        told = cc("report", "--by", "client")
        assert told.code == 0, told.err
        assert "client" in told.out and "(none)" in told.out
        assert [one["client"] for one in cc("report", "--by", "client", "--json").json["clients"]] == [""]
        assert len(cc("log", "calls", "--json").json) == 1
        assert cc("log", "calls", "--client", "acme", "--json").json == []
