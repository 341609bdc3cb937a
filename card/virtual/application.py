"""An application on the chip: its keys, its files, its Transaction MAC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from card import tmac
from card.apdu import Status
from card.virtual.files import ChipFile
from card.virtual.refusal import Refusal
from keys.cmac import BLOCK
from keys.softkey import SoftKey

if TYPE_CHECKING:
    from card.commands import FileSettings


class KeySlot:
    """A key's value and version; the value is the chip's own."""

    __slots__ = ("value", "version")

    def __init__(self, value: bytes = bytes(BLOCK), version: int = 0) -> None:
        self.value = value
        self.version = version

    def key(self) -> SoftKey:
        """The key, ready for use."""
        return SoftKey(self.value, self.version)


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
    """Keys and files under one AID; the PICC level is one too, with AID 000000."""

    __slots__ = ("files", "keys", "tmac", "tmac_no")

    def __init__(self, keys: int) -> None:
        self.keys = [KeySlot() for _ in range(keys)]
        self.files: dict[int, ChipFile] = {}
        self.tmac: TransactionMac | None = None
        self.tmac_no = -1

    def key(self, number: int) -> KeySlot:
        """A key by number."""
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

    def save(self) -> list[Any]:
        """Committed state as plain values."""
        keys = [[slot.value, slot.version] for slot in self.keys]
        files = {number: file.save() for number, file in self.files.items()}
        mac = self.tmac
        signed = None
        if mac is not None:
            saved = ChipFile(mac.settings).save()
            signed = [self.tmac_no, saved, mac.slot.value, mac.slot.version, mac.tmc, mac.tmv, mac.reader]
        return [keys, files, signed]

    @classmethod
    def load(cls, saved: list[Any]) -> Application:
        """From what `save` gave."""
        keys, files, signed = saved
        application = cls(0)
        application.keys = [KeySlot(value, version) for value, version in keys]
        application.files = {number: ChipFile.load(file) for number, file in files.items()}
        if signed is not None:
            application.tmac_no, file, value, version, tmc, tmv, reader = signed
            mac = TransactionMac(ChipFile.load(file).settings, KeySlot(value, version))
            mac.tmc, mac.tmv, mac.reader = tmc, tmv, reader
            application.tmac = mac
        return application
