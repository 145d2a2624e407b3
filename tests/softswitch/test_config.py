"""The configuration: what a right file means, and that a wrong one is told all its faults at once, with
lines.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.queue import QueueConfig
from ivr.flow import check
from ivr.messages import Start
from ivr.session import Session
from softswitch.config import Config, ConfigErrors, Feature, Target, load, parse_target
from softswitch.errors import LocalError

DEMO = Path(__file__).parents[2] / "examples" / "demo.toml"


@pytest.fixture
def demo() -> Config:
    return load(DEMO)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cc.toml"
    path.write_text(textwrap.dedent(text))
    return path


def problems(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with a text, as lines; empty if nothing."""
    try:
        load(write(tmp_path, text))
    except ConfigErrors as errors:
        return str(errors).splitlines()
    return []


# ----- a right file


def test_the_demonstration_is_right_and_means_what_it_says(demo: Config) -> None:
    assert demo.sip.listen == ("udp:127.0.0.1:5060", "tcp:127.0.0.1:5060")
    assert demo.media_ports == (40000, 41999)
    assert demo.extensions["201"].password.get_secret_value() == "anna-secret"
    assert demo.agents["anna"].queues == {"sales": 0, "support": 0}
    assert demo.agent_of_extension == {"201": "anna", "202": "boris"}
    assert check(demo.menus) == []
    assert Session(demo.menus, "main").handle(Start(), 0.0)
    assert "Welcome to the demonstration call centre." in [prompt.text for prompt in demo.all_prompts()]


def test_relative_paths_start_at_the_directory_of_the_file_also_for_defaults(
    demo: Config, tmp_path: Path
) -> None:
    assert demo.store.path == DEMO.parents[1] / "var/cc.db"
    plain = load(write(tmp_path, ""))
    assert plain.store.path == tmp_path / "var/cc.db"
    assert plain.api.socket == tmp_path / "var/cc.sock"
    assert plain.catalogue.cache == str(tmp_path / "var/prompts")


def test_an_empty_file_listens_on_loopback_only(tmp_path: Path) -> None:
    plain = load(write(tmp_path, ""))
    assert all("127.0.0.1" in listen for listen in plain.sip.listen)
    assert not plain.sip.guests


def test_the_distributor_gets_its_queues_and_agents(tmp_path: Path) -> None:
    config = load(
        write(
            tmp_path,
            """
            [extensions.201]
            contact = "sip:127.0.0.1:5070"
            [agents.anna]
            extension = "201"
            queues = { sales = 0, support = 2 }
            [queues.sales]
            announce_position_s = 30
            join_empty = "no"
            weight = 2
            [queues.support]
            strategy = "ring-all"
            offers_at_once = 5
            """,
        )
    )
    assert config.acd_queues() == [
        QueueConfig("sales", announce_first_s=30.0, announce_position_s=30.0, join_empty="no", weight=2.0),
        QueueConfig("support", strategy="ring-all", offers_at_once=5),
    ]
    [anna] = config.acd_agents()
    assert (anna.name, dict(anna.queues)) == ("anna", {"sales": 0, "support": 2})


def test_the_overflow_of_a_queue_by_its_reason(demo: Config, tmp_path: Path) -> None:
    assert demo.overflow("sales", "timeout") == Target("flow", "sorry")
    config = load(write(tmp_path, '[queues.a]\noverflow_full = "queue:b"\noverflow = "hangup"\n[queues.b]'))
    assert config.overflow("a", "full") == Target("queue", "b")
    assert config.overflow("a", "timeout") == Target("hangup")
    assert config.overflow("b", "full") is None


@pytest.mark.parametrize(
    ("number", "feature"),
    [
        ("*11", Feature("login")),
        ("*12", Feature("logout")),
        ("*13", Feature("ready")),
        ("*14", Feature("pause")),
        ("*142", Feature("pause", "lunch")),
        ("*144", None),
        ("*140", None),
        ("*1411", None),
        ("*15", Feature("extend")),
        ("*16", None),
        ("", None),
        ("1", None),
        ("2", None),
    ],
)
def test_feature_codes(demo: Config, number: str, feature: Feature | None) -> None:
    assert demo.feature(number) == feature


