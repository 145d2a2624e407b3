"""What the process keeps of its memory."""

from __future__ import annotations

import platform
import subprocess
import sys

FAULTS_OF_FREED_ARRAYS = """
import resource
import numpy as np
from media.io.memory import keep_memory

assert keep_memory() is {kept}

def work():
    for _ in range(5):
        several = [np.ones(1 << 21, np.uint8) for _ in range(4)]

work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_memory_of_large_arrays_is_used_again() -> None:
    """In a process of its own, as it cannot be undone."""
    kept = platform.libc_ver()[0] == "glibc"
    code = FAULTS_OF_FREED_ARRAYS.format(kept=kept)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not kept or int(done.stdout) < 100, "20 times 5 times 4 arrays of 2 MB have 200 000 pages"
