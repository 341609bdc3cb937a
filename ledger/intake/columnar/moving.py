"""The journal's rows of plain records in a numba kernel, each written once: the fare or sale in which the card pays, then what the city adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from card.layout import TapKind
from keys.money import SEN_PER_RUPIAH
from ledger.chart import Code, account_id
from ledger.intake.columnar import fields as f
from ledger.intake.columnar.compiled import compiled
from ledger.transfer import ROW, Flag, Kind

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]

_NAMES: Final = list(ROW.names or ())
_WIDTH: Final = len(_NAMES)
_DEBIT, _CREDIT, _AMOUNT = (_NAMES.index(name) for name in ("debit", "credit", "amount"))
_KIND, _FLAGS, _OCCURRED_AT = (_NAMES.index(name) for name in ("kind", "flags", "occurred_at"))
_SERVICE_DAY, _UID, _TMC = (_NAMES.index(name) for name in ("service_day", "uid", "tmc"))
_TERMINAL, _SEQUENCE = (_NAMES.index(name) for name in ("terminal", "sequence"))
_PARTITION_SHIFT: Final = 50
_SEN: Final = int(SEN_PER_RUPIAH)
_TAP_SALE, _SALE, _FARE, _SUBSIDY = int(TapKind.SALE), int(Kind.SALE), int(Kind.FARE), int(Kind.SUBSIDY)
_PROVEN, _LINKED = int(Flag.PROVEN), int(Flag.LINKED)


@compiled
def _told(at: Any, record: int, day: int, row: Any) -> None:
    """What both rows of a record say of it."""
    row[_OCCURRED_AT] = at[f.SIGNED_AT, record] * 1000
    row[_SERVICE_DAY] = day
    row[_UID], row[_TMC] = at[f.UID, record], at[f.TMC, record]
    row[_TERMINAL], row[_SEQUENCE] = at[f.TERMINAL, record], at[f.SEQUENCE, record]
    row[_FLAGS] = _PROVEN


@compiled
def _move(
    at: Any, records: Any, places: Any, accounts: Any, partitions: Any, days: Any, added: Any, parties: Any, out: Any, whose: Any
) -> int:  # fmt: skip
    """Fill rows, and note whose each is; how many there are. `parties`: merchant, operator and city in partition 0."""
    made = 0
    for record in records:
        if at[f.PAID, record] <= 0:
            continue
        place, sale = places[record], at[f.KIND, record] == _TAP_SALE
        beside = partitions[place] << _PARTITION_SHIFT
        row = out[made]
        _told(at, record, days[record], row)
        row[_DEBIT], row[_CREDIT] = accounts[place], (parties[0] if sale else parties[1]) | beside
        row[_AMOUNT], row[_KIND] = at[f.PAID, record] * _SEN, _SALE if sale else _FARE
        whose[made] = record
        made += 1
        if added[record] <= 0:
            continue
        row[_FLAGS] |= _LINKED
        _told(at, record, days[record], out[made])
        out[made, _DEBIT], out[made, _CREDIT] = parties[2] | beside, row[_CREDIT]
        out[made, _AMOUNT], out[made, _KIND] = added[record], _SUBSIDY
        whose[made] = record
        made += 1
    return made


def moved(
    at: Integers, records: Integers, places: Integers, accounts: Integers, partitions: Integers, days: Integers,
    added: Integers, owner: int, city: int,
) -> tuple[Rows, Integers]:  # fmt: skip
    """The rows of some records (`fields`), and of each row the record that it comes from.

    `places` are the cards' in `accounts` and `partitions`; `days` the records' service days, `added` what the city adds (sen).
    """
    codes = (Code.MERCHANT_PAYABLE, owner), (Code.OPERATOR_PAYABLE, owner), (Code.SUBSIDY_RECEIVABLE, city)
    parties = np.array([account_id(code, 0, number) for code, number in codes], np.int64)  # type: ignore[arg-type]
    out, whose = np.zeros((2 * len(records), _WIDTH), np.int64), np.empty(2 * len(records), np.int64)
    made = _move(at, records, places, accounts, partitions, days, added, parties, out, whose)
    return out[:made].view(ROW).reshape(-1), whose[:made]
