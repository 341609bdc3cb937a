"""What a terminal has once it has been in touch with the ledger: the newest bundles, and the newest keys of its role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hebat.founding import AUTHORITY_LABEL
from keys.bundle import LABEL as BUNDLE_LABEL
from keys.bundle import BundleKind, city_id
from keys.device import vault_passphrase
from keys.filevault import FileVault
from terminals.bundles.kept import KeptBundles, Trust
from terminals.opening import VAULT_FILE, device_of, vault_name

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.simulate.machine import Machine
    from hebat.wiring import City


def lacking(city: City, machine: Machine) -> str:
    """What a terminal lacks that has just been in touch, read anew from its disk; empty where it has everything."""
    folder = city.folder.terminal(machine.number)
    trust = Trust(
        city_id(city.vault.public_key(AUTHORITY_LABEL)),
        city.vault.public_key(BUNDLE_LABEL),
        machine.post.role.value,
    )
    kept = KeptBundles(folder / "bundles", trust)
    for kind, number in city.shelf.newest(kept.audience).items():
        if kept.newest(BundleKind(kind)) < number:
            return f"{kind} bundle {number}"
    return _keys_lacking(city, folder, machine.number)


def _keys_lacking(city: City, folder: Path, number: int) -> str:
    own = FileVault.open(folder / VAULT_FILE, vault_passphrase(device_of(folder).secret), vault_name(number))
    try:
        for role in sorted({one.role for one in own.contents() if one.role is not None}):
            if (newest := city.vault.current(role)) not in own.versions(role):
                return f"version {newest} of its {role.value} key"
    finally:
        own.close()
    return ""
