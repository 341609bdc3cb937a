"""Command and response APDUs: DESFire's native commands in ISO/IEC 7816-4 wrapping (CLA 90), bare, and their status codes."""

from __future__ import annotations

from enum import IntEnum

CLA = 0x90
CLA_ISO = 0x00
SW1 = 0x91
FRAME_DATA_MAX = 54
"""Data bytes of one command frame when long data is chained by AF: 60 bytes a frame (FSC 64) less header and Le."""
ISO_DATA_MAX = 255
GET_UID = bytes.fromhex("ffca000000")
"""PC/SC part 3, section 3.2.2.1.3: the reader's pseudo-APDU for the UID."""
ISO_OK = b"\x90\x00"
_HEADER = 5


class Ins(IntEnum):
    """DESFire command codes (MF3D(H)x3 short data sheet, command set; NXP AN12343; AN0945 for the older ones)."""

    AUTHENTICATE_LEGACY = 0x0A
    AUTHENTICATE_ISO = 0x1A
    AUTHENTICATE_AES = 0xAA
    AUTHENTICATE_EV2_FIRST = 0x71
    AUTHENTICATE_EV2_NON_FIRST = 0x77
    ADDITIONAL_FRAME = 0xAF
    GET_VERSION = 0x60
    GET_CARD_UID = 0x51
    READ_SIGNATURE = 0x3C
    GET_FREE_MEMORY = 0x6E
    FORMAT_PICC = 0xFC
    SET_CONFIGURATION = 0x5C
    SELECT_APPLICATION = 0x5A
    CREATE_APPLICATION = 0xCA
    DELETE_APPLICATION = 0xDA
    GET_APPLICATION_IDS = 0x6A
    GET_DF_NAMES = 0x6D
    GET_KEY_SETTINGS = 0x45
    CHANGE_KEY_SETTINGS = 0x54
    CHANGE_KEY = 0xC4
    CHANGE_KEY_EV2 = 0xC6
    GET_KEY_VERSION = 0x64
    INITIALIZE_KEY_SET = 0x56
    FINALIZE_KEY_SET = 0x57
    ROLL_KEY_SET = 0x55
    CREATE_STANDARD_FILE = 0xCD
    CREATE_BACKUP_FILE = 0xCB
    CREATE_VALUE_FILE = 0xCC
    CREATE_LINEAR_FILE = 0xC1
    CREATE_CYCLIC_FILE = 0xC0
    CREATE_TMAC_FILE = 0xCE
    DELETE_FILE = 0xDF
    GET_FILE_IDS = 0x6F
    GET_ISO_FILE_IDS = 0x61
    GET_FILE_SETTINGS = 0xF5
    GET_FILE_COUNTERS = 0xF6
    CHANGE_FILE_SETTINGS = 0x5F
    READ_DATA = 0xAD
    READ_DATA_CHAINED = 0xBD
    WRITE_DATA = 0x8D
    WRITE_DATA_CHAINED = 0x3D
    GET_VALUE = 0x6C
    CREDIT = 0x0C
    DEBIT = 0xDC
    LIMITED_CREDIT = 0x1C
    READ_RECORDS = 0xAB
    READ_RECORDS_CHAINED = 0xBB
    WRITE_RECORD = 0x8B
    WRITE_RECORD_CHAINED = 0x3B
    UPDATE_RECORD = 0xBA
    UPDATE_RECORD_CHAINED = 0xDB
    CLEAR_RECORD_FILE = 0xEB
    COMMIT_READER_ID = 0xC8
    COMMIT_TRANSACTION = 0xC7
    ABORT_TRANSACTION = 0xA7


class Status(IntEnum):
    """Second status byte behind 91 (MF3D(H)x3 short data sheet, status codes)."""

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
    APPLICATION_INTEGRITY_ERROR = 0xA1
    AUTHENTICATION_DELAY = 0xAD
    AUTHENTICATION_ERROR = 0xAE
    ADDITIONAL_FRAME = 0xAF
    BOUNDARY_ERROR = 0xBE
    PICC_INTEGRITY_ERROR = 0xC1
    COMMAND_ABORTED = 0xCA
    PICC_DISABLED = 0xCD
    COUNT_ERROR = 0xCE
    DUPLICATE_ERROR = 0xDE
    EEPROM_ERROR = 0xEE
    FILE_NOT_FOUND = 0xF0
    FILE_INTEGRITY_ERROR = 0xF1


class IsoIns(IntEnum):
    """Commands of ISO/IEC 7816-4 that the chip knows beside its own: what a phone speaks (NFC Forum, Type 4 Tag)."""

    SELECT = 0xA4
    READ_BINARY = 0xB0
    UPDATE_BINARY = 0xD6


class IsoStatus(IntEnum):
    """SW1 and SW2 of ISO/IEC 7816-4, table 6."""

    OK = 0x9000
    WRONG_LENGTH = 0x6700
    SECURITY_NOT_SATISFIED = 0x6982
    NOT_ALLOWED = 0x6985
    NO_CURRENT_FILE = 0x6986
    NOT_FOUND = 0x6A82
    WRONG_PARAMETERS = 0x6A86
    WRONG_OFFSET = 0x6B00
    INS_UNKNOWN = 0x6D00
    CLA_UNKNOWN = 0x6E00

    def encode(self) -> bytes:
        """The two bytes."""
        return int(self).to_bytes(2, "big")


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
