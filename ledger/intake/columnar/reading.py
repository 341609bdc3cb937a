"""The records of a batch as columns: where their bytes stand, what the terminal claims, what the chip signed. One kernel, no lock held.

The oracle is `card.batch.decode_record` with `card.evidence.parse`: where a record is PLAIN here, both accept it with the same values. The reverse need not
hold: a text outside ASCII, an unusual order of commands, a witness or a load are read by those two alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from card.batch import (
    AMOUNT_MAX,
    RULES_MAX,
    TIME_MAX,
    RecordStatus,
)
from card.evidence import TMI_BYTES_MAX
from card.tmac import TMC_MAX, TMV_BYTES
from keys.cmac import BLOCK
from ledger.intake.columnar import fields as f
from ledger.intake.columnar.cbor import ARRAY, BAD, head, integer, octets, text
from ledger.intake.columnar.compiled import compiled
from ledger.intake.columnar.inputs import read_input

if TYPE_CHECKING:
    import numpy.typing as npt

    Octets = npt.NDArray[np.uint8]
    Integers = npt.NDArray[np.int64]

GROUPS_MAX: Final = 64
"""Tariffs and rules that records of one batch may have and stay plain."""
_CONFIRMED: Final = int(RecordStatus.CONFIRMED)
_UID_BYTES: Final = 7
_FIELDS: Final = 12
_CONTEXT_FIELDS: Final = 6
_KIND_MAX: Final = 6
_AUTHORISATION_MAX: Final = 1 << 62
_AMOUNT_MAX, _TIME_MAX, _TMC_MAX = int(AMOUNT_MAX), int(TIME_MAX), int(TMC_MAX)
_RULES_MAX, _TMI_MAX, _TMV_BYTES, _BLOCK = int(RULES_MAX), int(TMI_BYTES_MAX), int(TMV_BYTES), int(BLOCK)


@compiled
def _claims(data: Any, at: int, end: int, out: Any, row: int) -> int:
    """Status to `seen TMV`; the place after them."""
    count, at = head(data, at, end, ARRAY)
    if at == BAD or count != _FIELDS:
        return BAD
    _, at = integer(data, at, end, _CONFIRMED, _CONFIRMED)
    out[f.KIND, row], at = integer(data, at, end, 1, _KIND_MAX)
    out[f.UID_AT, row], at = octets(data, at, end, _UID_BYTES, _UID_BYTES)
    out[f.TMC, row], at = integer(data, at, end, 1, _TMC_MAX)
    out[f.TMV_AT, row], at = octets(data, at, end, _TMV_BYTES, _TMV_BYTES)
    out[f.TMI_AT, row], at = octets(data, at, end, _BLOCK, _TMI_MAX)
    out[f.TMI_END, row] = at
    out[f.AMOUNT, row], at = integer(data, at, end, -_AMOUNT_MAX, _AMOUNT_MAX)
    out[f.OCCURRED_AT, row], at = integer(data, at, end, 0, _TIME_MAX)
    out[f.SEEN_TMC, row], at = integer(data, at, end, 0, _TMC_MAX)
    out[f.SEEN_AT, row], at = octets(data, at, end, 0, _TMV_BYTES)
    out[f.SEEN_END, row] = at
    return at


@compiled
def _context(data: Any, at: int, end: int, out: Any, row: int) -> int:
    """Route to authorisation; the place after them."""
    count, at = head(data, at, end, ARRAY)
    if at == BAD or count != _CONTEXT_FIELDS:
        return BAD
    out[f.ROUTE_AT, row], at = text(data, at, end)
    out[f.ROUTE_END, row] = at
    out[f.STOP_AT, row], at = text(data, at, end)
    out[f.STOP_END, row] = at
    _, at = text(data, at, end)
    out[f.FARE_AT, row] = at
    _, at = text(data, at, end)
    rules, at = head(data, at, end, ARRAY)
    if at == BAD or rules > _RULES_MAX:
        return BAD
    for _rule in range(rules):
        _, at = text(data, at, end)
    out[f.FARE_END, row] = at
    out[f.AUTHORISATION, row], at = integer(data, at, end, 0, _AUTHORISATION_MAX)
    return at


@compiled
def _same(data: Any, one: int, other: int, length: int) -> bool:
    for place in range(length):  # noqa: SIM110  numba compiles no generators
        if data[one + place] != data[other + place]:
            return False
    return True


@compiled
def _group(data: Any, out: Any, row: int, firsts: Any, groups: int) -> int:
    """The number of the records that have these very bytes of tariff and rules; `groups` where none has them yet."""
    at, length = out[f.FARE_AT, row], out[f.FARE_END, row] - out[f.FARE_AT, row]
    for group in range(groups):
        first = firsts[group]
        if out[f.FARE_END, first] - out[f.FARE_AT, first] == length and _same(
            data, out[f.FARE_AT, first], at, length
        ):
            return group
    return groups


@compiled
def _read(data: Any, starts: Any, ends: Any, first_sequence: int, out: Any, firsts: Any) -> int:
    groups = 0
    for row in range(len(starts)):
        at, end = starts[row], ends[row]
        at = _claims(data, at, end, out, row)
        at = _context(data, at, end, out, row)
        sequence = first_sequence + row
        _, at = integer(data, at, end, sequence, sequence)
        if at != end or not read_input(data, out, row):
            continue
        group = _group(data, out, row, firsts, groups)
        if group == groups:
            if groups == len(firsts):
                continue
            firsts[groups] = row
            groups += 1
        uid = 0
        for place in range(_UID_BYTES):
            uid = (uid << 8) | int(data[out[f.UID_AT, row] + place])
        out[f.UID, row] = uid
        out[f.GROUP, row] = group
        out[f.PLAIN, row] = 1
    return groups


def read(data: Octets, starts: Integers, ends: Integers, first_sequence: int) -> tuple[Integers, Integers]:
    """Columns (`fields`) of records that stand in a buffer, and of each group of equal tariff and rules the first record."""
    out = np.zeros((f.WIDTH, len(starts)), np.int64)
    firsts = np.zeros(GROUPS_MAX, np.int64)
    groups = _read(data, starts, ends, first_sequence, out, firsts)
    return out, firsts[:groups]
