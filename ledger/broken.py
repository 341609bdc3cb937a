"""Groups whose commit did not end well: what that means, what their senders are told, and which documents are at fault."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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

if TYPE_CHECKING:
    from ledger.group import Group
    from ledger.transaction import Unit

FAULTS_MAX: Final = 1000
"""Documents at fault that are remembered; past that the memory starts afresh."""


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
