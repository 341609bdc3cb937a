"""Settlement entries: the transfers that bring a window's payables, agents' cash, subsidies and receivables to zero.

| entry | debit > credit | for each partition and |
|---|---|---|
| FEE | payable of the merchant > fee income at its bank | merchant |
| PAYOUT | payable of the party > our settlement account at its bank | party, purpose |
| DEPOSIT | our settlement account at the agent's bank > cash at the agent | agent |
| SUBSIDY_PAID | our settlement account at the treasury's bank > subsidy receivable | city |
| ISSUER_PAID | our settlement account at the issuer > receivable from the issuer | issuer |
| INTERBANK | our settlement account at a bank that gets > interbank; interbank > one that pays | bank |

Both sides of each lie in one partition. A negative sum (more refunds than sales) turns its entry round. All entries of a window are
linked: they stand or fall together. The accounts INTERBANK are zero again behind them, in every partition: the nets sum to zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ledger.chart import Code
from ledger.transfer import ROW, Flag, Kind
from settlement.errors import SumTooLarge
from settlement.positions.model import Purpose, net
from settlement.positions.netting import homes

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from settlement.participants import Participants
    from settlement.positions.model import Integers, Shares

ENTRIES_MAX: Final = 1_000_000
"""Entries of one window: they are one block of the journal."""
_CODE_SHIFT: Final = 56
_PARTITION_SHIFT: Final = 50

_Movement = tuple["Integers", "Integers", "Integers", Kind]  # debits, credits, signed amounts


def entries(
    shares: Shares, participants: Participants, business_date: Day, closed_at: UnixMs
) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """The linked transfers that settle a window, as an array of ROW; amounts are never zero. Raises SumTooLarge over ENTRIES_MAX."""
    home = homes(shares, participants)
    movements = [
        _fees(shares, home), *_payouts(shares, home), _deposits(shares, home), _subsidies(shares), _issuers(shares),
        _interbank(shares, home),
    ]  # fmt: skip
    made = np.concatenate([_rows(*movement) for movement in movements])
    if len(made) > ENTRIES_MAX:
        raise SumTooLarge(
            f"one window has {len(made)} entries, {ENTRIES_MAX} are allowed: close windows more often"
        )
    made["occurred_at"], made["service_day"] = closed_at, business_date
    made["flags"][:-1] = int(Flag.LINKED)
    return made


def _account(code: Code | Integers, partition: Integers, number: Integers | int) -> Integers:
    """Accounts by columns (`ledger.chart.account_id`)."""
    head = np.asarray(code, np.int64) << _CODE_SHIFT | partition << _PARTITION_SHIFT
    return head | np.asarray(number, np.int64)


def _party(shares: Shares) -> Integers:
    return _account(shares["code"], shares["partition"], shares["number"])


def _of(shares: Shares, *purposes: Purpose) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.isin(shares["purpose"], purposes)


def _fees(shares: Shares, home: Integers) -> _Movement:
    at = shares["code"] == Code.MERCHANT_PAYABLE
    sold, bank = shares[at], home[at]
    return _party(sold), _account(Code.FEE_INCOME, sold["partition"], bank), sold["fee"], Kind.FEE


def _payouts(shares: Shares, home: Integers) -> list[_Movement]:
    """What cards paid, and apart from it what the city adds: each is a payment of its own."""
    found = []
    for purposes in ((Purpose.TAPS, Purpose.OTHERS_CARDS), (Purpose.SUBSIDY,)):
        at = _of(shares, *purposes)
        paid, bank = shares[at], home[at]
        account = _account(Code.BANK_SETTLEMENT, paid["partition"], bank)
        found.append((_party(paid), account, net(paid), Kind.PAYOUT))
    return found


def _deposits(shares: Shares, home: Integers) -> _Movement:
    at = _of(shares, Purpose.CASH)
    cash, bank = shares[at], home[at]
    return _account(Code.BANK_SETTLEMENT, cash["partition"], bank), _party(cash), net(cash), Kind.DEPOSIT


def _subsidies(shares: Shares) -> _Movement:
    paid = shares[_of(shares, Purpose.SUBSIDY)]
    bank = _account(Code.BANK_SETTLEMENT, paid["partition"], paid["bank"])
    return (
        bank,
        _account(Code.SUBSIDY_RECEIVABLE, paid["partition"], paid["source"]),
        net(paid),
        Kind.SUBSIDY_PAID,
    )


def _issuers(shares: Shares) -> _Movement:
    paid = shares[_of(shares, Purpose.OTHERS_CARDS)]
    bank = _account(Code.BANK_SETTLEMENT, paid["partition"], paid["bank"])
    owed = _account(Code.ISSUER_RECEIVABLE, paid["partition"], paid["source"])
    return bank, owed, paid["gross"] - paid["refunds"], Kind.ISSUER_PAID


def _interbank(shares: Shares, home: Integers) -> _Movement:
    """Each share once as what the party's bank gets, once as what the other pays; the two cancel where they are one bank."""
    amount = np.where(shares["purpose"] == Purpose.CASH, -1, 1) * (shares["gross"] - shares["refunds"])
    banks = np.concatenate([home, shares["bank"]])
    partition = np.concatenate([shares["partition"], shares["partition"]])
    ours = _account(Code.BANK_SETTLEMENT, partition, banks)
    return ours, _account(Code.INTERBANK, partition, 0), np.concatenate([amount, -amount]), Kind.INTERBANK


def _rows(
    debit: Integers, credit: Integers, amount: Integers, kind: Kind
) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Movements between the same two accounts as one row each; none where they come to nothing."""
    order = np.lexsort((credit, debit))
    debit, credit, amount = debit[order], credit[order], amount[order]
    change = np.ones(len(order), np.bool_)
    change[1:] = (debit[1:] != debit[:-1]) | (credit[1:] != credit[:-1])
    begins = np.flatnonzero(change)
    total = np.add.reduceat(amount, begins) if len(begins) else amount
    some = total != 0
    debit, credit, total = debit[begins][some], credit[begins][some], total[some]
    made = np.zeros(len(total), ROW)
    made["debit"], made["credit"] = np.where(total > 0, debit, credit), np.where(total > 0, credit, debit)
    made["amount"], made["kind"] = np.abs(total), int(kind)
    return made
