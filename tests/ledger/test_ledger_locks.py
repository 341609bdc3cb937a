"""Other processes beside a ledger in a file: they come, look, write a little and go, and nothing that the server commits is lost."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from ledger.book import Ledger
from ledger.store import Database
from tests.ledger.entries import transfer

if TYPE_CHECKING:
    from tests.ledger.entries import SetClock

COUNT = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM transfers').fetchone()[0])"


def counted_elsewhere(database: Database) -> int:
    """How many transfers a process of its own sees; it is gone afterwards, its connection with it."""
    ran = subprocess.run(
        [sys.executable, "-c", COUNT, str(database.path)], capture_output=True, text=True, check=True
    )
    return int(ran.stdout)


def test_law_04_a_process_that_comes_and_goes_takes_no_commit_of_the_servers_away(
    sqlite_url: str, clock: SetClock
) -> None:
    database = Database(sqlite_url)
    database.check()  # as the city does before the ledger looks again
    with Ledger.open(database, clock) as ledger:
        database.check()
        for posted in range(1, 4):
            ledger.post([transfer(uid=7, tmc=posted)])
            assert counted_elsewhere(database) == posted
            assert database.path.with_name(database.path.name + "-wal").exists()
