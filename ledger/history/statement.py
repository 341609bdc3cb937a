"""A statement of an account: its lines, and the balance after each of them. Pure; `ledger.history.view` reads what they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger.balance import Balance
from ledger.chart import AccountId
from ledger.transfer import Flag

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from ledger.history.pages import Moved

    Rows = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Line:
    """One transfer as an account sees it: the other account, and the account's four sums right after it. Amounts in sen."""

    position: int
    counterparty: AccountId
    is_debit: bool
    amount: Sen
    kind: int
    flags: int
    hold: int
    occurred_at: UnixMs
    received_at: UnixMs
    service_day: Day
    business_date: Day
    uid: int
    tmc: int
    terminal: int
    sequence: int
    balance: Balance
    refund_of: int = 0
    """The position of the payment that it gives back; 0 for what names none."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A page of a statement, as of position `until`; `opening` and `closing` are those of the whole period.

    `cursor` gives the next page in the same direction; "" at the end.
    """

    account: AccountId
    after: int
    until: int
    opening: Balance
    closing: Balance
    lines: tuple[Line, ...]
    cursor: str


def state_of(flags: int) -> str:
    """What a line is, in words: held, given back (a hold's), or posted."""
    if flags & Flag.PENDING:
        return "held"
    return "given back" if flags & Flag.VOID_PENDING else "posted"


def lines_of(
    account: AccountId, rows: Rows, by: Moved, running: Balance, refunds: Mapping[int, int]
) -> list[Line]:
    """The lines of an account's rows (ROW, in order of position), from the balance before the first and what each of them moved.

    `refunds` names, by position, the payment that a row gives back.
    """
    found = []
    for row, posted, pending in zip(rows, by.posted.tolist(), by.pending.tolist(), strict=True):
        is_debit = int(row["debit"]) == account
        running = _after(running, posted, pending, is_debit=is_debit)
        found.append(_line(row, running, refunds, is_debit=is_debit))
    return found


def _after(balance: Balance, posted: int, pending: int, *, is_debit: bool) -> Balance:
    one, other = (posted, 0) if is_debit else (0, posted)
    held, other_held = (pending, 0) if is_debit else (0, pending)
    return Balance(
        Sen(balance.debits_posted + one), Sen(balance.credits_posted + other), Sen(balance.debits_pending + held),
        Sen(balance.credits_pending + other_held),
    )  # fmt: skip


def _line(row: np.void, balance: Balance, refunds: Mapping[int, int], *, is_debit: bool) -> Line:
    values = {name: int(row[name]) for name in row.dtype.names or ()}
    other = values["credit" if is_debit else "debit"]
    return Line(
        values["position"], AccountId(other), is_debit, Sen(values["amount"]), values["kind"], values["flags"],
        values["hold"], UnixMs(values["occurred_at"]), UnixMs(values["received_at"]), Day(values["service_day"]),
        Day(values["business_date"]), values["uid"], values["tmc"], values["terminal"], values["sequence"], balance,
        refunds.get(values["position"], 0),
    )  # fmt: skip
