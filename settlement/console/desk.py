"""What the console's pages stand on: the ledger, who takes part, the staff's office, and a writer that logs what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from settlement.staff import store as staff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import Clock
    from ledger.book import Ledger
    from ledger.cardholder.disputes import Disputes
    from ledger.store import Database
    from ledger.transaction import Unit
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.night.running import Night
    from settlement.participants import Participants
    from settlement.staff.log import Said
    from settlement.staff.office import StaffOffice


@dataclass(frozen=True, slots=True)
class Desk:
    """The rooms of one city that staff work in."""

    ledger: Ledger
    participants: Participants
    office: StaffOffice
    night: Night
    clock: Clock
    disputes: Disputes

    @property
    def database(self) -> Database:
        """Where everything is kept."""
        return self.ledger.database

    def bank(self, code: int) -> str:
        """A bank as people call it."""
        bank = self.participants.banks.get(code)
        return bank.name if bank else f"bank {code:04d}"

    def do(self, unit: Unit, said: Said) -> Any:
        """Have the ledger's writer do something, and log it in the same transaction: both hold, or neither.

        Raises what the unit raises; then nothing was done.
        """
        return self.ledger.writer.submit(Logged(unit, said)).result()


class Logged:
    """A unit whose entry in the staff's log stands or falls with it."""

    def __init__(self, unit: Unit, said: Said) -> None:
        self._unit = unit
        self._said = said

    @property
    def document(self) -> bytes:
        """The unit's own."""
        return self._unit.document

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The unit's own plan."""
        return self._unit.plan(tx)  # type: ignore[return-value]

    def settle(self, posted: Sequence[Posted], tx: Transaction) -> Any:
        """Settle the unit, then write the entry."""
        answer = self._unit.settle(posted, tx)  # type: ignore[arg-type]
        staff.append(tx.connection, tx.received_at, self._said)
        return answer
