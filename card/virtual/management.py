"""Applications, files and keys on the chip: what personalisation uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.apdu import Ins, Status
from card.commands import FileType, parse_application, parse_create, parse_rights
from card.ev2 import CommMode
from card.virtual.application import Application, KeySlot, TransactionMac
from card.virtual.files import ChipFile
from card.virtual.refusal import Refusal
from card.virtual.session import answered, opened
from keys.cmac import BLOCK
from keys.diversify import xor
from keys.softkey import crc32

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.chip import VirtualCard
    from card.virtual.session import Session

PICC_LEVEL = b"\x00\x00\x00"
APPLICATIONS_MAX = 28
FILES_MAX = 32
VERSION = bytes.fromhex("0401013300160504010103001605")
"""Hardware and software frames of GetVersion, as an MF3D43 (EV3, 4 kB) gives them; UID, batch and date follow."""
_MASTER = 0
_KEY_NO = 0x3F


def get_version(card: VirtualCard, payload: bytes) -> bytes:
    """GetVersion: hardware, software, then UID, batch number and production week."""
    mode = CommMode.MAC if card.session else CommMode.PLAIN
    opened(card.session, Ins.GET_VERSION, payload, mode, 0)
    return answered(card.session, VERSION + card.uid + bytes(5) + b"\x46\x26", mode)


def select(card: VirtualCard, payload: bytes) -> bytes:
    """SelectApplication: ends the session; what was pending is gone."""
    if len(payload) != 3:  # noqa: PLR2004  an AID
        raise Refusal(Status.LENGTH_ERROR)
    card.end_session()
    aid = payload[::-1]
    if aid not in card.applications:
        raise Refusal(Status.APPLICATION_NOT_FOUND)
    card.selected = aid
    return b""


def _as_master(card: VirtualCard) -> Session:
    if card.session is None or card.session.key_no != _MASTER:
        raise Refusal(Status.PERMISSION_DENIED if card.session else Status.AUTHENTICATION_ERROR)
    return card.session


def create_application(card: VirtualCard, payload: bytes) -> bytes:
    """CreateApplication at PICC level, with AES keys of zeros."""
    session = _as_master(card)
    _, body = opened(session, Ins.CREATE_APPLICATION, payload, CommMode.MAC, 0)
    parsed = parse_application(body)
    if card.selected != PICC_LEVEL or parsed is None:
        raise Refusal(Status.PARAMETER_ERROR)
    aid, keys = parsed
    if aid in card.applications:
        raise Refusal(Status.DUPLICATE_ERROR)
    if len(card.applications) > APPLICATIONS_MAX:
        raise Refusal(Status.OUT_OF_MEMORY)
    card.applications[aid] = Application(keys)
    return answered(session, b"", CommMode.MAC)


def _create(card: VirtualCard, ins: Ins, payload: bytes) -> bytes:
    session = _as_master(card)
    _, body = opened(session, ins, payload, CommMode.MAC, 0)
    parsed = parse_create(ins, body)
    if parsed is None or parsed[0] >= FILES_MAX or card.selected == PICC_LEVEL:
        raise Refusal(Status.PARAMETER_ERROR)
    number, settings = parsed
    _require_free(card, number)
    card.application.files[number] = ChipFile(settings)
    return answered(session, b"", CommMode.MAC)


def _require_free(card: VirtualCard, number: int) -> None:
    if number in card.application.files or number == card.application.tmac_no:
        raise Refusal(Status.DUPLICATE_ERROR)


def create_standard(card: VirtualCard, payload: bytes) -> bytes:
    """CreateStdDataFile."""
    return _create(card, Ins.CREATE_STANDARD_FILE, payload)


def create_backup(card: VirtualCard, payload: bytes) -> bytes:
    """CreateBackupDataFile."""
    return _create(card, Ins.CREATE_BACKUP_FILE, payload)


def create_value(card: VirtualCard, payload: bytes) -> bytes:
    """CreateValueFile."""
    return _create(card, Ins.CREATE_VALUE_FILE, payload)


def create_cyclic(card: VirtualCard, payload: bytes) -> bytes:
    """CreateCyclicRecordFile."""
    return _create(card, Ins.CREATE_CYCLIC_FILE, payload)


def create_tmac(card: VirtualCard, payload: bytes) -> bytes:
    """CreateTransactionMACFile: plain settings, then the encrypted key and its version."""
    session = _as_master(card)
    header, body = opened(session, Ins.CREATE_TMAC_FILE, payload, CommMode.FULL, 5)
    parsed = parse_create(Ins.CREATE_TMAC_FILE, header)
    if parsed is None or len(body) != BLOCK + 1 or card.application.tmac is not None:
        raise Refusal(Status.PARAMETER_ERROR)
    number, settings = parsed
    _require_free(card, number)
    card.application.tmac_no = number
    card.application.tmac = TransactionMac(settings, KeySlot(body[:BLOCK], body[BLOCK]))
    session.forget()
    return answered(session, b"", CommMode.MAC)


def get_file_ids(card: VirtualCard, payload: bytes) -> bytes:
    """GetFileIDs."""
    mode = CommMode.MAC if card.session else CommMode.PLAIN
    _, body = opened(card.session, Ins.GET_FILE_IDS, payload, mode, 0)
    if body or card.selected == PICC_LEVEL:
        raise Refusal(Status.LENGTH_ERROR if body else Status.PERMISSION_DENIED)
    numbers = sorted(card.application.files)
    if card.application.tmac is not None:
        numbers.append(card.application.tmac_no)
    return answered(card.session, bytes(numbers), mode)


def get_file_settings(card: VirtualCard, payload: bytes) -> bytes:
    """GetFileSettings."""
    mode = CommMode.MAC if card.session else CommMode.PLAIN
    header, _ = opened(card.session, Ins.GET_FILE_SETTINGS, payload, mode, 1)
    mac = card.application.tmac
    if mac is not None and header[0] == card.application.tmac_no:
        return answered(card.session, mac.settings.describe(), mode)
    return answered(card.session, card.application.file(header[0]).settings.describe(), mode)


def change_file_settings(card: VirtualCard, payload: bytes) -> bytes:
    """ChangeFileSettings: mode and rights, under the key that the file's rights name."""
    file = card.application.file(payload[0] if payload else FILES_MAX)
    session = card.session
    if session is None or not file.settings.allows(session.key_no, "change"):
        raise Refusal(Status.PERMISSION_DENIED)
    _, body = opened(session, Ins.CHANGE_FILE_SETTINGS, payload, CommMode.FULL, 1)
    parsed = parse_rights(body)
    if parsed is None or file.settings.kind is FileType.TMAC:
        raise Refusal(Status.PARAMETER_ERROR)
    file.change_rights(*parsed)
    return answered(session, b"", CommMode.MAC)


