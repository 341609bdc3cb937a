"""What moved in a card's wallet, as its holder sees it: newest first, each refund with the payment that it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs
from keys.money import Sen
from ledger.cardholder.answers import Answer
from ledger.cardholder.reading import wallet
from ledger.chart import split
from ledger.history.book import LINES_MAX, History
from ledger.history.lines.store import row_at
from ledger.transfer import Flag, Kind

if TYPE_CHECKING:
    from ledger.cardholder.acts import Acts
    from ledger.cardholder.answers import Asked
    from ledger.cardholder.room import Room
    from ledger.history.statement import Line
    from ledger.intake.cards.issued import Card

SHOWN: Final = 20
PATH: Final = "/card/wallet"
_KNOWN: Final = frozenset({
    Kind.FARE, Kind.SALE, Kind.LOAD, Kind.REFUND, Kind.PAYOUT, Kind.DEPOSIT, Kind.ADJUSTMENT, Kind.TRANSFER,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Movement:
    """A line that moved money: what it was (its message), how much with its sign, and of a refund the payment's moment and sum (sen)."""

    name: str
    amount: Sen
    at: UnixMs
    paid_at: UnixMs | None = None
    paid: Sen = Sen(0)


def lines_of(room: Room, card: Card, count: int, *, posted: bool = False) -> list[Line]:
    """The newest lines of a card's wallet, at most so many; `posted`: those alone that moved money. What changes its rules is none."""
    history, account = History(room.ledger.database), wallet(card)
    found: list[Line] = []
    cursor = ""
    while len(found) < count:
        page = history.statement(account, cursor=cursor, limit=min(LINES_MAX, 2 * count), newest_first=True)
        found += [
            one for one in page.lines if one.kind != Kind.RULES and not (posted and one.flags & Flag.UNPOSTED)
        ]
        cursor = page.cursor
        if not cursor:
            break
    return found[:count]


def movement_of(room: Room, card: Card, line: Line) -> Movement:
    """A line as the page tells it; a payment from a lost card's wallet is not looked for."""
    name = str(int(line.kind)) if line.kind in _KNOWN else "other"
    told = Movement(
        f"kind-wallet-{name}", Sen(-line.amount if line.is_debit else line.amount), line.received_at
    )
    if not line.refund_of:
        return told
    with room.ledger.database.transaction() as connection:
        row = row_at(connection, split(wallet(card)).partition, line.refund_of)
    if row is None or int(row["debit"]) != wallet(card):
        return told
    return Movement(told.name, told.amount, told.at, UnixMs(int(row["received_at"])), Sen(int(row["amount"])))


class Movements:
    """The page; it asks for a view by PIN."""

    def __init__(self, room: Room, acts: Acts) -> None:
        self._room = room
        self._acts = acts

    def page(self, asked: Asked) -> Answer:
        """What the wallet holds, and what moved last."""
        card = self._acts.may(asked)
        if isinstance(card, Answer):
            return card
        shown = self._room.reading.shown(card)
        moved = [movement_of(self._room, card, one) for one in lines_of(self._room, card, SHOWN, posted=True)]
        return self._acts.page(
            asked, "wallet.html", 200, wallet=shown.wallet, held=shown.leaving + shown.ordered, moved=moved
        )
