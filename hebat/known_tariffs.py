"""The tariffs that a city's terminals use, as the ledger's posting rules ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.bundle import LABEL, NUMBER_MAX, BundleKind, opened
from keys.errors import EnvelopeError
from keys.money import Rupiah
from ledger.errors import BundleUnknown
from terminals.bundles.contents import decode_tariff, tariff_number

if TYPE_CHECKING:
    from card.layout import Identity
    from keys.vault import Vault
    from ledger.bundles.shelf import Shelf
    from terminals.fares import Tariff


class KnownTariffs:
    """The tariffs that terminals use, as the ledger's posting rules ask for them: enrolled ones, and those that went out by bundle."""

    def __init__(self, tariffs: tuple[Tariff, ...], shelf: Shelf, vault: Vault) -> None:
        self._by_version = {tariff.version: tariff for tariff in tariffs}
        self._shelf = shelf
        self._vault = vault

    def subsidy(self, tariff: str, _identity: Identity, paid: Rupiah, rules: tuple[str, ...]) -> Rupiah:
        """What the city adds to a fare; nothing under a tariff that it does not know."""
        known = self.find(tariff)
        return known.subsidy(paid, rules) if known else Rupiah(0)

    def find(self, version: str) -> Tariff | None:
        """The tariff that a record names; None where the city has no such one."""
        known, number = self._by_version.get(version), tariff_number(version)
        if known is None and 0 < number <= NUMBER_MAX:
            issued = self._issued(number)
            if issued is not None and issued.version == version:
                known = self._by_version[version] = issued
        return known

    def _issued(self, number: int) -> Tariff | None:
        try:
            data = self._shelf.data(BundleKind.TARIFF, number)
            return decode_tariff(opened(data, self._vault.public_key(LABEL)).body, number)
        except (BundleUnknown, EnvelopeError):
            return None
