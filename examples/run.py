"""Starts one of the examples: makes its database from data.sql, if it has one, and runs `cc serve`.

python examples/run.py bank             run it
python examples/run.py --data bank      only make its database anew
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sqlite3
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def names() -> list[str]:
    """The examples that are complete centres."""
    return sorted(path.parent.name for path in HERE.glob("*/cc.toml"))


def make_data(folder: Path) -> Path | None:
    """var/NAME.db from data.sql in this folder, made anew; None where there is no data.sql."""
    script = folder / "data.sql"
    if not script.exists():
        return None
    target = folder / "var" / f"{folder.name}.db"
    target.parent.mkdir(exist_ok=True)
    target.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(target)) as connection:
        connection.executescript(script.read_text(encoding="utf-8"))
    return target


def main() -> None:
    """Read the command line, and become the switch."""
    parser = argparse.ArgumentParser(description="Run one of the examples.")
    parser.add_argument("name", choices=names())
    parser.add_argument("--data", action="store_true", help="only make its database anew")
    chosen = parser.parse_args()
    folder = HERE / chosen.name
    made = make_data(folder)
    if made is not None:
        print(f"{made.relative_to(HERE.parent)} is made", flush=True)
    if not chosen.data:
        config = str(folder / "cc.toml")
        os.execv(sys.executable, [sys.executable, "-m", "cli.main", "serve", "-c", config])


if __name__ == "__main__":
    main()
