"""Settlement entries: the transfers that bring a window's payables, agents' cash and subsidies to zero.

| entry | debit > credit |
|---|---|
| FEE | payable of the merchant > fee income at the paying bank |
| PAYOUT | payable of the party > our settlement account at the paying bank |
| DEPOSIT | our settlement account at the issuer > cash at the agent |
| SUBSIDY_PAID | our settlement account at the treasury's bank > subsidy receivable |

Both sides of each lie in the share's partition. A negative share (more refunds than sales) turns its entry round. All entries
of a window are linked: they stand or fall together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from keys.money import Sen
from ledger.chart import AccountId, Code, account_id
from ledger.transfer import Flag, Kind, Transfer
from settlement.positions import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from keys.clock import Day, UnixMs
    from settlement.positions import Position, Share

_Movement = tuple[AccountId, AccountId, Sen, Kind]


def entries(positions: Iterable[Position], business_date: Day, closed_at: UnixMs) -> list[Transfer]:
    """The linked transfers that settle a window; in order of the positions and their shares, amounts never zero."""
    unlinked = [
        _transfer(movement, business_date, closed_at)
        for position in positions
        for share in position.shares
        for movement in _movements(position, share)
        if movement[2]
    ]
    return [replace(transfer, flags=Flag.LINKED) for transfer in unlinked[:-1]] + unlinked[-1:]


def _movements(position: Position, share: Share) -> Iterator[_Movement]:
    party = account_id(position.code, share.partition, position.number)
    bank = account_id(Code.BANK_SETTLEMENT, share.partition, position.bank)
    if position.purpose is Purpose.CASH:
        yield bank, party, share.net, Kind.DEPOSIT
        return
    income = account_id(Code.FEE_INCOME, share.partition, position.bank)
    yield party, income, share.fee, Kind.FEE
    yield party, bank, share.net, Kind.PAYOUT
    if position.purpose is Purpose.SUBSIDY:
        receivable = account_id(Code.SUBSIDY_RECEIVABLE, share.partition, share.source)
        yield bank, receivable, share.net, Kind.SUBSIDY_PAID


def _transfer(movement: _Movement, business_date: Day, closed_at: UnixMs) -> Transfer:
    debit, credit, amount, kind = movement
    if amount < 0:
        debit, credit, amount = credit, debit, Sen(-amount)
    return Transfer(debit, credit, amount, kind, closed_at, business_date)
