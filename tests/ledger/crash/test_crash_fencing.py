"""Two servers on one database: the second is refused, and one that lost its lease while it stood still writes nothing more."""

from __future__ import annotations

import signal
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.errors import DatabaseBusy, LeaseLost, StorageError
from ledger.fencing import store as fencing
from ledger.store import Database
from tests.ledger.crash.books import Books
from tests.ledger.crash.test_crash_kills import file_ledger
from tests.ledger.entries import transfer

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.ledger.crash.cluster import Cluster
    from tests.ledger.crash.nursery import Nursery, Victim

PAUSE_SECONDS = 0.2
STRANGER = 9_000
"""The client's number of what the second server posts."""


def number_of(url: str) -> int:
    database = Database(url)
    with database.transaction() as connection:
        found: int = connection.execute(fencing._row(fencing.NUMBER)).scalar_one()
    database.close()
    return found


def lose_file(url: str) -> None:
    """Somebody tidies the lock away."""
    Path(f"{Database(url).path}.lease").unlink()


def lose_connection(cluster: Cluster, url: str) -> None:
    """The connection that holds the lock breaks, and no other."""
    with (
        closing(cluster.connect(str(Database(url).url.database))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchall() == [(True,)]
        while True:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            if cursor.fetchone() == (0,):
                return


def stopped_between_commits(victim: Victim, url: str) -> Ledger:
    """Stop the first server where it is not in the middle of a commit, and open the ledger as the second one."""
    while True:
        victim.signal(signal.SIGSTOP)
        try:
            return Ledger.open(url, SystemClock())
        except DatabaseBusy as error:  # it stood in the middle of one: let it end that
            assert "in the middle of a commit" in str(error)
            victim.signal(signal.SIGCONT)
            time.sleep(PAUSE_SECONDS / 5)


def check_fenced(nursery: Nursery, url: str, lose: Callable[[str], Any], delay: float) -> None:
    """Stop a server, lose its lease, let another take over, and wake the first one up."""
    books = Books(url)
    victim = nursery.start("post", url=url, first=books.first, pause=PAUSE_SECONDS, clients=1)
    assert victim.line() == b"open\n"
    said = [victim.line()]
    with pytest.raises(DatabaseBusy, match="another server"):
        Ledger.open(url, SystemClock())
    time.sleep(delay)
    victim.signal(signal.SIGSTOP)
    lose(url)
    with stopped_between_commits(victim, url) as second:
        head = second.head().position
        second.post([transfer(uid=STRANGER, tmc=1)])
        victim.signal(signal.SIGCONT)
        while not said[-1].startswith(b"! LeaseLost"):
            said.append(victim.line())
        second.post([transfer(uid=STRANGER, tmc=4)])
        time.sleep(2 * PAUSE_SECONDS)
        assert second.rows()["uid"][head:].tolist() == [STRANGER, STRANGER]
    said += victim.kill()
    errors = {line.split(b" (its")[0] for line in said if line.startswith(b"!")}
    assert errors == {b"! LeaseLost: another server has taken the database over"}
    books.told(said)
    with Ledger.open(url, SystemClock()) as ledger:
        assert ledger.rebuild_check() == ledger.head().position
        books._check_answered(ledger.rows())


def test_a_server_that_lost_its_lease_standing_still_writes_nothing_more_into_a_file(
    nursery: Nursery, tmp_path: Path, dice: random.Random
) -> None:
    for number in range(2):
        check_fenced(nursery, file_ledger(tmp_path, number), lose_file, dice.uniform(0, PAUSE_SECONDS / 2))


def test_a_server_that_lost_its_lease_standing_still_writes_nothing_more_into_postgresql(
    nursery: Nursery, cluster: Cluster, dice: random.Random
) -> None:
    for _ in range(2):
        check_fenced(
            nursery,
            cluster.ledger(),
            lambda url: lose_connection(cluster, url),
            dice.uniform(0, PAUSE_SECONDS / 2),
        )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_each_take_over_has_a_number_of_its_own(kind: str, tmp_path: Path, cluster: Cluster) -> None:
    url = file_ledger(tmp_path, 0) if kind == "sqlite" else cluster.ledger()
    numbers = []
    for _ in range(3):
        with Ledger.open(url, SystemClock()):
            numbers.append(number_of(url))
    assert numbers == [1, 2, 3]


def test_who_takes_over_from_a_commit_that_does_not_end_is_told_so(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fencing, "LOCK_SECONDS_MAX", 1)
    url = cluster.ledger()
    with Ledger.open(url, SystemClock()) as first:
        first.post([transfer()])
    with closing(cluster.connect(str(Database(url).url.database))) as standing, standing.cursor() as cursor:
        cursor.execute("SELECT value FROM meta WHERE name = 'fence' FOR SHARE")
        with pytest.raises(DatabaseBusy, match="in the middle of a commit"):
            Ledger.open(url, SystemClock())
    with Ledger.open(url, SystemClock()) as second:
        assert second.post([transfer()])[0].position == 2


def test_a_server_that_stands_in_the_middle_of_a_commit_loses_it_after_a_while(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fencing, "IDLE_SECONDS_MAX", 1)
    url = cluster.ledger()
    first = Ledger.open(url, SystemClock())
    opened = []
    with pytest.raises(StorageError, match="connection"), first.database.writing():  # noqa: PT012  the end of the block raises
        lose_connection(cluster, url)
        opened.append(Ledger.open(url, SystemClock()))
    with opened[0], pytest.raises(LeaseLost):
        first.post([transfer()])
    first.close()
