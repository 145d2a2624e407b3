"""The running switch in one process with its test: started wholly or not at all, stopped in order."""

import asyncio
import io
import os
import signal
import socket
import sqlite3
import sys
from pathlib import Path

import pytest

from softswitch.api.client import ApiClient
from softswitch.api.control import Refused
from softswitch.app import Server
from softswitch.config import Config, load
from softswitch.errors import LocalError
from softswitch.log import configure
from softswitch.net.media_link import MediaLink
from tests.support.ports import free_port, free_rtp_port

TEXT = """
[sip]
listen = ["udp:127.0.0.1:{port}", "tcp:127.0.0.1:{port}"]

[media]
address = "127.0.0.1"
ports = "{first}-{last}"
workers = 1

[store]
path = "cc.db"

[api]
socket = "cc.sock"

[prompts]
cache = "prompts"

[extensions.201]
password = "secret"

[agents.anna]
extension = "201"
queues = ["sales"]

[agents.nomad]
queues = ["sales"]

[queues.sales]
"""


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the switch says itself, spoken once for all tests here."""
    return tmp_path_factory.mktemp("prompts")


@pytest.fixture
def config(tmp_path: Path, prompts: Path) -> Config:
    path = tmp_path / "cc.toml"
    first = free_rtp_port(4)
    text = TEXT.format(port=free_port(), first=first, last=first + 7)
    path.write_text(text.replace('"prompts"', f'"{prompts}"'))
    return load(path)


def kinds(config: Config) -> list[str]:
    """The log."""
    database = sqlite3.connect(config.store.path)
    found = [kind for (kind,) in database.execute("SELECT kind FROM events ORDER BY id")]
    database.close()
    return found


async def test_start_and_stop(config: Config) -> None:
    server = Server(config)
    await server.start()
    assert len(server.listeners) == 2
    status = await asyncio.to_thread(ApiClient(config.api.socket).get, "status")
    assert status["listeners"] == list(server.listeners) and status["calls_active"] == 0
    await server.stop()
    assert kinds(config) == ["SYSTEM_START", "SYSTEM_STOP"]
    assert not config.api.socket.exists()
    second = Server(config)
    await second.start()
    await second.stop()
    assert kinds(config) == ["SYSTEM_START", "SYSTEM_STOP"] * 2


@pytest.mark.parametrize("taken", ["sip", "socket", "media"])
async def test_a_start_that_fails_leaves_nothing(config: Config, taken: str) -> None:
    """Whatever is in the way: one error that names it, and all that was opened before is free again."""
    port = int(config.sip.listen[0].rsplit(":", 1)[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as blocker, socket.socket(socket.AF_UNIX) as owner:
        if taken == "sip":
            blocker.bind(("127.0.0.1", port))
        elif taken == "socket":
            owner.bind(str(config.api.socket))
            owner.listen()
        else:
            bad = config.media.model_copy(update={"ports": "40000-40001"})
            config = config.model_copy(update={"media": bad})
        with pytest.raises(
            LocalError, match={"sip": str(port), "socket": "cc.sock", "media": "40000"}[taken]
        ):
            await Server(config).start()
    if taken == "media":
        return
    config.api.socket.unlink(missing_ok=True)
    server = Server(config)
    await server.start()
    await server.stop()


async def test_a_start_that_speaks_says_so_first(config: Config, tmp_path: Path) -> None:
    file = tmp_path / "cc.toml"
    file.write_text(file.read_text().replace(str(config.prompts.cache), "fresh"))
    config = load(file)
    told = []
    for _ in range(2):
        lines = io.StringIO()
        configure("info", "json", lines)
        try:
            server = Server(config)
            await server.start()
            await server.stop()
        finally:
            configure()
        told.append([line for line in lines.getvalue().splitlines() if "making prompts" in line])
    assert [len(lines) for lines in told] == [1, 0]
    assert '"texts":' in told[0][0]


OPTIONS = """\
OPTIONS sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/{} 127.0.0.1:9;branch=z9hG4bK1;rport
From: <sip:a@127.0.0.1>;tag=1
To: <sip:127.0.0.1>
Call-ID: 1
CSeq: 1 OPTIONS
Max-Forwards: 70
Content-Length: 0

