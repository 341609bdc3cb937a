"""ISO/IEC 7816-4 on the chip: what a phone speaks to read an NDEF message (NFC Forum, Type 4 Tag)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.apdu import IsoIns, IsoStatus
from card.commands import FREE, FileType
from card.virtual.application import PICC_LEVEL
from card.virtual.data import mirrored
from card.virtual.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.chip import VirtualCard
    from card.virtual.files import ChipFile

DF_NAME = bytes.fromhex("d2760000850100")
"""The DF name of every DESFire: its PICC level."""
_MASTER_FILE = 0x3F00
_BY_ID, _CHILD, _ELEMENTARY, _BY_NAME = 0x00, 0x01, 0x02, 0x04
_HEADER = 5
_SHORT_ID = 0x80
_NE_MAX = 256


class IsoRefusal(Exception):
    """Ends a command with SW1 and SW2."""

    def __init__(self, status: IsoStatus) -> None:
        super().__init__(status)
        self.status = status


def run(card: VirtualCard, apdu: bytes) -> bytes:
    """Answer an APDU of CLA 00."""
    command = _COMMANDS.get(apdu[1], _unknown) if len(apdu) > 3 else _unknown  # noqa: PLR2004  header
    try:
        return command(card, apdu) + IsoStatus.OK.encode()
    except IsoRefusal as refusal:
        card.end_session()
        return refusal.status.encode()


def _unknown(card: VirtualCard, apdu: bytes) -> bytes:  # noqa: ARG001  a command's shape
    raise IsoRefusal(IsoStatus.INS_UNKNOWN)


def _data(apdu: bytes) -> bytes:
    """The data field; refuses an Lc that is not its length."""
    size = apdu[4] if len(apdu) > _HEADER else 0
    if len(apdu) - _HEADER not in {size, size + 1}:
        raise IsoRefusal(IsoStatus.WRONG_LENGTH)
    return apdu[_HEADER : _HEADER + size]


def select(card: VirtualCard, apdu: bytes) -> bytes:
    """SELECT by DF name, or by file identifier; ends a session."""
    how, name = apdu[2], _data(apdu)
    card.end_session()
    if how == _BY_NAME:
        card.enter(_application(card, name))
        return b""
    if how not in {_BY_ID, _CHILD, _ELEMENTARY} or len(name) not in {0, 2}:
        raise IsoRefusal(IsoStatus.WRONG_PARAMETERS)
    _select_id(card, int.from_bytes(name, "big") if name else _MASTER_FILE)
    return b""


def _application(card: VirtualCard, name: bytes) -> bytes:
    if name == DF_NAME:
        return PICC_LEVEL
    for aid, one in card.applications.items():
        if name and one.made.df_name == name:
            return aid
    raise IsoRefusal(IsoStatus.NOT_FOUND)


def _select_id(card: VirtualCard, iso_id: int) -> None:
    """A file of the selected application, or an application of the chip, or the master file."""
    for number, file in card.application.files.items():
        if file.settings.iso_id == iso_id:
            card.iso_file = number
            card.mirrored.pop(number, None)
            return
    for aid, one in card.applications.items():
        if iso_id in {one.made.iso_id, _MASTER_FILE} and (one.made.iso_id or aid == PICC_LEVEL):
            card.enter(PICC_LEVEL if iso_id == _MASTER_FILE else aid)
            return
    raise IsoRefusal(IsoStatus.NOT_FOUND)


def _current(card: VirtualCard, apdu: bytes, *rights: str) -> tuple[ChipFile, int]:
    """The current file, open to everybody, and the offset into it."""
    if apdu[2] & _SHORT_ID:
        raise IsoRefusal(IsoStatus.WRONG_PARAMETERS)
    if card.iso_file is None:
        raise IsoRefusal(IsoStatus.NO_CURRENT_FILE)
    file = card.application.file(card.iso_file)
    if file.settings.kind not in {FileType.STANDARD, FileType.BACKUP}:
        raise IsoRefusal(IsoStatus.NOT_ALLOWED)
    if not any(getattr(one, right) == FREE for one in file.settings.rights for right in rights):
        raise IsoRefusal(IsoStatus.SECURITY_NOT_SATISFIED)
    return file, apdu[2] << 8 | apdu[3]


def read_binary(card: VirtualCard, apdu: bytes) -> bytes:
    """READ BINARY of the current file: Le bytes, or what is left of it; a mirroring file mirrors."""
    file, offset = _current(card, apdu, "read", "read_write")
    if len(apdu) != _HEADER:
        raise IsoRefusal(IsoStatus.WRONG_LENGTH)
    if offset >= len(file.data):
        raise IsoRefusal(IsoStatus.WRONG_OFFSET)
    wanted = apdu[4] or min(_NE_MAX, len(file.data) - offset)
    if offset + wanted > len(file.data):
        raise IsoRefusal(IsoStatus.WRONG_LENGTH)
    try:
        content = mirrored(card, card.iso_file or 0, file)
    except Refusal:
        raise IsoRefusal(IsoStatus.NOT_ALLOWED) from None
    return content[offset : offset + wanted]


def update_binary(card: VirtualCard, apdu: bytes) -> bytes:
    """UPDATE BINARY of a standard file that everybody may write."""
    file, offset = _current(card, apdu, "write", "read_write")
    data = _data(apdu)
    if not data or offset + len(data) > len(file.data) or file.settings.kind is not FileType.STANDARD:
        raise IsoRefusal(IsoStatus.WRONG_LENGTH if data else IsoStatus.NOT_ALLOWED)
    file.write(offset, data)
    return b""


_COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    IsoIns.SELECT: select,
    IsoIns.READ_BINARY: read_binary,
    IsoIns.UPDATE_BINARY: update_binary,
}
