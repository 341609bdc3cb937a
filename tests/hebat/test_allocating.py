"""Memory that a server frees and needs again at once stays with it."""

from __future__ import annotations

import subprocess
import sys

ROUNDS = """
import resource
from hebat.allocating import keep_memory
{}
def work():
    return [bytearray(b"x") * (5 << 20) for _ in range(4)]
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_got(first: str) -> int:
    """How many pages a process had the system clear for it, in rounds that need 20 MB each and free them."""
    told = [sys.executable, "-c", ROUNDS.format(first)]
    return int(subprocess.run(told, check=True, capture_output=True, text=True, timeout=60).stdout)


def test_what_is_freed_and_needed_again_is_not_got_from_the_system_anew() -> None:
    assert 10 * pages_got("keep_memory()") < pages_got("")
