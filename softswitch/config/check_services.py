"""Look-ups and listening as far as they can be tried at the start: the statement fits the database, the
words are in the recogniser's dictionary.

Invariant: as in `checks`. A database that is not there yet is no fault: it may be made later.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from ivr.flow import suggest
from ivr.nodes.listen import Listen
from ivr.nodes.lookup import Lookup
from softswitch.config.draft import Draft, Fault
from softswitch.errors import LocalError
from softswitch.lookups import sql
from softswitch.speech.dictionary import unknown_words


def check_services(draft: Draft) -> Iterator[Fault]:
    """All nodes of these two types."""
    for name, flow in draft.config.flows.items():
        for place, node in flow.nodes.items():
            path = ("flows", name, "nodes", place)
            if isinstance(node, Lookup):
                yield from _lookup(draft, path, node)
            elif isinstance(node, Listen):
                yield from _listen(draft, path, node)


def _lookup(draft: Draft, path: tuple[str, ...], node: Lookup) -> Iterator[Fault]:
    database = draft.config.databases.get(node.database)
    if database is None or not database.path.is_file():
        return
    names = {name: "" for _, name in node.reads()}
    try:
        columns = sql.columns(database.path, node.sql, names)
    except LocalError as error:
        yield (*path, "sql"), f"{error}; repair the statement, or the database"
        return
    for variable, column in node.answer.items():
        if column not in columns:
            yield (
                (*path, "answer", variable),
                f"the statement gives no {column!r}; {suggest(column, columns)}",
            )


def _listen(draft: Draft, path: tuple[str, ...], node: Listen) -> Iterator[Fault]:
    if importlib.util.find_spec("pocketsphinx") is None:
        yield (
            path,
            "nobody can listen: pocketsphinx is not installed; pip install pocketsphinx, or use a menu",
        )
        return
    for phrase in node.words:
        for word in unknown_words(phrase, draft.config.speech.pronunciations):
            remedy = f"write how it sounds: speech.pronunciations.{word}, or choose another word"
            yield (*path, "words", phrase), f"the recogniser does not know {word!r}; {remedy}"
