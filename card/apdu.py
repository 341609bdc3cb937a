"""Command and response APDUs: DESFire's native commands in ISO/IEC 7816-4 wrapping (CLA 90), and their status codes."""

from __future__ import annotations

from enum import IntEnum

CLA = 0x90
SW1 = 0x91
FRAME_DATA_MAX = 52
"""Command data bytes in one frame before chaining by AF: 60 less command and frame bytes, as EV1 framing allows."""
ISO_DATA_MAX = 255
GET_UID = bytes.fromhex("ffca000000")
"""PC/SC part 3, section 3.2.2.1.3: the reader's pseudo-APDU for the UID."""
_HEADER = 5


class Ins(IntEnum):
    """DESFire command codes."""

    AUTHENTICATE_AES = 0xAA
    AUTHENTICATE_EV2_FIRST = 0x71
    AUTHENTICATE_EV2_NON_FIRST = 0x77
    ADDITIONAL_FRAME = 0xAF
    GET_VERSION = 0x60
    GET_CARD_UID = 0x51
    FORMAT_PICC = 0xFC
    SET_CONFIGURATION = 0x5C
    SELECT_APPLICATION = 0x5A
    CREATE_APPLICATION = 0xCA
    DELETE_APPLICATION = 0xDA
    GET_APPLICATION_IDS = 0x6A
    GET_KEY_SETTINGS = 0x45
    CHANGE_KEY = 0xC4
    GET_KEY_VERSION = 0x64
    CREATE_STANDARD_FILE = 0xCD
    CREATE_BACKUP_FILE = 0xCB
    CREATE_VALUE_FILE = 0xCC
    CREATE_LINEAR_FILE = 0xC1
    CREATE_CYCLIC_FILE = 0xC0
    CREATE_TMAC_FILE = 0xCE
    DELETE_FILE = 0xDF
    GET_FILE_IDS = 0x6F
    GET_FILE_SETTINGS = 0xF5
    CHANGE_FILE_SETTINGS = 0x5F
    READ_DATA = 0xAD
    WRITE_DATA = 0x8D
    GET_VALUE = 0x6C
    CREDIT = 0x0C
    DEBIT = 0xDC
    LIMITED_CREDIT = 0x1C
    READ_RECORDS = 0xAB
    WRITE_RECORD = 0x8B
    UPDATE_RECORD = 0xBA
    CLEAR_RECORD_FILE = 0xEB
    COMMIT_READER_ID = 0xC8
    COMMIT_TRANSACTION = 0xC7
    ABORT_TRANSACTION = 0xA7


class Status(IntEnum):
    """Second status byte behind 91 (MF3D(H)x2 data sheet, status codes)."""

    OK = 0x00
    NO_CHANGES = 0x0C
    OUT_OF_MEMORY = 0x0E
    ILLEGAL_COMMAND = 0x1C
    INTEGRITY_ERROR = 0x1E
    NO_SUCH_KEY = 0x40
    LENGTH_ERROR = 0x7E
    PERMISSION_DENIED = 0x9D
    PARAMETER_ERROR = 0x9E
    APPLICATION_NOT_FOUND = 0xA0
    AUTHENTICATION_ERROR = 0xAE
    ADDITIONAL_FRAME = 0xAF
    BOUNDARY_ERROR = 0xBE
    COMMAND_ABORTED = 0xCA
    DUPLICATE_ERROR = 0xDE
    FILE_NOT_FOUND = 0xF0


def wrap(ins: int, data: bytes = b"") -> bytes:
    """A native command in ISO wrapping; Lc is left out where there is no data."""
    if len(data) > ISO_DATA_MAX:
        raise ValueError(f"one frame holds {ISO_DATA_MAX} bytes of data, not {len(data)}")
    return bytes((CLA, ins, 0, 0, len(data))) + data + b"\x00" if data else bytes((CLA, ins, 0, 0, 0))


def unwrap(apdu: bytes) -> tuple[int, bytes] | None:
    """Command code and data of a wrapped native command; None where the bytes are none."""
    if len(apdu) < _HEADER or apdu[0] != CLA or apdu[2] or apdu[3]:
        return None
    if len(apdu) == _HEADER:
        return (apdu[1], b"") if apdu[4] == 0 else None
    size = apdu[4]
    well_formed = (
        size
        and len(apdu) in {_HEADER + size, _HEADER + size + 1}
        and apdu[_HEADER + size :] in {b"", b"\x00"}
    )
    return (apdu[1], apdu[_HEADER : _HEADER + size]) if well_formed else None
