"""Where people explain what the intake kept: a record that was not posted, or an exception. It moves no money and changes no record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from settlement.breaks.explanations import store
from settlement.breaks.explanations.store import Explanation, Of
from settlement.breaks.kept import TEXT_CHARACTERS_MAX
from settlement.errors import BreakRefused, BreakUnknown
from settlement.people import person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.store import Connection
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.books import Books
    from settlement.people import Person

MANY_MAX: Final = 500
"""Records or exceptions of one act."""


class IntakeDesk:
    """The intake's leavings of one ledger."""

    def __init__(self, ledger: Books) -> None:
        self._ledger = ledger

    def explain(self, chosen: Sequence[tuple[Of, str]], by: str, why: str) -> None:
        """Say of each what it was; all or none. Raises BreakUnknown; BreakRefused where one is explained or settled already."""
        if not 0 < len(why.strip()) <= TEXT_CHARACTERS_MAX:
            raise BreakRefused(
                f"say what it was, in 1 to {TEXT_CHARACTERS_MAX} characters: others will read it"
            )
        if not 0 < len(chosen) <= MANY_MAX:
            raise BreakRefused(f"choose 1 to {MANY_MAX} records or exceptions")
        self._ledger.writer.submit(_Explain(tuple(dict.fromkeys(chosen)), person(by), why.strip())).result()


def _check(connection: Connection, of: Of, key: str) -> None:
    if of is Of.QUARANTINE:
        record = store.quarantined(connection, key)
        if record is not None and record.resolution:
            raise BreakRefused(f"record {key} is {record.resolution} already: nothing is left to explain")
        known = record is not None
    else:
        known = store.raised(connection, key) is not None
    if not known:
        raise BreakUnknown(f"there is no {of.value} {key[:80]}: look for it in the worklist")
    before = store.explanation_of(connection, of, key)
    if before is not None:
        raise BreakRefused(f"{before.who} has explained {of.value} {key} already")


@dataclass(slots=True)
class _Explain:
    chosen: tuple[tuple[Of, str], ...]
    by: Person
    why: str
    document: bytes = b""

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        for of, key in self.chosen:
            _check(tx.reading, of, key)
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> None:
        said = Explanation(self.by, tx.received_at, self.why)
        for of, key in self.chosen:
            store.insert(tx.connection, of, key, said)
