"""What the key commands share: the vault of a folder, what people type, and a screen that shows one secret at a time."""

from __future__ import annotations

import getpass
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, TypeVar

import typer

from hebat.errors import InputRefused
from hebat.vaults import city_vault, remember
from keys import ceremony
from keys.envelope import seal
from keys.errors import CeremonyError, ShareError
from keys.filevault import FileVault
from keys.sealedfile import HUMAN_COST, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hebat.folder import Folder
    from keys.ceremony import CeremonyRecord
    from keys.vault import KeyVault

_T = TypeVar("_T")
ATTEMPTS: Final = 3
PASSPHRASE_MIN: Final = 12
"""Characters of a passphrase that people choose."""


def secret(what: str) -> str:
    """Ask for a secret without echo; raises InputRefused where there is no terminal to type at."""
    if not sys.stdin.isatty():
        raise InputRefused("a secret is typed at a terminal, never piped in or given as an option")
    return getpass.getpass(f"{what}: ")


def need_screen() -> None:
    """Raises InputRefused where what is shown would go into a file or another program."""
    if not sys.stdout.isatty():
        raise InputRefused("a secret is shown at a terminal, never written into a file or a pipe")


def clear() -> None:
    """Wipe the screen and its scroll-back, so that no two people's secrets stand on it."""
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[2J\x1b[3J\x1b[H")
        sys.stdout.flush()


def passphrase(folder: Folder, *, new: bool = False) -> str:
    """The vault's passphrase: from the folder where a demo left it, or typed (twice for a new vault)."""
    if (folder.root / "city.passphrase").exists():
        return folder.passphrase()
    return typed_passphrase("Passphrase of the vault", new=new)


def typed_passphrase(what: str, *, new: bool) -> str:
    """What somebody types, twice where it is new."""
    first = secret(what)
    if new and (len(first) < PASSPHRASE_MIN or secret("The same again") != first):
        raise InputRefused(f"the passphrase needs {PASSPHRASE_MIN} characters, typed twice alike")
    return first


def opened(folder: Folder) -> tuple[FileVault, str]:
    """The folder's vault and its passphrase; raises VaultRolledBack for an older copy, VaultError where there is none."""
    typed = passphrase(folder) if folder.vault.exists() else ""
    return city_vault(folder, typed), typed


def opened_or_new(folder: Folder) -> tuple[FileVault, str]:
    """The folder's vault, made with its signing keys where there is none."""
    if folder.vault.exists():
        return opened(folder)
    folder.make()
    typed = passphrase(folder, new=True)
    vault = FileVault.create(folder.vault, typed, HUMAN_COST)
    for label in signing_labels():
        vault.generate_signing_key(label)
    return vault, typed


def signing_labels() -> tuple[str, ...]:
    """The city's signing keys, which each vault makes for itself."""
    from hebat.founding import AUTHORITY_LABEL  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from keys.bundle import LABEL as BUNDLE_LABEL  # noqa: PLC0415  as above
    from ledger.intake.receipt import LABEL as LEDGER_LABEL  # noqa: PLC0415  as above

    return LEDGER_LABEL, AUTHORITY_LABEL, BUNDLE_LABEL


def retried(ask: Callable[[], _T]) -> _T:
    """What somebody types, with a few attempts; the last error is raised."""
    for _ in range(ATTEMPTS - 1):
        try:
            return ask()
        except (CeremonyError, ShareError) as error:
            typer.echo(f"hebat: {error}", err=True)
    return ask()


def keep_record(folder: Folder, vault: KeyVault, what: str, record: CeremonyRecord, mark: str = "") -> Path:
    """Tell the ledger the vault's new state, and sign what happened, with that state, into the folder's records; one of a mark is written once."""
    remember(folder, vault)
    written = next((folder.root / "key-records").glob(f"*-{what}-{mark}.cose"), None) if mark else None
    return written or _write_record(folder, vault, f"{what}-{mark}" if mark else what, what, record)


def _write_record(folder: Folder, vault: KeyVault, name: str, what: str, record: CeremonyRecord) -> Path:
    from hebat.founding import AUTHORITY_LABEL  # noqa: PLC0415  as above

    state = vault.record()
    text = asdict(record) | {"what": what, "generation": state.generation, "digest": state.digest.hex()}
    signed = seal(
        json.dumps(text, sort_keys=True).encode(),
        kid=vault.public_key(AUTHORITY_LABEL)[:8],
        sign=lambda message: vault.sign(AUTHORITY_LABEL, message),
        content_type=ceremony.RECORD_CONTENT_TYPE,
    )
    path = folder.root / "key-records" / f"{state.generation:06d}-{name}.cose"
    path.parent.mkdir(exist_ok=True, mode=0o700)
    write_atomically(path, signed)
    return path
