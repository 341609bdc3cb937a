"""Record files on the chip: appending, reading, updating, clearing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from card import tmac
from card.apdu import Ins, Status
from card.virtual.refusal import Refusal
from card.virtual.rights import BOTH, READS, asking, mode_for, number, place, sign, written
from card.virtual.session import answered, exact, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.chip import VirtualCard


def write_record(ins: Ins, card: VirtualCard, payload: bytes) -> bytes:
    """WriteRecord: file, offset, length, data; one new record a transaction."""
    file, offset, data, mode = written(ins, card, payload)
    file.append(offset, data)
    sign(card, tmac.data_entry(ins, payload[0], offset, data))
    return answered(card.session, b"", mode)


def read_records(ins: Ins, card: VirtualCard, payload: bytes) -> bytes:
    """ReadRecords: file, first (0 is the newest), count (0: all); answers oldest first."""
    file = card.application.file(number(payload))
    mode = mode_for(card, file.settings, *READS)
    header, body = opened(card.session, ins, payload, asking(mode), 7)
    exact(body, 0)
    file_no, latest, count = place(header)
    data = file.read_records(latest, count)
    sign(card, tmac.records_entry(file_no, latest, count, data))
    return answered(card.session, data, mode)


def update_record(ins: Ins, card: VirtualCard, payload: bytes) -> bytes:
    """UpdateRecord: file, record (0 is the newest), offset, length, data; pending until commit."""
    file = card.application.file(number(payload))
    mode = mode_for(card, file.settings, *BOTH)
    header, data = opened(card.session, ins, payload, mode, 10)
    file_no, latest, offset = place(header)
    if not data or len(data) != int.from_bytes(header[7:10], "little"):
        raise Refusal(Status.LENGTH_ERROR)
    file.update(latest, offset, data)
    sign(card, tmac.update_entry(file_no, latest, offset, data))
    return answered(card.session, b"", mode)


def clear_records(card: VirtualCard, payload: bytes) -> bytes:
    """ClearRecordFile: for a key that may read and write; pending until commit."""
    file = card.application.file(number(payload))
    mode = mode_for(card, file.settings, *BOTH)
    header, body = opened(card.session, Ins.CLEAR_RECORD_FILE, payload, asking(mode), 1)
    exact(body, 0)
    file.clear()
    sign(card, tmac.clear_entry(header[0]))
    return answered(card.session, b"", asking(mode))


COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    Ins.WRITE_RECORD: partial(write_record, Ins.WRITE_RECORD),
    Ins.WRITE_RECORD_CHAINED: partial(write_record, Ins.WRITE_RECORD_CHAINED),
    Ins.READ_RECORDS: partial(read_records, Ins.READ_RECORDS),
    Ins.READ_RECORDS_CHAINED: partial(read_records, Ins.READ_RECORDS_CHAINED),
    Ins.UPDATE_RECORD: partial(update_record, Ins.UPDATE_RECORD),
    Ins.UPDATE_RECORD_CHAINED: partial(update_record, Ins.UPDATE_RECORD_CHAINED),
    Ins.CLEAR_RECORD_FILE: clear_records,
}
