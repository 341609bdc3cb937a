"""Put fares right: a correction is another transfer, between the operator and the card's issuer; one that no longer holds is reversed, then posted anew.

The chip has paid what it has paid, so its purse stays as it is: the issuer answers for its card, and settles with the operator in the window in which the
correction is made (laws 7 and 9).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keys.clock import UnixMs, service_day
from keys.money import Sen, sen_of
from ledger.chart import AccountId, Code, account_id, issuer_of, purse, split
from ledger.journeys import store
from ledger.journeys.store import CorrectionRow
from ledger.transfer import Flag, Kind, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.journeys.fares import Ride, Wanted
    from ledger.transaction import PostedRows, Transaction


@dataclass(frozen=True, slots=True)
class Target:
    """A tap, the operator of its ride, and what its fare is to be corrected by (None: by nothing)."""

    ride: Ride
    operator: int
    wanted: Wanted | None

    @property
    def amount(self) -> Sen:
        """In sen: positive where the ride costs more than the card paid."""
        return sen_of(self.wanted.amount) if self.wanted is not None else Sen(0)


@dataclass(slots=True)
class CorrectFares:
    """The unit for one card; what is corrected already is looked up within it, so that two runs never correct twice."""

    targets: Sequence[Target]
    document: bytes = b""
    _rows: list[CorrectionRow] = field(default_factory=list)

    def plan(self, tx: Transaction) -> list[Transfer]:
        """What takes each tap from the correction that holds to the one that is wanted."""
        self._rows = []
        first = self.targets[0].ride
        known = store.corrections_of(tx.connection, first.partition, first.uid)
        transfers: list[Transfer] = []
        for target in self.targets:
            before = known.get(target.ride.tmc)
            held = before.amount if before is not None else 0
            if held != target.amount:
                moved = [*_moved(target, -held), *_moved(target, target.amount)]
                transfers += [*(_linked(one) for one in moved[:-1]), *moved[-1:]]
                self._rows.append(_row(target, before, tx.received_at))
        return transfers

    def settle(self, _posted: PostedRows, tx: Transaction) -> list[CorrectionRow]:
        """Note what was corrected; the answer is that."""
        store.add_corrections(tx, self._rows)
        return self._rows


def _row(target: Target, before: CorrectionRow | None, at: UnixMs) -> CorrectionRow:
    ride, ordinal = target.ride, before.ordinal + 1 if before is not None else 1
    code = target.wanted.code if target.wanted is not None else "reversed"
    return CorrectionRow(ride.partition, ride.uid, ride.tmc, ordinal, target.amount, code[:64], at)


def _moved(target: Target, amount: int) -> Iterator[Transfer]:
    """The transfer of an amount: from the issuer's suspense to the operator, or back."""
    if not amount:
        return
    issuer, operator = _sides(target)
    debit, credit = (issuer, operator) if amount > 0 else (operator, issuer)
    at = target.ride.occurred_at
    yield Transfer(
        debit, credit, Sen(abs(amount)), Kind.ADJUSTMENT, at, service_day(at), Flag.NONE, uid=target.ride.uid
    )


def _sides(target: Target) -> tuple[AccountId, AccountId]:
    account = purse(target.ride.transaction.identity.card_number)
    partition = split(account).partition
    return (
        account_id(Code.SUSPENSE, partition, issuer_of(account)),
        account_id(Code.OPERATOR_PAYABLE, partition, target.operator),
    )


def _linked(one: Transfer) -> Transfer:
    return Transfer(
        one.debit,
        one.credit,
        one.amount,
        one.kind,
        one.occurred_at,
        one.service_day,
        Flag.LINKED,
        uid=one.uid,
    )
