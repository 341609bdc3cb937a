"""Making, listing, changing and deleting files on the chip."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from card.apdu import Ins, Status
from card.channel import CommMode
from card.commands import CREATE, FREE, FileSettings, FileType, parse_create, parse_rights
from card.virtual.application import PICC_LEVEL, KeySlot, TransactionMac
from card.virtual.files import ChipFile
from card.virtual.picc import as_master, free_bytes
from card.virtual.refusal import Refusal
from card.virtual.session import answered, bare, exact, opened
from keys.cmac import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.chip import VirtualCard

FILES_MAX = 32
_COUNTER_BYTES = 3


def _in_application(card: VirtualCard) -> None:
    if card.selected == PICC_LEVEL:
        raise Refusal(Status.PERMISSION_DENIED)


def _placed(card: VirtualCard, number: int, settings: FileSettings) -> ChipFile:
    """A new file where its number and its name are free and there is room; not yet in the application."""
    application = card.application
    names = {file.settings.iso_id for file in application.files.values() if file.settings.iso_id}
    if number in application.files or number == application.tmac_no or settings.iso_id in names:
        raise Refusal(Status.DUPLICATE_ERROR)
    file = ChipFile(settings)
    if file.size > free_bytes(card):
        raise Refusal(Status.OUT_OF_MEMORY)
    return file


def _plausible(number: int, settings: FileSettings) -> bool:
    """Whether numbers of a Create command make sense together."""
    if settings.kind is FileType.VALUE:
        return number < FILES_MAX and settings.lower <= settings.value <= settings.upper
    if settings.kind in {FileType.LINEAR, FileType.CYCLIC}:
        least = 2 if settings.kind is FileType.CYCLIC else 1
        return number < FILES_MAX and settings.record_size > 0 and settings.records >= least
    return number < FILES_MAX and (settings.kind is FileType.TMAC or settings.size > 0)


def create(ins: Ins, card: VirtualCard, payload: bytes) -> bytes:
    """One of the Create commands for data, value and record files."""
    _in_application(card)
    session = as_master(card, free=card.application.settings.free_create)
    _, body = opened(session, ins, payload, CommMode.MAC, 0)
    parsed = parse_create(ins, body)
    if parsed is None or not _plausible(*parsed):
        raise Refusal(Status.PARAMETER_ERROR)
    number, settings = parsed
    card.application.files[number] = _placed(card, number, settings)
    return answered(session, b"")


def create_tmac(card: VirtualCard, payload: bytes) -> bytes:
    """CreateTransactionMACFile: plain settings, then the encrypted key and its version."""
    _in_application(card)
    session = as_master(card)
    header, body = opened(session, Ins.CREATE_TMAC_FILE, payload, CommMode.FULL, 5)
    parsed = parse_create(Ins.CREATE_TMAC_FILE, header)
    if parsed is None or not _plausible(*parsed) or len(body) != BLOCK + 1:
        raise Refusal(Status.PARAMETER_ERROR)
    if card.application.tmac is not None:
        raise Refusal(Status.DUPLICATE_ERROR)
    number, settings = parsed
    _placed(card, number, settings)
    card.application.tmac_no = number
    card.application.tmac = TransactionMac(settings, KeySlot(value=body[:BLOCK], version=body[BLOCK]))
    if session is not None:
        session.forget()
    return answered(session, b"")


def delete_file(card: VirtualCard, payload: bytes) -> bytes:
    """DeleteFile: at once, not at commit; a Transaction MAC file only under the master key."""
    _in_application(card)
    application = card.application
    session = as_master(card, free=application.settings.free_create)
    _, body = opened(session, Ins.DELETE_FILE, payload, CommMode.MAC, 0)
    number = exact(body, 1)[0]
    if number == application.tmac_no:
        as_master(card)
        application.tmac, application.tmac_no = None, -1
    else:
        application.file(number)
        del application.files[number]
    return answered(session, b"")


def get_file_ids(card: VirtualCard, payload: bytes) -> bytes:
    """GetFileIDs."""
    _in_application(card)
    application = card.application
    session = as_master(card, free=application.settings.free_list)
    bare(session, Ins.GET_FILE_IDS, payload)
    numbers = sorted(application.files)
    return answered(session, bytes(numbers) + bytes([application.tmac_no] * (application.tmac is not None)))


def get_iso_file_ids(card: VirtualCard, payload: bytes) -> bytes:
    """GetISOFileIDs, each with its least significant byte first."""
    _in_application(card)
    session = as_master(card, free=card.application.settings.free_list)
    bare(session, Ins.GET_ISO_FILE_IDS, payload)
    names = (file.settings.iso_id for file in card.application.files.values())
    return answered(session, b"".join(name.to_bytes(2, "little") for name in names if name))


def get_file_settings(card: VirtualCard, payload: bytes) -> bytes:
    """GetFileSettings."""
    application = card.application
    session = as_master(card, free=application.settings.free_list)
    header, body = opened(session, Ins.GET_FILE_SETTINGS, payload, CommMode.MAC, 1)
    exact(body, 0)
    mac = application.tmac
    if mac is not None and header[0] == application.tmac_no:
        return answered(session, mac.settings.describe(0, mac.slot.version))
    file = application.file(header[0])
    return answered(session, file.settings.describe(file.used))


def change_file_settings(card: VirtualCard, payload: bytes) -> bytes:
    """ChangeFileSettings: mode, rights and SDM, under the key that the file's rights name; plain where that is free."""
    mac, number = card.application.tmac, payload[0] if payload else FILES_MAX
    if mac is not None and number == card.application.tmac_no:
        raise Refusal(Status.PERMISSION_DENIED)
    file, session = card.application.file(number), card.session
    if not file.settings.allows(session.key_no if session else None, "change"):
        raise Refusal(Status.PERMISSION_DENIED if session else Status.AUTHENTICATION_ERROR)
    free = all(rights.change == FREE for rights in file.settings.rights)
    mode = CommMode.MAC if free else CommMode.FULL
    _, body = opened(session, Ins.CHANGE_FILE_SETTINGS, payload, mode, 1)
    new = parse_rights(body)
    if new is None or (new.sdm is not None and not card.generation.mirrors):
        raise Refusal(Status.PARAMETER_ERROR)
    file.change(new)
    return answered(session, b"")


def get_file_counters(card: VirtualCard, payload: bytes) -> bytes:
    """GetFileCounters: how often a mirroring file was tapped, for the key that its SDM settings name."""
    number = payload[0] if payload else FILES_MAX
    file, session = card.application.file(number), card.session
    if file.settings.sdm is None or session is None or session.key_no != file.settings.sdm.counter_read:
        raise Refusal(Status.PERMISSION_DENIED)
    exact(opened(session, Ins.GET_FILE_COUNTERS, payload, CommMode.MAC, 1)[1], 0)
    return answered(session, file.counter.to_bytes(_COUNTER_BYTES, "little") + bytes(2), CommMode.FULL)


COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    **{ins: partial(create, ins) for kind, ins in CREATE.items() if kind is not FileType.TMAC},
    Ins.CREATE_TMAC_FILE: create_tmac,
    Ins.DELETE_FILE: delete_file,
    Ins.GET_FILE_IDS: get_file_ids,
    Ins.GET_ISO_FILE_IDS: get_iso_file_ids,
    Ins.GET_FILE_SETTINGS: get_file_settings,
    Ins.CHANGE_FILE_SETTINGS: change_file_settings,
    Ins.GET_FILE_COUNTERS: get_file_counters,
}