"""


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
async def test_what_comes_during_the_start_is_answered_after_it(
    config: Config, kind: socket.SocketKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a stream nobody says anything twice: a REGISTER that was lost is missed for half a minute."""
    begun, said, open_media = asyncio.Event(), asyncio.Event(), MediaLink.open

    async def begin(media: MediaLink) -> None:
        begun.set()
        await said.wait()
        await open_media(media)

    monkeypatch.setattr(MediaLink, "open", begin)
    server, loop = Server(config), asyncio.get_running_loop()
    starting = asyncio.create_task(server.start())
    await begun.wait()
    with socket.socket(socket.AF_INET, kind) as phone:
        phone.setblocking(False)
        await loop.sock_connect(phone, ("127.0.0.1", int(config.sip.listen[0].rsplit(":", 1)[1])))
        name = "TCP" if kind is socket.SOCK_STREAM else "UDP"
        await loop.sock_sendall(phone, OPTIONS.format(name).replace("\n", "\r\n").encode())
        said.set()
        await starting
        try:
            async with asyncio.timeout(10):
                answer = await loop.sock_recv(phone, 4096)
        finally:
            await server.stop()
    assert answer.startswith(b"SIP/2.0 200 ")


async def test_administrators(config: Config) -> None:
    """Commands that cannot be obeyed say why, and what to do."""
    server = Server(config)
    await server.start()
    try:
        control = server.control
        control.agent_login("anna", None, "cli")
        assert [(view.name, view.state) for view in control.agents()] == [
            ("anna", "unreachable"),
            ("nomad", "logged out"),
        ]
        assert control.status().agents == {"unreachable": 1, "logged out": 1}
        with pytest.raises(Refused, match="no phone of his own"):
            control.agent_login("nomad", None, "cli")
        with pytest.raises(Refused, match="no extension 999"):
            control.agent_login("nomad", "999", "cli")
        with pytest.raises(LocalError, match="logged in there"):
            control.agent_login("nomad", "201", "cli")
        with pytest.raises(LocalError, match="no live call"):
            control.hangup("nobody", "cli")
        control.agent_pause("anna", "lunch", "cli")
        assert control.agents()[0].reason == "lunch"
        control.agent_pause("anna", "3", "cli")
        assert control.agents()[0].reason == "training"
        control.agent_pause("anna", "", "cli")
        assert control.agents()[0].reason == ""
        for unknown in ("holiday", "4", "0", "12"):
            with pytest.raises(Refused, match=f"no reason '{unknown}'.*use 1 break, 2 lunch, 3 training, or"):
                control.agent_pause("anna", unknown, "cli")
        control.agent_ready("anna", "cli")
        control.agent_logout("anna", "cli")
        assert [queue.name for queue in control.queues()] == ["sales"]
        assert list(control.calls()) == [] and control.call("x") is None
        (worker,) = control.status().media
        assert worker.alive and worker.pid > 0
    finally:
        await server.stop()
    found = kinds(config)
    assert found.count("AGENTLOGIN") == found.count("AGENTLOGOFF") == 1


async def test_a_run_that_died_and_a_worker_that_died_are_told(config: Config) -> None:
    server = Server(config)
    await server.start()
    server.control.agent_login("anna", None, "cli")
    server.worker_lost(99, "killed by a test")
    status = server.control.status()
    assert (status.media_lost, status.media_lost_reason) == (1, "killed by a test")
    assert status.media_lost_at is not None and status.media_lost_at >= status.started_at
    await server.stop()
    with sqlite3.connect(config.store.path) as database:  # as if the switch had been killed before that
        database.execute("DELETE FROM events WHERE kind IN ('AGENTLOGOFF', 'SYSTEM_STOP')")
    database.close()
    lines = io.StringIO()
    configure("info", "json", lines)
    try:
        second = Server(config)
        await second.start()
        await second.stop()
    finally:
        configure()
    assert "the last run did not end in order" in lines.getvalue()
    assert '"agents":1' in lines.getvalue()


