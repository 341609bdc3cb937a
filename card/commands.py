"""Command payloads that describe files: one definition for the terminal and the virtual chip.

Source: MF3D(H)x2 data sheet, application and file management. Rights are nibbles on the wire, byte 0 = read-write, change; byte 1 =
read, write; a key number, or free (E), or never (F). More sets of rights (EV2) follow through ChangeFileSettings when bit 7 of the
file option is set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Self

from card.apdu import Ins
from card.channel import CommMode
from card.sdm import Sdm

FREE: Final = 0xE
NEVER: Final = 0xF
RIGHTS_SETS_MAX: Final = 8
_MORE_RIGHTS: Final = 0x80
_SDM: Final = 0x40
_LIMITED_CREDIT, _FREE_VALUE = 0x01, 0x02
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

    `size` (bytes) and `sdm` for data files; `lower`, `upper`, `value`, `limited` (LimitedCredit is on) and `free_value` (GetValue
    needs no key) for value files; `record_size`, `records` for record files; `iso_id` is a name of ISO/IEC 7816-4, 0 for none.
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
    limited: bool = False
    free_value: bool = False
    iso_id: int = 0
    sdm: Sdm | None = None

    def allows(self, key: int | None, *names: str) -> bool:
        """True where a key (None: not authenticated) has one of the named rights in any set."""
        return any(getattr(rights, name) in {key, FREE} for rights in self.rights for name in names)

    def key_allows(self, key: int | None, *names: str) -> bool:
        """True where the key itself has one of the named rights: only then does data travel in the file's mode."""
        return key is not None and any(
            getattr(rights, name) == key for rights in self.rights for name in names
        )

    def option(self) -> bytes:
        """The file option: communication mode, whether more sets of rights follow, whether the file mirrors."""
        more = _MORE_RIGHTS if len(self.rights) > 1 else 0
        return bytes((self.mode | more | (_SDM if self.sdm else 0),))

    def create_payload(self, file_no: int) -> bytes:
        """Data of the file's Create command (without a TMAC file's encrypted key); further rights and SDM come later."""
        name = self.iso_id.to_bytes(2, "little") if self.iso_id else b""
        return bytes((file_no,)) + name + bytes((self.mode,)) + self.rights[0].encode() + self._specifics()

    def _specifics(self) -> bytes:
        if self.kind in {FileType.STANDARD, FileType.BACKUP}:
            return self.size.to_bytes(3, "little")
        if self.kind is FileType.VALUE:
            return self.value_limits(self.value)
        if self.kind is FileType.TMAC:
            return bytes((TM_KEY_AES,))
        return self.record_size.to_bytes(3, "little") + self.records.to_bytes(3, "little")

    def value_limits(self, value: int) -> bytes:
        """A value file's limits, a value, and its options."""
        limits = b"".join(one.to_bytes(4, "little", signed=True) for one in (self.lower, self.upper, value))
        options = (_LIMITED_CREDIT if self.limited else 0) | (_FREE_VALUE if self.free_value else 0)
        return limits + bytes((options,))

    def rights_payload(self) -> bytes:
        """Data of ChangeFileSettings: option, first set, SDM, then the number of further sets and the sets."""
        more = b"".join(rights.encode() for rights in self.rights[1:])
        count = bytes((len(self.rights) - 1,)) if more else b""
        return (
            self.option() + self.rights[0].encode() + (self.sdm.encode() if self.sdm else b"") + count + more
        )

    def describe(self, used: int, key_version: int = 0) -> bytes:
        """Answer of GetFileSettings; `used`: records in a record file, what LimitedCredit may still give in a value file."""
        more = b"".join(rights.encode() for rights in self.rights[1:])
        count = bytes((len(self.rights) - 1,)) if more else b""
        head = bytes((self.kind,)) + self.option() + self.rights[0].encode() + count + more
        if self.kind is FileType.VALUE:
            return head + self.value_limits(used)
        if self.kind in {FileType.LINEAR, FileType.CYCLIC}:
            return head + self._specifics() + used.to_bytes(3, "little")
        if self.kind is FileType.TMAC:
            return head + bytes((TM_KEY_AES, key_version))
        return head + self._specifics() + (self.sdm.encode() if self.sdm else b"")


