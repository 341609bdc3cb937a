"""After a commit that failed: its senders are answered, and the writer goes on from where the journal stands, or stops.

`ledger.recovery` finds out where that is. Until then nothing is committed behind it, and nobody is kept waiting longer than is bearable.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from ledger.broken import Behind, Broken, gone, is_final, unknown
from ledger.errors import LeaseLost, LedgerStopped, StorageError

if TYPE_CHECKING:
    from ledger.abreast import UnderWay
    from ledger.backlog import Backlog
    from ledger.broken import Faults
    from ledger.group import Group
    from ledger.recovery import Found, Recovery
    from ledger.standing import Standing

_log = structlog.get_logger("ledger")

ANSWER_SECONDS_MAX: Final = 5
"""How long those who wait for an answer wait for a database that is away."""


class Mending:
    """The groups that did not end well, until it is known what became of them. Any thread notes one; the preparing thread mends."""

    def __init__(
        self, recovery: Recovery, standing: Standing, backlog: Backlog, under_way: UnderWay, faults: Faults
    ) -> None:
        self._recovery = recovery
        self._standing = standing
        self._backlog = backlog
        self._under_way = under_way
        self._faults = faults
        self._broken: list[Broken] = []

    @property
    def is_due(self) -> bool:
        """True where a group did not end well, and nobody looked yet what became of it."""
        return bool(self._broken)

    def check(self) -> None:
        """Raise Behind where it is due: nothing is committed behind a broken group."""
        if self._broken:
            raise Behind

    def note(self, group: Group, error: BaseException) -> None:
        """Take note of a group that did not end well."""
        if len(group.taken) == 1 and not isinstance(error, (StorageError, Behind)):
            group.culprit = group.taken[0]
        self._broken.append(Broken(group, error))
        self._backlog.look()

    def mend(self) -> bool:
        """Find out what became of broken groups, answer their units, and go on from where the journal stands.

        True where this software is at fault and it is not known with which unit: each is to be tried alone.
        """
        self._under_way.wait()
        broken, self._broken = self._broken, []
        for one in broken:
            one.group.abandon(one.error)
        why = next((one.error for one in broken if not isinstance(one.error, Behind)), broken[0].error)
        if any(one.for_good for one in broken):
            self._stop(broken, why)
            return False
        try:
            found = self._found(broken)
        except BaseException as error:  # noqa: BLE001  what cannot be found out here, a restart finds out
            self._stop(broken, error)
            return False
        if found.written is not None:
            found.written.resolve()
        return self._go_on(broken, why)

    def _found(self, broken: list[Broken]) -> Found:
        """What became of them, with everything in this process as the journal has it."""
        wait = partial(self._wait_on, broken, time.monotonic() + ANSWER_SECONDS_MAX)
        while True:
            found = self._recovery.look(broken, wait)
            try:
                if found.state is not None:
                    self._standing.begin_anew(found.state)
                elif found.written is not None:
                    self._standing.show(found.written)
            except StorageError as error:
                if is_final(error):
                    raise
                wait(error)
            else:
                return found

    def _go_on(self, broken: list[Broken], why: BaseException) -> bool:
        self._backlog.keep_out(None)
        for one in broken:
            one.fail(why)
            self._faults.note(one)
        return any(one.is_a_fault and one.group.culprit is None for one in broken)

    def _wait_on(self, broken: list[Broken], until: float, error: StorageError) -> None:
        """The database is still away: nobody is kept waiting longer than is bearable."""
        if self._backlog.away is None and time.monotonic() > until:
            away = gone(error)
            self._backlog.keep_out(away)
            for one in broken:
                if one.group.sent:
                    one.group.fail(unknown(error))
                else:
                    one.fail(error)
            self._backlog.refuse(away)
        if self._backlog.refusing is not None:
            raise error

    def give_up(self, error: BaseException) -> None:
        """The preparing thread itself failed: what is being committed is answered by who commits it, everything else is refused."""
        _log.critical("the writer failed", exc_info=error)
        broken, self._broken = self._broken, []
        self._stop(broken, error, "the writer itself failed")

    def _stop(self, broken: list[Broken], error: BaseException, what: str = "a commit failed") -> None:
        """Refuse everything from now on, and these groups."""
        why = f"{what} ({error}): restart the ledger to rebuild it from its journal"
        stopped = LeaseLost(str(error)) if isinstance(error, LeaseLost) else LedgerStopped(why)
        stopped.__cause__ = error
        self._backlog.stop(stopped)
        for one in broken:
            one.group.fail(stopped)
