"""Write the generated pages of docs/, or say (`--check`) which of them are out of date.

Each page has one function without arguments that gives its text; a page is never edited by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PAGES: Mapping[str, str] = {
    "docs/configuration.md": "softswitch.config.reference:markdown",
    "docs/menus.md": "scripts.menus_page:page",
}
"""Page -> `module:function`."""


def _text(function: str) -> str:
    module, _, name = function.partition(":")
    generate: Callable[[], str] = getattr(import_module(module), name)
    return generate()


def main(arguments: list[str]) -> int:
    """0 if all is well; 1 if `--check` found a page that differs; 2 for wrong usage."""
    if arguments not in ([], ["--check"]):
        print("usage: gen_docs.py [--check]", file=sys.stderr)
        return 2
    sys.path.insert(0, str(ROOT))
    stale = 0
    for page, function in PAGES.items():
        path = ROOT / page
        text = _text(function)
        if path.is_file() and path.read_text() == text:
            continue
        if arguments:
            print(f"{page} is out of date; run scripts/gen_docs.py", file=sys.stderr)
            stale = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {page}")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
