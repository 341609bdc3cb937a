"""Accounts and transfers quick to write, a clock to set, and the kernel without its compiler."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger import kernel
from ledger.chart import AccountId, Code, Partition, account_id
from ledger.transfer import Flag, Kind, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = Day(20_000)
PURSE = account_id(Code.PURSE, Partition(3), 1001)
OTHER_PURSE = account_id(Code.PURSE, Partition(3), 1002)
WALLET = account_id(Code.WALLET, Partition(3), 1001)
OPERATOR = account_id(Code.OPERATOR_PAYABLE, Partition(3), 7)
SUBSIDY = account_id(Code.SUBSIDY_RECEIVABLE, Partition(3), 1)
CASH = account_id(Code.AGENT_CASH, Partition(3), 9)
FAR_OPERATOR = account_id(Code.OPERATOR_PAYABLE, Partition(4), 7)


def transfer(
    debit: AccountId = PURSE,
    credit: AccountId = OPERATOR,
    amount: int = 350_000,
    *,
    flags: Flag = Flag.NONE,
    hold: int = 0,
    uid: int = 0,
    tmc: int = 0,
    terminal: int = 0,
    sequence: int = 0,
) -> Transfer:
    """A fare of Rp3,500 unless said otherwise."""
    return Transfer(
        debit,
        credit,
        Sen(amount),
        Kind.FARE,
        UnixMs(1_700_000_000_000),
        DAY,
        flags,
        hold,
        uid,
        tmc,
        terminal,
        sequence,
    )


def unjitted() -> Callable[..., Any]:
    """The kernel's `apply` as plain Python, and everything that it calls too, in whichever module it stands."""
    plain: dict[str, dict[str, Any]] = {}

    def bare(thing: Any) -> Any:
        if not hasattr(thing, "py_func"):
            return thing
        function = thing.py_func
        known = plain.get(function.__module__)
        if known is None:
            known = plain[function.__module__] = {}
            known.update({name: bare(other) for name, other in function.__globals__.items()})
        return FunctionType(function.__code__, known, function.__name__)

    apply: Callable[..., Any] = bare(kernel.apply)
    return apply


class SetClock:
    """A clock that stands where a test puts it."""

    def __init__(self, at: UnixMs) -> None:
        self.at = at

    def now(self) -> UnixMs:
        return self.at