def test_feature_codes_that_are_switched_off(tmp_path: Path) -> None:
    config = load(write(tmp_path, '[feature_codes]\npause = ""\nlogin = ""'))
    assert [config.feature(number) for number in ("", "1", "*14", "*11")] == [None] * 4
    assert config.feature("*12") == Feature("logout")


ROUTES = """
[sip]
guests = true
[peers.pbx]
address = "192.0.2.1"
target = "sip:192.0.2.1"
[queues.sales]
[[routes]]
number = "600"
to = "queue:sales"
guests = true
[[routes]]
number = "9*"
to = "peer:pbx"
[[routes]]
number = "*"
to = "queue:sales"
peers = ["pbx"]
"""


@pytest.mark.parametrize(
    ("number", "guest", "peer", "to"),
    [
        ("600", True, None, "queue:sales"),
        ("600", False, "pbx", "queue:sales"),
        ("6001", True, None, None),
        ("900", True, None, None),
        ("900", False, None, "peer:pbx"),
        ("9", False, None, "peer:pbx"),
        ("900", False, "pbx", "queue:sales"),
        ("900", False, "other", None),
        ("123", False, None, None),
        ("123", False, "pbx", "queue:sales"),
        ("123", False, "other", None),
    ],
)
def test_routes(tmp_path: Path, number: str, guest: bool, peer: str | None, to: str | None) -> None:
    route = load(write(tmp_path, ROUTES)).route(number, guest=guest, peer=peer)
    assert (str(route.to) if route else None) == to


def test_who_dials_in_by_a_peer_dials_out_by_one_only_where_it_is_named(tmp_path: Path) -> None:
    text = """
    [peers.pbx]
    address = "192.0.2.1"
    [peers.carrier]
    address = "192.0.2.2"
    target = "sip:192.0.2.2"
    [[routes]]
    number = "9*"
    to = "peer:carrier"
    {named}
    [[routes]]
    number = "9*"
    to = {second}
    """
    closed = text.format(named="", second='"peer:carrier/0"\npeers = ["pbx"]')
    config = load(write(tmp_path, closed))
    assert config.route("900") == config.routes[0]
    assert config.route("900", peer="pbx") == config.routes[1]
    assert config.route("900", peer="carrier") is None
    # What the first does not take from peers is not hidden by it, unless the second does not take it either.
    assert load(write(tmp_path, text.format(named="", second='"hangup"')))
    [line] = problems(tmp_path, text.format(named="", second='"peer:carrier/0"'))
    assert "never reached: routes.0" in line


def test_the_first_route_that_fits_takes_the_call_whether_pattern_or_number(tmp_path: Path) -> None:
    routes = ["7*:a", "700:b", "80:c", "8*:d", "80:e"]
    text = "[queues.a]\n[queues.b]\n[queues.c]\n[queues.d]\n[queues.e]\n[peers.p]\naddress = '192.0.2.1'\n"
    for route in routes:
        number, _, queue = route.partition(":")
        limit = "peers = ['p']\n" if queue in "ac" else ""
        text += f"[[routes]]\nnumber = '{number}'\nto = 'queue:{queue}'\n{limit}"
    text = text.rpartition("[[routes]]")[0]
    config = load(write(tmp_path, text))
    asked = [("700", "p"), ("700", None), ("701", None), ("80", "p"), ("80", None), ("81", "p")]
    found = [config.route(number, peer=peer) for number, peer in asked]
    assert [route.to.name if route else None for route in found] == ["a", "b", None, "c", "d", "d"]


def test_peers_by_their_address(tmp_path: Path) -> None:
    config = load(
        write(
            tmp_path,
            """
            [peers.pbx]
            address = ["192.0.2.10", "2001:db8::/32"]
            [peers.carrier]
            address = "192.0.2.0/24"
            [peers.special]
            address = "192.0.2.128/25"
            """,
        )
    )
    addresses = ("192.0.2.10", "192.0.2.11", "192.0.2.129", "2001:db8::7", "198.51.100.1", "nonsense")
    assert [config.peer_of(address) for address in addresses] == [
        "pbx",
        "carrier",
        "special",
        "pbx",
        None,
        None,
    ]


