"""What must hold of a ledger's books after any crash."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.store import Database
from ledger.transfer import Flag
from ledger.verify import verify
from tests.ledger.crash import jobs

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from ledger.verify import Verified

    Rows = npt.NDArray[np.void]


@dataclass(frozen=True)
class Answer:
    """What a client was told: its number, which piece of its work, and the positions."""

    client: int
    number: int
    positions: tuple[int, ...]

    @classmethod
    def read(cls, line: bytes) -> Answer:
        """One line of `jobs.post`; without positions where the ledger could not say what became of it."""
        client, number, *positions = map(int, line.split())
        return cls(client, number, tuple(positions))


@dataclass
class Books:
    """A ledger that is crashed again and again, and all that it ever answered for."""

    url: str
    answered: list[Answer] = field(default_factory=list)
    runs: int = 0

    @property
    def first(self) -> int:
        """The number of the next run's first client: no two runs share a client."""
        return 1 + self.runs * jobs.CLIENTS

    def told(self, lines: Iterable[bytes]) -> None:
        """Take note of what a run's clients were told."""
        self.answered += [Answer.read(line) for line in lines if line[:1].isdigit()]
        self.runs += 1

    def check(self) -> Verified:
        """Open the ledger as a restart does, and look at everything."""
        database = Database(self.url)
        found = verify(database)
        database.close()
        with Ledger.open(self.url, SystemClock()) as ledger:
            assert ledger.rebuild_check() == found.transfers
            rows, balance, balances = ledger.rows(), ledger.trial_balance(), ledger.balances()
        assert balance.debits == balance.credits
        assert sum(one.debits_pending for one in balances.values()) == sum(
            one.credits_pending for one in balances.values()
        )
        assert rows["position"].tolist() == list(range(1, len(rows) + 1))
        self._check_answered(rows)
        self._check_whole(rows)
        return found

    def _check_answered(self, rows: Rows) -> None:
        """Every answer's rows stand where it said."""
        named = [(one.client, one.number, at) for one in self.answered for at in one.positions]
        assert len({at for _, _, at in named}) == len(named)
        at = np.array([at for _, _, at in named], np.int64)
        assert at.max(initial=0) <= len(rows)
        there = rows[at - 1]
        assert there["uid"].tolist() == [client for client, _, _ in named]
        assert there["tmc"].tolist() == [number for _, number, _ in named]

    def _check_whole(self, rows: Rows) -> None:
        """Each piece of work is there once and whole; what was not answered, whole or not at all, and nothing after it."""
        found = Counter(zip(rows["uid"].tolist(), rows["tmc"].tolist(), strict=True))
        unsure = {(one.client, one.number) for one in self.answered if not one.positions}
        last = {client: max(n for c, n in found if c == client) for client in {c for c, _ in found}}
        for (client, number), count in found.items():
            open_hold = number % len(jobs.ROWS) == 2 and count == 1
            cut = open_hold and (number == last[client] or (client, number) in unsure)
            assert count == jobs.rows_of(number) or cut, (client, number, count)
        all_work = {(client, number) for client, newest in last.items() for number in range(1, newest + 1)}
        assert all_work - found.keys() <= unsure
        ended = rows[(rows["flags"] & int(Flag.POST_PENDING | Flag.VOID_PENDING)) > 0]
        assert len(set(ended["hold"].tolist())) == len(ended)
