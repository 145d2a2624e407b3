"""Calendars, lists, clients and conditions in the configuration: what they mean, and how faults are told."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from softswitch.app.settings import make_settings
from softswitch.call.routing import Asked
from softswitch.config import Config, ConfigErrors, load
from softswitch.config.client_file import clients_of
from softswitch.config.loading import client_faults
from softswitch.config.routing import local_zone

CENTRE = """
time_zone = "Europe/Moscow"
[sip]
guests = true
[numbers]
country = "7"
[extensions.201]
password = "secret"
[agents.anna]
name = "Anna"
extension = "201"
queues = ["sales"]
[queues.sales]
display = "{client}: {caller}"
[calendars.office]
hours = { mon-fri = "09:00-18:00", fri = ["20:00-22:00"] }
holidays = ["01-01..01-08", 2026-05-01]
[calendars.office.exceptions]
2026-12-31 = []
[calendars.night]
time_zone = "UTC"
hours = { daily = "22:00-06:00" }
[lists.vip]
numbers = ["8 495 123-45-67", "+7812*"]
file = "vip.csv"
[callers.spam]
numbers = ["+74990000000"]
blocked = true
to = "queue:sales"
[clients]
file = "clients.csv"
[clients.acme]
name = "Acme"
numbers = ["8-800-555-01-00"]
queues = ["sales"]
greeting = "{client}, {agent}"
hours = "office"
closed = "queue:sales"
language = "ru"
[[routes]]
name = "vips"
when = { list = "vip", not_calendar = "night", queue.sales.waiting = "< 3" }
to = "agent:anna"
[[routes]]
number = "600"
to = "hangup"
sip_status = 486
guests = true
"""
CLIENTS = "id,name,numbers,queues,guests,priority\nshop,Shop,8 800 555 02 00; 700,sales,yes,3\n#,,,,,\n\n"


def write(
    folder: Path, text: str = CENTRE, *, vip: str = "number\n84957654321\n", clients: str = CLIENTS
) -> Path:
    (folder / "vip.csv").write_text(vip)
    (folder / "clients.csv").write_text(clients)
    path = folder / "cc.toml"
    path.write_text(text)
    return path


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(write(tmp_path))


def faults(folder: Path, *more: str, text: str = CENTRE, **files: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load(write(folder, "\n".join((text, *more)), **files))
    return [f"{problem.line} {problem.path}: {problem.message}" for problem in caught.value.problems]


def moscow(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Moscow")).timestamp()


def test_calendars(config: Config) -> None:
    office, night = config.world.calendars["office"], config.world.calendars["night"]
    moments = {"2026-11-20 17:59": True, "2026-11-20 19:00": False, "2026-11-20 21:00": True,
               "2026-11-19 21:00": False, "2026-05-01 12:00": False, "2026-12-31 12:00": False,
               "2026-12-30 12:00": True, "2027-01-04 12:00": False}  # fmt: skip
    assert {text: office.open_at(moscow(text)) for text in moments} == moments
    assert night.open_at(moscow("2026-11-20 02:00")) and not night.open_at(moscow("2026-11-20 00:30"))


def test_the_time_zone_of_the_machine_is_taken_where_none_is_given(tmp_path: Path) -> None:
    assert load(write(tmp_path, "")).world.time_zone == local_zone()


def test_lists(config: Config) -> None:
    world = config.world
    assert all(world.listed("vip", one) for one in ("+74951234567", "84957654321", "8 812 000-00-00"))
    assert not world.listed("vip", "84951234568") and not world.listed("none", "84951234567")


def test_clients_of_the_file_and_of_the_configuration(config: Config) -> None:
    settings = make_settings(config, Path("music.wav"))
    assert settings.clients is not None
    acme, shop = settings.clients.called_by("+78005550100"), settings.clients.called_by("700")
    assert acme is not None and shop is not None
    assert (acme.name, str(acme.target), acme.hours, str(acme.closed)) == (
        "acme",
        "queue:sales",
        "office",
        "queue:sales",
    )
    assert (shop.title, str(shop.target), shop.guests, shop.priority) == ("Shop", "queue:sales", True, 3)
    assert settings.clients.called_by("88005550200") is shop and settings.clients.called_by("701") is None
    assert "ru" in settings.phrases_in, "what a client's callers hear is spoken ahead"
    assert settings.agents["anna"].name == "Anna"


def test_routes(config: Config) -> None:
    settings = make_settings(config, Path("music.wav"))
    assert str(settings.statuses.of("84990000000").to) == "queue:sales"
    first = settings.plan.route(Asked("600", guest=True))
    assert first is not None and (first.sip_status, first.rule) == (486, "routes.1")
    inner = settings.plan.route(Asked("600"))
    assert inner is not None and inner.rule == "vips", "for any number, if its condition holds"
    assert settings.plan.route(Asked("600", holds=lambda condition: False)) is not None


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('[[routes]]\nto = "queue:sales"', "routes.2: a route needs a number, a condition"),
        (
            '[[routes]]\nwhen = { list = "vipp" }\nto = "queue:sales"',
            "routes.2.when.list: there is no list 'vipp'",
        ),
        ('[[routes]]\nwhen = { list = "spam" }\nto = "queue:sales"', "write status = 'spam'"),
        (
            '[[routes]]\nwhen = { calendar = "of" }\nto = "queue:sales"',
            "there is no calendar 'of'; known: night, office",
        ),
        ('[[routes]]\nwhen = { callr = "1" }\nto = "queue:sales"', "no attribute 'callr'; known: "),
        (
            '[[routes]]\nwhen = { "queue.sales.waiting" = "ten" }\nto = "queue:sales"',
            "routes.2.when.queue.sales.waiting: queue.sales.waiting is a number, never 'ten'",
        ),
        (
            '[[routes]]\nwhen = { caller = "8 495*" }\nto = "queue:sales"',
            "routes.2.when.caller: no number begins with '8 495*': write its digits together, '8495*'",
        ),
        ('[[routes]]\nwhen = { calender = "office" }\nto = "queue:sales"', "did you mean 'calendar'?"),
        ('[[routes]]\nwhen = { not_wekday = "mon" }\nto = "queue:sales"', "did you mean 'weekday'?"),
        (
            '[[routes]]\nwhen = { queue.sales.waitng = 1 }\nto = "queue:sales"',
            "known: agents, estimate_s, idle, open, waiting; did you mean 'waiting'?",
        ),
        ('[[routes]]\nwhen = { queue.sal.waiting = 1 }\nto = "queue:sales"', "there is no queue 'sal'"),
        (
            '[[routes]]\nwhen = { caller = "~(a+)+" }\nto = "queue:sales"',
            "routes.2.when.caller: '(a+)+': a repeated",
        ),
        ('[[routes]]\nwhen = "vip"\nto = "queue:sales"', "routes.2.when: a condition is a table"),
        (
            '[[routes]]\nnumber = "1"\nsip_status = 486\nto = "queue:sales"',
            "routes.2.sip_status: only a route that",
        ),
        ('[[routes]]\nnumber = "1"\nsip_status = 200\nto = "hangup"', "routes.2.sip_status: "),
        (
            '[[routes]]\nnumber = "600"\nto = "queue:sales"\n[[routes]]\nnumber = "600"\nto = "hangup"',
            "never reached",
        ),
        ('[calendars.x]\nhours = { moon = "09:00-10:00" }', "'moon' is not a day of the week"),
        ('[calendars.x]\nhours = { mon = "9-10" }', "'9' is not a time of the day"),
        ("[calendars.x]\nhours = { mon = 9 }", "hours are a text such as"),
        ('[calendars.x]\nholidays = ["32-13"]', "there is no such day"),
        ('[calendars.x]\ntime_zone = "Moscow"', "'Moscow' is not a time zone"),
        ("[calendars.x.exceptions]\n2026-12-32 = []", "there is no such day"),
        ("[lists.none]", "lists.none: it names nobody"),
        ('[lists.x]\nnumbers = ["hello"]', "lists.x.numbers: 'hello' has no digit"),
        ('[lists.x]\nfile = "gone.csv"', "gone.csv cannot be read"),
        ('[clients.x]\nnumbers = ["88005550100"]\nqueues = ["sales"]', "the client 'acme''s already"),
        ('[clients.x]\nnumbers = ["1"]', "clients.x: its calls lead nowhere"),
        ('[clients.x]\nto = "flow:none"', "clients.x.to: there is no flow 'none'"),
        ('[clients.x]\nhours = "none"', "clients.x.hours: there is no calendar 'none'"),
        ('[clients.x]\nclosed = "hangup"', "without hours it is never closed"),
        ('[clients.x]\ngreeting = "{nobody}"', "{nobody} is no variable; there are {client}"),
        ('[clients.x]\nlanguage = "tlh"', "no announcements in 'tlh'"),
        ('[clients.shop]\nto = "hangup"', "'shop' stands in the configuration and in the file"),
        ('[callers.y]\nnumbers = ["1"]\nto = "hangup"', "only for blocked callers"),
    ],
)
def test_faults_are_told_with_their_place_and_remedy(tmp_path: Path, more: str, told: str) -> None:
    found = faults(tmp_path, more)
    assert any(told in fault for fault in found), found
    assert all(fault[0].isdigit() for fault in found), "each has its line"


def test_bad_rows_of_files_are_named(tmp_path: Path) -> None:
    found = faults(tmp_path, vip="number\nhello\n1\n\n7*5\n")
    assert [fault.rpartition("vip.csv, ")[2] for fault in found] == [
        "line 2: 'hello' has no digit",
        "line 5: '7*5' has a * inside; a prefix has it at its end",
    ]
    (told,) = faults(tmp_path, clients="id,nam\n")
    assert "there is no column 'nam'; known: " in told and "did you mean 'name'" in told
    many = faults(tmp_path, vip="\n".join("x" for _ in range(50)))
    assert len(many) == 21 and "30 more rows are bad" in many[-1]


def test_every_bad_row_of_clients_is_named_with_its_column() -> None:
    lines = [
        "id,numbers,to,guests,priority,greeting\n",
        "good,1;2,queue:a,no,-5,Hello\n",
        "bad name,3,queue,perhaps,high,{x}\n",
        "good,4,,,,\n",
        "long,5,,,,,,\n",
    ]
    table, found, where, _ = clients_of(lines)
    assert table == {
        "good": {
            "numbers": ["1", "2"],
            "to": "queue:a",
            "guests": False,
            "priority": -5,
            "greeting": "Hello",
        },
        "line-3": {"numbers": ["3"], "guests": False},
        "line-4": {"numbers": ["4"], "guests": False, "priority": 0},
        "long": {"numbers": ["5"], "guests": False, "priority": 0},
    }, "bad cells are left out"
    assert [str(fault).split(":")[0] for fault in found] == [
        "line 3, guests",
        "line 3, id",
        "line 3, greeting",
        "line 3, to",
        "line 3, priority",
        "line 4, id",
        "line 5, the row",
    ]
    assert where["good"] == 2
    assert [str(fault) for fault in clients_of(["name\n"]).faults] == [
        "line 1: the column 'id' is missing; it names the client in the log and in reports"
    ]


def test_clients_are_checked_beside_the_rest_of_the_configuration(tmp_path: Path) -> None:
    path = write(tmp_path, clients="broken")  # what stands in the old file does not matter
    table = {"new": {"numbers": ["700"], "queues": ["sales"]}, "acme": {}, "odd": {"queues": ["nosuch"]}}
    assert client_faults(path, table) == [
        ("acme", "id", "stands in the configuration already"),
        ("odd", "queues", "there is no queue 'nosuch'; known: sales"),
    ]


def test_a_list_of_many_numbers_is_read_in_one_go(tmp_path: Path) -> None:
    numbers = "number\n" + "\n".join(f"+7999{n:07}" for n in range(50_000))
    config = load(write(tmp_path, vip=numbers))
    assert len(config.world.lists["vip"]) == 50_002 and config.world.listed("vip", "8 999 004-99-99")
