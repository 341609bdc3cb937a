"""The issuers' multilateral net: each bank pays, or gets, one figure for a window, and the figures sum to zero.

A party is paid by its own bank, and an agent pays in at its own bank. Where the card was another bank's, that bank owes the money:
gross less refunds, for the merchant discount is the income of our account at the merchant's bank.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keys.money import Sen
from ledger.chart import Code
from settlement.positions.model import BankNet, Purpose, runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from settlement.participants import Participants
    from settlement.positions.model import Integers, Position, Shares


@dataclass(frozen=True, slots=True)
class Between:
    """A transfer between our accounts at two banks, which carries the net out."""

    debtor: int
    creditor: int
    amount: Sen


def homes(shares: Shares, participants: Participants) -> Integers:
    """The bank of each share's party."""
    found = np.zeros(len(shares), np.int64)
    order = np.lexsort((shares["number"], shares["code"]))
    ordered = shares[order]
    for run in runs(ordered, ("code", "number")):
        first = ordered[run.start]
        found[order[run]] = participants.party(Code(int(first["code"])), int(first["number"])).bank
    return found


def nets(positions: Iterable[Position], participants: Participants) -> tuple[BankNet, ...]:
    """The net of each bank that owes, or is owed, by its code."""
    owed: Counter[int] = Counter()
    owes: Counter[int] = Counter()
    for position in positions:
        for debtor, creditor, amount in _obligations(position, participants):
            owes[debtor] += amount
            owed[creditor] += amount
    return tuple(BankNet(bank, Sen(owed[bank]), Sen(owes[bank])) for bank in sorted(owed | owes))


def _obligations(position: Position, participants: Participants) -> Iterator[tuple[int, int, int]]:
    """Who owes whom for a position; nobody where both are one bank."""
    home = participants.party(position.code, position.number).bank
    amount = position.gross - position.refunds
    debtor, creditor = (home, position.bank) if position.purpose is Purpose.CASH else (position.bank, home)
    if amount < 0:
        debtor, creditor, amount = creditor, debtor, -amount
    if debtor != creditor and amount:
        yield debtor, creditor, amount


def between(found: Iterable[BankNet]) -> tuple[Between, ...]:
    """Transfers that bring every net to zero, fewer than there are banks: who pays most pays who gets most."""
    left = {one.bank: one.net for one in found if one.net}
    made = []
    while left:
        debtor = min(left, key=lambda bank: (left[bank], bank))
        creditor = min(left, key=lambda bank: (-left[bank], bank))
        amount = Sen(min(-left[debtor], left[creditor]))
        made.append(Between(debtor, creditor, amount))
        left[debtor], left[creditor] = Sen(left[debtor] + amount), Sen(left[creditor] - amount)
        left = {bank: net for bank, net in left.items() if net}
    return tuple(made)
