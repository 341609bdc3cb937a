"""Connections that many threads open at once: each notes its own handle, and none brings the process down."""

from __future__ import annotations

import subprocess
import sys

OPEN_AT_ONCE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from ledger.bulk.native import Native
import sqlite3

native, together = Native.find(), Barrier(8)
assert native is not None

def opens(_):
    together.wait()
    seen = []
    for _ in range(150):
        connection, handle = native.connect(lambda: sqlite3.connect(":memory:"))
        seen.append(handle)
        connection.close()
    return all(seen)

with ThreadPoolExecutor(8) as pool:
    print(all(pool.map(opens, range(8))))
"""


def test_threads_that_open_connections_at_once_note_their_own_handles() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPEN_AT_ONCE], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr[-300:]
