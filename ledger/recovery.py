"""After a commit that failed: looking whether it is in the journal, and going on from what is.

Nobody guesses. The lease is renewed first, which waits until the transaction whose end nobody saw has ended in the database; then its
block is there or it is not. Where it is not, the balances are rebuilt from the journal, as a start does it.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from ledger import store
from ledger.errors import (
    DatabaseAway,
    DatabaseDamaged,
    DiskFailed,
    LeaseLost,
    NotWritten,
    OutcomeUnknown,
    StorageError,
    UnitFailed,
)
from ledger.opening import start
from ledger.tail import check_last
from ledger.windows import CutOff, Windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledger.engine import Engine
    from ledger.group import Group
    from ledger.journal import Block
    from ledger.lease import Lease
    from ledger.opening import Start
    from ledger.store import Database
    from ledger.transaction import Unit

FAULTS_MAX: Final = 1000
"""Documents at fault that are remembered; past that the memory starts afresh."""
ANSWER_SECONDS_MAX: Final = 5
"""How long those who wait for an answer wait for a database that is away."""
_PAUSE_SECONDS_MIN: Final = 0.02
_PAUSE_SECONDS_MAX: Final = 1.0

_log = structlog.get_logger("ledger")


@dataclass(frozen=True, slots=True)
class State:
    """Where a journal stands: its balances, its closed windows, its last block."""

    engine: Engine
    windows: Windows
    last: Block | None
    started: Start


def state_of(database: Database, cut_off: CutOff) -> State:
    """Where the journal of a database stands; raises DatabaseDamaged, StorageError."""
    with database.transaction() as connection:
        last = store.last_block(connection)
        windows = Windows(store.read_windows(connection), cut_off)
        check_last(connection, last)
        engine, started = start(connection, last)
    return State(engine, windows, last, started)


class Behind(BaseException):
    """The commit before failed: no plan may catch this and go on."""


@dataclass(slots=True)
class Broken:
    """A group that did not end well, and why."""

    group: Group
    error: BaseException

    @property
    def for_good(self) -> bool:
        """True where this process must not go on: what the disk holds is not known, or another server writes."""
        return is_final(self.error) or not isinstance(self.error, (Exception, Behind))

    @property
    def is_a_fault(self) -> bool:
        """True where this software is at fault, not the database."""
        return isinstance(self.error, Exception) and not isinstance(self.error, StorageError)

    def fail(self, why: BaseException) -> None:
        """Tell its units that they are not in the journal; the one at fault, where it is known, that it is at fault."""
        again = NotWritten(f"a commit failed ({why}): nothing of this was written, send it again")
        again.__cause__ = why
        self.group.answers = [again] * len(self.group.taken)
        if self.group.culprit is not None:
            said = f"this cannot be written ({type(self.error).__name__}: {self.error}): keep it, and ask for help"
            failed = UnitFailed(said)
            failed.__cause__ = self.error
            self.group.answers[self.group.taken.index(self.group.culprit)] = failed
        self.group.resolve()


class Faults:
    """Documents that this process cannot write: the same bytes again are refused at once, and cost nobody else a try."""

    def __init__(self) -> None:
        self._errors: dict[bytes, UnitFailed] = {}

    def check(self, unit: Unit) -> None:
        """Raise UnitFailed for bytes that are known to fail."""
        if self._errors and unit.document:
            error = self._errors.get(hashlib.sha256(unit.document).digest())
            if error is not None:
                raise error

    def note(self, broken: Broken) -> None:
        """Remember the unit at fault, where it is known and has a document."""
        culprit = broken.group.culprit
        if culprit is None or not culprit.unit.document:
            return
        error = culprit.answer.exception()
        if isinstance(error, UnitFailed):
            if len(self._errors) >= FAULTS_MAX:
                self._errors.clear()
            self._errors[hashlib.sha256(culprit.unit.document).digest()] = error


@dataclass(frozen=True, slots=True)
class Found:
    """The group that is in the journal after all, and where the journal stands where balances are ahead of it."""

    written: Group | None
    state: State | None


class Recovery:
    """Finds out, with patience, what became of a group that was sent, and where the journal stands."""

    def __init__(self, database: Database, lease: Lease, cut_off: CutOff) -> None:
        self._database = database
        self._lease = lease
        self._cut_off = cut_off

    def look(self, broken: Sequence[Broken], away: Callable[[StorageError], None]) -> Found:
        """What became of groups that did not end well, waiting for the database as long as it takes.

        `away` is told each time that it is still away, and raises where nobody waits any longer. Raises LeaseLost, DiskFailed,
        DatabaseDamaged.
        """
        pause = _PAUSE_SECONDS_MIN
        while True:
            try:
                return self._found(broken)
            except StorageError as error:
                if is_final(error):
                    raise
                away(error)
            time.sleep(pause)
            pause = min(2 * pause, _PAUSE_SECONDS_MAX)

    def _found(self, broken: Sequence[Broken]) -> Found:
        self._lease.renew()
        written = next((one.group for one in broken if one.group.sent and self._finds(one.group)), None)
        applied = [one.group for one in broken if one.group.taken and one.group is not written]
        return Found(written, state_of(self._database, self._cut_off) if applied else None)

    def _finds(self, sent: Group) -> bool:
        if sent.block is None:
            return False
        with self._database.transaction() as connection:
            found = store.read_block(connection, sent.block.block)
        if found is not None and found.digest != sent.block.digest:
            raise LeaseLost(f"block {found.block} was written by another server: this one has stopped")
        _log.warning("commit looked for", block=sent.block.block, written=found is not None)
        return found is not None


def is_final(error: BaseException) -> bool:
    """True for what no waiting mends."""
    return isinstance(error, (LeaseLost, DiskFailed, DatabaseDamaged))


def unknown(why: BaseException) -> OutcomeUnknown:
    """What is said to those who cannot be kept waiting any longer."""
    return OutcomeUnknown(
        f"the database went away in the middle of a commit ({why}): whether this was written is known once it is back; "
        "send the same again then"
    )


def gone(why: BaseException) -> DatabaseAway:
    """What is said to those who come while the database takes no writes."""
    return DatabaseAway(
        f"nothing of this was begun: {why}; the ledger goes on by itself, come back in a moment"
    )
