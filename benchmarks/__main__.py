"""Run every benchmark (or the named ones) and write the results: `python -m benchmarks [--quick] [NAME ...]`.

Results are written only when all of them ran: a table with holes would be taken for the whole.
"""

from __future__ import annotations

import importlib
import sys

from benchmarks.harness import MissingPeerError, Row, line, write

BENCHMARKS = (
    # First what needs a privilege: whoever lacks it is told at once.
    *("kernel_relay", "signalling", "queue_members", "relay", "srtp", "mix", "prompt", "record", "webrtc"),
    *("dtmf", "memory", "jitter", "conceal", "codecs", "acd", "sip_parse"),
)


def main(arguments: list[str]) -> int:
    """Exit status: 0 all ran, 1 a benchmark failed, 2 an unknown name."""
    quick = "--quick" in arguments
    names = [argument for argument in arguments if argument != "--quick"] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names:
        try:
            found: list[Row] = importlib.import_module(f"benchmarks.{name}").run(quick=quick)
        except MissingPeerError as missing:
            print(f"{name}: {missing}", file=sys.stderr)
            return 1
        for row in found:
            print(line(row), flush=True)
        rows += found
    if set(names) == set(BENCHMARKS) and not quick:
        write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
