"""What is said to an order: bytes that are kept with its key, and given again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.problems import NOT_POSTED, SHORT

if TYPE_CHECKING:
    from ledger.orders.order import Order
    from ledger.problems import Problem
    from ledger.transaction import Posted, Transaction
    from ledger.transfer import Result

CREATED: Final = 201


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body: of an order that was posted, or a problem."""

    status: int
    body: bytes

    @property
    def is_problem(self) -> bool:
        """True where nothing moved."""
        return self.status != CREATED


def refused(problem: Problem) -> Answer:
    """A problem as an answer."""
    return Answer(problem.status, problem.encoded())


def short(amount: int, left: int) -> Problem:
    """That a wallet holds less than is asked."""
    return SHORT.problem(f"the wallet can give {left} sen, and {amount} were asked", available=left)


def not_posted(result: Result) -> Problem:
    """That the books refuse an order."""
    name = result.name.lower()
    return NOT_POSTED.problem(f"the books refuse it: {name.replace('_', ' ')}", result=name)


def done(order: Order, posted: Posted, amount: int, wallet: Wallet, tx: Transaction) -> Answer:
    """An order that is in the books; the wallet as it stands right after it."""
    # Whole numbers and words of ours alone, so that nothing has to be escaped.
    body = (
        f'{{"act":"{order.act.value}","position":{posted.position},"hold":{order.hold or "null"},"amount":{amount},'
        f'"received_at":{tx.received_at},"business_date":{tx.business_date},"wallet":{{"posted":{wallet.posted},'
        f'"held":{wallet.held},"available":{wallet.posted - wallet.held}}}}}'
    )
    return Answer(CREATED, body.encode())


@dataclass(slots=True)
class Wallet:
    """A wallet's sums while a unit's orders change it one by one, in sen."""

    posted: int
    held: int

    def move(self, posted: int, held: int) -> None:
        """An order changed it."""
        self.posted += posted
        self.held += held
