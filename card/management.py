"""The issuer's side of a card: applications, files, keys and settings. One function for each command, over a client's session.

Source: MF3D(H)x3 short data sheet and NXP AN12343 (tables 5 to 12 and 38 to 41); AN0945 for chips as delivered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.apdu import Ins
from card.applications import KeySettings
from card.channel import CommMode
from card.commands import CREATE, FileSettings, parse_described
from card.errors import CardForeign, SessionBroken
from card.ev1 import KeyType
from card.product import parse_version

if TYPE_CHECKING:
    from card.applications import ApplicationSettings
    from card.client import Session
    from card.product import Product
    from keys.vault import CardKey

PICC_KEY_NO: Final = KeyType.AES
"""Number of the PICC key in ChangeKey: the two top bits say what type it becomes."""
_AID_BYTES: Final = 3
_OF_SET: Final = 0x40
_AES_SET: Final = 0x02


def version(session: Session) -> Product:
    """GetVersion; raises CardForeign where the answer is no chip's."""
    product = parse_version(session.send(Ins.GET_VERSION, b""))
    if product is None:
        raise CardForeign("this chip does not say what it is")
    return product


def card_uid(session: Session) -> bytes:
    """GetCardUID: the UID that the chip itself states, encrypted."""
    return session.send(Ins.GET_CARD_UID, b"", answer=CommMode.FULL)


def free_memory(session: Session) -> int:
    """GetFreeMemory, in bytes."""
    return int.from_bytes(session.send(Ins.GET_FREE_MEMORY, b""), "little")


def signature(session: Session) -> bytes:
    """ReadSignature: the chip maker's, 56 bytes; see `card.originality`."""
    return session.send(Ins.READ_SIGNATURE, b"\x00", answer=CommMode.FULL)


def format_picc(session: Session) -> None:
    """FormatPICC: every application is gone, at once."""
    session.send(Ins.FORMAT_PICC, b"")


def configure(session: Session, option: int, data: bytes) -> None:
    """SetConfiguration (AN12343 table 5)."""
    session.send(Ins.SET_CONFIGURATION, bytes((option,)), CommMode.FULL, data)


def application_ids(session: Session) -> list[bytes]:
    """GetApplicationIDs."""
    data = session.send(Ins.GET_APPLICATION_IDS, b"")
    return [data[at : at + _AID_BYTES][::-1] for at in range(0, len(data), _AID_BYTES)]


def create_application(session: Session, settings: ApplicationSettings) -> None:
    """CreateApplication; its keys are zeros."""
    session.send(Ins.CREATE_APPLICATION, b"", body=settings.encode())


def delete_application(session: Session, aid: bytes) -> None:
    """DeleteApplication, at once."""
    session.send(Ins.DELETE_APPLICATION, b"", body=aid[::-1])


def create_file(session: Session, file_no: int, settings: FileSettings) -> None:
    """One of the Create commands, then ChangeFileSettings where there are more sets of rights, or a mirror."""
    session.send(CREATE[settings.kind], b"", body=settings.create_payload(file_no))
    if len(settings.rights) > 1 or settings.sdm is not None:
        change_file_settings(session, file_no, settings)


def change_file_settings(session: Session, file_no: int, settings: FileSettings) -> None:
    """ChangeFileSettings: mode, rights, mirror."""
    body = settings.rights_payload()
    session.send(Ins.CHANGE_FILE_SETTINGS, bytes((file_no,)), CommMode.FULL, body, CommMode.MAC)


def create_tmac_file(session: Session, file_no: int, settings: FileSettings, key: CardKey) -> None:
    """CreateTransactionMACFile; the key travels sealed by its vault."""
    header = settings.create_payload(file_no)
    session.send(Ins.CREATE_TMAC_FILE, header + session.sealed_key(key, None))


def delete_file(session: Session, file_no: int) -> None:
    """DeleteFile, at once."""
    session.send(Ins.DELETE_FILE, b"", body=bytes((file_no,)))


