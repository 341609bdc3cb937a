"""Commits that other threads have under way, in order: one, or two on PostgreSQL, where one connection is one processor core."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from ledger.group import Ahead

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.group import Group

ABREAST: Final = 2
"""Groups that PostgreSQL is given at once. SQLite has one writer."""
ABREAST_ROWS_MIN: Final = 20_000
"""Rows from which a group is sent while another one is: a smaller one gathers company meanwhile, and costs less a row."""


class UnderWay:
    """The groups that are being committed, oldest first; one thread asks for all of it."""

    def __init__(self, *, alone: bool) -> None:
        self._most = 1 if alone else ABREAST
        self._committers = ThreadPoolExecutor(self._most, "ledger-committer")
        self._groups: deque[Ahead] = deque()

    @property
    def is_idle(self) -> bool:
        """True where all have ended, well or not."""
        return not self._groups or self._groups[-1].ended.done()

    def wait(self, left: int = 0) -> None:
        """Until no more than so many are under way; those before have ended, well or not."""
        while len(self._groups) > left:
            self._groups[0].ended.result()
            self._groups.popleft()

    def make_room(self, group: Group) -> None:
        """Wait until a group may be sent: a large one beside another, a small one after it."""
        self.wait(self._most - 1 if group.row_count >= ABREAST_ROWS_MIN else 0)

    def begin(self, group: Group, commit: Callable[[Group], None]) -> None:
        """Have a group committed by another thread; it is told which group is ahead of it."""
        group.before = self._groups[-1] if self._groups else None
        self._groups.append(Ahead(group, self._committers.submit(commit, group)))

    def close(self) -> None:
        """End the threads, once they have nothing to do."""
        self._committers.shutdown()
