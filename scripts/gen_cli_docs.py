"""Write docs/cli.md from the command line itself; `--check` says whether it is right (exit code 1: no)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

sys.path.insert(0, str(Path(__file__).parents[1]))

from cli.main import app

TARGET = Path(__file__).parents[1] / "docs" / "cli.md"

HEAD = """# The command `cc`

<!-- Made by scripts/gen_cli_docs.py from the program itself; do not edit. -->

`cc COMMAND --help` says the same in the terminal. `softswitch` is another name of the same program.

- **Which call centre**: the configuration named by `-c FILE`, else by `$CC_CONFIG`, else `./cc.toml`, else
  `/etc/cc/cc.toml`. From it come the control socket (`[api] socket`) and the database (`[store] path`).
- **Exit codes**: 0 done; 1 failed (no server running, unknown name, refused); 2 wrong usage or configuration;
  130 interrupted. What failed is one line on stderr that says what to do.
- **`--json`**: the types of docs/api.md, indented. Times are epoch seconds and durations seconds; tables have
  local time and m:ss.
- **Times** on the command line: `2026-12-31`, `'2026-12-31 23:30'`, `23:30`, `today`, `yesterday`, `90m`,
  `2h`, `7d` (ago), or epoch seconds; local time unless they name a zone.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_sections("cc", get_command(app)))


def _sections(path: str, command: Any) -> Iterator[str]:
    subcommands = getattr(command, "commands", None)
    if subcommands is not None:
        if path != "cc":
            yield f"\n## `{path}`\n\n{_prose(command.help)}\n"
        for name, sub in subcommands.items():
            yield from _sections(f"{path} {name}", sub)
        return
    level = "##" if path.count(" ") == 1 else "###"
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [
        param for param in command.params if param.param_type_name == "option" and param.name != "help"
    ]
    usage = " ".join([path, *(_argument(param) for param in arguments)])
    yield f"\n{level} `{usage}`\n\n{_prose(command.help)}\n"
    rows = [(f"`{_argument(param)}`", param) for param in arguments]
    rows += [(f"`{_option(param)}`", param) for param in options]
    if rows:
        yield "\n| | |\n|---|---|\n"
        yield from (f"| {name} | {_help(param)} |\n" for name, param in rows)


def _argument(param: Any) -> str:
    name = (param.metavar or param.name.upper()).strip("[]")
    return name if param.required else f"[{name}]"


def _option(param: Any) -> str:
    names = ", ".join([*param.opts, *param.secondary_opts])
    if param.is_flag:
        return names
    return f"{names} {param.metavar or param.name.upper()}".replace("|", "\\|")


def _help(param: Any) -> str:
    text = _prose(getattr(param, "help", "") or "").replace("|", "\\|")
    default = param.default
    if default in (None, "", False) or param.required or callable(default):
        return text
    return f"{text} Default: `{default}`."


def _prose(text: str | None) -> str:
    return " ".join((text or "").split())


def main() -> int:
    """Write, or compare."""
    text = page()
    if "--check" in sys.argv[1:]:
        if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
            return 0
        print(f"{TARGET} is not up to date: run scripts/gen_cli_docs.py", file=sys.stderr)
        return 1
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
