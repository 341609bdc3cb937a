"""Command payloads that describe applications and their keys: one definition for the terminal and the virtual chip.

Source: MF3D(H)x3 short data sheet and MF3ICD41 data sheet, application management; key sets as in NXP's public reader library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from card.ev1 import KeyType

KEYS_MAX: Final = 14
KEY_SETS_MAX: Final = 16
_ISO_FILES, _THIRD = 0x20, 0x10
_KEY_SETS: Final = 0x01
_TYPE: Final = 0xC0
_SAME_KEY, _FROZEN = 0xE, 0xF
_AID_BYTES: Final = 3
_DF_NAME_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What the master key may change, and what needs it (KeySettings, one byte).

    `change` is the key that changes the others: 0 to 13, E for each key itself, F for none.
    """

    change: int = 0
    changeable: bool = True
    free_create: bool = False
    free_list: bool = True
    master_changeable: bool = True

    def encode(self) -> int:
        """The byte."""
        flags = (self.master_changeable, self.free_list, self.free_create, self.changeable)
        return self.change << 4 | sum(1 << place for place, flag in enumerate(flags) if flag)

    @classmethod
    def decode(cls, value: int) -> Self:
        """From the byte."""
        master, listing, create, change = (bool(value & 1 << place) for place in range(4))
        return cls(value >> 4, change, create, listing, master)

    def lets_change(self, key_no: int, by: int) -> bool:
        """Whether a session under the key `by` may change this key."""
        if key_no == 0:
            return by == 0 and self.master_changeable
        if self.change == _FROZEN:
            return False
        return by == (key_no if self.change == _SAME_KEY else self.change)


DELIVERED: Final = KeySettings(free_create=True)
"""0F, as chips and applications come: anybody may list and create."""
SETTLED: Final = KeySettings()
"""0B, as the city leaves them: anybody may list, only the master key creates and deletes."""


@dataclass(frozen=True, slots=True)
class KeySets:
    """An application with key sets (EV2): version of the active one, how many, and who may roll to another."""

    version: int
    count: int
    roll_key: int = 0

    def encode(self) -> bytes:
        """Active version, number of sets, size of the longest key, settings."""
        return bytes((self.version, self.count, KeyType.AES.size, self.roll_key))


@dataclass(frozen=True, slots=True)
class ApplicationSettings:
    """What CreateApplication says; `iso_id` and `df_name` are names of ISO/IEC 7816-4, 0 and b"" for none."""

    aid: bytes
    keys: int
    settings: KeySettings = SETTLED
    kind: KeyType = KeyType.AES
    iso_id: int = 0
    df_name: bytes = b""
    key_sets: KeySets | None = None

    def encode(self) -> bytes:
        """Data of CreateApplication; the AID travels with its least significant byte first."""
        second = self.kind | self.keys | (_ISO_FILES if self.iso_id else 0) | (_THIRD if self.key_sets else 0)
        third = bytes((_KEY_SETS,)) + self.key_sets.encode() if self.key_sets else b""
        name = self.iso_id.to_bytes(2, "little") + self.df_name if self.iso_id else b""
        return self.aid[::-1] + bytes((self.settings.encode(), second)) + third + name


def parse_application(data: bytes) -> ApplicationSettings | None:
    """What CreateApplication says; None where malformed."""
    if (
        len(data) < _AID_BYTES + 2
        or (data[4] & _TYPE) not in set(KeyType)
        or not 1 <= data[4] & 15 <= KEYS_MAX
    ):
        return None
    sets, rest = _parse_sets(data[5:]) if data[4] & _THIRD else (None, data[5:])
    iso_id, name = int.from_bytes(rest[:2], "little"), rest[2:]
    named = len(rest) >= 2 and len(name) <= _DF_NAME_MAX and bool(data[4] & _ISO_FILES or name)  # noqa: PLR2004  file id
    if (data[4] & _THIRD and sets is None) or (rest and not named) or (data[4] & _ISO_FILES and not rest):
        return None
    settings, kind = KeySettings.decode(data[3]), KeyType(data[4] & _TYPE)
    return ApplicationSettings(data[2::-1], data[4] & 15, settings, kind, iso_id, name, sets)


def _parse_sets(data: bytes) -> tuple[KeySets | None, bytes]:
    if data[:1] != bytes((_KEY_SETS,)) or len(data) < 5 or not 2 <= data[2] <= KEY_SETS_MAX:  # noqa: PLR2004  two sets at least
        return None, data
    return KeySets(data[1], data[2], data[4] & 15), data[5:]