def change_key(card: VirtualCard, payload: bytes) -> bytes:
    """ChangeKey; the key in use changes without a MAC in the answer, and the session ends."""
    session = _as_master(card)
    header, body = opened(session, Ins.CHANGE_KEY, payload, CommMode.FULL, 1)
    number = header[0] & _KEY_NO
    slot = card.application.key(number)
    if number == session.key_no:
        _require(len(body) == BLOCK + 1)
        slot.value, slot.version = body[:BLOCK], body[BLOCK]
        card.end_session()
        return b""
    _require(len(body) == BLOCK + 5)
    fresh = xor(body[:BLOCK], slot.value)
    if crc32(fresh) != body[BLOCK + 1 :]:
        raise Refusal(Status.INTEGRITY_ERROR)
    slot.value, slot.version = fresh, body[BLOCK]
    return answered(session, b"", CommMode.MAC)


def _require(well_formed: bool) -> None:
    if not well_formed:
        raise Refusal(Status.LENGTH_ERROR)


def get_key_version(card: VirtualCard, payload: bytes) -> bytes:
    """GetKeyVersion."""
    mode = CommMode.MAC if card.session else CommMode.PLAIN
    header, body = opened(card.session, Ins.GET_KEY_VERSION, payload, mode, 1)
    _require(not body)
    return answered(card.session, bytes((card.application.key(header[0] & _KEY_NO).version,)), mode)


def get_card_uid(card: VirtualCard, payload: bytes) -> bytes:
    """GetCardUID: only for a terminal that has authenticated, encrypted."""
    if card.session is None:
        raise Refusal(Status.AUTHENTICATION_ERROR)
    _, body = opened(card.session, Ins.GET_CARD_UID, payload, CommMode.MAC, 0)
    _require(not body)
    return answered(card.session, card.uid, CommMode.FULL)


COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    Ins.GET_VERSION: get_version,
    Ins.SELECT_APPLICATION: select,
    Ins.CREATE_APPLICATION: create_application,
    Ins.CREATE_STANDARD_FILE: create_standard,
    Ins.CREATE_BACKUP_FILE: create_backup,
    Ins.CREATE_VALUE_FILE: create_value,
    Ins.CREATE_CYCLIC_FILE: create_cyclic,
    Ins.CREATE_TMAC_FILE: create_tmac,
    Ins.GET_FILE_IDS: get_file_ids,
    Ins.GET_FILE_SETTINGS: get_file_settings,
    Ins.CHANGE_FILE_SETTINGS: change_file_settings,
    Ins.CHANGE_KEY: change_key,
    Ins.GET_KEY_VERSION: get_key_version,
    Ins.GET_CARD_UID: get_card_uid,
}
