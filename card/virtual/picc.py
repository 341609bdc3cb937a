"""The chip itself and its applications: version, memory, format, configuration, creation, selection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.apdu import Ins, Status
from card.applications import parse_application
from card.channel import CommMode
from card.ev1 import KeyType
from card.virtual.application import PICC_LEVEL, Application, KeySlot
from card.virtual.refusal import Refusal
from card.virtual.session import answered, bare, exact, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.chip import VirtualCard
    from card.virtual.session import Session

MEMORY_BYTES = 5_120
"""What a chip of 4 kB reports as free when delivered; the data sheet promises 4,096 for files."""
APPLICATIONS_MAX = 28
PRODUCED = bytes.fromhex("ba341250904626")
"""Batch number, and week and year of production, as GetVersion ends."""
_MASTER = 0
_FORMAT_OFF, _RANDOM_ID = 0x01, 0x02
_ATS_LENGTHS = 0x70
"""TA(1), TB(1) and TC(1) are there, as in every ATS of this chip (ISO/IEC 14443-4, section 5.2)."""
_DEFAULT_KEY_BYTES = 25


def as_master(card: VirtualCard, *, free: bool = False) -> Session | None:
    """The session under the master key of what is selected; None where none is and the command is `free`."""
    session = card.session
    if session is not None and session.key_no == _MASTER:
        return session
    if free:
        return session
    raise Refusal(Status.PERMISSION_DENIED if session else Status.AUTHENTICATION_ERROR)


def at_picc(card: VirtualCard) -> None:
    """Refuse a command that is for the PICC level alone."""
    if card.selected != PICC_LEVEL:
        raise Refusal(Status.PERMISSION_DENIED)


def get_version(card: VirtualCard, payload: bytes) -> bytes:
    """GetVersion: hardware, software, then UID, batch number and production week."""
    bare(card.session, Ins.GET_VERSION, payload)
    uid = bytes(7) if card.random_id else card.uid
    return answered(card.session, card.generation.version + uid + PRODUCED)


def get_free_memory(card: VirtualCard, payload: bytes) -> bytes:
    """GetFreeMemory: bytes, three of them."""
    bare(card.session, Ins.GET_FREE_MEMORY, payload)
    return answered(card.session, free_bytes(card).to_bytes(3, "little"))


def free_bytes(card: VirtualCard) -> int:
    """What is left of the chip's memory."""
    return MEMORY_BYTES - sum(one.size for aid, one in card.applications.items() if aid != PICC_LEVEL)


def get_card_uid(card: VirtualCard, payload: bytes) -> bytes:
    """GetCardUID: only for a terminal that has authenticated, encrypted."""
    if card.session is None:
        raise Refusal(Status.AUTHENTICATION_ERROR)
    bare(card.session, Ins.GET_CARD_UID, payload)
    return answered(card.session, card.uid, CommMode.FULL)


def read_signature(card: VirtualCard, payload: bytes) -> bytes:
    """ReadSignature: address 0, the chip maker's signature; a virtual chip has one that is nobody's."""
    header, body = opened(card.session, Ins.READ_SIGNATURE, payload, CommMode.MAC, 1)
    exact(body, 0)
    if header != b"\x00":
        raise Refusal(Status.PARAMETER_ERROR)
    return answered(card.session, card.signature, CommMode.FULL)


def format_picc(card: VirtualCard, payload: bytes) -> bytes:
    """FormatPICC: all applications are gone; the PICC key stays."""
    at_picc(card)
    session = as_master(card)
    if card.format_off:
        raise Refusal(Status.PERMISSION_DENIED)
    bare(session, Ins.FORMAT_PICC, payload)
    card.applications = {PICC_LEVEL: card.application}
    return answered(session, b"")


def set_configuration(card: VirtualCard, payload: bytes) -> bytes:
    """SetConfiguration: 00 no format any more, random identifier; 01 the key that new applications get; 02 the answer to select."""
    at_picc(card)
    session = as_master(card)
    header, body = opened(session, Ins.SET_CONFIGURATION, payload, CommMode.FULL, 1)
    if header == b"\x00":
        flags = exact(body, 1)[0]
        card.format_off = card.format_off or bool(flags & _FORMAT_OFF)
        card.random_id = card.random_id or bool(flags & _RANDOM_ID)
    elif header == b"\x01":
        exact(body, _DEFAULT_KEY_BYTES)
        card.default_key = KeySlot(KeyType.TDES3, body[:-1], body[-1])
    elif header == b"\x02" and body and body[0] == len(body) and body[1] & _ATS_LENGTHS == _ATS_LENGTHS:
        card.ats = body
    else:
        raise Refusal(Status.PARAMETER_ERROR)
    return answered(session, b"")


