"""Orders as one unit of the writer: keys looked up, transfers planned, answers kept with their keys in the same transaction.

Each order stands alone: one that is refused leaves the others as they are. What was answered to a key before is answered again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs, service_day
from ledger.chart import Code, split
from ledger.errors import HoldExceeded, HoldUnknown, KeyReused, RequestRefused
from ledger.orders import store
from ledger.orders.answers import Answer, Wallet, done, not_posted, refused, short
from ledger.orders.holds import find_hold
from ledger.orders.order import Act
from ledger.orders.tables import order_answers
from ledger.problems import problem_of
from ledger.transfer import Flag, Result, Transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.money import Sen
    from ledger.chart import AccountId
    from ledger.orders.order import Order
    from ledger.transaction import Posted, PostedRows, Transaction

KEPT_MS: Final = 7 * 86_400_000
"""How long an answer is kept: a week, longer than any sender tries again."""


@dataclass(slots=True)
class Planned:
    """An order's part of its unit: transfers from `first` on, or the answer that it has already."""

    order: Order
    first: int = 0
    transfers: tuple[Transfer, ...] = ()
    answer: Answer | RequestRefused | None = None
    is_new: bool = True


class Orders:
    """Implements `ledger.writer.Unit`; its answer is one `Answer` or RequestRefused an order."""

    def __init__(self, orders: Sequence[Order], *, clears: bool = False) -> None:
        self.document = b""
        self._planned = [Planned(order) for order in orders]
        self._clears = clears
        self._wallets: dict[AccountId, Wallet] = {}

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The transfers of the orders whose keys are new."""
        since = UnixMs(tx.received_at - KEPT_MS)
        if self._clears:
            store.forget_answers(tx.connection, since)
        known = store.find_answers(tx.reading, [one.order.caller.name for one in self._planned])
        late = [name for name, row in known.items() if row.received_at < since]
        if late:
            store.forget_these(tx.connection, late)
        transfers: list[Transfer] = []
        for one in self._planned:
            kept = known.get(one.order.caller.name)
            if kept is not None and kept.received_at >= since:
                one.is_new = False
                one.answer = _again(one.order, kept)
                continue
            one.first = len(transfers)
            try:
                one.transfers = self._transfers(one.order, tx)
            except (HoldUnknown, HoldExceeded) as error:
                one.answer = refused(problem_of(error))
            transfers += one.transfers
        return transfers

    def settle(self, posted: PostedRows, tx: Transaction) -> list[Answer | RequestRefused]:
        """Answer each order, and keep the answers of new keys."""
        answers = []
        said = []
        became = list(posted)
        for one in self._planned:
            if one.answer is None:
                one.answer = self._answered(one, became[one.first : one.first + len(one.transfers)], tx)
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
            self.document = json.dumps({"orders": said}, separators=(",", ":")).encode()
        return [one.answer for one in self._planned if one.answer is not None]

    def _transfers(self, order: Order, tx: Transaction) -> tuple[Transfer, ...]:
        if order.act in {Act.CAPTURE, Act.VOID}:
            return self._resolved(order, tx)
        self._meet(_wallet_side(order.debit, order.credit), tx)
        flags = Flag.PENDING if order.act is Act.HOLD else Flag.NONE
        return (_transfer(order, order.debit, order.credit, order.amount, tx, flags),)

    def _resolved(self, order: Order, tx: Transaction) -> tuple[Transfer, ...]:
        """A hold captured whole or in part, or given back; a part is the hold given back and the part taken, linked."""
        held = _held(order, tx)
        self._meet(held.debit, tx)
        if order.act is Act.VOID or order.amount in {0, held.amount}:
            flag = Flag.VOID_PENDING if order.act is Act.VOID else Flag.POST_PENDING
            return (replace(held, flags=flag),)
        back = replace(held, flags=Flag.VOID_PENDING | Flag.LINKED)
        return back, replace(held, amount=order.amount, flags=Flag.NONE, hold=0)

    def _meet(self, wallet: AccountId, tx: Transaction) -> None:
        """Note a wallet's sums before the first order of this unit that changes it."""
        if wallet not in self._wallets:
            sums = tx.balance(wallet)
            self._wallets[wallet] = Wallet(sums.credits_posted - sums.debits_posted, sums.debits_pending)

    def _answered(self, one: Planned, posted: Sequence[Posted], tx: Transaction) -> Answer:
        wallet = self._wallets[_wallet_side(one.transfers[0].debit, one.transfers[0].credit)]
        for transfer, result in zip(one.transfers, posted, strict=True):
            if result.result is Result.EXCEEDS_CREDITS:
                return refused(short(transfer.amount, wallet.posted - wallet.held))
            if result.result not in {Result.POSTED, Result.LINKED_FAILED}:
                return refused(not_posted(result.result))
        for transfer in one.transfers:
            wallet.move(*_moves(transfer))
        return done(one.order, posted[-1], one.transfers[-1].amount, wallet, tx)


def _again(order: Order, kept: store.AnswerRow) -> Answer | RequestRefused:
    """What was said to this key before, byte for byte, where the request is the same one."""
    if kept.fingerprint != order.caller.fingerprint:
        return KeyReused(f"the key {kept.key} stands for another request: take a new one for new work")
    return Answer(kept.status, kept.body)


def _held(order: Order, tx: Transaction) -> Transfer:
    """The hold that an order names, as it would be completed; raises HoldUnknown, HoldExceeded."""
    held = find_hold(tx.reading, order.hold, order.caller.client)
    if order.amount > held.amount:
        raise HoldExceeded(f"the hold is {held.amount} sen, and {order.amount} were asked")
    now = tx.received_at
    return Transfer(held.debit, held.credit, held.amount, held.kind, now, service_day(now), hold=order.hold)


def _transfer(
    order: Order, debit: AccountId, credit: AccountId, amount: Sen, tx: Transaction, flags: Flag
) -> Transfer:
    return Transfer(debit, credit, amount, order.kind, tx.received_at, service_day(tx.received_at), flags)


def _wallet_side(debit: AccountId, credit: AccountId) -> AccountId:
    return debit if split(debit).code is Code.WALLET else credit


def _moves(transfer: Transfer) -> tuple[int, int]:
    """How a transfer changes its wallet: what is posted, what is held."""
    amount = transfer.amount
    if split(transfer.debit).code is not Code.WALLET:
        return amount, 0
    if transfer.flags & Flag.PENDING:
        return 0, amount
    if transfer.flags & Flag.POST_PENDING:
        return -amount, -amount
    return (0, -amount) if transfer.flags & Flag.VOID_PENDING else (-amount, 0)
