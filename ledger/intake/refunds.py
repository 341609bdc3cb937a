"""Give a sale back to the card that paid it: all or a part of it, once, by a terminal of the merchant that took it.

The value goes onto the card as a load does (`ledger.relay`): the ledger speaks to the card itself, and no till holds a key for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from card.batch import RELAYED_FROM
from card.layout import TapKind
from keys.money import Rupiah
from keys.rights import Right
from ledger.errors import BatchMalformed, LoadRefused, TerminalUnknown
from ledger.intake import store as taken
from ledger.intake.authorised import store as authorised
from ledger.intake.authorised.store import CLOSED

if TYPE_CHECKING:
    from card.batch import TapRecord
    from keys.identity import TerminalCertificate
    from ledger.intake.authorised.store import LoadRow
    from ledger.intake.cards.issued import Card
    from ledger.intake.registry import Registry
    from ledger.intake.store import TapRow
    from ledger.writer import Transaction

REASON_CHARS_MAX: Final = 60
VOID: Final = "void"
"""The reason of a sale that is taken back in the shift in which it was made."""
_FIELDS: Final = 3
_NAMED: Final = 2
"""Rules that name a refund's sale have two parts: what it is, and which sale."""


@dataclass(frozen=True, slots=True)
class Sale:
    """The sale that is given back, by its terminal and record, and why."""

    terminal: int
    sequence: int
    reason: str

    @property
    def rules(self) -> tuple[str, ...]:
        """What the refund's record says of it."""
        return ("void" if self.reason == VOID else "refund", f"sale:{self.terminal}-{self.sequence}")


def sale_of(fields: list[Any]) -> Sale:
    """From the last fields of a request [terminal, sequence, reason]; raises BatchMalformed."""
    if (
        len(fields) != _FIELDS
        or type(fields[0]) is not int
        or type(fields[1]) is not int
        or type(fields[2]) is not str
    ):
        raise BatchMalformed("a refund names its sale by terminal and record, and says why")
    terminal, sequence, reason = fields
    if not (0 < terminal < 1 << 32 and 0 < sequence < RELAYED_FROM):
        raise BatchMalformed("a sale has the number of its terminal and of its record: look at the receipt")
    if not (0 < len(reason) <= REASON_CHARS_MAX and reason.isprintable()):
        raise BatchMalformed(f"a reason has 1 to {REASON_CHARS_MAX} letters")
    return Sale(terminal, sequence, reason)


def need_right(certificate: TerminalCertificate) -> None:
    """Raises LoadRefused for a terminal whose certificate does not let it give back."""
    if Right.REFUND not in certificate.rights.kinds:
        raise LoadRefused(
            f"terminal {certificate.terminal} may not give back: its certificate does not say so"
        )


def about_the_same(record: TapRecord, sale: Sale) -> bool:
    """True for a record of a refund of this sale."""
    return record.kind is TapKind.REFUND and record.context.rules[1:_NAMED] == sale.rules[1:]


class Refundable:
    """Decides, within the writer's transaction, what may be given back."""

    def __init__(self, registry: Registry, certificate: TerminalCertificate, card: Card, sale: Sale) -> None:
        self._registry = registry
        self._certificate = certificate
        self._card = card
        self._sale = sale

    def amount(self, asked: Rupiah, tx: Transaction) -> Rupiah:
        """What this refund gives back: what was asked for, or the whole sale for 0. Raises LoadRefused."""
        paid = Rupiah(-self._paid(tx).amount // 100)
        self._need_once(tx)
        if asked > paid:
            raise LoadRefused(f"the sale was {paid} rupiah: no more than that is given back")
        return asked or paid

    def _paid(self, tx: Transaction) -> TapRow:
        sale, card = self._sale, self._card
        found = taken.tap_of_record(tx.connection, card.partition, card.uid, sale.terminal, sale.sequence)
        if found is None or found.kind != TapKind.SALE:
            raise LoadRefused(
                "the books have no such sale of this card: send what waits, look at the receipt, and take the card that paid"
            )
        try:
            owner = self._registry.enrolled(sale.terminal).owner
        except TerminalUnknown:
            owner = 0
        if owner != self._certificate.owner:
            raise LoadRefused("the sale was another merchant's: it is given back there")
        return found

    def _need_once(self, tx: Transaction) -> None:
        for row in authorised.refunds_of(tx.connection, self._sale.terminal, self._sale.sequence):
            if row.state != CLOSED:
                raise LoadRefused("this sale is being given back just now: hold the card again in a moment")
            if self._is_given(row, tx):
                raise LoadRefused("this sale was given back already: it is given back once")

    def _is_given(self, row: LoadRow, tx: Transaction) -> bool:
        number = RELAYED_FROM + row.request
        return (
            taken.tap_of_record(tx.connection, self._card.partition, row.uid, row.terminal, number)
            is not None
        )