def parse_described(data: bytes) -> tuple[FileSettings, int] | None:
    """Settings and `used` from an answer of GetFileSettings; None where it is of a kind that this software does not know."""
    if len(data) < 4 or data[0] not in set(FileType):  # noqa: PLR2004  type, option, one set of rights
        return None
    kind, mode, sets, rest = FileType(data[0]), _mode(data[1]), [Rights.decode(data[2:4])], data[4:]
    if data[1] & _MORE_RIGHTS and rest:
        count = rest[0]
        sets += [
            Rights.decode(rest[1 + 2 * at : 3 + 2 * at]) for at in range(count) if len(rest) >= 3 + 2 * at
        ]
        rest = rest[1 + 2 * count :]
    if mode is None or len(rest) < _SPECIFIC_BYTES[kind]:
        return None
    parsed = _specific(kind, mode, tuple(sets), rest)
    if parsed is not None and data[1] & _SDM:
        parsed = (replace(parsed[0], sdm=Sdm.decode(rest[3:])), parsed[1])
    return parsed


_SPECIFIC_BYTES: Final = {
    FileType.STANDARD: 3, FileType.BACKUP: 3, FileType.VALUE: 13, FileType.LINEAR: 6, FileType.CYCLIC: 6, FileType.TMAC: 1,
}  # fmt: skip


def _specific(
    kind: FileType, mode: CommMode, rights: tuple[Rights, ...], rest: bytes
) -> tuple[FileSettings, int] | None:
    """What follows option and rights in Create commands and in GetFileSettings; with the value that stands there."""
    if kind in {FileType.STANDARD, FileType.BACKUP}:
        return FileSettings(kind, mode, rights, size=int.from_bytes(rest[:3], "little")), 0
    if kind is FileType.VALUE:
        lower, upper, value = (int.from_bytes(rest[i : i + 4], "little", signed=True) for i in (0, 4, 8))
        limited, free = bool(rest[12] & _LIMITED_CREDIT), bool(rest[12] & _FREE_VALUE)
        made = FileSettings(
            kind, mode, rights, lower=lower, upper=upper, value=value, limited=limited, free_value=free
        )
        return made, value
    if kind is FileType.TMAC:
        return (FileSettings(kind, mode, rights), 0) if rest[0] == TM_KEY_AES else None
    size, count = int.from_bytes(rest[:3], "little"), int.from_bytes(rest[3:6], "little")
    used = int.from_bytes(rest[6:9], "little")
    return FileSettings(kind, mode, rights, record_size=size, records=count), used


def parse_create(ins: int, data: bytes) -> tuple[int, FileSettings] | None:
    """File number and settings of a Create command's plain part; None where the length is wrong or a value is no value.

    For a TMAC file `data` ends before the encrypted key.
    """
    kind = _TYPE_OF[Ins(ins)]
    size = 4 + _SPECIFIC_BYTES[kind]
    named = len(data) == size + 2 and kind not in {FileType.VALUE, FileType.TMAC}
    if len(data) != size and not named:
        return None
    iso_id = int.from_bytes(data[1:3], "little") if named else 0
    option, rights, rest = data[-size + 1], Rights.decode(data[-size + 2 : -size + 4]), data[-size + 4 :]
    mode = _mode(option)
    parsed = (
        None if mode is None or option & (_MORE_RIGHTS | _SDM) else _specific(kind, mode, (rights,), rest)
    )
    return None if parsed is None else (data[0], replace(parsed[0], iso_id=iso_id))


@dataclass(frozen=True, slots=True)
class NewRights:
    """What ChangeFileSettings says: mode, sets of rights, and what the file mirrors from now on."""

    mode: CommMode
    rights: tuple[Rights, ...]
    sdm: Sdm | None = None


def parse_rights(data: bytes) -> NewRights | None:
    """What ChangeFileSettings says; None where malformed."""
    mode = _mode(data[0]) if data else None
    if mode is None or len(data) < 3:  # noqa: PLR2004  option and one set
        return None
    first, rest = Rights.decode(data[1:3]), data[3:]
    if data[0] & _SDM:
        sdm = None if data[0] & _MORE_RIGHTS else Sdm.decode(rest)
        return None if sdm is None else NewRights(mode, (first,), sdm)
    more = bool(data[0] & _MORE_RIGHTS)
    if more != bool(rest) or (more and len(rest) != 1 + 2 * rest[0]) or (more and rest[0] >= RIGHTS_SETS_MAX):
        return None
    sets = [Rights.decode(rest[place : place + 2]) for place in range(1, len(rest), 2)]
    return NewRights(mode, (first, *sets))


def _mode(option: int) -> CommMode | None:
    """The communication mode of a file option; None for bits that mean nothing."""
    if option & ~(3 | _MORE_RIGHTS | _SDM):
        return None
    return (CommMode.PLAIN, CommMode.MAC, CommMode.PLAIN, CommMode.FULL)[option & 3]
