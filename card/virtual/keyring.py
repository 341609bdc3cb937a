"""The chip's keys: settings, changes, versions, and key sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.apdu import Ins, Status
from card.applications import KeySettings
from card.channel import CommMode
from card.ev1 import KeyType
from card.virtual.application import PICC_LEVEL, KeySet, KeySlot
from card.virtual.picc import as_master
from card.virtual.refusal import Refusal
from card.virtual.session import answered, exact, opened
from keys.diversify import xor

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.chip import VirtualCard
    from card.virtual.session import Session

_KEY_NO = 0x3F
_TYPE = 0xC0
_OF_SET = 0x40
_SET_KIND = 0x02
"""AES-128, the one type of key that the city's key sets have."""


def get_key_settings(card: VirtualCard, payload: bytes) -> bytes:
    """GetKeySettings: what the master key may change, and type and number of keys."""
    application = card.application
    session = as_master(card, free=application.settings.free_list)
    exact(opened(session, Ins.GET_KEY_SETTINGS, payload, CommMode.MAC, 0)[1], 0)
    data = bytes((application.settings.encode(), application.kind | len(application.keys)))
    return answered(session, data)


def change_key_settings(card: VirtualCard, payload: bytes) -> bytes:
    """ChangeKeySettings under the master key, unless they were frozen."""
    session = as_master(card)
    if not card.application.settings.changeable:
        raise Refusal(Status.PERMISSION_DENIED)
    _, body = opened(session, Ins.CHANGE_KEY_SETTINGS, payload, CommMode.FULL, 0)
    card.application.settings = KeySettings.decode(exact(body, 1)[0])
    return answered(session, b"")


def change_key(card: VirtualCard, payload: bytes) -> bytes:
    """ChangeKey of the active set; the key in use changes without a MAC in the answer, and the session ends."""
    session = _session(card)
    header, body = opened(session, Ins.CHANGE_KEY, payload, CommMode.FULL, 1)
    return _change(card, session, 0, header[0], body)


def change_key_ev2(card: VirtualCard, payload: bytes) -> bytes:
    """ChangeKeyEV2: a key of any set."""
    session = _session(card)
    header, body = opened(session, Ins.CHANGE_KEY_EV2, payload, CommMode.FULL, 2)
    return _change(card, session, header[0], header[1], body)


def _session(card: VirtualCard) -> Session:
    if card.session is None:
        raise Refusal(Status.AUTHENTICATION_ERROR)
    return card.session


def _change(card: VirtualCard, session: Session, set_no: int, numbered: int, body: bytes) -> bytes:
    number, application = numbered & _KEY_NO, card.application
    slot = _slot(_key_set(card, set_no), number)
    if not application.settings.lets_change(number, session.key_no):
        raise Refusal(Status.PERMISSION_DENIED)
    kind = _kind(numbered) if card.selected == PICC_LEVEL else slot.kind
    own = set_no == 0 and number == session.key_no
    checksum = None if own else session.channel.checksum
    value, version = _new_value(slot, kind, body, checksum)
    if own:
        application.kind = kind
        slot.kind = kind
        slot.replace(value, version)
        card.end_session()
        return b""
    slot.replace(value, version)
    return answered(session, b"")


def _kind(numbered: int) -> KeyType:
    if numbered & _TYPE not in set(KeyType):
        raise Refusal(Status.PARAMETER_ERROR)
    return KeyType(numbered & _TYPE)


def _new_value(
    slot: KeySlot, kind: KeyType, body: bytes, checksum: Callable[[bytes], bytes] | None
) -> tuple[bytes, int]:
    """Value and version: key and version (AES only); of another key than the one in use XORed with the old, and its checksum."""
    tagged = kind is KeyType.AES
    proof = b"" if checksum is None else body[kind.size + tagged :]
    exact(body, kind.size + tagged + (len(checksum(b"")) if checksum else 0))
    value, version = body[: kind.size], body[kind.size] if tagged else 0
    if checksum is None:
        return value, version
    fresh = xor(value, slot.value)
    if checksum(fresh) != proof:
        raise Refusal(Status.INTEGRITY_ERROR)
    return fresh, version


def _key_set(card: VirtualCard, number: int) -> KeySet:
    sets = card.application.key_sets
    if number >= len(sets):
        raise Refusal(Status.NO_SUCH_KEY)
    return sets[number]


def _slot(keys: KeySet, number: int) -> KeySlot:
    if number >= len(keys.slots):
        raise Refusal(Status.NO_SUCH_KEY)
    return keys.slots[number]


def get_key_version(card: VirtualCard, payload: bytes) -> bytes:
    """GetKeyVersion: key number, and with bit 6 of it the number of a key set."""
    size = 2 if payload and payload[0] & _OF_SET else 1
    header, body = opened(card.session, Ins.GET_KEY_VERSION, payload, CommMode.MAC, size)
    exact(body, 0)
    slot = _slot(_key_set(card, header[1] if size == 2 else 0), header[0] & _KEY_NO)  # noqa: PLR2004  number and set
    return answered(card.session, bytes((slot.version,)))


def initialize_key_set(card: VirtualCard, payload: bytes) -> bytes:
    """InitializeKeySet: number and type; the set's keys are zeros again."""
    session = as_master(card)
    header, body = opened(session, Ins.INITIALIZE_KEY_SET, payload, CommMode.MAC, 2)
    exact(body, 0)
    fresh = _inactive(card, header[0])
    if header[1] != _SET_KIND:
        raise Refusal(Status.PARAMETER_ERROR)
    fresh.slots, fresh.version, fresh.final = [KeySlot() for _ in card.application.keys], 0, False
    return answered(session, b"")


def finalize_key_set(card: VirtualCard, payload: bytes) -> bytes:
    """FinalizeKeySet: number and version; from now on it may become the active one."""
    session = as_master(card)
    header, body = opened(session, Ins.FINALIZE_KEY_SET, payload, CommMode.MAC, 2)
    exact(body, 0)
    filled = _inactive(card, header[0])
    if not filled.slots:
        raise Refusal(Status.PERMISSION_DENIED)
    filled.version, filled.final = header[1], True
    return answered(session, b"")


def _inactive(card: VirtualCard, number: int) -> KeySet:
    if number == 0:
        raise Refusal(Status.PARAMETER_ERROR)
    return _key_set(card, number)


def roll_key_set(card: VirtualCard, payload: bytes) -> bytes:
    """RollKeySet: a finalised set of a newer version becomes the active one; answered without a MAC, the session is over."""
    session, made = _session(card), card.application.made.key_sets
    if made is None or session.key_no != made.roll_key:
        raise Refusal(Status.PERMISSION_DENIED)
    header, body = opened(session, Ins.ROLL_KEY_SET, payload, CommMode.MAC, 1)
    exact(body, 0)
    sets, number = card.application.key_sets, header[0]
    if not _inactive(card, number).final or sets[number].version <= sets[0].version:
        raise Refusal(Status.PERMISSION_DENIED)
    sets[0], sets[number] = sets[number], sets[0]
    card.end_session()
    return b""


COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    Ins.GET_KEY_SETTINGS: get_key_settings,
    Ins.CHANGE_KEY_SETTINGS: change_key_settings,
    Ins.CHANGE_KEY: change_key,
    Ins.CHANGE_KEY_EV2: change_key_ev2,
    Ins.GET_KEY_VERSION: get_key_version,
    Ins.INITIALIZE_KEY_SET: initialize_key_set,
    Ins.FINALIZE_KEY_SET: finalize_key_set,
    Ins.ROLL_KEY_SET: roll_key_set,
}
