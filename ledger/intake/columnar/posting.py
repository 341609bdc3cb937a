"""What plain taps become in the books, by columns: `ledger.intake.posting` for debits, without a `Transfer` of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cbor2
import numpy as np

from card.layout import Identity
from keys.money import Rupiah, sen_of
from ledger.intake.columnar import fields as f
from ledger.intake.columnar.moving import moved
from ledger.intake.posting import CITY, TRANSIT

if TYPE_CHECKING:
    import numpy.typing as npt

    from keys.identity import TerminalCertificate
    from ledger.intake.columnar.cards import Cards
    from ledger.intake.columnar.columns import Columns
    from ledger.intake.posting import Tariffs

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]

_IDENTITY_BYTES: Final = 32
_DAY_MS: Final = 86_400_000
_TRANSIT: Final = [int(kind) for kind in TRANSIT]
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
    # One integer of group (under 64), class (a byte) and fare (32 bits): sorting columns of three takes ten times as long.
    alike = (at[f.PAID, paying] << 16) | (at[f.GROUP, paying] << 8) | at[f.CONCESSION, paying]
    _, firsts, which = np.unique(alike, return_index=True, return_inverse=True)
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
    days = service_days(columns.at[f.SIGNED_AT])
    return moved(
        columns.at, rows, columns.places, cards.account, cards.partition, days, added, certificate.owner, CITY
    )