async def test_signals(config: Config, tmp_path: Path) -> None:
    """SIGHUP reads the configuration again; SIGTERM ends in order."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", "serve", "-c", str(tmp_path / "cc.toml")),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None

    async def told(words: str) -> None:
        assert process.stderr is not None
        while words not in (line := (await process.stderr.readline()).decode()):
            assert line, f"ended without {words!r}"

    try:
        async with asyncio.timeout(50):
            await told("= ready")
            process.send_signal(signal.SIGHUP)
            await told("= reloaded by=SIGHUP")
            process.terminate()
            await process.stderr.read()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert kinds(config) == ["SYSTEM_START", "CONFIGRELOAD", "SYSTEM_STOP"]


async def test_a_reload_that_the_core_refuses_changes_nothing_around_it(config: Config) -> None:
    file = config.api.socket.parent / "cc.toml"
    text = file.read_text()
    server = Server(config, lambda: load(file))
    await server.start()
    await asyncio.to_thread(ApiClient(config.api.socket).post, "agents", "anna", "login", body={"by": "test"})
    file.write_text(
        text.replace("[agents.anna]", "[agents.anne]") + '[webhooks.crm]\nurl = "http://127.0.0.1:1/"\n'
    )
    with pytest.raises(LocalError, match="anna cannot be removed"):
        await server.reload("test")
    assert server._outside._webhooks._hooks == {}
    assert server.control._config is server._config is config
    file.write_text(text + '[webhooks.crm]\nurl = "http://127.0.0.1:1/"\n[queues.gold]\n')
    await server.reload("test")
    assert list(server._outside._webhooks._hooks) == ["crm"] and "gold" in server._thresholds
    await server.stop()
    with pytest.raises(LocalError, match="being stopped"):
        await server.reload("test")


EVERYTHING = """
time_zone = "Europe/Moscow"
[mailboxes.desk]
extensions = ["201"]
[calendars.never]
[lists.vip]
numbers = ["+74951234567"]
[clients.acme]
numbers = ["700"]
queues = ["sales"]
[databases.bank]
path = "bank.db"
[services.crm]
url = "http://127.0.0.1:1/"
[[routes]]
name = "vips"
number = "600"
when = { list = "vip", not_calendar = "never" }
to = "voicemail:desk"
guests = true
"""


async def test_a_reload_takes_over_every_section_that_is_not_of_the_start(config: Config) -> None:
    file = config.api.socket.parent / "cc.toml"
    server = Server(config, lambda: load(file))
    await server.start()
    api = ApiClient(config.api.socket)
    assert await asyncio.to_thread(api.get, "mailboxes") == []
    table, _, rest = EVERYTHING.partition("[mailboxes")
    text = file.read_text().replace("[sip]\n", "[sip]\nguests = true\n", 1)
    file.write_text(f"{table}{text}[mailboxes{rest}")
    assert (await server.reload("test")).restart_needed == ()
    (box,) = await asyncio.to_thread(api.get, "mailboxes")
    assert (box["name"], box["extensions"]) == ("desk", ["201"])

    async def lead(number: str) -> dict[str, object]:
        question = {"from_number": "+74951234567", "to_number": number}
        found = await asyncio.to_thread(lambda: api.post("route", "try", body=question))
        return {key: found.get(key, "") for key in ("to", "rule", "client")}

    assert await lead("600") == {"to": "voicemail:desk", "rule": "vips", "client": ""}
    assert (await lead("700"))["client"] == "acme"
    lookups = server._outside._lookups
    assert (list(lookups._databases), list(lookups._services)) == (["bank"], ["crm"])
    offset_s = server._switch.hub.settings.utc_offset_s
    assert offset_s(1_700_000_000.0) == 3 * 3600
    assert server._effects._speech._config().mailboxes.keys() == {"desk"}
    await server.stop()
