"""Terminals as they are enrolled and put to work: key on the device, certificate, vault of its roles, outbox."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx2

from hebat.founding import AUTHORITY_LABEL
from keys.bundle import LABEL as BUNDLE_LABEL
from keys.bundle import city_id
from keys.errors import KeyMissing
from keys.filevault import FileVault, write_atomically
from keys.identity import TerminalIdentity, TerminalRole, read_certificate
from keys.vault import Role
from ledger.intake.receipt import LABEL as LEDGER_LABEL
from terminals.bundles.kept import KeptBundles, Trust
from terminals.outbox import Outbox
from terminals.terminal import Parts, Terminal
from terminals.upload import Link

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.wiring import City
    from keys.vault import Vault
    from terminals.fares import Tariff

TIMEOUT_SECONDS: Final = 30.0
DEVICE_COST: Final = 2**12
"""scrypt's N on a small device; its passphrase is 24 random bytes, so that guessing gains nothing."""
_KEYS: Final = {
    TerminalRole.VALIDATOR: (Role.DEBIT,),
    TerminalRole.CONDUCTOR: (Role.DEBIT, Role.READ),
    TerminalRole.MERCHANT: (Role.DEBIT,),
    TerminalRole.KIOSK: (Role.READ,),
}
"""The card keys that a terminal of each role may hold (DESIGN law 11: never the Transaction MAC key, nor the load key, which the ledger alone uses)."""


@dataclass(frozen=True, slots=True)
class Post:
    """A terminal to be enrolled: its number, what it is for, and whose it is (operator, merchant or agent number)."""

    number: int
    role: TerminalRole
    owner: int


def vault_name(terminal: int) -> str:
    """What a terminal's vault is bound to: that of another terminal does not open in its place."""
    return f"terminal {terminal}"


def enrol(city: City, post: Post, address: str, tariff: Tariff) -> Terminal:
    """Make the key on the device, get the certificate, and put the terminal to work against a ledger's address."""
    folder = city.folder.terminal(post.number)
    identity = TerminalIdentity(folder)
    pem = city.authority.enrol(identity.request(), post.number, post.role, post.owner)
    identity.install(pem)
    city.registry.add_terminal(read_certificate(pem, city.root, city.clock.now()))
    passphrase = secrets.token_urlsafe(24)
    write_atomically(folder / "device.passphrase", passphrase.encode())
    name = vault_name(post.number)
    city.vault.subset(folder / "device.vault", passphrase, _KEYS[post.role], DEVICE_COST, name)
    vault = FileVault.open(folder / "device.vault", passphrase, name)
    client = httpx2.Client(base_url=address, timeout=TIMEOUT_SECONDS)
    link = Link(client, post.number, identity.sign, city.vault.public_key(LEDGER_LABEL), city.clock)
    outbox = Outbox(folder / "outbox.db")
    bundles = kept_bundles(folder, city.vault, post.role)
    made = Terminal(Parts(post.number, outbox, vault, link, city.clock, tariff, bundles))
    made.refresh()
    return made


def kept_bundles(folder: Path, vault: Vault, role: TerminalRole) -> KeptBundles | None:
    """The bundles on a terminal's disk; None where the city was founded before it signed any."""
    try:
        key = vault.public_key(BUNDLE_LABEL)
    except KeyMissing:
        return None
    city = city_id(vault.public_key(AUTHORITY_LABEL))
    return KeptBundles(folder / "bundles", Trust(city, key, role.value))
