"""Transaction MAC Inputs in the layouts that this city's terminals leave, checked byte for byte in a numba kernel.

The commands stand in the order of `card.purse`: identity, journey and value read; one debit or credit, or none; the log record; a new journey, or none; the
reader's id. Every check of `card.evidence.parse` and of the decoders in `card.layout` is made here on bytes; another order, or a byte that they would refuse,
is for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from card import tmac
from card.apdu import Ins
from card.layout import LAYOUT_VERSION, RECORD_BYTES, Concession, File, JourneyState, TapKind
from keys.cmac import BLOCK
from ledger.intake.columnar import fields as f
from ledger.intake.columnar.cbor import BAD
from ledger.intake.columnar.compiled import compiled

if TYPE_CHECKING:
    import numpy.typing as npt


def _head(ins: Ins, file: File) -> npt.NDArray[np.uint8]:
    """The first block of a command on a whole file."""
    return np.frombuffer(tmac.data_entry(ins, file, 0, bytes(RECORD_BYTES))[:BLOCK], np.uint8)


_IDENTITY: Final = _head(Ins.READ_DATA, File.IDENTITY)
_JOURNEY: Final = _head(Ins.READ_DATA, File.JOURNEY)
_LOG: Final = _head(Ins.WRITE_RECORD, File.LOG)
_MOVED_ON: Final = _head(Ins.WRITE_DATA, File.JOURNEY)
_GET_VALUE, _DEBIT, _CREDIT = int(Ins.GET_VALUE), int(Ins.DEBIT), int(Ins.CREDIT)
_COMMIT, _PURSE = int(Ins.COMMIT_READER_ID), int(File.PURSE)
_LAYOUT, _CONCESSION_MAX = int(LAYOUT_VERSION), int(max(Concession))
_STATE_MAX, _KIND_MAX = int(max(JourneyState)), int(max(TapKind))
_LOAD, _REFUND, _LOCK = int(TapKind.LOAD), int(TapKind.REFUND), int(TapKind.LOCK)
_PACKED_FROM: Final = 2
_BLOCK, _RECORD = int(BLOCK), int(RECORD_BYTES)
_DATA_ENTRY: Final = _BLOCK + _RECORD
_READER_ENTRY: Final = 3 * _BLOCK
_SHORTEST: Final = 2 * _DATA_ENTRY + _BLOCK + _DATA_ENTRY + _READER_ENTRY


@compiled
def _unsigned(data: Any, at: int, octets: int) -> int:
    value = 0
    for place in range(octets - 1, -1, -1):
        value = (value << 8) | int(data[at + place])
    return value


@compiled
def _signed(data: Any, at: int) -> int:
    value = _unsigned(data, at, 4)
    return value - (1 << 32) if value >= 1 << 31 else value


@compiled
def _begins(data: Any, at: int, wanted: Any) -> bool:
    for place in range(len(wanted)):  # noqa: SIM110  numba compiles no generators
        if data[at + place] != wanted[place]:
            return False
    return True


@compiled
def _empty(data: Any, at: int, end: int) -> bool:
    for place in range(at, end):  # noqa: SIM110  as above
        if data[place] != 0:
            return False
    return True


@compiled
def _luhn(number: int) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total, doubled = 0, False
    while number:
        digit = number % 10
        if doubled:
            digit = digit // 5 + 2 * digit % 10
        total += digit
        doubled = not doubled
        number //= 10
    return total % 10 == 0


@compiled
def _identity(data: Any, at: int, out: Any, row: int) -> bool:
    """The identity file: `card.layout.Identity.decode`."""
    if data[at] != _LAYOUT or data[at + 8] & 0x80 or data[at + 12] > 1 or data[at + 13] > _CONCESSION_MAX:
        return False
    out[f.IDENTITY_AT, row] = at
    out[f.CARD_NUMBER, row] = _unsigned(data, at + 1, 8)
    out[f.CONCESSION, row] = data[at + 13]
    return _luhn(out[f.CARD_NUMBER, row]) and _empty(data, at + 18, at + _RECORD)


@compiled
def _journey(data: Any, at: int) -> bool:
    """A journey file: `card.journey.Journey.decode`. From version 2 on, every bit pattern is one; before, the first byte was the state alone."""
    return data[at] >> 4 >= _PACKED_FROM or (data[at] <= _STATE_MAX and _empty(data, at + 29, at + _RECORD))


@compiled
def _log(data: Any, at: int, out: Any, row: int) -> bool:
    """The log record: `card.layout.LogRecord.decode`."""
    if not 1 <= data[at] <= _KIND_MAX or not _empty(data, at + 29, at + _RECORD):
        return False
    out[f.SIGNED_KIND, row] = data[at]
    out[f.PAID, row] = _unsigned(data, at + 1, 4)
    out[f.BALANCE_AFTER, row] = _unsigned(data, at + 5, 4)
    out[f.SIGNED_AT, row] = _unsigned(data, at + 9, 4)
    out[f.TERMINAL, row] = _unsigned(data, at + 13, 4)
    out[f.SEQUENCE, row] = _unsigned(data, at + 17, 4)
    out[f.ROUTE, row] = _unsigned(data, at + 25, 4)
    return True


@compiled
def _value(data: Any, at: int) -> bool:
    """A command on the purse's value, filled with zeros."""
    return data[at + 1] == _PURSE and _empty(data, at + 6, at + _BLOCK)


