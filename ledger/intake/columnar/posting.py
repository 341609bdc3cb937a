"""What plain taps become in the books, by columns: `ledger.intake.posting` for debits, without a `Transfer` of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cbor2
import numpy as np

from card.layout import Identity, TapKind
from keys.money import SEN_PER_RUPIAH, Rupiah, sen_of
from ledger.chart import Code, account_id
from ledger.intake.columnar import fields as f
from ledger.intake.posting import CITY, TRANSIT
from ledger.transfer import ROW, Flag, Kind

if TYPE_CHECKING:
    import numpy.typing as npt

    from keys.identity import TerminalCertificate
    from ledger.intake.columnar.cards import Cards
    from ledger.intake.columnar.columns import Columns
    from ledger.intake.posting import Tariffs

    Integers = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]
    Rows = npt.NDArray[np.void]

_IDENTITY_BYTES: Final = 32
_DAY_MS: Final = 86_400_000
_TRANSIT: Final = [int(kind) for kind in TRANSIT]
_PARTITION_SHIFT: Final = 50
_DAY_STARTS_MS: Final = 4 * 3_600_000
"""Milliseconds of UTC by which a service day begins early: the city is 7 hours ahead, its day starts 3 hours late (`keys.clock.service_day`)."""


def service_days(signed_at: Integers) -> Integers:
    """The service day of each time in Unix seconds."""
    return (signed_at * 1000 + _DAY_STARTS_MS) // _DAY_MS


def fare_of(columns: Columns, group: int) -> tuple[str, tuple[str, ...]]:
    """Tariff and rules of a group of records."""
    first = columns.groups[group]
    written = columns.data[columns.at[f.FARE_AT, first] : columns.at[f.FARE_END, first]]
    tariff, rules = cbor2.loads(b"\x82" + written)
    return tariff, tuple(rules)


def subsidies(columns: Columns, tariffs: Tariffs) -> Integers:
    """What the city adds to each plain record's fare, in sen; asked once for equal fares of equal rider classes."""
    at, found = columns.at, np.zeros(len(columns.raws), np.int64)
    paying = np.flatnonzero(columns.plain & np.isin(at[f.KIND], _TRANSIT) & (at[f.PAID] > 0))
    if not len(paying):
        return found
    alike = np.stack([at[f.GROUP, paying], at[f.PAID, paying], at[f.CONCESSION, paying]])
    _, firsts, which = np.unique(alike, axis=1, return_index=True, return_inverse=True)
    added = [_subsidy(columns, int(paying[first]), tariffs) for first in firsts]
    found[paying] = np.array(added, np.int64)[which.reshape(-1)]
    return found


def _subsidy(columns: Columns, row: int, tariffs: Tariffs) -> int:
    start = int(columns.at[f.IDENTITY_AT, row])
    identity = Identity.decode(columns.data[start : start + _IDENTITY_BYTES])
    tariff, rules = fare_of(columns, int(columns.at[f.GROUP, row]))
    return sen_of(tariffs.subsidy(tariff, identity, Rupiah(int(columns.at[f.PAID, row])), rules))


def transfers(
    columns: Columns, rows: Integers, cards: Cards, certificate: TerminalCertificate, added: Integers
) -> tuple[Rows, Integers]:
    """The journal's rows of some plain records, and of each the record that it comes from: the fare or sale, then its subsidy."""
    paid = rows[columns.at[f.PAID, rows] > 0]
    linked = added[paid] > 0
    counts = 1 + linked
    firsts = np.cumsum(counts) - counts
    made = np.zeros(int(counts.sum()), ROW)
    _fill(made, np.repeat(paid, counts), columns)
    main = made[firsts]
    _debits(main, paid, columns, cards, certificate.owner)
    main["flags"] = np.where(linked, int(Flag.PROVEN | Flag.LINKED), int(Flag.PROVEN))
    made[firsts] = main
    _subsidise(made, firsts[linked], added[paid[linked]])
    return made, np.repeat(paid, counts)


def _fill(made: Rows, records: Integers, columns: Columns) -> None:
    """What all rows of a record have in common."""
    at = columns.at
    made["occurred_at"] = at[f.SIGNED_AT, records] * 1000
    made["service_day"] = service_days(at[f.SIGNED_AT, records])
    made["uid"], made["tmc"] = at[f.UID, records], at[f.TMC, records]
    made["terminal"], made["sequence"] = at[f.TERMINAL, records], at[f.SEQUENCE, records]


def _debits(main: Rows, paid: Integers, columns: Columns, cards: Cards, owner: int) -> None:
    """The rows in which the card pays."""
    places, sale = columns.places[paid], columns.at[f.KIND, paid] == int(TapKind.SALE)
    main["debit"] = cards.account[places]
    main["credit"] = np.where(
        sale, _beside(cards.partition[places], Code.MERCHANT_PAYABLE, owner),
        _beside(cards.partition[places], Code.OPERATOR_PAYABLE, owner),
    )  # fmt: skip
    main["amount"] = columns.at[f.PAID, paid] * SEN_PER_RUPIAH
    main["kind"] = np.where(sale, int(Kind.SALE), int(Kind.FARE))


def _subsidise(made: Rows, fares: Integers, added: Integers) -> None:
    """The rows behind some fares in which the city pays what the fare left."""
    rows = made[fares + 1]
    rows["credit"] = made["credit"][fares]
    partitions = (rows["credit"] >> _PARTITION_SHIFT) & 63
    rows["debit"] = _beside(partitions, Code.SUBSIDY_RECEIVABLE, CITY)
    rows["amount"], rows["kind"], rows["flags"] = added, int(Kind.SUBSIDY), int(Flag.PROVEN)
    made[fares + 1] = rows


def _beside(partitions: Integers, code: Code, number: int) -> Integers:
    """A party's sub-accounts in some partitions."""
    first: int = account_id(code, 0, number)  # type: ignore[arg-type]
    return first | (partitions << _PARTITION_SHIFT)
