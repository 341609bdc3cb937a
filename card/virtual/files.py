"""The chip's files: what is committed, what is pending, and the limits of each type."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from card.apdu import Status
from card.channel import CommMode
from card.commands import FileSettings, FileType, NewRights, Rights
from card.sdm import Sdm
from card.virtual.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

VALUE_MAX = 0x7FFF_FFFF
_BLOCK = 32
_MEMORY_BYTES = 1 << 16
"""More than any chip has."""
_RECORD_FILES = (FileType.LINEAR, FileType.CYCLIC)


class ChipFile:
    """One file. Standard files write through; the others hold changes until commit."""

    __slots__ = (
        "_credits", "_debits", "_lowered", "_pending", "_record", "_updated",
        "counter", "data", "limit", "records", "settings", "value",
    )  # fmt: skip

    def __init__(self, settings: FileSettings) -> None:
        self.settings = settings
        self.data = bytearray(settings.size)
        self.value = settings.value
        self.records: Sequence[bytes] = ()
        self.limit = 0
        self.counter = 0
        self._pending: bytearray | None = None
        self._record: bytearray | None = None
        self._updated: tuple[bytes, ...] | None = None
        self._lowered: int | None = None
        self._credits = self._debits = 0

    @property
    def changed(self) -> bool:
        """True where a commit would change something."""
        held = (self._pending, self._record, self._updated, self._lowered)
        return any(one is not None for one in held) or bool(self._credits or self._debits)

    @property
    def used(self) -> int:
        """What GetFileSettings says beside the settings: records there are, or what LimitedCredit may still give."""
        return self.limit if self.settings.kind is FileType.VALUE else len(self.records)

    @property
    def size(self) -> int:
        """Bytes of the chip's memory that it takes; backup files are kept twice."""
        kept = self.settings
        twice = 2 if kept.kind is FileType.BACKUP else 1
        return _BLOCK + -(-(kept.size * twice + kept.record_size * kept.records) // _BLOCK) * _BLOCK

    def require(self, *kinds: FileType) -> None:
        """Refuse a command that this type of file does not know."""
        if self.settings.kind not in kinds:
            raise Refusal(Status.PARAMETER_ERROR)

    def change(self, new: NewRights) -> None:
        """Take a new communication mode, new sets of rights, and what is mirrored from now on."""
        if new.sdm is not None and (
            self.settings.kind is not FileType.STANDARD or not new.sdm.fits(self.settings.size)
        ):
            raise Refusal(Status.PARAMETER_ERROR)
        self.settings = replace(self.settings, mode=new.mode, rights=new.rights, sdm=new.sdm)
        self.counter = 0 if new.sdm is None else self.counter

    def read(self, offset: int, length: int) -> bytes:
        """Committed bytes; length 0 is all from the offset on."""
        self.require(FileType.STANDARD, FileType.BACKUP)
        return cut(bytes(self.data), offset, length)

    def write(self, offset: int, data: bytes) -> None:
        """Write through (standard) or hold until commit (backup)."""
        self.require(FileType.STANDARD, FileType.BACKUP)
        if offset + len(data) > len(self.data):
            raise Refusal(Status.BOUNDARY_ERROR)
        if self.settings.kind is FileType.STANDARD:
            self.data[offset : offset + len(data)] = data
            return
        if self._pending is None:
            self._pending = bytearray(self.data)
        self._pending[offset : offset + len(data)] = data

    def debit(self, amount: int) -> None:
        """Take value; what is pending counts, pending credits do not."""
        self.require(FileType.VALUE)
        if amount < 0 or self.value - self._debits - amount < self.settings.lower:
            raise Refusal(Status.BOUNDARY_ERROR)
        self._debits += amount

    def credit(self, amount: int) -> None:
        """Add value; what is pending counts, pending debits do not."""
        self.require(FileType.VALUE)
        if amount < 0 or self.value + self._credits + amount > min(self.settings.upper, VALUE_MAX):
            raise Refusal(Status.BOUNDARY_ERROR)
        self._credits += amount

    def limited_credit(self, amount: int) -> None:
        """Give back at most what the last committed debits took, once."""
        self.require(FileType.VALUE)
        if not self.settings.limited:
            raise Refusal(Status.PERMISSION_DENIED)
        if amount > (self.limit if self._lowered is None else 0):
            raise Refusal(Status.BOUNDARY_ERROR)
        self.credit(amount)
        self._lowered = 0

    def append(self, offset: int, data: bytes) -> None:
        """Write into the transaction's one new record."""
        self.require(*_RECORD_FILES)
        full = self.settings.kind is FileType.LINEAR and len(self.records) >= self.settings.records
        if offset + len(data) > self.settings.record_size or full:
            raise Refusal(Status.BOUNDARY_ERROR)
        if self._updated is not None:
            raise Refusal(Status.PERMISSION_DENIED)
        if self._record is None:
            self._record = bytearray(self.settings.record_size)
        self._record[offset : offset + len(data)] = data

    def update(self, latest: int, offset: int, data: bytes) -> None:
        """Change the record `latest` steps before the newest; pending until commit."""
        self.require(*_RECORD_FILES)
        kept = list(self.records if self._updated is None else self._updated)
        if latest >= len(kept) or offset + len(data) > self.settings.record_size:
            raise Refusal(Status.BOUNDARY_ERROR)
        old = kept[-1 - latest]
        kept[-1 - latest] = old[:offset] + data + old[offset + len(data) :]
        self._updated = tuple(kept)

    def clear(self) -> None:
        """Forget all records at commit."""
        self.require(*_RECORD_FILES)
        self._updated, self._record = (), None

    def read_records(self, latest: int, count: int) -> bytes:
        """Records oldest first, up to the one `latest` steps before the newest; count 0 is all of them."""
        self.require(*_RECORD_FILES)
        end = len(self.records) - latest
        start = end - count if count else 0
        if end <= 0 or start < 0:
            raise Refusal(Status.BOUNDARY_ERROR)
        return b"".join(self.records[start:end])

    def commit(self) -> None:
        """Make pending changes real."""
        if self._pending is not None:
            self.data[:] = self._pending
        self.value += self._credits - self._debits
        if self._debits:
            self.limit = self._debits
        elif self._lowered is not None:
            self.limit = self._lowered
        if self._updated is not None:
            self.records = self._updated
        if self._record is not None:
            # One record of a cyclic file is the spare that the next write goes to.
            spare = 1 if self.settings.kind is FileType.CYCLIC else 0
            self.records = (*self.records, bytes(self._record))[spare - self.settings.records :]
        self.rollback()

    def rollback(self) -> None:
        """Forget pending changes."""
        self._pending = self._record = self._updated = self._lowered = None
        self._credits = self._debits = 0

    def save(self) -> list[Any]:
        """Committed state as plain values."""
        kept = self.settings
        rights = [one.encode() for one in kept.rights]
        numbers = [kept.size, kept.lower, kept.upper, kept.record_size, kept.records, kept.iso_id]
        flags = [kept.limited, kept.free_value, kept.sdm.encode() if kept.sdm else b""]
        head = [int(kept.kind), int(kept.mode), rights, numbers, flags]
        return [head, bytes(self.data), self.value, list(self.records), self.limit, self.counter]

    @classmethod
    def load(cls, saved: list[Any]) -> ChipFile:
        """From what `save` gave."""
        head, data, value, records, limit, counter = saved
        kind, mode, rights, (size, lower, upper, record_size, count, iso_id), (limited, free, sdm) = head
        settings = FileSettings(
            FileType(kind), CommMode(mode), tuple(map(Rights.decode, rights)), size=size, lower=lower, upper=upper,
            value=value, record_size=record_size, records=count, limited=limited, free_value=free, iso_id=iso_id,
            sdm=Sdm.decode(sdm),
        )  # fmt: skip
        if not 0 <= size <= _MEMORY_BYTES:
            raise ValueError("no chip has such a file")
        file = cls(settings)
        file.data[:] = data
        file.records, file.limit, file.counter = tuple(records), limit, counter
        return file


def cut(content: bytes, offset: int, length: int) -> bytes:
    """Part of a content; length 0 is all from the offset on."""
    size = length or len(content) - offset
    if size <= 0 or offset + size > len(content):
        raise Refusal(Status.BOUNDARY_ERROR)
    return content[offset : offset + size]
