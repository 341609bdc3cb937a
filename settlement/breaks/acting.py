"""A unit of the ledger's writer that does one thing to some breaks, and writes it into their histories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from settlement.breaks import store
from settlement.breaks.kept import (
    TEXT_CHARACTERS_MAX,
    What,
)
from settlement.breaks.proposals.unit import found_break
from settlement.errors import BreakRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.breaks.kept import KeptBreak
    from settlement.people import Person

    Do = Callable[[KeptBreak, "Act", Transaction], Any]
    Check = Callable[[KeptBreak, Transaction], None]

MANY_MAX: Final = 500
"""Breaks of one bulk action."""


def said_text(text: str) -> str:
    """A text for others to read, trimmed; raises BreakRefused where it is empty or too long."""
    if not 0 < len(text.strip()) <= TEXT_CHARACTERS_MAX:
        raise BreakRefused(f"a text of 1 to {TEXT_CHARACTERS_MAX} characters is needed: others will read it")
    return text.strip()


@dataclass(slots=True)
class Act:
    """A unit that does one thing to some breaks, and writes it into their histories."""

    break_ids: tuple[str, ...]
    by: Person
    do: Do
    check: Check | None
    document: bytes = b""
    _found: tuple[KeptBreak, ...] = ()

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Look the breaks up and check each; moves no money. Raises BreakUnknown, and what the check raises."""
        if not 0 < len(self.break_ids) <= MANY_MAX:
            raise BreakRefused(f"choose 1 to {MANY_MAX} breaks")
        known = store.known(tx.reading, self.break_ids)
        self._found = tuple(found_break(known.get(key), key) for key in self.break_ids)
        for found in self._found:
            if self.check is not None:
                self.check(found, tx)
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> None:
        """Do it to each."""
        for found in self._found:
            self.do(found, self, tx)

    def note(self, found: KeptBreak, what: What, said: str, tx: Transaction, digest: str = "") -> None:
        """Write what was done into a break's history; `digest` is of an attached file."""
        store.note(tx.connection, found.break_id, what, said, self.by, tx.received_at, digest)
