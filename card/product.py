"""Which chip this is, by what GetVersion says. Pure.

Source: the data sheets' GetVersion tables: vendor, type, subtype, major, minor, storage, protocol; twice, then UID, batch and week.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VERSION_BYTES: Final = 28
_NXP: Final = 0x04
_DESFIRE: Final = 0x01
_PRODUCTS: Final = {
    0x02: "MIFARE Plus",
    0x03: "MIFARE Ultralight",
    0x04: "NTAG",
    0x08: "MIFARE DESFire Light",
}
_GENERATIONS: Final = {0x00: "", 0x01: "EV1", 0x12: "EV2", 0x22: "EV2", 0x33: "EV3", 0xA0: "EV3"}
_CITY_GENERATIONS: Final = frozenset({"EV2", "EV3"})


@dataclass(frozen=True, slots=True)
class Product:
    """A chip by its own word; `uid` is zeros where the chip shows a random one."""

    vendor: int
    kind: int
    hardware: int
    storage: int
    uid: bytes

    @property
    def is_desfire(self) -> bool:
        """Whether it is a MIFARE DESFire of any generation."""
        return self.kind == _DESFIRE

    @property
    def generation(self) -> str:
        """EV1, EV2 or EV3 of a DESFire; empty for the first, and for one that this software does not know."""
        return _GENERATIONS.get(self.hardware, "") if self.is_desfire else ""

    @property
    def fits_the_city(self) -> bool:
        """Whether a card of the city can be made of it: EV2 secure messaging and a Transaction MAC."""
        return self.generation in _CITY_GENERATIONS

    @property
    def storage_bytes(self) -> int:
        """Memory for files; the chip may have a little more."""
        return 1 << (self.storage >> 1)

    @property
    def name(self) -> str:
        """The chip as a person says it, such as "MIFARE DESFire EV3, 4 kB"."""
        if not self.is_desfire:
            return _PRODUCTS.get(self.kind, "chip of NXP" if self.vendor == _NXP else "chip of another maker")
        more = "over " if self.storage & 1 else ""
        return f"{' '.join(filter(None, ('MIFARE DESFire', self.generation)))}, {more}{self.storage_bytes // 1024} kB"


def parse_version(data: bytes) -> Product | None:
    """The chip of an answer to GetVersion; None where the answer is none."""
    if len(data) != VERSION_BYTES:
        return None
    return Product(data[0], data[1] & 0x0F, data[3], data[5], data[14:21])
