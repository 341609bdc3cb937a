"""The rules of the data sheet for files, rights and transactions, as plain as can be: the oracle of the virtual chip.

It knows nothing of bytes on the wire: an operation gives its answer, or raises Refused with the status that a chip gives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from card.apdu import Status
from card.channel import CommMode
from card.commands import FREE, FileSettings, FileType, Rights

READS, WRITES, USES, BOTH = (
    ("read", "read_write"),
    ("write", "read_write"),
    ("read", "write", "read_write"),
    ("read_write",),
)
RECORD_FILES = {FileType.LINEAR, FileType.CYCLIC}
DATA_FILES = {FileType.STANDARD, FileType.BACKUP}


class Refused(Exception):
    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


@dataclass
class Held:
    """What a transaction holds back for one file."""

    data: bytes | None = None
    credits: int = 0
    debits: int = 0
    limited: bool = False
    record: bytes | None = None
    records: list[bytes] | None = None

    @property
    def anything(self) -> bool:
        return self != Held()


@dataclass
class ModelFile:
    settings: FileSettings
    data: bytes = b""
    value: int = 0
    limit: int = 0
    records: list[bytes] = field(default_factory=list)
    held: Held = field(default_factory=Held)


class DataSheet:
    """One application: its files, and who is authenticated."""

    def __init__(self, files: dict[int, FileSettings]) -> None:
        self.files = {
            number: ModelFile(one, data=bytes(one.size), value=one.value) for number, one in files.items()
        }
        self.key: int | None = None

    def lose(self) -> None:
        """A session ends: at an error, a new authentication, a selection, the loss of the field."""
        self.key = None
        self.abort()

    def mode(self, number: int, names: tuple[str, ...]) -> CommMode:
        """How data travels, for who is authenticated now."""
        file = self.files[number]
        holders = {getattr(rights, name) for rights in file.settings.rights for name in names}
        if self.key in holders and self.key is not None:
            return file.settings.mode
        if FREE in holders:
            return CommMode.PLAIN
        raise Refused(Status.AUTHENTICATION_ERROR if self.key is None else Status.PERMISSION_DENIED)

    def _of(self, number: int, names: tuple[str, ...], kinds: set[FileType]) -> ModelFile:
        if FileType.VALUE in kinds and self.files[number].settings.kind not in kinds:
            raise Refused(Status.PARAMETER_ERROR)
        self.mode(number, names)
        if self.files[number].settings.kind not in kinds:
            raise Refused(Status.PARAMETER_ERROR)
        return self.files[number]

    def read(self, number: int, offset: int, length: int) -> bytes:
        data = self._of(number, READS, DATA_FILES).data
        size = length or len(data) - offset
        if size <= 0 or offset + size > len(data):
            raise Refused(Status.BOUNDARY_ERROR)
        return data[offset : offset + size]

    def write(self, number: int, offset: int, data: bytes) -> None:
        self.mode(number, WRITES)
        settings = self.files[number].settings
        if len(data) > max(settings.size, settings.record_size):
            raise Refused(Status.BOUNDARY_ERROR)
        file = self._of(number, WRITES, DATA_FILES)
        if offset + len(data) > settings.size:
            raise Refused(Status.BOUNDARY_ERROR)
        before = file.data if file.held.data is None else file.held.data
        after = before[:offset] + data + before[offset + len(data) :]
        if settings.kind is FileType.STANDARD:
            file.data = after
        else:
            file.held.data = after

    def value(self, number: int) -> int:
        return self._of(number, USES, {FileType.VALUE}).value

    def credit(self, number: int, amount: int) -> None:
        self._add(self._of(number, BOTH, {FileType.VALUE}), amount)

    def _add(self, file: ModelFile, amount: int) -> None:
        if file.value + file.held.credits + amount > file.settings.upper:
            raise Refused(Status.BOUNDARY_ERROR)
        file.held.credits += amount

    def debit(self, number: int, amount: int) -> None:
        file = self._of(number, USES, {FileType.VALUE})
        if file.value - file.held.debits - amount < file.settings.lower:
            raise Refused(Status.BOUNDARY_ERROR)
        file.held.debits += amount

    def limited_credit(self, number: int, amount: int) -> None:
        file = self._of(number, WRITES, {FileType.VALUE})
        if not file.settings.limited:
            raise Refused(Status.PERMISSION_DENIED)
        if amount > (0 if file.held.limited else file.limit):
            raise Refused(Status.BOUNDARY_ERROR)
        self._add(file, amount)
        file.held.limited = True

    def append(self, number: int, data: bytes) -> None:
        self.mode(number, WRITES)
        settings = self.files[number].settings
        if len(data) > max(settings.size, settings.record_size):
            raise Refused(Status.BOUNDARY_ERROR)
        file = self._of(number, WRITES, RECORD_FILES)
        if settings.kind is FileType.LINEAR and len(file.records) == settings.records:
            raise Refused(Status.BOUNDARY_ERROR)
        if file.held.records is not None:
            raise Refused(Status.PERMISSION_DENIED)
        before = file.held.record or bytes(settings.record_size)
        file.held.record = data + before[len(data) :]

    def update(self, number: int, latest: int, data: bytes) -> None:
        self.mode(number, BOTH)
        settings = self.files[number].settings
        if len(data) > max(settings.size, settings.record_size):
            raise Refused(Status.BOUNDARY_ERROR)
        file = self._of(number, BOTH, RECORD_FILES)
        kept = list(file.records if file.held.records is None else file.held.records)
        if latest >= len(kept):
            raise Refused(Status.BOUNDARY_ERROR)
        place = len(kept) - 1 - latest
        kept[place] = data + kept[place][len(data) :]
        file.held.records = kept

    def clear(self, number: int) -> None:
        file = self._of(number, BOTH, RECORD_FILES)
        file.held = Held(records=[])

    def read_records(self, number: int, latest: int, count: int) -> bytes:
        records = self._of(number, READS, RECORD_FILES).records
        newest_first = records[::-1][latest:]
        if not newest_first or count > len(newest_first):
            raise Refused(Status.BOUNDARY_ERROR)
        return b"".join((newest_first[:count] if count else newest_first)[::-1])

    def change_rights(self, number: int, rights: Rights, mode: CommMode) -> None:
        file = self.files[number]
        self.mode(number, ("change",))
        old = file.settings
        file.settings = FileSettings(
            old.kind,
            mode,
            (rights,),
            old.size,
            old.lower,
            old.upper,
            old.value,
            old.record_size,
            old.records,
            old.limited,
        )

    def commit(self) -> None:
        if not any(file.held.anything for file in self.files.values()):
            raise Refused(Status.NO_CHANGES)
        for file in self.files.values():
            held, file.held = file.held, Held()
            file.data = file.data if held.data is None else held.data
            file.value += held.credits - held.debits
            file.limit = held.debits or (0 if held.limited else file.limit)
            file.records = file.records if held.records is None else held.records
            if held.record is not None:
                room = file.settings.records - (file.settings.kind is FileType.CYCLIC)
                file.records = [*file.records, held.record][-room:]

    def abort(self) -> None:
        for file in self.files.values():
            file.held = Held()
