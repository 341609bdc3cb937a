"""Orders as one unit of the writer: keys looked up, transfers planned, answers kept with their keys in the same transaction.

Each order stands alone: one that is refused leaves the others as they are. What was answered to a key before is answered again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs, service_day
from ledger.errors import HoldExceeded, HoldUnknown, KeyReused
from ledger.orders import store
from ledger.orders.answers import Answer, done, not_posted, refused, short
from ledger.orders.blocked import BlockedWallets, takes_from
from ledger.orders.holds import find_hold, kind_of
from ledger.orders.order import Act
from ledger.orders.refunds import GivenBack, Refund, columns_of
from ledger.orders.tables import order_answers, refunds
from ledger.problems import CARD_BLOCKED, problem_of
from ledger.transfer import Flag, Result, Transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.chart import AccountId
    from ledger.errors import LedgerError, RequestRefused
    from ledger.orders.order import Order
    from ledger.transaction import Posted, PostedRows, Transaction

FORGOTTEN: Final = 100
"""Old answers that a unit forgets, besides two for each that it adds: so they go faster than they come, and no commit waits long."""
KEPT_MS: Final = 7 * 86_400_000
"""How long an answer is kept: a week, longer than any sender tries again."""
_BLOCKED: Final = "the card is blocked: its wallet pays nothing"


@dataclass(slots=True)
class Planned:
    """An order's part of its unit: its transfer and where it stands, or the answer that it has already."""

    order: Order
    at: int = 0
    transfer: Transfer | None = None
    answer: Answer | LedgerError | None = None
    is_new: bool = True


class Orders:
    """Implements `ledger.writer.Unit`; its answer is one `Answer` or LedgerError an order."""

    def __init__(
        self, orders: Sequence[Order], blocked: BlockedWallets | None = None, *, clears: bool = False
    ) -> None:
        self.document = b""
        self._blocked = BlockedWallets() if blocked is None else blocked
        self._planned = [Planned(order) for order in orders]
        self._given_back: GivenBack | None = None
        self.clears = clears
        self.forgot = 0

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The transfers of the orders whose keys are new."""
        since = UnixMs(tx.received_at - KEPT_MS)
        if self.clears:
            self.forgot = store.forget_answers(tx.connection, since, FORGOTTEN + 2 * len(self._planned))
        known = store.find_answers(tx.reading, [one.order.caller.name for one in self._planned])
        late = [name for name, row in known.items() if row.received_at < since]
        if late:
            store.forget_these(tx.connection, late)
        transfers: list[Transfer] = []
        blocked = self._blocked.now(tx.reading)
        self._given_back = GivenBack(tx.reading)
        for one in self._planned:
            kept = known.get(one.order.caller.name)
            if kept is not None and kept.received_at >= since:
                one.is_new = False
                one.answer = _again(one.order, kept)
                continue
            one.answer = self.barred(one.order, blocked)
            if one.answer is not None:
                continue
            try:
                one.at, one.transfer = len(transfers), self._transfer(one.order, tx)
            except (HoldUnknown, HoldExceeded) as error:
                one.answer = refused(problem_of(error))
            else:
                transfers.append(one.transfer)
        return transfers

    def barred(self, order: Order, blocked: frozenset[AccountId]) -> Answer | LedgerError | None:
        """What is said to an order before the books are asked; None where nothing is against it."""
        if isinstance(order, Refund) and order.paid is not None and self._given_back is not None:
            return self._given_back.take(order.paid, order.amount)
        return refused(CARD_BLOCKED.problem(_BLOCKED)) if takes_from(order, blocked) else None

    def answered(
        self, order: Order, transfer: Transfer, posted: Posted, tx: Transaction
    ) -> Answer | LedgerError:
        """What is said to an order that the books were asked for."""
        return _answered(order, transfer, posted, tx)

    @property
    def planned_orders(self) -> list[Order]:
        """The orders that have a transfer, in its order."""
        return [one.order for one in self._planned if one.transfer is not None]

    def settle(self, posted: PostedRows, tx: Transaction) -> list[Answer | LedgerError]:
        """Answer each order, and keep the answers of new keys."""
        answers = []
        said = []
        became = list(posted)
        back = []
        for one in self._planned:
            if one.transfer is not None:
                done = became[one.at]
                one.answer = self.answered(one.order, one.transfer, done, tx)
                if isinstance(one.order, Refund) and done.result is Result.POSTED:
                    back.append((one.order, done.position))
            if one.is_new and isinstance(one.answer, Answer):
                caller = one.order.caller
                answers.append(
                    store.AnswerRow(
                        *caller.name, caller.fingerprint, tx.received_at, one.answer.status, one.answer.body
                    )
                )
                said.append([*caller.name, caller.fingerprint.hex(), one.answer.status])
        if said:
            tx.add(order_answers, store.columns_of(answers))
            told = {"orders": said, **self._refunded(back, tx)}
            self.document = json.dumps(told, separators=(",", ":")).encode()
        return [one.answer for one in self._planned if one.answer is not None]

    @staticmethod
    def _refunded(back: list[tuple[Refund, int]], tx: Transaction) -> dict[str, list[list[int]]]:
        """Keep which payment each refund gives back; the chain's document says it too: [refund, payment] by position."""
        if not back:
            return {}
        columns = columns_of(back)
        tx.add(refunds, columns)
        return {"refunds": [[position, one.paid.position] for one, position in back if one.paid is not None]}

    def _transfer(self, order: Order, tx: Transaction) -> Transfer:
        now = tx.received_at
        if order.act in {Act.CAPTURE, Act.VOID}:
            return _resolving(order, tx)
        until = now + order.seconds * 1000 if order.act is Act.HOLD else 0
        flags = Flag.PENDING if order.act is Act.HOLD else Flag.NONE
        return Transfer(
            order.debit, order.credit, order.amount, order.kind, now, service_day(now), flags, until
        )


def _answered(order: Order, transfer: Transfer, posted: Posted, tx: Transaction) -> Answer:
    is_taken = order.act is not Act.CREDIT
    wallet = posted.debited if is_taken else posted.credited
    if posted.result is Result.EXCEEDS_CREDITS and is_taken:
        return refused(short(transfer.amount, wallet))
    if posted.result is Result.BLOCKED:
        return refused(CARD_BLOCKED.problem(_BLOCKED))
    if posted.result is not Result.POSTED:
        return refused(not_posted(posted.result))
    return done(order, transfer, posted.position, wallet, tx)


def _again(order: Order, kept: store.AnswerRow) -> Answer | RequestRefused:
    """What was said to this key before, byte for byte, where the request is the same one."""
    if kept.fingerprint != order.caller.fingerprint:
        return KeyReused(f"the key {kept.key} stands for another request: take a new one for new work")
    return Answer(kept.status, kept.body)


def _resolving(order: Order, tx: Transaction) -> Transfer:
    """The transfer that captures a hold, whole or in part, or gives it back; raises HoldUnknown, HoldExceeded."""
    held, _ = find_hold(tx, order.hold, order.caller.client)
    if order.amount > held.amount:
        raise HoldExceeded(f"the hold is {held.amount} sen, and {order.amount} were asked")
    now = tx.received_at
    flag = Flag.VOID_PENDING if order.act is Act.VOID else Flag.POST_PENDING
    amount = order.amount or held.amount
    return Transfer(held.debit, held.credit, amount, kind_of(held), now, service_day(now), flag, order.hold)
