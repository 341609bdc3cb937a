"""Labelled scenarios: what a window expected, what banks wrote about it, and the truth beside it. Written from what banks do to
files, and from nothing that matching does.

What is told here of banks: MT940's field 61 has 16 characters for a reference; field 86 wraps anywhere; names are cut at 16 to 35
characters, now and then shortened by hand, and legal forms moved or dropped; fees are kept from the amount or booked beside it under the same reference; sen are cut off;
payment files are booked as one sum; weekends' cash comes on Monday; transfers over a limit are split; what cannot be delivered comes
back, under the reference or with a word only; files repeat lines; people mistype amounts.

A truth is *decidable* where the two documents alone leave a careful person no doubt. The rest is for people, and matching must leave it.
"""

from __future__ import annotations

import random
from itertools import combinations
from typing import TYPE_CHECKING, Final

from tests.settlement.scenario_bank import FEES, HOLIDAYS, PARTIES, RUPIAH, Bank, Scenario
from tests.settlement.town import BNI, MANDIRI

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.matching.sides import Expected

__all__ = ["HOLIDAYS", "KINDS", "Scenario", "scenarios"]


def plain(bank: Bank) -> None:
    for _ in range(bank.dice.randrange(1, 4)):
        one = bank.item()
        bank.made.true([one], [bank.told(one)])


def cut_reference(bank: Bank) -> None:
    one = bank.item()
    told = bank.line(one.amount, field=one.reference[:16], text=bank.named())
    bank.made.true([one], [told])


def wrapped_reference(bank: Bank) -> None:
    one = bank.item()
    at = bank.dice.randrange(5, len(one.reference))
    text = f"{one.reference[:at]} {one.reference[at:]} {bank.named()}"
    bank.made.true([one], [bank.line(one.amount, text=text)])


def name_only(bank: Bank) -> None:
    one = bank.item()
    bank.made.true([one], [bank.line(one.amount, text=bank.named())])


def same_amounts_other_names(bank: Bank) -> None:
    amount = bank.amount()
    parties = bank.dice.sample(PARTIES, 3)
    for party in parties:
        one = bank.item(amount, party=party)
        bank.made.true([one], [bank.line(amount, text=bank.named(party))])


def same_amounts_with_references(bank: Bank) -> None:
    amount = bank.amount()
    for one in [bank.item(amount) for _ in range(3)]:
        bank.made.true([one], [bank.told(one)])


def fee_with_reference(bank: Bank) -> None:
    one = bank.item()
    bank.made.true([one], [bank.told(one, one.amount - bank.dice.choice(FEES))])


def fee_with_name(bank: Bank) -> None:
    one = bank.item()
    told = bank.line(one.amount - bank.dice.choice(FEES), text=bank.named())
    bank.made.true([one], [told])


def fee_beside(bank: Bank) -> None:
    one = bank.item()
    bank.made.true([one], [bank.told(one)])
    bank.line(-bank.dice.choice(FEES), field=one.reference, text="BIAYA TRANSFER")


