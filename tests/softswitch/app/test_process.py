"""The process's limits, asked of a process of its own, so that this one stays as it is."""

import subprocess
import sys
from ipaddress import ip_address

from softswitch.app.process import told_address

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


def test_peers_are_told_an_address_that_they_can_reach() -> None:
    assert told_address("192.0.2.5") == "192.0.2.5"
    assert told_address("192.0.2.5", "203.0.113.1") == "203.0.113.1"
    assert told_address("0.0.0.0", "203.0.113.1") == "203.0.113.1"
    assert told_address("2001:db8::1", "203.0.113.1") == "2001:db8::1", "an external address has one family"
    for everywhere in ("0.0.0.0", "::"):
        told = ip_address(told_address(everywhere))
        assert not told.is_unspecified and told.version == ip_address(everywhere).version