def file_ids(session: Session) -> list[int]:
    """GetFileIDs."""
    return list(session.send(Ins.GET_FILE_IDS, b""))


def file_settings(session: Session, file_no: int) -> tuple[FileSettings, int]:
    """GetFileSettings: settings, and records there are (record files) or what LimitedCredit may give (value files).

    Raises SessionBroken where the answer is of a kind that this software does not know.
    """
    parsed = parse_described(session.send(Ins.GET_FILE_SETTINGS, bytes((file_no,))))
    if parsed is None:
        raise SessionBroken(f"file {file_no:02X} has settings that this software does not know")
    return parsed


def tmac_key_version(session: Session, file_no: int) -> int:
    """Version of a Transaction MAC file's key: the last byte of its settings; raises SessionBroken, StatusError."""
    data = session.send(Ins.GET_FILE_SETTINGS, bytes((file_no,)))
    if not data:
        raise SessionBroken(f"file {file_no:02X} has settings that this software does not know")
    return data[-1]


def file_counter(session: Session, file_no: int) -> int:
    """GetFileCounters: phone taps of a mirroring file."""
    return int.from_bytes(
        session.send(Ins.GET_FILE_COUNTERS, bytes((file_no,)), answer=CommMode.FULL)[:3], "little"
    )


def key_settings(session: Session) -> tuple[KeySettings, KeyType, int]:
    """GetKeySettings: settings, type of the keys, how many."""
    data = session.send(Ins.GET_KEY_SETTINGS, b"")
    if len(data) < 2 or data[1] & 0xC0 not in set(KeyType):  # noqa: PLR2004  settings and number
        raise SessionBroken("the card's key settings are none that this software knows")
    return KeySettings.decode(data[0]), KeyType(data[1] & 0xC0), data[1] & 15


def change_key_settings(session: Session, settings: KeySettings) -> None:
    """ChangeKeySettings."""
    session.send(Ins.CHANGE_KEY_SETTINGS, b"", CommMode.FULL, bytes((settings.encode(),)), CommMode.MAC)


def key_version(session: Session, key_no: int, key_set: int = 0) -> int:
    """GetKeyVersion, of the active set or another."""
    header = bytes((key_no | _OF_SET, key_set)) if key_set else bytes((key_no,))
    return session.send(Ins.GET_KEY_VERSION, header)[0]


def change_key(session: Session, key_no: int, key: CardKey, old: CardKey) -> None:
    """ChangeKey of a key other than the one in use."""
    session.send(Ins.CHANGE_KEY, bytes((key_no,)) + session.sealed_key(key, old))


def change_own_key(session: Session, key_no: int, key: CardKey) -> None:
    """ChangeKey of the key in use: answered without a MAC, and the session is over (AN12343 table 40)."""
    session.send_last(Ins.CHANGE_KEY, bytes((key_no,)) + session.sealed_key(key, None))


def initialize_key_set(session: Session, key_set: int) -> None:
    """InitializeKeySet: its AES keys are zeros."""
    session.send(Ins.INITIALIZE_KEY_SET, bytes((key_set, _AES_SET)))


def change_key_of_set(session: Session, key_set: int, key_no: int, key: CardKey, old: CardKey) -> None:
    """ChangeKeyEV2 of a key that is not the one in use."""
    session.send(Ins.CHANGE_KEY_EV2, bytes((key_set, key_no)) + session.sealed_key(key, old))


def finalize_key_set(session: Session, key_set: int, number: int) -> None:
    """FinalizeKeySet with a version; it may now become the active one."""
    session.send(Ins.FINALIZE_KEY_SET, bytes((key_set, number)))


def roll_key_set(session: Session, key_set: int) -> None:
    """RollKeySet: answered without a MAC, and the session is over."""
    session.send_last(Ins.ROLL_KEY_SET, bytes((key_set,)))
