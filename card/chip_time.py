"""How long a chip works on a command: a table, each figure with its source; what nobody has published is an assumption and says so.

The recordings are those that `card.airtime` names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from card.apdu import Ins, unwrap

if TYPE_CHECKING:
    from collections.abc import Mapping


class Work(StrEnum):
    """What a chip has to do for a command; a row of the table."""

    SELECT = "select an application"
    READ_FREE = "read, no session"
    AUTHENTICATE_FIRST = "authentication, first half"
    AUTHENTICATE_SECOND = "authentication, second half"
    READ_MAC = "read or ask, with MACs"
    READ_FULL = "read, enciphered"
    WRITE = "write up to 32 bytes, pending or at once"
    VALUE = "credit or debit, pending"
    READER_ID = "name the reader"
    COMMIT = "commit"
    COMMIT_SIGNED = "commit with Transaction MAC"
    MANAGE = "create, change settings or keys"


@dataclass(frozen=True, slots=True)
class Figure:
    """Microseconds from the end of a command to the start of its answer; `measured` is False for an assumption."""

    us: int
    measured: bool
    source: str


Chip = dict[Work, Figure]
"""A chip's table."""
CHIP: Final[Chip] = {
    Work.SELECT: Figure(772, True, "DESFire recording, SelectApplication"),
    Work.READ_FREE: Figure(700, True, "per frame; fitted, so that NXP's 1 kB reads come out within 6 % at all four rates"),
    Work.AUTHENTICATE_FIRST: Figure(3023, True, "MIFARE Plus recording, AES; DESFire with 3DES took 2466"),
    Work.AUTHENTICATE_SECOND: Figure(2027, True, "DESFire recording, 3DES; MIFARE Plus with AES took 1494"),
    Work.READ_MAC: Figure(1069, True, "DESFire recording, 5 bytes with MAC; MIFARE Plus, 16 bytes, both MACs: 847"),
    Work.READ_FULL: Figure(1300, False, "as with MACs, and two AES blocks more"),
    Work.WRITE: Figure(3100, False, "as a read with MACs, and two erase/write cycles of 1 ms (MF3D(H)x2 short data sheet)"),
    Work.VALUE: Figure(3300, False, "as an enciphered read, and two erase/write cycles"),
    Work.READER_ID: Figure(3300, False, "as an enciphered read, and two erase/write cycles"),
    Work.COMMIT: Figure(7000, False, "a command with MAC, and six erase/write cycles"),
    Work.COMMIT_SIGNED: Figure(11_000, False, "a command with MAC, and ten erase/write cycles: four files, counter and value"),
    Work.MANAGE: Figure(10_000, False, "an enciphered command, and nine erase/write cycles"),
}  # fmt: skip
_WORK: Final[Mapping[int, Work]] = {
    Ins.SELECT_APPLICATION: Work.SELECT,
    Ins.AUTHENTICATE_AES: Work.AUTHENTICATE_FIRST,
    Ins.AUTHENTICATE_EV2_FIRST: Work.AUTHENTICATE_FIRST,
    Ins.AUTHENTICATE_EV2_NON_FIRST: Work.AUTHENTICATE_FIRST,
    Ins.GET_VALUE: Work.READ_FULL,
    Ins.GET_CARD_UID: Work.READ_FULL,
    Ins.WRITE_DATA: Work.WRITE,
    Ins.WRITE_RECORD: Work.WRITE,
    Ins.UPDATE_RECORD: Work.WRITE,
    Ins.CREDIT: Work.VALUE,
    Ins.DEBIT: Work.VALUE,
    Ins.LIMITED_CREDIT: Work.VALUE,
    Ins.COMMIT_READER_ID: Work.READER_ID,
    **dict.fromkeys(
        (
            Ins.CREATE_APPLICATION, Ins.DELETE_APPLICATION, Ins.CREATE_STANDARD_FILE, Ins.CREATE_BACKUP_FILE,
            Ins.CREATE_VALUE_FILE, Ins.CREATE_LINEAR_FILE, Ins.CREATE_CYCLIC_FILE, Ins.CREATE_TMAC_FILE, Ins.DELETE_FILE,
            Ins.CHANGE_FILE_SETTINGS, Ins.CHANGE_KEY, Ins.SET_CONFIGURATION, Ins.FORMAT_PICC, Ins.CLEAR_RECORD_FILE,
        ),
        Work.MANAGE,
    ),
}  # fmt: skip
_READ_HEADER: Final = 7
_COMMIT_MAC_ALONE: Final = 8


def work_of(apdu: bytes) -> Work:
    """The row of the table for a command APDU, by its code and the length of its data; an unknown one counts as a read with MACs."""
    command = unwrap(apdu)
    if command is None:
        return Work.SELECT if apdu[1:2] == b"\xa4" else Work.READ_FREE
    ins, data = command
    if ins == Ins.ADDITIONAL_FRAME:
        return Work.AUTHENTICATE_SECOND if data else Work.READ_FREE
    if ins == Ins.COMMIT_TRANSACTION:
        return Work.COMMIT_SIGNED if len(data) not in {0, _COMMIT_MAC_ALONE} else Work.COMMIT
    if ins in {Ins.READ_DATA, Ins.READ_RECORDS} and len(data) <= _READ_HEADER:
        return Work.READ_FREE
    return _WORK.get(ins, Work.READ_MAC)