def test_a_configuration_is_immutable_and_shows_no_password(demo: Config) -> None:
    with pytest.raises(ValueError, match="frozen"):
        demo.language = "ru"
    assert "anna-secret" not in f"{demo!r} {demo} {demo.model_dump()}"


@pytest.mark.parametrize(
    "text", ["flow:main", "queue:a", "extension:201", "peer:x", "peer:x/+40.21*#", "hangup"]
)
def test_targets_are_written_as_they_are_read(text: str) -> None:
    assert str(parse_target(text)) == text


@pytest.mark.parametrize(
    "text", ["", "main", "flow:", "hangup:x", "foo:bar", "peer:x/", "peer:x/a b", 5, None]
)
def test_what_is_no_target(text: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_target(text)


# ----- a wrong file

BROKEN = """\
language = "xx"

[sip]
listen = [
    "udp:127.0.0.1:5060",
    "tcp:localhost:5060",
]
guests = "yes"
relm = "demo"

[media]
ports = "41999-40000"

[extensions.201]
name = "Anna"

[extensions.202]
pasword = "boris-secret"
password = "x"

[agents.anna]
extension = "203"
queues = ["sales", "suport"]

[queues.sales]
strategy = "longest-idel"
ring_s = 0
overflow = "flow:sory"

[queues.support]
max_wait_s = "120"

[flows.main]
start = "choose"

[flows.main.nodes.choose]
type = "menu"
prompt = "Choose."
keys = { 1 = "salse", 2 = "@back" }
otherwise = "main"

[flows.main.nodes.sales]
type = "queu"
queue = "sales"

[flows.loop]
start = "a"
nodes.a = { type = "play", prompt = "Round.", next = "b" }
nodes.b = { type = "play", prompt = "And round.", next = "a" }
nodes.c = { type = "queue", queue = "salez" }

[[routes]]
number = "600"
to = "flow:main"

[[routes]]
number = "601"
to = "sales"

[[routes]]
number = "600"
to = "queue:support"

[feature_codes]
login = "*141"

[wrong]
"""

EXPECTED = [
    (1, "language", "no announcements in 'xx'; known: en, ro, ru, tr"),
    (6, "sip.listen.1", "'localhost' is not an IP address"),
    (8, "sip.guests", "must be a valid boolean, not 'yes'"),
    (9, "sip.relm", "did you mean 'realm'?"),
    (12, "media.ports", "the lower one first"),
    (14, "extensions.201", "give a password"),
    (18, "extensions.202.pasword", "did you mean 'password'?"),
    (22, "agents.anna.extension", "there is no extension '203'"),
    (
        23,
        "agents.anna.queues.1",
        "there is no queue 'suport'; known: sales, support; did you mean 'support'?",
    ),
    (26, "queues.sales.strategy", "'longest-idel' is not a strategy; known: "),
    (27, "queues.sales.ring_s", "must be greater than or equal to 1, not 0"),
    (28, "queues.sales.overflow", "there is no flow 'sory'"),
    (31, "queues.support.max_wait_s", "must be a valid number, not '120'"),
    (39, "flows.main.nodes.choose.keys.1", "'salse' is not a node of this flow"),
    (40, "flows.main.nodes.choose.otherwise", "'main' is not a node of this flow"),
    (
        42,
        "flows.main.nodes.sales",
        "unknown node type 'queu'; known: agent, ",
    ),
    (48, "flows.loop.nodes.a", "a loop without an exit"),
    (50, "flows.loop.nodes.c", "no way leads here from 'a'"),
    (50, "flows.loop.nodes.c.queue", "there is no queue 'salez'"),
    (58, "routes.1.to", "'sales' is not a target"),
    (61, "routes.2.number", "never reached: routes.0 (600)"),
    (65, "feature_codes.login", "*141 is also the pause code *14 with the reason 1"),
    (67, "wrong", "unknown key; known here: agents, api,"),
]


def test_all_faults_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text(BROKEN)
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path / "broken.toml")
    found = caught.value.problems
    assert [(problem.line, problem.path) for problem in found] == [(line, path) for line, path, _ in EXPECTED]
    for problem, (_, _, words) in zip(found, EXPECTED, strict=True):
        assert words in problem.message
    shown = str(caught.value)
    assert "boris-secret" not in shown
    line = "broken.toml:26: queues.sales.strategy: 'longest-idel' is not a strategy; known: "
    assert any(
        each.startswith(line) and "did you mean 'longest-idle'?" in each for each in shown.splitlines()
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = ", "cc.toml:1: not valid TOML: Invalid value"),
        ("[queues.a]\n\n[queues.a]\n", "cc.toml:3: not valid TOML: Cannot declare"),
        ("[sip]\nrealm = 'x\n", "cc.toml:2: not valid TOML"),
        ('language = "en"\n[sip]\nlisten = [', "cc.toml:3: not valid TOML"),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    [line] = problems(tmp_path, text)
    assert line.startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[sip]\nlisten = "udp:127.0.0.1:5060"', "cc.toml:2: sip.listen: must be a list, such as ['udp:127"),
        ('[sip]\ndigest = ["SHA256"]', "cc.toml:2: sip.digest.0: must be 'MD5' or 'SHA-256', not 'SHA256'"),
        ('[agents."a b"]', "cc.toml:1: agents.a b: 'a b' cannot stand here: letters, digits and _ . + -,"),
        (
            '[sip]\nlisten = ["udp:0.0.0.0:5060"]\n[media]\naddress = "127.0.0.1"',
            "cc.toml:4: media.address: 127.0.0.1 is reached from this machine only, but SIP listens on",
        ),
        (
            '[sip]\nlisten = ["udp:[::]:5060"]\n[media]\nipv6_address = "::1"',
            "cc.toml:4: media.ipv6_address: ::1 is reached from this machine only, but SIP listens on",
        ),
        (
            '[media]\naddress = "2001:db8::1"',
            "cc.toml:2: media.address: 2001:db8::1 is an IPv6 address; give it as media.ipv6_address",
        ),
        (
            '[media]\nipv6_address = "192.0.2.1"',
            "cc.toml:2: media.ipv6_address: 192.0.2.1 is an IPv4 address; give it as media.address",
        ),
        (
            '[sip]\nlisten = ["udp:[::1]:5060"]\n[media]\nendpoint_processes = 1',
            "cc.toml:4: media.endpoint_processes: pjsua2 processes speak SIP over IPv4 with",
        ),
        (
            '[sip]\nlisten = ["udp:::1:5060"]',
            "cc.toml:2: sip.listen.0: 'udp:::1:5060': an IPv6 address stands",
        ),
        (
            '[sip]\nlisten = ["udp:127.0.0.1:40001"]',
            "cc.toml:2: sip.listen.0: port 40001 is inside media.ports",
        ),
        ("[sip]\nlisten = []", "cc.toml:2: sip.listen: "),
        ('[sip]\nlisten = ["ws:localhost:80"]', "cc.toml:2: sip.listen.0: 'ws:localhost:80': 'localhost' is"),
        (
            '[sip]\norigins = ["https://phone.example.com/"]',
            "cc.toml:2: sip.origins.0: 'https://phone.example.com/' is no origin of a web page: scheme://host",
        ),
        ("[sip]\nmin_expires_s = 4000", "cc.toml:1: sip.default_expires_s: must lie between"),
        ('[media]\nports = "40001-40003"', "cc.toml:2: media.ports: '40001-40003': begin with an even port"),
        ('[media]\nports = "40000-40003"\nworkers = 3', "cc.toml:2: media.ports: 40000-40003 has 2 pairs"),
        (f'[api]\nsocket = "/tmp/{"x" * 120}"', "cc.toml:2: api.socket: "),
        ('[prompts]\nmusic = "none.wav"', "cc.toml:2: prompts.music: "),
        ('[queues.a]\nmusic = "none.wav"', "cc.toml:2: queues.a.music: "),
        (
            '[media]\nports = "40000-40007"\nworkers = 3',
            "cc.toml:2: media.ports: 40000-40007 has 4 pairs of ports for 3 workers; give each two at least",
        ),
        (
            '[feature_codes]\nlogin = "*1a"',
            "cc.toml:2: feature_codes.login: '*1a' cannot stand here: keys of a",
        ),
        (
            "[feature_codes]\nlogin = 11",
            'cc.toml:2: feature_codes.login: must be a string: write it in quotes, "11"',
        ),
        ('[extensions."2 1"]\npassword = "x"', "cc.toml:1: extensions.2 1: "),
        ('[extensions."*11"]\npassword = "x"', "cc.toml:1: extensions.*11: is a feature code too"),
        (
            '[feature_codes]\nlogin = "*13"',
            "cc.toml:2: feature_codes.login: *13 is the code of 'ready' already",
        ),
        ('[pauses]\nreasons = ["a", "b", "a"]', "cc.toml:2: pauses.reasons.2: 'a' is listed twice"),
        (
            '[peers.a]\naddress = "pbx.example.com"',
            "cc.toml:2: peers.a.address: 'pbx.example.com' is not an IP",
        ),
        (
            '[queues.a]\n[[routes]]\nnumber = "1"\nto = "peer:x"',
            "cc.toml:4: routes.0.to: there is no peer 'x'",
        ),
        ('[queues.a]\n[[routes]]\nnumber = "1"', "cc.toml:2: routes.0.to: is missing"),
        ("[queues.a]\nwait_s = inf\n", "cc.toml:2: queues.a.wait_s: unknown key"),
        ("[queues.a]\nmax_wait_s = inf\n", "cc.toml:2: queues.a.max_wait_s: "),
        ("extensions = 5", "cc.toml:1: extensions: must be a valid table, not 5"),
        ("[flows.a]\nstart = 'x'\n", "cc.toml:1: flows.a.nodes: is missing"),
    ],
)
def test_faults_one_by_one(tmp_path: Path, text: str, problem: str) -> None:
    found = problems(tmp_path, text)
    assert any(line.startswith(problem) for line in found), found