@compiled
def _moved(data: Any, at: int) -> Any:
    """What a debit or credit moves (rupiah, negative where the card pays) and the place after it; 0 where it is neither."""
    credit = data[at] == _CREDIT
    if not credit and data[at] != _DEBIT:
        return 0, at
    value = _signed(data, at + 2)
    if not _value(data, at) or value <= 0:
        return 0, BAD
    return (value if credit else -value), at + _BLOCK


@compiled
def _adds_up(data: Any, reader: int, before: int, out: Any, row: int) -> bool:
    """`card.evidence`'s last checks: value, log record and reader's id tell one story."""
    moved, kind = out[f.MOVED, row], out[f.SIGNED_KIND, row]
    credits_card = kind in (_LOAD, _REFUND)
    return (
        out[f.PAID, row] == abs(moved)
        and out[f.BALANCE_AFTER, row] == before + moved
        and (moved == 0 or (kind != _LOCK and credits_card == (moved > 0)))
        and out[f.TERMINAL, row] == _unsigned(data, reader, 4)
        and out[f.SEQUENCE, row] == _unsigned(data, reader + 4, 4)
        and out[f.SIGNED_AT, row] == _unsigned(data, reader + 8, 4)
        and _empty(data, reader + 12, reader + 16)
    )


@compiled
def _what_was_read(data: Any, at: int, out: Any, row: int) -> int:
    """Identity and journey; the place of what follows."""
    if not _begins(data, at, _IDENTITY) or not _identity(data, at + _BLOCK, out, row):
        return BAD
    at += _DATA_ENTRY
    return at + _DATA_ENTRY if _begins(data, at, _JOURNEY) and _journey(data, at + _BLOCK) else BAD


@compiled
def _what_was_written(data: Any, at: int, end: int, out: Any, row: int) -> int:
    """The log record, and a new journey where there is one; the place of what follows."""
    if end - at < _DATA_ENTRY + _READER_ENTRY or not _begins(data, at, _LOG):
        return BAD
    if not _log(data, at + _BLOCK, out, row):
        return BAD
    at += _DATA_ENTRY
    if end - at != _DATA_ENTRY + _READER_ENTRY:
        return at
    return at + _DATA_ENTRY if _begins(data, at, _MOVED_ON) and _journey(data, at + _BLOCK) else BAD


@compiled
def read_input(data: Any, out: Any, row: int) -> bool:
    """Fill the columns of what the chip signed; False where this is none of the layouts."""
    at, end = out[f.TMI_AT, row], out[f.TMI_END, row]
    if end - at < _SHORTEST or (end - at) % _BLOCK:
        return False
    at = _what_was_read(data, at, out, row)
    if at == BAD or data[at] != _GET_VALUE or not _value(data, at):
        return False
    before = _signed(data, at + 2)
    out[f.MOVED, row], at = _moved(data, at + _BLOCK)
    if at == BAD:
        return False
    at = _what_was_written(data, at, end, out, row)
    if at == BAD or end - at != _READER_ENTRY or data[at] != _COMMIT or not _empty(data, at + 33, end):
        return False
    return _adds_up(data, at + 1, before, out, row)
