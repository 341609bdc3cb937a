"""Ledger against itself: the trial balance, the engine against the journal, the chain of the window's blocks, and what settling must leave at zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ledger.chart import AccountId, Code, describe
from ledger.closing.chain import check_day
from ledger.errors import DatabaseDamaged
from settlement.items import ORDERS
from settlement.night.books import bank_movements, codes_of
from settlement.night.model import Check, Side, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.book import Ledger
    from ledger.chain.store import Window
    from ledger.store import Connection
    from settlement.items import Item
    from settlement.night.books import Books

_SETTLED = (
    Code.MERCHANT_PAYABLE, Code.OPERATOR_PAYABLE, Code.AGENT_CASH, Code.SUBSIDY_RECEIVABLE, Code.ISSUER_RECEIVABLE,
)  # fmt: skip


def compare(
    ledger: Ledger,
    connection: Connection,
    window: Window,
    books: Books,
    items: Iterable[Item],
    *,
    whole: bool,
) -> list[Check]:
    """The figures of a settled window; each must be zero, and nothing explains one that is not.

    `whole`: balances are rebuilt from the first transfer on, not from where the last night left off.
    """
    trial = ledger.trial_balance()
    blocks, wrong = check_day(connection, window)
    difference = trial.debits - trial.credits
    return [
        Check(Side.BOOKS, "debits less credits", Unit.SEN, difference, len(trial.lines)),
        _engine(ledger, whole=whole),
        Check(
            Side.BOOKS,
            "blocks that do not verify",
            Unit.COUNT,
            len(wrong),
            blocks,
            text="; ".join(wrong[:20]),
        ),
        _left("left to settle", books, _SETTLED),
        _left("between banks", books, (Code.INTERBANK,)),
        _expected(books, items),
    ]


def _engine(ledger: Ledger, *, whole: bool) -> Check:
    """All balances, rebuilt from the journal."""
    said = ""
    try:
        ledger.rebuild_check(whole=whole)
    except DatabaseDamaged as error:
        said = str(error)
    return Check(
        Side.BOOKS, "balances that the journal does not give", Unit.COUNT, int(bool(said)), 1, text=said
    )


def _left(name: str, books: Books, codes: tuple[Code, ...]) -> Check:
    """What stands on accounts that settling brings to zero, as the window's entries left them."""
    accounts, nets = books.settled()
    mine = np.isin(codes_of(accounts), codes)
    left = nets[mine]
    odd = accounts[mine][left != 0][:10].tolist()
    told = ", ".join(describe(AccountId(one)) for one in odd)
    settled = np.unique(np.concatenate([books.entries["debit"], books.entries["credit"]]))
    checked = int(np.isin(codes_of(settled), codes).sum())
    return Check(Side.BOOKS, name, Unit.SEN, int(np.abs(left).sum()), checked, text=told)


def _expected(books: Books, items: Iterable[Item]) -> Check:
    """What the entries move on our accounts at banks, against what we expect on their statements."""
    moved = bank_movements(books.entries)
    for item in (one for one in items if one.kind not in ORDERS):
        moved[item.bank] = moved.get(item.bank, 0) - item.amount
    odd = {bank: sen for bank, sen in sorted(moved.items()) if sen}
    told = ", ".join(f"bank {bank:04d}: {sen} sen" for bank, sen in odd.items())
    return Check(
        Side.BOOKS,
        "entries less expected on statements",
        Unit.SEN,
        sum(map(abs, odd.values())),
        len(moved),
        text=told,
    )