def select(card: VirtualCard, payload: bytes) -> bytes:
    """SelectApplication: ends the session; what was pending is gone."""
    aid = exact(payload, 3)[::-1]
    card.end_session()
    if aid not in card.applications:
        raise Refusal(Status.APPLICATION_NOT_FOUND)
    card.enter(aid)
    return b""


def create_application(card: VirtualCard, payload: bytes) -> bytes:
    """CreateApplication at PICC level, with keys of zeros (or the default key)."""
    at_picc(card)
    session = as_master(card, free=card.application.settings.free_create)
    _, body = opened(session, Ins.CREATE_APPLICATION, payload, CommMode.MAC, 0)
    made = parse_application(body)
    if made is None or (made.kind is KeyType.AES and made.key_sets and not card.knows(Ins.ROLL_KEY_SET)):
        raise Refusal(Status.PARAMETER_ERROR)
    names = {(one.made.df_name or None) for one in card.applications.values()}
    if made.aid in card.applications or (made.df_name and made.df_name in names):
        raise Refusal(Status.DUPLICATE_ERROR)
    if len(card.applications) > APPLICATIONS_MAX:
        raise Refusal(Status.COUNT_ERROR)
    fresh = Application(made, card.default_key)
    if fresh.size > free_bytes(card):
        raise Refusal(Status.OUT_OF_MEMORY)
    card.applications[made.aid] = fresh
    return answered(session, b"")


def delete_application(card: VirtualCard, payload: bytes) -> bytes:
    """DeleteApplication: under the PICC key, or under the application's own master key where the PICC's settings are free."""
    own = card.selected != PICC_LEVEL
    if own and not card.applications[PICC_LEVEL].settings.free_create:
        raise Refusal(Status.PERMISSION_DENIED)
    session = as_master(card)
    _, body = opened(session, Ins.DELETE_APPLICATION, payload, CommMode.MAC, 0)
    aid = exact(body, 3)[::-1]
    if aid == PICC_LEVEL or (own and aid != card.selected):
        raise Refusal(Status.PERMISSION_DENIED)
    if aid not in card.applications:
        raise Refusal(Status.APPLICATION_NOT_FOUND)
    del card.applications[aid]
    answer = answered(session, b"")
    if own:
        card.leave(aid)
    return answer


def get_application_ids(card: VirtualCard, payload: bytes) -> bytes:
    """GetApplicationIDs, each with its least significant byte first."""
    at_picc(card)
    session = as_master(card, free=card.application.settings.free_list)
    bare(session, Ins.GET_APPLICATION_IDS, payload)
    return answered(session, b"".join(aid[::-1] for aid in card.applications if aid != PICC_LEVEL))


def get_df_names(card: VirtualCard, payload: bytes) -> bytes:
    """GetDFNames: AID, file identifier and name of each application that has one; a frame each."""
    at_picc(card)
    session = as_master(card, free=card.application.settings.free_list)
    bare(session, Ins.GET_DF_NAMES, payload)
    named = [one.made for one in card.applications.values() if one.made.iso_id]
    parts = [made.aid[::-1] + made.iso_id.to_bytes(2, "little") + made.df_name for made in named]
    card.frames = [len(part) for part in parts]
    return answered(session, b"".join(parts))


COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    Ins.GET_VERSION: get_version,
    Ins.GET_FREE_MEMORY: get_free_memory,
    Ins.GET_CARD_UID: get_card_uid,
    Ins.READ_SIGNATURE: read_signature,
    Ins.FORMAT_PICC: format_picc,
    Ins.SET_CONFIGURATION: set_configuration,
    Ins.SELECT_APPLICATION: select,
    Ins.CREATE_APPLICATION: create_application,
    Ins.DELETE_APPLICATION: delete_application,
    Ins.GET_APPLICATION_IDS: get_application_ids,
    Ins.GET_DF_NAMES: get_df_names,
}
