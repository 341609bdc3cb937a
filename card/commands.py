"""Command payloads that describe files and applications: one definition for the terminal and the virtual chip.

Source: MF3D(H)x2 data sheet, application and file management. Rights are nibbles on the wire, byte 0 = read-write, change; byte 1 =
read, write; a key number, or free (E), or never (F). More sets of rights (EV2) follow through ChangeFileSettings when bit 7 of the
file option is set.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from card.apdu import Ins
from card.ev2 import CommMode

FREE: Final = 0xE
NEVER: Final = 0xF
RIGHTS_SETS_MAX: Final = 8
_MORE_RIGHTS: Final = 0x80
_AES_KEYS: Final = 0x80
TM_KEY_AES: Final = 0x02


class FileType(IntEnum):
    """File types, as GetFileSettings names them."""

    STANDARD = 0x00
    BACKUP = 0x01
    VALUE = 0x02
    LINEAR = 0x03
    CYCLIC = 0x04
    TMAC = 0x05


CREATE: Final = {
    FileType.STANDARD: Ins.CREATE_STANDARD_FILE,
    FileType.BACKUP: Ins.CREATE_BACKUP_FILE,
    FileType.VALUE: Ins.CREATE_VALUE_FILE,
    FileType.LINEAR: Ins.CREATE_LINEAR_FILE,
    FileType.CYCLIC: Ins.CREATE_CYCLIC_FILE,
    FileType.TMAC: Ins.CREATE_TMAC_FILE,
}
_TYPE_OF: Final = {ins: kind for kind, ins in CREATE.items()}


@dataclass(frozen=True, slots=True)
class Rights:
    """One set of access rights: which key may read, write, do both, and change the rights."""

    read: int = NEVER
    write: int = NEVER
    read_write: int = NEVER
    change: int = NEVER

    def encode(self) -> bytes:
        """Two bytes."""
        return bytes((self.read_write << 4 | self.change, self.read << 4 | self.write))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From two bytes."""
        return cls(data[1] >> 4, data[1] & 15, data[0] >> 4, data[0] & 15)


@dataclass(frozen=True, slots=True)
class FileSettings:
    """What a file is; fields that its type has no use for are 0.

    `size` (bytes) for data files; `lower`, `upper`, `value` for value files; `record_size`, `records` for record files.
    """

    kind: FileType
    mode: CommMode
    rights: tuple[Rights, ...]
    size: int = 0
    lower: int = 0
    upper: int = 0
    value: int = 0
    record_size: int = 0
    records: int = 0

    def allows(self, key: int | None, *names: str) -> bool:
        """True where a key (None: not authenticated) has one of the named rights in any set."""
        return any(getattr(rights, name) in {key, FREE} for rights in self.rights for name in names)

    def free(self, *names: str) -> bool:
        """True where one of the named rights is free: then data travels plain without authentication."""
        return any(getattr(rights, name) == FREE for rights in self.rights for name in names)

    def option(self) -> bytes:
        """The file option: communication mode, and whether more sets of rights follow."""
        return bytes((self.mode | (_MORE_RIGHTS if len(self.rights) > 1 else 0),))

    def create_payload(self, file_no: int) -> bytes:
        """Data of the file's Create command (without a TMAC file's encrypted key)."""
        head = bytes((file_no,)) + self.option() + self.rights[0].encode()
        return head + self._specifics()

    def _specifics(self) -> bytes:
        if self.kind in {FileType.STANDARD, FileType.BACKUP}:
            return self.size.to_bytes(3, "little")
        if self.kind is FileType.VALUE:
            limits = (self.lower, self.upper, self.value)
            return b"".join(limit.to_bytes(4, "little", signed=True) for limit in limits) + b"\x00"
        if self.kind is FileType.TMAC:
            return bytes((TM_KEY_AES,))
        return self.record_size.to_bytes(3, "little") + self.records.to_bytes(3, "little")

    def rights_payload(self) -> bytes:
        """Data of ChangeFileSettings: option, first set, then the number of further sets and the sets."""
        more = b"".join(rights.encode() for rights in self.rights[1:])
        count = bytes((len(self.rights) - 1,)) if more else b""
        return self.option() + self.rights[0].encode() + count + more

    def describe(self) -> bytes:
        """Answer of GetFileSettings: type, then as ChangeFileSettings, then the type's own."""
        return bytes((self.kind,)) + self.rights_payload() + self._specifics()


def parse_create(ins: int, data: bytes) -> tuple[int, FileSettings] | None:
    """File number and settings of a Create command's plain part; None where the length is wrong or a value is no value.

    For a TMAC file `data` ends before the encrypted key.
    """
    kind = _TYPE_OF[Ins(ins)]
    sizes = {FileType.VALUE: 17, FileType.LINEAR: 10, FileType.CYCLIC: 10, FileType.TMAC: 5}
    if len(data) != sizes.get(kind, 7):
        return None
    mode = _mode(data[1] & ~_MORE_RIGHTS)
    if mode is None:
        return None
    rights, rest = (Rights.decode(data[2:4]),), data[4:]
    if kind in {FileType.STANDARD, FileType.BACKUP}:
        return data[0], FileSettings(kind, mode, rights, size=int.from_bytes(rest, "little"))
    if kind is FileType.VALUE:
        lower, upper, value = (int.from_bytes(rest[i : i + 4], "little", signed=True) for i in (0, 4, 8))
        return data[0], FileSettings(kind, mode, rights, lower=lower, upper=upper, value=value)
    if kind is FileType.TMAC:
        return (data[0], FileSettings(kind, mode, rights)) if rest[0] == TM_KEY_AES else None
    size, count = int.from_bytes(rest[:3], "little"), int.from_bytes(rest[3:], "little")
    return data[0], FileSettings(kind, mode, rights, record_size=size, records=count)


def parse_rights(data: bytes) -> tuple[CommMode, tuple[Rights, ...]] | None:
    """Mode and all sets of rights from ChangeFileSettings; None where malformed."""
    mode = _mode(data[0] & ~_MORE_RIGHTS) if data else None
    if mode is None or len(data) < 3:  # noqa: PLR2004  option and one set
        return None
    sets, rest = [Rights.decode(data[1:3])], data[3:]
    more = bool(data[0] & _MORE_RIGHTS)
    if more != bool(rest) or (more and len(rest) != 1 + 2 * rest[0]) or (more and rest[0] >= RIGHTS_SETS_MAX):
        return None
    sets += [Rights.decode(rest[place : place + 2]) for place in range(1, len(rest), 2)]
    return mode, tuple(sets)


def application_payload(aid: bytes, keys: int) -> bytes:
    """Data of CreateApplication: AID (least significant byte first), key settings, number of AES keys."""
    return aid[::-1] + bytes((0x0F, _AES_KEYS | keys))


def parse_application(data: bytes) -> tuple[bytes, int] | None:
    """AID and number of AES keys; None where malformed or not AES."""
    if len(data) != 5 or not data[4] & _AES_KEYS or not 1 <= data[4] & 15 <= 14:  # noqa: PLR2004  data sheet: 1..14 keys
        return None
    return data[2::-1], data[4] & 15


def _mode(value: int) -> CommMode | None:
    return {0: CommMode.PLAIN, 2: CommMode.PLAIN, 1: CommMode.MAC, 3: CommMode.FULL}.get(value)
