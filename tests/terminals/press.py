"""The city's side of bundles for the terminals' tests: a key, and what it signs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keys.bundle import EVERY, Bundle, BundleKind, city_id, sealed
from keys.clock import UnixMs, day_of
from keys.money import Rupiah
from terminals.bundles import contents, hotlist
from terminals.bundles.hotlist import Hotlist
from terminals.bundles.kept import KeptBundles, Trust
from terminals.fares import Tariff, flat_tariff
from tests.terminals.depot import START

if TYPE_CHECKING:
    from pathlib import Path

DAY_MS = 86_400_000


def tariff(full: int, name: str = "semarang") -> Tariff:
    return flat_tariff(name, day_of(date(2026, 11, 18)), Rupiah(full), Rupiah(1_000))


@dataclass
class Press:
    """A city that signs bundles."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    city: bytes = city_id(bytes(32))

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def trust(self, audience: str = "validator") -> Trust:
        return Trust(self.city, self.public, audience)

    def kept(self, folder: Path, audience: str = "validator") -> KeptBundles:
        return KeptBundles(folder, self.trust(audience))

    def seal(
        self, kind: BundleKind, number: int, body: bytes, *, base: int = 0, at: int = START, audience: str = EVERY
    ) -> bytes:  # fmt: skip
        bundle = Bundle(self.city, audience, kind, number, base, UnixMs(at), body)
        return sealed(bundle, self.public, self.key.sign)

    def tariff(self, number: int, full: int, *, at: int = START, audience: str = EVERY) -> bytes:
        body = contents.encode_tariff(tariff(full))
        return self.seal(BundleKind.TARIFF, number, body, at=at, audience=audience)

    def hotlist(self, number: int, uids: set[int], *, at: int = START) -> bytes:
        return self.seal(BundleKind.HOTLIST, number, hotlist.encode_full(Hotlist.of(uids)), at=at)

    def delta(self, number: int, before: set[int], after: set[int], *, base: int = 0) -> bytes:
        body = hotlist.encode_delta(Hotlist.of(before), Hotlist.of(after))
        return self.seal(BundleKind.HOTLIST, number, body, base=base or number - 1)
