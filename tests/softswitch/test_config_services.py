"""Databases, services, webhooks and words: what is wrong with them is told before the start."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from softswitch.config import Config, ConfigErrors, load

TEXT = """\
[databases.bank]
path = "bank.db"
[databases.later]
path = "later.db"
[services.crm]
url = "https://crm.example/api"
headers = { Authorization = "Bearer s3cret" }
[webhooks.crm]
url = "https://crm.example/told"
secret = "s3cret"
[speech]
pronunciations = { kaffi = "K AE F IY" }
[flows.main]
start = "balance"
[flows.main.nodes.balance]
type = "lookup"
database = "bank"
sql = "SELECT balance FROM accounts WHERE phone = :caller"
answer = { money = "balance" }
found = "ask"
failed = "later"
[flows.main.nodes.later]
type = "lookup"
database = "later"
sql = "SELECT anything FROM anywhere"
found = "ask"
failed = "web"
[flows.main.nodes.web]
type = "lookup"
service = "crm"
url = "/customers/{caller}"
found = "tell"
failed = "tell"
[flows.main.nodes.tell]
type = "webhook"
webhook = "crm"
next = "ask"
[flows.main.nodes.ask]
type = "listen"
prompt = "Kaffi?"
words = { "yes please" = "end", kaffi = "end" }
[flows.main.nodes.end]
type = "hangup"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "bank.db") as connection:
        connection.execute("CREATE TABLE accounts (phone TEXT, balance REAL)")
    connection.close()
    path = tmp_path / "cc.toml"
    path.write_text(TEXT)
    return path


def problem(file: Path, old: str, new: str) -> tuple[int | None, str, str]:
    """The only problem after a change."""
    assert TEXT.count(old) >= 1
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(ConfigErrors) as caught:
        load(file)
    (found,) = caught.value.problems
    assert "s3cret" not in str(found)
    return found.line, found.path, found.message


def test_what_is_right_is_taken(file: Path) -> None:
    config = load(file)
    assert config.databases["bank"].path == file.parent / "bank.db"
    assert "s3cret" not in repr(config) and "s3cret" not in str(config.services) + str(config.webhooks)


def test_a_statement_is_tried_on_the_database(file: Path) -> None:
    line, path, message = problem(file, "SELECT balance", "SELECT balanse")
    assert (line, path) == (18, "flows.main.nodes.balance.sql") and "no such column: balanse" in message
    line, path, message = problem(file, 'sql = "SELECT balance FROM', 'sql = "DELETE FROM')
    assert line == 18
    line, path, message = problem(file, '{ money = "balance" }', '{ money = "balanse" }')
    assert line == 19 and "did you mean 'balance'" in message


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('database = "bank"', 'database = "bnak"', 17, "did you mean 'bank'"),
        ('service = "crm"', 'service = "cmr"', 30, "did you mean 'crm'"),
        ('webhook = "crm"', 'webhook = "cmr"', 36, "did you mean 'crm'"),
        ('"yes please"', '"yes xqzzy"', 41, "does not know 'xqzzy'"),
        ('{ kaffi = "K AE F IY" }', '{ kaffi = "K AE F IY", tee = "tee" }', 12, "phones of the CMU"),
        ('"https://crm.example/api"', '"crm.example"', 6, "not an address"),
        ('"https://crm.example/told"', '"https://a:b@crm.example/"', 9, "write a header"),
        ('"Bearer s3cret"', '"Bearer s3cret\\r\\nX: y"', 7, "one line"),
        ('"Bearer s3cret"', "7", 7, "string"),
        ('secret = "s3cret"', "secret = 12345", 10, "string"),
        ("Authorization =", '"A b" =', 7, "not the name of a header"),
    ],
)
def test_what_is_wrong_has_its_line(file: Path, old: str, new: str, line: int, words: str) -> None:
    found = problem(file, old, new)
    assert found[0] == line and words in found[2] and "12345" not in found[2]


def test_defaults_are_nothing(tmp_path: Path) -> None:
    config = Config.model_validate({}, context={"base": tmp_path, "nodes": {}})
    assert not config.databases and not config.services and not config.webhooks
