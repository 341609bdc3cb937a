"""What is said to an order: bytes that are kept with its key, and given again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.orders.order import Act
from ledger.problems import NOT_POSTED, SHORT

if TYPE_CHECKING:
    from ledger.balance import Balance
    from ledger.orders.order import Order
    from ledger.problems import Problem
    from ledger.transaction import Transaction
    from ledger.transfer import Result, Transfer

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


def short(amount: int, wallet: Balance) -> Problem:
    """That a wallet holds less than is asked."""
    left = available(wallet)
    return SHORT.problem(f"the wallet can give {left} sen, and {amount} were asked", available=left)


def available(wallet: Balance) -> int:
    """What a wallet can still give, in sen."""
    return wallet.credits_posted - wallet.debits_posted - wallet.debits_pending


def told_of(wallet: Balance) -> dict[str, int]:
    """A wallet as an answer tells it, in sen."""
    posted = wallet.credits_posted - wallet.debits_posted
    return {"posted": posted, "held": wallet.debits_pending, "available": available(wallet)}


def not_posted(result: Result) -> Problem:
    """That the books refuse an order."""
    name = result.name.lower()
    return NOT_POSTED.problem(f"the books refuse it: {name.replace('_', ' ')}", result=name)


def done(order: Order, transfer: Transfer, position: int, wallet: Balance, tx: Transaction) -> Answer:
    """An order that is in the books; the wallet as it stands right after it."""
    # Whole numbers and words of ours alone, so that nothing has to be escaped.
    until = transfer.hold if order.act is Act.HOLD else 0
    body = (
        f'{{"act":"{order.act.value}","position":{position},"hold":{order.hold or "null"},"amount":{transfer.amount},'
        f'"received_at":{tx.received_at},"business_date":{tx.business_date},"expires_at":{until or "null"},'
        f'"wallet":{{"posted":{wallet.credits_posted - wallet.debits_posted},"held":{wallet.debits_pending},'
        f'"available":{available(wallet)}}}}}'
    )
    return Answer(CREATED, body.encode())