def test_a_value_without_quotes_is_told_in_one_plain_line(tmp_path: Path) -> None:
    assert problems(tmp_path, "[agents.z]\nextension = 301\n") == [
        'cc.toml:2: agents.z.extension: must be a string: write it in quotes, "301"'
    ]
    [line] = problems(tmp_path, "[extensions.5]\npassword = 1234\ncontact = 'sip:192.0.2.1'\n")
    assert line == "cc.toml:2: extensions.5.password: must be a string: write it in quotes"
    [line] = problems(
        tmp_path, "[flows.a]\nstart = 'x'\nlanguage = 'English'\nnodes.x = { type = 'hangup' }\n"
    )
    assert line == "cc.toml:3: flows.a.language: 'English' is not a language tag such as en, ru or en-GB"


def test_agents_do_not_share_a_phone(tmp_path: Path) -> None:
    text = '[extensions.1]\npassword = "x"\n[agents.a]\nextension = "1"\n[agents.b]\nextension = "1"\n'
    [line] = problems(tmp_path, text)
    assert line.startswith("cc.toml:6: agents.b.extension: extension 1 is 'a''s already")


def test_queues_that_refuse_into_each_other(tmp_path: Path) -> None:
    text = """\
    [queues.a]
    max_length = 1
    overflow = "queue:b"
    [queues.b]
    join_empty = "no"
    overflow_empty = "flow:back"
    [flows.back]
    start = "q"
    nodes.q = { type = "queue", queue = "a" }
    """
    found = problems(tmp_path, text)
    assert [line.split(": ")[1] for line in found] == ["queues.a.overflow", "queues.b.overflow_empty"]
    # Where nobody is refused at once, the same overflows are a usual arrangement.
    assert problems(tmp_path, text.replace("max_length", "missed_limit")) == []


