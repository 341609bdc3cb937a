"""The application's files as they are created: types, rights, modes. The reasons are in docs/decisions/0003-access-rights.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.channel import CommMode
from card.commands import FREE, FileSettings, FileType, Rights
from card.layout import LOG_RECORDS, RECORD_BYTES, File
from keys.vault import Role

if TYPE_CHECKING:
    from keys.money import Rupiah

KEYS: Final = 6
"""Keys 0 to 5 of the application; see `keys.vault.Role.key_no`."""
KEY_ROLES: Final = (Role.READ, Role.DEBIT, Role.LOAD, Role.META_READ, Role.FILE_READ)
"""Roles of keys 1 to 5; the master key is changed last."""

_MASTER, _READ, _DEBIT, _LOAD = (role.key_no for role in (Role.MASTER, Role.READ, Role.DEBIT, Role.LOAD))

IDENTITY: Final = FileSettings(
    FileType.STANDARD,
    CommMode.MAC,
    (Rights(read=_READ, read_write=_MASTER, change=_MASTER), Rights(read=_DEBIT), Rights(read=_LOAD)),
    size=RECORD_BYTES,
)
JOURNEY: Final = FileSettings(
    FileType.BACKUP,
    CommMode.MAC,
    (Rights(read=_READ, read_write=_DEBIT, change=_MASTER), Rights(read_write=_LOAD)),
    size=RECORD_BYTES,
)
LOG: Final = FileSettings(
    FileType.CYCLIC,
    CommMode.MAC,
    (Rights(read=_READ, write=_DEBIT, change=_MASTER), Rights(read=_DEBIT, write=_LOAD), Rights(read=_LOAD)),
    record_size=RECORD_BYTES,
    records=LOG_RECORDS + 1,
)
TMAC: Final = FileSettings(
    FileType.TMAC, CommMode.PLAIN, (Rights(read=FREE, read_write=FREE, change=_MASTER),)
)


def purse(limit: Rupiah) -> FileSettings:
    """File 03: the debit key may look and debit, only the load key may credit."""
    rights = Rights(read=_DEBIT, read_write=_LOAD, change=_MASTER)
    return FileSettings(FileType.VALUE, CommMode.FULL, (rights,), lower=0, upper=limit)


def settings(limit: Rupiah) -> dict[File, FileSettings]:
    """All files of the application but the Transaction MAC's, which comes last: from then on commits are signed."""
    return {File.IDENTITY: IDENTITY, File.JOURNEY: JOURNEY, File.PURSE: purse(limit), File.LOG: LOG}
