"""The chip's files: what is committed, what is pending, and the limits of each type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from card.apdu import Status
from card.commands import FileSettings, FileType, Rights
from card.ev2 import CommMode
from card.virtual.refusal import Refusal

VALUE_MAX = 0x7FFF_FFFF


class ChipFile:
    """One file. Standard files write through; the others hold changes until commit."""

    __slots__ = (
        "_credits",
        "_debits",
        "_pending",
        "_record",
        "_records",
        "data",
        "records",
        "settings",
        "value",
    )

    def __init__(self, settings: FileSettings) -> None:
        self.settings = settings
        self.data = bytearray(settings.size)
        self.value = settings.value
        self.records: list[bytes] = []
        self._pending: bytearray | None = None
        self._record: bytearray | None = None
        self._credits = 0
        self._debits = 0

    @property
    def changed(self) -> bool:
        """True where a commit would change something."""
        return self._pending is not None or self._record is not None or bool(self._credits or self._debits)

    def require(self, *kinds: FileType) -> None:
        """Refuse a command that this type of file does not know."""
        if self.settings.kind not in kinds:
            raise Refusal(Status.PARAMETER_ERROR)

    def change_rights(self, mode: CommMode, rights: tuple[Rights, ...]) -> None:
        """Take a new communication mode and new sets of rights."""
        self.settings = replace(self.settings, mode=mode, rights=rights)

    def read(self, offset: int, length: int) -> bytes:
        """Committed bytes; length 0 is all from the offset on."""
        self.require(FileType.STANDARD, FileType.BACKUP)
        size = length or len(self.data) - offset
        if size <= 0 or offset + size > len(self.data):
            raise Refusal(Status.BOUNDARY_ERROR)
        return bytes(self.data[offset : offset + size])

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

    def append(self, offset: int, data: bytes) -> None:
        """Write into the transaction's one new record."""
        self.require(FileType.CYCLIC)
        if offset + len(data) > self.settings.record_size:
            raise Refusal(Status.BOUNDARY_ERROR)
        if self._record is None:
            self._record = bytearray(self.settings.record_size)
        self._record[offset : offset + len(data)] = data

    def read_records(self, latest: int, count: int) -> bytes:
        """Records oldest first, up to the one `latest` steps before the newest; count 0 is all of them."""
        self.require(FileType.CYCLIC)
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
        if self._record is not None:
            # One record of a cyclic file is the spare that the next write goes to.
            self.records = [*self.records, bytes(self._record)][1 - self.settings.records :]
        self.rollback()

    def rollback(self) -> None:
        """Forget pending changes."""
        self._pending = None
        self._record = None
        self._credits = self._debits = 0

    def save(self) -> list[Any]:
        """Committed state as plain values."""
        kept = self.settings
        rights = [one.encode() for one in kept.rights]
        numbers = [kept.size, kept.lower, kept.upper, kept.record_size, kept.records]
        return [
            int(kept.kind),
            int(kept.mode),
            rights,
            numbers,
            bytes(self.data),
            self.value,
            list(self.records),
        ]

    @classmethod
    def load(cls, saved: list[Any]) -> ChipFile:
        """From what `save` gave."""
        kind, mode, rights, (size, lower, upper, record_size, records), data, value, kept = saved
        settings = FileSettings(
            FileType(kind), CommMode(mode), tuple(map(Rights.decode, rights)), size=size, lower=lower, upper=upper,
            value=value, record_size=record_size, records=records,
        )  # fmt: skip
        file = cls(settings)
        file.data[:] = data
        file.records = list(kept)
        return file