def test_a_caller_who_never_gets_past_a_wider_route(tmp_path: Path) -> None:
    routes = """
    [sip]
    guests = true
    [queues.a]
    [[routes]]
    number = "6*"
    to = "queue:a"
    {first}
    [[routes]]
    number = "60*"
    to = "queue:a"
    {second}
    """
    assert problems(tmp_path, routes.format(first="", second=""))
    assert problems(tmp_path, routes.format(first="guests = true", second=""))
    assert not problems(tmp_path, routes.format(first="", second="guests = true"))


@pytest.mark.parametrize(
    ("number", "instead"),
    [
        ("_8XX", "write '8*' (8 and any rest)"),
        ("_9011.", "write '9011*'"),
        ("_X.", "write '*' (any number)"),
        ("_900", "write '900'"),
        ("8*0", "'*' stands for any rest only as the last character; write '8*'"),
        ("*0199", "only as the last character; write the numbers one by one"),
        ("8**", "write '8*'"),
    ],
)
def test_patterns_that_are_none_here(tmp_path: Path, number: str, instead: str) -> None:
    text = f'[queues.a]\n[[routes]]\nnumber = "{number}"\nto = "queue:a"'
    [line] = problems(tmp_path, text)
    assert line.startswith("cc.toml:3: routes.0.number: ") and instead in line


