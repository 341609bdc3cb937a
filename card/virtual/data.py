"""Reading and writing files on the chip, with rights, modes, and the entries that the Transaction MAC will sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card import tmac
from card.apdu import Ins, Status
from card.commands import FileType
from card.ev2 import CommMode
from card.virtual.refusal import Refusal
from card.virtual.session import answered, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.commands import FileSettings
    from card.virtual.chip import VirtualCard

_WRITES = ("write", "read_write")
_READS = ("read", "read_write")
_VALUE_USES = ("read", "write", "read_write")


def _mode(card: VirtualCard, settings: FileSettings, *rights: str) -> CommMode:
    """The mode that a command on a file travels in; refuses a key without the right."""
    key = card.session.key_no if card.session else None
    if not settings.allows(key, *rights):
        raise Refusal(Status.PERMISSION_DENIED if card.session else Status.AUTHENTICATION_ERROR)
    return settings.mode if card.session else CommMode.PLAIN


def _sign(card: VirtualCard, entry: bytes) -> None:
    if card.session is not None and card.application.tmac is not None:
        card.session.tmi += entry


def _place(header: bytes) -> tuple[int, int, int]:
    first, second = int.from_bytes(header[1:4], "little"), int.from_bytes(header[4:7], "little")
    return header[0], first, second


def _no_body(body: bytes) -> None:
    if body:
        raise Refusal(Status.LENGTH_ERROR)


def _number(payload: bytes) -> int:
    if not payload:
        raise Refusal(Status.LENGTH_ERROR)
    return payload[0]


def read_data(card: VirtualCard, payload: bytes) -> bytes:
    """ReadData: file, offset, length (0: all)."""
    mac = card.application.tmac
    if mac is not None and _number(payload) == card.application.tmac_no:
        return _read_tmac(card, payload)
    file = card.application.file(_number(payload))
    mode = _mode(card, file.settings, *_READS)
    header, body = opened(card.session, Ins.READ_DATA, payload, mode, 7)
    _no_body(body)
    number, offset, length = _place(header)
    data = file.read(offset, length)
    _sign(card, tmac.data_entry(Ins.READ_DATA, number, offset, data))
    return answered(card.session, data, mode)


def _read_tmac(card: VirtualCard, payload: bytes) -> bytes:
    mac = card.application.tmac
    if mac is None:
        raise Refusal(Status.FILE_NOT_FOUND)
    mode = _mode(card, mac.settings, "read")
    header, body = opened(card.session, Ins.READ_DATA, payload, mode, 7)
    _no_body(body)
    _, offset, length = _place(header)
    content = mac.content[offset : offset + length] if length else mac.content[offset:]
    if not content or (length and len(content) != length):
        raise Refusal(Status.BOUNDARY_ERROR)
    return answered(card.session, content, mode)


def write_data(card: VirtualCard, payload: bytes) -> bytes:
    """WriteData: file, offset, length, data."""
    file = card.application.file(_number(payload))
    mode = _mode(card, file.settings, *_WRITES)
    header, data = opened(card.session, Ins.WRITE_DATA, payload, mode, 7)
    number, offset, length = _place(header)
    if not data or len(data) != length:
        raise Refusal(Status.LENGTH_ERROR)
    file.write(offset, data)
    _sign(card, tmac.data_entry(Ins.WRITE_DATA, number, offset, data))
    return answered(card.session, b"", mode)


def get_value(card: VirtualCard, payload: bytes) -> bytes:
    """GetValue: the committed value, 4 bytes."""
    file = card.application.file(_number(payload))
    file.require(FileType.VALUE)
    mode = _mode(card, file.settings, *_VALUE_USES)
    header, body = opened(
        card.session, Ins.GET_VALUE, payload, CommMode.MAC if mode is not CommMode.PLAIN else mode, 1
    )
    _no_body(body)
    _sign(card, tmac.value_entry(Ins.GET_VALUE, header[0], file.value))
    return answered(card.session, file.value.to_bytes(4, "little", signed=True), mode)


def credit(card: VirtualCard, payload: bytes) -> bytes:
    """Credit: file, value."""
    return _change_value(card, Ins.CREDIT, payload, ("read_write",))


def debit(card: VirtualCard, payload: bytes) -> bytes:
    """Debit: file, value."""
    return _change_value(card, Ins.DEBIT, payload, _VALUE_USES)


def _change_value(card: VirtualCard, ins: Ins, payload: bytes, rights: tuple[str, ...]) -> bytes:
    file = card.application.file(_number(payload))
    file.require(FileType.VALUE)
    mode = _mode(card, file.settings, *rights)
    header, body = opened(card.session, ins, payload, mode, 1)
    if len(body) != 4:  # noqa: PLR2004  a value has four bytes
        raise Refusal(Status.LENGTH_ERROR)
    amount = int.from_bytes(body, "little", signed=True)
    (file.credit if ins is Ins.CREDIT else file.debit)(amount)
    _sign(card, tmac.value_entry(ins, header[0], amount))
    return answered(card.session, b"", mode)


def write_record(card: VirtualCard, payload: bytes) -> bytes:
    """WriteRecord: file, offset, length, data; one new record a transaction."""
    file = card.application.file(_number(payload))
    mode = _mode(card, file.settings, *_WRITES)
    header, data = opened(card.session, Ins.WRITE_RECORD, payload, mode, 7)
    number, offset, length = _place(header)
    if not data or len(data) != length:
        raise Refusal(Status.LENGTH_ERROR)
    file.append(offset, data)
    _sign(card, tmac.data_entry(Ins.WRITE_RECORD, number, offset, data))
    return answered(card.session, b"", mode)


def read_records(card: VirtualCard, payload: bytes) -> bytes:
    """ReadRecords: file, first (0 is the newest), count (0: all); answers oldest first."""
    file = card.application.file(_number(payload))
    mode = _mode(card, file.settings, *_READS)
    header, body = opened(card.session, Ins.READ_RECORDS, payload, mode, 7)
    _no_body(body)
    number, latest, count = _place(header)
    data = file.read_records(latest, count)
    _sign(card, tmac.records_entry(number, latest, count, data))
    return answered(card.session, data, mode)


def clear_records(card: VirtualCard, payload: bytes) -> bytes:
    """ClearRecordFile: refused; no key of a city card may forget what happened."""
    card.application.file(_number(payload)).require(FileType.CYCLIC)
    raise Refusal(Status.PERMISSION_DENIED)


COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    Ins.READ_DATA: read_data,
    Ins.WRITE_DATA: write_data,
    Ins.GET_VALUE: get_value,
    Ins.CREDIT: credit,
    Ins.DEBIT: debit,
    Ins.WRITE_RECORD: write_record,
    Ins.READ_RECORDS: read_records,
    Ins.CLEAR_RECORD_FILE: clear_records,
}
