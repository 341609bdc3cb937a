"""The demo's partner banks: they carry out what they were told, write statements, and make four mistakes on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hebat.demo.partner_banks import BANKS, OPENING
from hebat.demo.plan import BANK_JATENG, BNI, MANDIRI
from hebat.demo.statements import Account, Movement, camt053, mt940
from keys.clock import date_of
from keys.money import Rupiah, Sen, sen_of
from settlement.breaks.model import Reason
from settlement.items import ORDERS, ItemKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hebat.demo.partner_banks import PartnerBanks
    from keys.clock import Day
    from settlement.items import Item
    from settlement.participants import Participants

SHORT: Final = sen_of(Rupiah(10_000))
STRAY: Final = sen_of(Rupiah(125_000))


@dataclass(frozen=True, slots=True)
class Planted:
    """A mistake that a bank made: the break that it must become, at which bank, and the difference that it leaves."""

    reason: Reason
    bank: int
    difference: Sen


def write_statements(
    items: Sequence[Item], participants: Participants, days: tuple[Day, Day], inbox: Path, banks: PartnerBanks
) -> tuple[list[Path], list[Planted]]:
    """Three banks' statements into a folder, and what is wrong with them. `days` are the window's, and the one that they are written on.

    Two of the banks keep books of their own: what they were told by file goes in there too, mistakes and all, and the statement comes out of them.
    """
    first, day = days
    planted: list[Planted] = []
    paths = []
    for code, bank in sorted(participants.banks.items()):
        mine = [item for item in items if item.bank == code and item.kind not in ORDERS]
        movements, mistakes = _with_mistakes(code, movements_of(mine), mine)
        planted += mistakes
        if code in BANKS.values():
            banks.book(code, day, movements)
            movements = [Movement(*told) for told in banks.told(code, first, day)]
        paths.append(
            write(inbox, Account(f"{code:04d}", bank.account, date_of(day), 1, OPENING, movements), code)
        )
    return paths, planted


def movements_of(items: Sequence[Item]) -> list[Movement]:
    """What a bank that makes no mistake books."""
    return [_movement(item) for item in items]


def _movement(item: Item) -> Movement:
    return Movement(item.amount, item.told, item.name, f"{item.bank:04d}{item.reference[-4:]}")


def _with_mistakes(
    code: int, movements: list[Movement], items: list[Item]
) -> tuple[list[Movement], list[Planted]]:
    if code == BNI:
        return _lost_payment(movements, items)
    if code == BANK_JATENG:
        return _short_deposit(movements, items)
    if code == MANDIRI:
        return _stray_and_twice(movements, items)
    return movements, []


def _lost_payment(movements: list[Movement], items: list[Item]) -> tuple[list[Movement], list[Planted]]:
    """The bank did not carry out the first payment."""
    at = next(place for place, item in enumerate(items) if item.kind is ItemKind.PAYOUT)
    planted = Planted(Reason.MISSING_ON_STATEMENT, BNI, Sen(-items[at].amount))
    return movements[:at] + movements[at + 1 :], [planted]


def _short_deposit(movements: list[Movement], items: list[Item]) -> tuple[list[Movement], list[Planted]]:
    """The agent paid in Rp10,000 less than it took."""
    at = next(place for place, item in enumerate(items) if item.kind is ItemKind.CASH)
    told = movements[at]
    short = Movement(Sen(told.amount - SHORT), told.reference, told.text, told.bank_reference)
    planted = Planted(Reason.AMOUNT_DIFFERS, BANK_JATENG, Sen(-SHORT))
    return [*movements[:at], short, *movements[at + 1 :]], [planted]


def _stray_and_twice(movements: list[Movement], items: list[Item]) -> tuple[list[Movement], list[Planted]]:
    """Somebody's money came in, and one payment stands on the statement twice."""
    at = next(place for place, item in enumerate(items) if item.kind is ItemKind.PAYOUT)
    stray = Movement(STRAY, "", "SETORAN TUNAI", "0008STRAY")
    planted = [
        Planted(Reason.DUPLICATE_LINE, MANDIRI, movements[at].amount),
        Planted(Reason.UNEXPECTED_ON_STATEMENT, MANDIRI, STRAY),
    ]
    return [*movements, movements[at], stray], planted


def write(inbox: Path, account: Account, code: int) -> Path:
    """A statement in the form that its bank writes: MT940 (Mandiri), camt.053 version 8 (BNI) or 2 (the others)."""
    inbox.mkdir(parents=True, exist_ok=True)
    if code == MANDIRI:
        ending, content = "sta", mt940(account)
    else:
        ending, content = "xml", camt053(account, "08" if code == BNI else "02")
    path = inbox / f"{code:04d}-{account.day:%Y%m%d}.{ending}"
    path.write_bytes(content)
    return path