@pytest.mark.parametrize("number", ["*", "8*", "*98", "*21*", "#9", "_ops", "+7800*"])
def test_numbers_of_routes(tmp_path: Path, number: str) -> None:
    assert problems(tmp_path, f'[queues.a]\n[[routes]]\nnumber = "{number}"\nto = "queue:a"') == []


def test_queues_that_lead_into_each_other_after_a_time_are_allowed(tmp_path: Path) -> None:
    text = '[queues.a]\nmax_wait_s = 9\noverflow_timeout = "queue:b"\n[queues.b]\noverflow = "queue:a"'
    assert problems(tmp_path, text) == []


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(LocalError, match=r"does not exist|cannot be read"):
        load(tmp_path / name)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "cc.toml").write_bytes(b'language = "en"\n# \xff\n')
    with pytest.raises(ConfigErrors, match=r"cc\.toml:2: the byte 0xff"):
        load(tmp_path / "cc.toml")


SECTIONS = [
    "sip",
    "media",
    "prompts",
    "extensions",
    "agents",
    "queues",
    "flows",
    "routes",
    "peers",
    "pauses",
    "x",
]
VALUES = st.recursive(
    st.one_of(
        st.booleans(), st.integers(-5, 70000), st.sampled_from(["", "a", "queue:a", "flow:a", "@back", "*"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["a", "b", "nodes", "type", "start", "to", "number", "queues"]), inner, max_size=3
        ),
    ),
    max_leaves=12,
)


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{key}" = {toml(inner)}' for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(SECTIONS), VALUES, max_size=5))
def test_any_file_is_right_or_told_what_is_wrong(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in data.items()))
    try:
        load(path)
    except ConfigErrors as errors:
        assert errors.problems
        assert all(problem.message and problem.line for problem in errors.problems)


@pytest.mark.parametrize(
    ("text", "address", "ipv6_address"),
    [
        ("", "127.0.0.1", ""),
        ('[sip]\nlisten = ["udp:192.0.2.5:5060"]', "192.0.2.5", ""),
        ('[sip]\nlisten = ["udp:127.0.0.1:5060", "udp:192.0.2.5:5060"]', "192.0.2.5", ""),
        ('[sip]\nlisten = ["udp:127.0.0.1:5060", "tcp:[2001:db8::1]:5060"]', "127.0.0.1", "2001:db8::1"),
        ('[sip]\nlisten = ["udp:[::1]:5060", "tcp:[2001:db8::1]:5060"]', "", "2001:db8::1"),
        ('[sip]\nlisten = ["udp:0.0.0.0:5060"]', "0.0.0.0", ""),
        ('[sip]\nlisten = ["udp:0.0.0.0:5060"]\n[media]\naddress = "192.0.2.6"', "192.0.2.6", ""),
        ('[media]\nipv6_address = "2001:db8::2"', "127.0.0.1", "2001:db8::2"),
    ],
)
def test_audio_comes_to_where_sip_is_unless_told_otherwise(
    tmp_path: Path, text: str, address: str, ipv6_address: str
) -> None:
    path = tmp_path / "cc.toml"
    path.write_text(text)
    config = load(path)
    assert (config.media_address, config.media_ipv6_address) == (address, ipv6_address)
