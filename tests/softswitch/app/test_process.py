"""The process's limits, asked of a process of its own, so that this one stays as it is."""

import subprocess
import sys

LIMITS = """
import resource, subprocess, sys
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(64, hard), hard))
from softswitch.app.process import raise_file_limit
raise_file_limit()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
child = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
assert subprocess.check_output([sys.executable, "-c", child], text=True).strip() == str((hard, hard))
"""

COLLECTOR = """
import gc
from softswitch.app.process import COLLECT_AFTER, settle_collector
settle_collector()
assert gc.get_threshold() == COLLECT_AFTER and gc.isenabled() and gc.get_freeze_count() > 0
"""


def _run(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_limit_of_open_files_is_raised_and_inherited() -> None:
    _run(LIMITS)


def test_what_lives_for_ever_is_not_collected_again() -> None:
    _run(COLLECTOR)
