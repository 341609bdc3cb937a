"""Open an enrolled terminal from its own folder: nothing of the city's is needed but what enrolment left there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cbor2
import httpx2

from keys import cbor
from keys.device import CERTIFICATE_FILE, device_secret, secret_beside, vault_passphrase
from keys.errors import CborMalformed, IdentityError
from keys.filevault import FileVault
from keys.rights import Right
from keys.sealedfile import write_atomically
from terminals.bundles.kept import KeptBundles, Trust
from terminals.enrolment import Device, Renewal
from terminals.errors import TerminalError
from terminals.handout import NewestKeys, fetch
from terminals.outbox import Outbox
from terminals.terminal import Terminal
from terminals.upkeep import Parts
from terminals.upload import Link

if TYPE_CHECKING:
    from pathlib import Path

    from keys.clock import Clock
    from keys.handout import Taken
    from keys.rights import TerminalRole
    from terminals.fares import Tariff

TIMEOUT_SECONDS: Final = 30.0
TRUST_FILE: Final = "bundles.trust"
VAULT_FILE: Final = "device.vault"
OUTBOX_FILE: Final = "outbox.db"
DEVICE_COST: Final = 2**12
"""scrypt's N on a small device; its passphrase comes from 32 random bytes, so that guessing gains nothing."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A terminal, and what its certificate makes of it."""

    terminal: Terminal
    role: TerminalRole
    routes: tuple[int, ...]


def vault_name(terminal: int) -> str:
    """What a terminal's vault is bound to: that of another terminal does not open in its place."""
    return f"terminal {terminal}"


def client_of(address: str) -> httpx2.Client:
    """A terminal's HTTP client for a ledger's address."""
    return httpx2.Client(base_url=address, timeout=TIMEOUT_SECONDS)


def device_of(folder: Path, secret: Path | None = None) -> Device:
    """A device by its folder, with its secret in a file; both are made where they are not there yet. Raises IdentityError."""
    return Device(folder, device_secret(secret_beside(folder) if secret is None else secret))


def enrolled_device(folder: Path, secret: Path | None = None) -> Device:
    """The same of a device that is a terminal already: makes nothing, and raises IdentityError where a path is wrong."""
    where = secret_beside(folder) if secret is None else secret
    if not (folder / CERTIFICATE_FILE).is_file():
        raise IdentityError(
            f"{folder} holds no terminal: enrol one with `hebat terminals enrol --folder {folder}`, or name the folder of one"
        )
    if not where.is_file():
        raise IdentityError(f"{where} is not there: give the file of this device's secret with --secret")
    return device_of(folder, secret)


def take_keys(device: Device, client: httpx2.Client, clock: Clock) -> Taken:
    """Give a device the keys of its role in their newest versions, over HTTP; its vault is made where there is none.

    Raises IdentityError, Offline, UploadRefused, ReceiptWrong, VaultError.
    """
    number = device.certificate().terminal
    path, passphrase = device.folder / VAULT_FILE, vault_passphrase(device.secret)
    if path.exists():
        vault = FileVault.open(path, passphrase, vault_name(number))
    else:
        vault = FileVault.create(path, passphrase, DEVICE_COST, vault_name(number))
    return fetch(Link(client, number, device.identity.sign, device.ledger_key(), clock), vault, clock)


def keep_trust(folder: Path, city: bytes, key: bytes) -> None:
    """Keep whose bundles this terminal believes: its city, and the city's bundle key (32 bytes)."""
    write_atomically(folder / TRUST_FILE, cbor2.dumps([city, key], canonical=True))


def opened(
    folder: Path,
    clock: Clock,
    address: str,
    tariff: Tariff,
    secret: Path | None = None,
    line: httpx2.Client | None = None,
) -> Opened:
    """An enrolled terminal as it was left: key, vault, outbox, bundles; `tariff` holds until one comes by bundle.

    `secret` is the file of the device's secret, None for the one beside the folder. `line` is another HTTP client than the address's own.

    Raises IdentityError, VaultError, OutboxBusy, TerminalError.
    """
    device = enrolled_device(folder, secret)
    certificate = device.certificate()
    number, bundles = certificate.terminal, _bundles(folder, certificate.role)
    passphrase = vault_passphrase(device.secret)
    if not (folder / VAULT_FILE).is_file():
        raise TerminalError(
            f"terminal {number} has no keys yet: fetch them with `hebat terminals keys --folder {folder}`, with --ledger as at enrolment"
        )
    vault = FileVault.open(folder / VAULT_FILE, passphrase, vault_name(number))
    client = client_of(address) if line is None else line
    link = Link(client, number, device.identity.sign, device.ledger_key(), clock)
    renewal = Renewal(device, client, clock)
    keys = NewestKeys(vault, link, clock)
    loads = Right.LOAD in certificate.rights.kinds
    parts = Parts(
        number, Outbox(folder / OUTBOX_FILE), vault, link, clock, tariff, bundles, renewal, keys, loads
    )
    return Opened(Terminal(parts), certificate.role, certificate.rights.routes)


def _bundles(folder: Path, role: TerminalRole) -> KeptBundles | None:
    """The bundles on this disk; None where the city signed none when this terminal was enrolled."""
    path = folder / TRUST_FILE
    if not path.exists():
        return None
    try:
        city, key = cbor.decoded(path.read_bytes())
    except (CborMalformed, ValueError, TypeError):
        raise TerminalError(f"{path.name} cannot be read: enrol this terminal again") from None
    return KeptBundles(folder / "bundles", Trust(city, key, role.value))
