"""The Transaction MAC: what the chip signs at each commit, and how. Pure; chip and ledger both use it.

Source: MF2DLHX0 data sheet section 10.3 (TMI layout, session keys) and NXP AN12343 table 32; test vectors `tm-*`, `tmi-rules`. Integers are
least significant byte first, data is always plain, and each entry is filled with zeros to a 16-byte edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from card.apdu import Ins
from card.ev2 import ZERO_IV, truncated
from keys.cmac import BLOCK, Cmac

if TYPE_CHECKING:
    from keys.vault import CardKey

READER_ID_BYTES = 16
TMV_BYTES = 8
TMC_MAX = 0xFFFF_FFFF


def filled(data: bytes) -> bytes:
    """Data with zeros to a 16-byte edge; data on the edge stays as it is."""
    return data.ljust(-(-len(data) // BLOCK) * BLOCK, b"\x00")


def data_entry(ins: int, file_no: int, offset: int, data: bytes) -> bytes:
    """ReadData, WriteData, WriteRecord: code, file, offset, length (3 bytes each), fill, data, fill."""
    place = offset.to_bytes(3, "little") + len(data).to_bytes(3, "little")
    return filled(bytes((ins, file_no)) + place) + filled(data)


def records_entry(file_no: int, first: int, count: int, data: bytes) -> bytes:
    """ReadRecords: code, file, record number, record count, fill, data."""
    place = first.to_bytes(3, "little") + count.to_bytes(3, "little")
    return filled(bytes((Ins.READ_RECORDS, file_no)) + place) + filled(data)


def update_entry(file_no: int, record: int, offset: int, data: bytes) -> bytes:
    """UpdateRecord: code, file, record number, offset, length, fill, data."""
    place = record.to_bytes(3, "little") + offset.to_bytes(3, "little") + len(data).to_bytes(3, "little")
    return filled(bytes((Ins.UPDATE_RECORD, file_no)) + place) + filled(data)


def value_entry(ins: int, file_no: int, value: int) -> bytes:
    """GetValue, Credit, Debit, LimitedCredit: code, file, value (4 bytes, signed), fill."""
    return filled(bytes((ins, file_no)) + value.to_bytes(4, "little", signed=True))


def clear_entry(file_no: int) -> bytes:
    """ClearRecordFile: code, file, fill."""
    return filled(bytes((Ins.CLEAR_RECORD_FILE, file_no)))


def reader_entry(reader_id: bytes, enc_previous: bytes) -> bytes:
    """CommitReaderID: code, the reader's id, the previous one encrypted (empty where not authenticated), fill."""
    return filled(bytes((Ins.COMMIT_READER_ID,)) + reader_id + enc_previous)


def session_keys(key: CardKey, uid: bytes, tmc: int) -> tuple[bytes, bytes]:
    """SesTMMACKey and SesTMENCKey for a transaction; `tmc` is the counter that the commit will show (the new one)."""
    tail = b"\x00\x01\x00\x80" + tmc.to_bytes(4, "little") + uid
    return key.cmac(b"\x5a" + tail), key.cmac(b"\xa5" + tail)


def tmv(mac_key: bytes, tmi: bytes) -> bytes:
    """The Transaction MAC Value: the odd bytes of the CMAC over the input, 8 bytes."""
    return truncated(Cmac(mac_key)(tmi))


def encrypted_reader(enc_key: bytes, reader_id: bytes) -> bytes:
    """A reader id as CommitReaderID returns it: one block, zero IV."""
    return Cipher(AES(enc_key), CBC(ZERO_IV)).encryptor().update(reader_id)


def previous_reader(enc_key: bytes, encrypted: bytes) -> bytes:
    """The reader id of the transaction before, from the answer of CommitReaderID."""
    return Cipher(AES(enc_key), CBC(ZERO_IV)).decryptor().update(encrypted)