def sen_cut_off(bank: Bank) -> None:
    one = bank.item(bank.amount() // RUPIAH * RUPIAH - bank.dice.randrange(1, RUPIAH))
    whole = -(-one.amount // RUPIAH * RUPIAH)
    bank.made.true([one], [bank.told(one, whole)])


def payment_file_in_one_sum(bank: Bank) -> None:
    parties = bank.dice.sample(PARTIES, bank.dice.randrange(2, 6))
    items = [bank.item(party=party) for party in parties]
    fee = bank.dice.choice((0, 0, FEES[0] * len(items)))
    total = sum(one.amount for one in items) - fee
    bank.made.true(items, [bank.line(total, text=f"BULK PAYMENT {items[0].reference[:17]} CMS")])


def bundle_by_references(bank: Bank) -> None:
    items = [bank.item(party=party) for party in bank.dice.sample(PARTIES, bank.dice.randrange(2, 4))]
    text = "GABUNGAN " + " ".join(one.reference for one in items)
    fee = bank.dice.choice((0, FEES[0]))
    bank.made.true(items, [bank.line(sum(one.amount for one in items) - fee, text=text)])


def other_sums(items: list[Expected], total: int) -> bool:
    """Whether more than one choice of items gives a total."""
    sums = [
        sum(int(one.amount) for one in some)
        for size in range(1, len(items) + 1)
        for some in combinations(items, size)
    ]
    return sums.count(total) > 1


def weekend_cash(bank: Bank) -> None:
    """Friday's, Saturday's and Sunday's cash come in as one deposit on Monday."""
    items = [bank.item(bank.cash(), window) for window in (2, 3, 4)]
    total = sum(one.amount for one in items)
    bank.made.true(items, [bank.line(total, 5, text=bank.named())])


def late_taps(bank: Bank) -> None:
    """Taps that came in late settle in the next window; the bank pays both windows in one transfer."""
    first, late = bank.item(days=1), bank.item(window=1)
    total = first.amount + late.amount
    bank.made.true([first, late], [bank.line(total, 1, text=bank.named())])


def split_by_reference(bank: Bank) -> None:
    """Over the rail's limit: two or three transfers under one reference."""
    one = bank.item(-(bank.dice.randrange(260, 700) * 1_000_000 * RUPIAH + bank.dice.randrange(10**8)))
    parts = [-250_000_000 * RUPIAH]
    while sum(parts) - one.amount > 250_000_000 * RUPIAH:
        parts.append(-250_000_000 * RUPIAH)
    parts.append(one.amount - sum(parts))
    bank.made.true([one], [bank.line(part, field=one.reference, text="BIFAST") for part in parts])


def split_by_name(bank: Bank) -> None:
    one = bank.item(
        -(bank.dice.randrange(260, 490) * 1_000_000 * RUPIAH + bank.dice.randrange(10**8)), days=1
    )
    part = -250_000_000 * RUPIAH
    lines = [bank.line(part, 0, text=bank.named()), bank.line(one.amount - part, 1, text=bank.named())]
    bank.made.true([one], lines)


def late_over_holidays(bank: Bank) -> None:
    """Due on the eve of two holidays and a weekend; booked on one of the next business days."""
    one = bank.item()
    bank.made.true([one], [bank.line(one.amount, bank.dice.choice((5, 6)), text=bank.named())])


def late_with_reference(bank: Bank) -> None:
    one = bank.item()
    bank.made.true([one], [bank.told(one, day=bank.dice.randrange(3, 40))])


def returned(bank: Bank) -> None:
    """Paid out, and back: the item is not paid."""
    one = bank.item()
    out = bank.told(one)
    back = bank.line(-one.amount, bank.dice.randrange(3), field=one.reference, text="RETUR REKENING TUTUP")
    bank.made.true([], [out, back])


def returned_and_paid_again(bank: Bank) -> None:
    one = bank.item()
    out = bank.line(one.amount, 0, field=one.reference, text=bank.named())
    back = bank.line(-one.amount, 1, field=one.reference, text="RETUR")
    again = bank.line(one.amount, 5, field=one.reference, text=bank.named())
    bank.made.true([], [out, back])
    bank.made.true([one], [again])


def returned_by_word(bank: Bank) -> None:
    one = bank.item()
    out = bank.line(one.amount, 0, text=bank.named())
    back = bank.line(
        -one.amount,
        bank.dice.choice((0, 5)),
        text=f"{bank.dice.choice(('RETUR', 'KOREKSI', 'REVERSAL'))} {bank.named()}",
    )
    bank.made.true([], [out, back])


def corrected_by_bank(bank: Bank) -> None:
    """A movement that is nothing of ours, booked and taken back under the bank's own number."""
    amount = bank.amount()
    own = f"COR{bank.dice.randrange(10**9)}"
    lines = [
        bank.line(amount, 0, text="SALAH DEBET", own=own),
        bank.line(-amount, 0, text="KOREKSI SALAH DEBET", own=own),
    ]
    bank.made.true([], lines)


def paid_twice(bank: Bank) -> None:
    """The same payment carried out twice: which of the two proves the item is for people."""
    one = bank.item()
    first, second = bank.told(one), bank.told(one)
    bank.made.true([one], [first], decidable=False)
    bank.made.true([one], [second], decidable=False)


def told_twice(bank: Bank) -> None:
    one = bank.item()
    told = bank.line(one.amount, field=one.reference, text="CMS", own="SAME")
    bank.line(one.amount, field=one.reference, text="CMS", own="SAME", repeated=True)
    bank.made.true([one], [told])


def mistyped(amount: int, dice: random.Random) -> int:
    """An amount as people mistype it: two digits turned round, a zero lost or added, ten thousand short."""
    digits = list(str(abs(amount) // RUPIAH))
    turned = [at for at in range(len(digits) - 1) if digits[at] != digits[at + 1]]
    if turned and dice.randrange(2):
        at = dice.choice(turned)
        digits[at], digits[at + 1] = digits[at + 1], digits[at]
        wrong = int("".join(digits)) * RUPIAH
    else:
        wrong = dice.choice((abs(amount) // 10, abs(amount) * 10, abs(amount) - 10_000 * RUPIAH))
    return wrong if amount > 0 else -wrong


def wrong_amount(bank: Bank) -> None:
    one = bank.item()
    wrong = mistyped(one.amount, bank.dice)
    if bank.dice.randrange(2):
        bank.told(one, wrong or -1)
    else:
        bank.line(wrong or -1, text=bank.named())


def equal_and_nameless(bank: Bank) -> None:
    """Two of one party for the same sum on one day, and one line, or two: nobody can tell which is which."""
    amount = bank.amount()
    first, second = bank.item(amount), bank.item(amount)
    lines = [bank.line(amount, text=bank.named()) for _ in range(bank.dice.randrange(1, 3))]
    for one in (first, second):
        for told in lines:
            bank.made.true([one], [told], decidable=False)


def strangers(bank: Bank) -> None:
    """Interest, tax, fees and somebody's deposit."""
    bank.line(bank.dice.randrange(1, 10**6), text="BUNGA REKENING")
    bank.line(-bank.dice.randrange(1, 10**5), text="PAJAK BUNGA")
    bank.line(-12_500 * RUPIAH, text="BIAYA ADM")
    bank.line(bank.cash(), text="SETORAN TUNAI")


def lost_and_a_stranger(bank: Bank) -> None:
    """A payment that was never made, and a movement for the same sum that has nothing to do with it."""
    one = bank.item()
    bank.line(
        one.amount, bank.dice.randrange(3), text=bank.dice.choice(("TARIKAN TUNAI", "CEK 000123", "PB RTGS"))
    )


def at_another_bank(bank: Bank) -> None:
    one = bank.item(bank=BNI)
    bank.line(one.amount, field=one.reference, bank=MANDIRI, text=bank.named())


def letters_for_digits(bank: Bank) -> None:
    """A reference that somebody typed: O for 0, l for 1. It is none of ours any more; party, day and sum are."""
    one = bank.item()
    typed = one.reference.replace("0", "O").replace("1", "l")
    bank.made.true([one], [bank.line(one.amount, field=typed, text=bank.named())])


def another_ones_reference(bank: Bank) -> None:
    """A reference with one digit wrong that is no other item's: two papers that contradict each other."""
    one = bank.item()
    wrong = one.reference[:-4] + "9999"
    bank.made.true([one], [bank.line(one.amount, field=wrong, text=bank.named())], decidable=False)


def short_of_a_bundle(bank: Bank) -> None:
    """Two of three windows' cash in one deposit: the sum tells which."""
    items = [bank.item(bank.cash() + window * 10_000 * RUPIAH, window) for window in (2, 3, 4)]
    some = items[:2]
    total = sum(one.amount for one in some)
    decidable = not other_sums(items, total)
    bank.made.true(some, [bank.line(total, 5, text=bank.named())], decidable=decidable)
    bank.made.true([items[2]], [bank.line(items[2].amount, 6, text=bank.named())], decidable=decidable)


KINDS: Final[tuple[Callable[[Bank], None], ...]] = (
    plain, cut_reference, wrapped_reference, name_only, same_amounts_other_names, same_amounts_with_references, fee_with_reference,
    fee_with_name, fee_beside, sen_cut_off, payment_file_in_one_sum, bundle_by_references, weekend_cash, late_taps,
    split_by_reference, split_by_name, late_over_holidays, late_with_reference, returned, returned_and_paid_again, returned_by_word,
    corrected_by_bank, paid_twice, told_twice, wrong_amount, equal_and_nameless, strangers, lost_and_a_stranger, at_another_bank,
    letters_for_digits, another_ones_reference, short_of_a_bundle,
)  # fmt: skip


def scenarios(seed: int, each: int) -> list[Scenario]:
    """So many scenarios of each kind, the same for the same seed."""
    made = []
    for number, kind in enumerate(kind for kind in KINDS for _ in range(each)):
        bank = Bank(kind.__name__.replace("_", " "), number, random.Random(f"{seed} {number}"))
        kind(bank)
        made.append(bank.made)
    return made
