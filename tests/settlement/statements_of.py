"""What banks that carried everything out would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hebat.demo import statements as bank_writer
from keys.money import Sen
from tests.settlement.town import DATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.items import Item
    from settlement.participants import Participants


def statement_of(
    items: Sequence[Item], participants: Participants, bank: int, opening: int = 0, *, form: str = "08"
) -> bytes:
    """A bank's statement of these items: camt.053 of a version, or MT940 ("940")."""
    movements = [
        bank_writer.Movement(item.amount, item.told, item.name, f"B{number:06d}")
        for number, item in enumerate((one for one in items if one.bank == bank), start=1)
    ]
    account = bank_writer.Account(
        f"{bank:04d}", participants.bank(bank).account, DATE, 1, Sen(opening), tuple(movements)
    )
    return bank_writer.mt940(account) if form == "940" else bank_writer.camt053(account, form)


def statements_of(items: Sequence[Item], participants: Participants) -> dict[str, bytes]:
    """A file of each bank, in the form that it writes, and one that no bank would."""
    forms = zip(sorted(participants.banks), ("02", "08", "940"), strict=True)
    told = {
        f"{bank}.sta": statement_of(items, participants, bank, 1_000_000_00, form=form)
        for bank, form in forms
    }
    return told | {"torn.xml": b"<Document"}
