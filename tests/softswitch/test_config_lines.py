"""The line of every key, in all ways that TOML has to write one."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from softswitch.config.lines import Lines, Path

TEXT = """\
top = 1
a.b."c d" = 2

[tables.one]
x = { y = 1, z = [1, { w = 2 }] }  # a comment
list = [
  1,   # one
  # between
  { deep = true },
]

[[array]]
k = 1

[[array]]
k = 2
[array.sub]
s = 1
[[array.inner]]
i = 1
[[array.inner]]
i = 2
["quoted \\u00e9"]
"q\\n" = 1
"""


def test_every_way_to_write_a_key() -> None:
    lines = Lines(TEXT)
    expected: list[tuple[Path, int]] = [
        (("top",), 1),
        (("a",), 2),
        (("a", "b", "c d"), 2),
        (("tables",), 4),
        (("tables", "one"), 4),
        (("tables", "one", "x", "y"), 5),
        (("tables", "one", "x", "z", 1, "w"), 5),
        (("tables", "one", "list", 0), 7),
        (("tables", "one", "list", 1), 9),
        (("tables", "one", "list", 1, "deep"), 9),
        (("array", 0, "k"), 13),
        (("array", 1), 15),
        (("array", 1, "k"), 16),
        (("array", 1, "sub", "s"), 18),
        (("array", 1, "inner", 0, "i"), 20),
        (("array", 1, "inner", 1, "i"), 22),
        (("quoted \u00e9", "q\n"), 24),
    ]
    assert [(path, lines.line(path)) for path, _ in expected] == expected


def test_what_does_not_stand_there_has_the_line_of_what_should_hold_it() -> None:
    lines = Lines(TEXT)
    assert lines.line(("tables", "one", "missing", "deeper")) == 4
    assert lines.line(("array", 1, "missing")) == 15
    assert lines.line(("nowhere",)) is None
    assert lines.line(()) is None


KEYS = st.sampled_from(["a", "b-c", "1", "\u00e9 x", 'q"\\', "d.e"])
SCALARS = st.one_of(st.integers(0, 9), st.booleans())


@given(st.dictionaries(KEYS, st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), min_size=1))
def test_one_key_a_line(values: dict[str, Any]) -> None:
    def quote(key: str) -> str:
        return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = "".join(f"{quote(key)} = {str(value).lower()}\n" for key, value in values.items())
    assert tomllib.loads(text) == values
    lines = Lines(text)
    assert [lines.line((key,)) for key in values] == list(range(1, len(values) + 1))


@given(st.text(alphabet='a=[]{}"#\n .1,', max_size=60))
def test_no_text_makes_it_fail(text: str) -> None:
    lines = Lines(text)
    assert lines.line(("a", "b")) is None or text
