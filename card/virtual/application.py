"""An application on the chip: its keys, its files, its Transaction MAC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from card import tmac
from card.apdu import Status
from card.applications import DELIVERED, KEYS_MAX, ApplicationSettings, KeySets, KeySettings
from card.ev1 import KeyType
from card.virtual.files import ChipFile
from card.virtual.refusal import Refusal
from keys.softkey import SoftKey

if TYPE_CHECKING:
    from card.commands import FileSettings

PICC_LEVEL = b"\x00\x00\x00"
BLOCK_BYTES = 32
"""The unit in which the chip's memory is given out."""


class KeySlot:
    """A key's value, version and type; the value is the chip's own."""

    __slots__ = ("kind", "value", "version")

    def __init__(self, kind: KeyType = KeyType.AES, value: bytes = b"", version: int = 0) -> None:
        self.kind = kind
        self.value = value or bytes(kind.size)
        self.version = version

    def key(self) -> SoftKey:
        """An AES key, ready for use."""
        if self.kind is not KeyType.AES:
            raise Refusal(Status.AUTHENTICATION_ERROR)
        return SoftKey(self.value, self.version)

    def replace(self, value: bytes, version: int) -> None:
        """Take a new value."""
        self.value, self.version = value, version

    def save(self) -> list[Any]:
        """As plain values."""
        return [int(self.kind), self.value, self.version]

    @classmethod
    def load(cls, saved: list[Any]) -> KeySlot:
        """From what `save` gave."""
        return cls(KeyType(saved[0]), saved[1], saved[2])


class KeySet:
    """The keys of an application in one version; only a finalised one can become the active one."""

    __slots__ = ("final", "slots", "version")

    def __init__(self, slots: list[KeySlot], version: int = 0, *, final: bool = False) -> None:
        self.slots = slots
        self.version = version
        self.final = final


class TransactionMac:
    """The state of a TMAC file: counter, last value, and who committed last."""

    __slots__ = ("key", "reader", "settings", "slot", "tmc", "tmv")

    def __init__(self, settings: FileSettings, slot: KeySlot) -> None:
        self.settings = settings
        self.slot = slot
        self.key = slot.key()
        self.tmc = 0
        self.tmv = bytes(tmac.TMV_BYTES)
        self.reader = bytes(tmac.READER_ID_BYTES)

    @property
    def content(self) -> bytes:
        """What reading the file gives: counter and value of the last commit."""
        return self.tmc.to_bytes(4, "little") + self.tmv


class Application:
    """Keys and files under one AID; the PICC level is one too, with AID 000000 and a DES key as delivered."""

    __slots__ = ("files", "key_sets", "kind", "made", "settings", "tmac", "tmac_no")

    def __init__(self, made: ApplicationSettings, default: KeySlot | None = None) -> None:
        self.made = made
        self.kind = made.kind
        self.settings = made.settings
        count = made.key_sets.count if made.key_sets else 1
        version = made.key_sets.version if made.key_sets else 0
        first = default or KeySlot(made.kind)
        slots = [KeySlot(made.kind, first.value[: made.kind.size], first.version) for _ in range(made.keys)]
        self.key_sets = [KeySet(slots, version, final=True)] + [KeySet([]) for _ in range(count - 1)]
        self.files: dict[int, ChipFile] = {}
        self.tmac: TransactionMac | None = None
        self.tmac_no = -1

    @classmethod
    def picc(cls) -> Application:
        """The PICC level of a chip as delivered."""
        return cls(ApplicationSettings(PICC_LEVEL, 1, DELIVERED, KeyType.DES))

    @property
    def keys(self) -> list[KeySlot]:
        """The active keys."""
        return self.key_sets[0].slots

    def key(self, number: int) -> KeySlot:
        """An active key by number."""
        if number >= len(self.keys):
            raise Refusal(Status.NO_SUCH_KEY)
        return self.keys[number]

    def file(self, number: int) -> ChipFile:
        """A file by number."""
        found = self.files.get(number)
        if found is None:
            raise Refusal(Status.FILE_NOT_FOUND)
        return found

    def rollback(self) -> None:
        """Forget what is pending in every file."""
        for file in self.files.values():
            file.rollback()

    @property
    def size(self) -> int:
        """Bytes of the chip's memory that it takes."""
        keys = sum(BLOCK_BYTES * len(one.slots) for one in self.key_sets)
        return BLOCK_BYTES + keys + sum(file.size for file in self.files.values())

    def save(self) -> list[Any]:
        """Committed state as plain values."""
        sets = [[one.version, one.final, [slot.save() for slot in one.slots]] for one in self.key_sets]
        files = {number: file.save() for number, file in self.files.items()}
        mac, made = self.tmac, self.made
        signed = None
        if mac is not None:
            saved = ChipFile(mac.settings).save()
            signed = [self.tmac_no, saved, mac.slot.save(), mac.tmc, mac.tmv, mac.reader]
        roll = made.key_sets.roll_key if made.key_sets else None
        head = [made.aid, made.keys, int(self.kind), self.settings.encode(), made.iso_id, made.df_name, roll]
        return [head, sets, files, signed]

    @classmethod
    def load(cls, saved: list[Any]) -> Application:
        """From what `save` gave."""
        (aid, keys, kind, settings, iso_id, name, roll), sets, files, signed = saved
        if not 0 < keys <= KEYS_MAX:
            raise ValueError("no chip has so many keys")
        key_sets = None if roll is None else KeySets(sets[0][0], len(sets), roll)
        application = cls(
            ApplicationSettings(
                aid, keys, KeySettings.decode(settings), KeyType(kind), iso_id, name, key_sets
            )
        )
        application.key_sets = [
            KeySet([KeySlot.load(slot) for slot in slots], version, final=final)
            for version, final, slots in sets
        ]
        application.files = {number: ChipFile.load(file) for number, file in files.items()}
        if signed is not None:
            application.tmac_no, file, slot, tmc, tmv, reader = signed
            mac = TransactionMac(ChipFile.load(file).settings, KeySlot.load(slot))
            mac.tmc, mac.tmv, mac.reader = tmc, tmv, reader
            application.tmac = mac
        return application
