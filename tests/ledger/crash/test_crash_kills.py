"""kill -9 of the ledger, and of PostgreSQL under it, at random moments under load from several clients."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from ledger.book import Ledger
from tests.ledger.crash.books import Books
from tests.ledger.crash.conftest import kills

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tests.ledger.crash.cluster import Cluster
    from tests.ledger.crash.nursery import Nursery, Victim

DELAY_SECONDS_MAX = 0.15
ROUND = 10
"""Kills of one ledger: its journal is read whole after each."""


def started(nursery: Nursery, books: Books) -> tuple[Victim, list[bytes]]:
    """A server that posts, and its first answer."""
    victim = nursery.start("post", url=books.url, first=books.first)
    assert victim.line() == b"open\n"
    return victim, [victim.line()]


def check_crash(nursery: Nursery, books: Books, strike: Callable[[], None], delay: float) -> None:
    """One run under load: something strikes, the ledger is killed, and its books are looked at."""
    victim, said = started(nursery, books)
    time.sleep(delay)
    strike()
    books.told(said + victim.kill())
    books.check()


def nothing() -> None:
    """Nothing but the ledger itself is killed."""


def file_ledger(folder: Path, number: int) -> str:
    url = f"sqlite:///{folder / f'ledger-{number}.db'}"
    Ledger.create(url).close()
    return url


@pytest.mark.slow
def test_law_04_a_ledger_in_a_file_killed_at_any_moment_keeps_what_it_answered_for(
    nursery: Nursery, tmp_path: Path, dice: random.Random, killed: Callable[[int], None]
) -> None:
    count = kills(0.3)
    for number in range(count):
        if number % ROUND == 0:
            books = Books(file_ledger(tmp_path, number))
        check_crash(nursery, books, nothing, dice.uniform(0, DELAY_SECONDS_MAX))
    killed(count)


@pytest.mark.slow
def test_law_04_a_ledger_on_postgresql_killed_at_any_moment_keeps_what_it_answered_for(
    nursery: Nursery, cluster: Cluster, dice: random.Random, killed: Callable[[int], None]
) -> None:
    count = kills(0.2)
    for number in range(count):
        if number % ROUND == 0:
            books = Books(cluster.ledger())
        check_crash(nursery, books, nothing, dice.uniform(0, DELAY_SECONDS_MAX))
    killed(count)


@pytest.mark.slow
def test_law_04_a_postgresql_killed_under_the_ledger_keeps_what_was_answered_for(
    nursery: Nursery, cluster: Cluster, dice: random.Random, killed: Callable[[int], None]
) -> None:
    def strike(number: int) -> None:
        if number % 2:
            cluster.kill_backend(dice.choice(cluster.backends()))
        else:
            cluster.kill()
            cluster.start()

    count = kills(0.25)
    for number in range(count):
        if number % ROUND == 0:
            books = Books(cluster.ledger())
        check_crash(nursery, books, partial(strike, number), dice.uniform(0, DELAY_SECONDS_MAX))
    killed(count)
