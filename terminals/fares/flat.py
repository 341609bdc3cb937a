"""The flat fare of one city as a tariff: one price a ride, a concession with its calendar, free transfers within a window.

Source of the figures: Trans Semarang since 2022-07-01: non-cash Rp3,500, cash Rp4,000; Rp1,000 for elderly, veterans, disabled, pupils, students and
child-card holders; pupils and students pay the full fare on Sundays and holidays. The city publishes no transfer window: 120 minutes from the first tap.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final

from card.layout import NEVER, Concession
from keys.clock import Day, day_of
from keys.money import Rupiah
from terminals.fares.tariff import (
    CASH_KIND,
    Category,
    Cost,
    Days,
    Follows,
    LegRule,
    Limit,
    Medium,
    Policy,
    Product,
    Tariff,
    Timeframe,
    TransferRule,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHOOL_CLASSES: Final = frozenset({Concession.PUPIL, Concession.STUDENT})
"""Classes whose concession rests on Sundays and holidays."""
_SUNDAY: Final = 0b100_0000
CASH: Final = "tunai"
"""The medium of prices in cash."""
_RIDE: Final = "ride"
_NO_HOLIDAYS: Final[frozenset[Day]] = frozenset()


def flat_tariff(
    version: str, valid_from: Day, full_fare: Rupiah, concession_fare: Rupiah,
    transfer_minutes: int = 120, passback_minutes: int = 3, holidays: frozenset[Day] = _NO_HOLIDAYS,
) -> Tariff:  # fmt: skip
    """Prices in whole rupiah; minutes; `valid_from` is the first service day. Pupils and students pay the full fare on Sundays and holidays."""
    return Tariff(
        version,
        valid_from,
        products=tuple(_products(full_fare, concession_fare)),
        legs=tuple(LegRule(f"{_RIDE}-{days}", _RIDE, from_frame=days) for days in ("school", "rest")),
        transfers=(_free(transfer_minutes),) if transfer_minutes else (),
        categories=tuple(Category(one.name.lower(), one.name.capitalize(), not one) for one in Concession),
        frames=tuple(Timeframe(days, days) for days in ("school", "rest")),
        services=(
            Days("school", ~_SUNDAY & 0b111_1111, Day(0), NEVER, Follows.REMOVES),
            Days("rest", _SUNDAY, Day(0), NEVER, Follows.ADDS),
        ),
        policy=Policy(passback_minutes=passback_minutes),
        holidays=holidays,
    )


def _products(full: Rupiah, conceded: Rupiah) -> Iterator[Product]:
    for days in ("school", "rest"):
        for one in Concession:
            is_full = one is Concession.GENERAL or (days == "rest" and one in SCHOOL_CLASSES)
            yield Product(f"{_RIDE}-{days}", one.name.lower(), "", full if is_full else conceded)


def _free(minutes: int) -> TransferRule:
    return TransferRule(
        _RIDE, _RIDE, Cost.A_PLUS_AB, count=-1, seconds=60 * minutes, limit=Limit.DEPARTURE_TO_DEPARTURE
    )


def with_cash(tariff: Tariff, full_fare: Rupiah) -> Tariff:
    """A flat tariff with a price in cash for each class: `full_fare` (rupiah) where the card pays the full fare, the same concession else."""
    full = {one.product: one.amount for one in tariff.products if one.category == tariff.default_category}
    cash = (
        replace(one, medium=CASH, amount=full_fare if one.amount == full[one.product] else one.amount)
        for one in tariff.products
    )
    return replace(
        tariff, products=(*tariff.products, *cash), media=(*tariff.media, Medium(CASH, "Tunai", CASH_KIND))
    )


TRANS_SEMARANG_2022: Final = with_cash(
    flat_tariff(
        "trans-semarang-2022-07",
        day_of(date(2022, 7, 1)),
        full_fare=Rupiah(3_500),
        concession_fare=Rupiah(1_000),
    ),
    Rupiah(4_000),
)
