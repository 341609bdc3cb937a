"""A server killed at any moment loses nothing that it answered for."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.store import Database
from ledger.verify import verify

POSTING = """
import sys
from keys.clock import SystemClock
from ledger.book import Ledger
from tests.ledger.entries import OPERATOR, PURSE, SUBSIDY, transfer
from ledger.transfer import Flag

ledger = Ledger.open(sys.argv[1], SystemClock())
start = ledger.head().position // 2
for batch in range(10**6):
    units = []
    for unit in range(7):
        tmc = start + batch * 7 + unit + 1
        fare = transfer(PURSE, OPERATOR, 1, flags=Flag.LINKED, uid=0x0401, tmc=tmc)
        units.append(ledger.writer.submit(ledger.unit([fare, transfer(SUBSIDY, OPERATOR, 2, tmc=tmc)], b"%d" % tmc)))
    for answer in units:
        print(*(one.position for one in answer.result()), flush=True)
"""


def kill_after(program: subprocess.Popen[str], delay: float) -> list[int]:
    """Kill the server that long after its first answer; the positions that it answered for."""
    assert program.stdout is not None
    first = program.stdout.readline()
    time.sleep(delay)
    os.kill(program.pid, signal.SIGKILL)
    lines = [first, *program.stdout]
    program.stdout.close()
    assert program.wait(10) == -signal.SIGKILL
    # The last line may be cut off by the kill: what was not said whole was not said.
    return [int(position) for line in lines if line.endswith("\n") for position in line.split()]


@pytest.mark.slow
def test_law_04_a_kill_at_any_moment_loses_nothing_answered_for(sqlite_url: str) -> None:
    dice = random.Random(4)
    command = [sys.executable, "-c", POSTING, sqlite_url]
    root = Path(__file__).resolve().parents[2]
    answered: list[int] = []
    for _ in range(5):
        program = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
        answered += kill_after(program, dice.uniform(0.0, 0.4))
        assert answered, "the server answered before it was killed"

        database = Database(sqlite_url)
        found = verify(database)
        database.close()
        with Ledger.open(sqlite_url, SystemClock()) as ledger:
            rows = ledger.rows()
            balance = ledger.trial_balance()
            assert ledger.rebuild_check() == found.transfers
        assert rows["position"].tolist() == list(range(1, found.transfers + 1))
        assert set(answered) <= set(rows["position"].tolist())
        assert len(answered) == len(set(answered))
        assert balance.debits == balance.credits == int(rows["amount"].sum())
        # Linked transfers stand together: each counter has its two, and no counter has more.
        counters, times = np.unique(rows["tmc"], return_counts=True)
        assert set(times.tolist()) == {2}
        assert counters.tolist() == list(range(1, len(counters) + 1))
