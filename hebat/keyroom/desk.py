"""What the key commands share: the vault of a folder, what people type, and a screen that shows one secret at a time."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Final, TypeVar

import typer

from hebat.errors import InputRefused
from hebat.vaults import LedgerWitness
from hebat.vaults import passphrase as vault_passphrase
from keys.errors import CeremonyError, ShareError
from keys.filevault import FileVault
from keys.sealedfile import HUMAN_COST

if TYPE_CHECKING:
    from collections.abc import Callable

    from hebat.folder import Folder

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
    """The vault's passphrase: from where `hebat.vaults` finds it, or typed (twice for a new vault)."""
    if folder.keeps_passphrase or not new:
        return vault_passphrase(folder)
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
    return FileVault.open(folder.vault, typed, folder.vault.name, LedgerWitness(folder)), typed


def opened_or_new(folder: Folder) -> tuple[FileVault, str]:
    """The folder's vault, made with its signing keys where there is none."""
    if folder.vault.exists():
        return opened(folder)
    folder.make()
    typed = passphrase(folder, new=True)
    vault = FileVault.create(folder.vault, typed, HUMAN_COST, witness=LedgerWitness(folder))
    for label in signing_labels():
        vault.generate_signing_key(label)
    return vault, typed


def signing_labels() -> tuple[str, ...]:
    """The city's signing keys, which each vault makes for itself."""
    from hebat.founding import SIGNING_LABELS  # noqa: PLC0415  SQLAlchemy loads only where it is needed

    return SIGNING_LABELS


def retried(ask: Callable[[], _T]) -> _T:
    """What somebody types, with a few attempts; the last error is raised."""
    for _ in range(ATTEMPTS - 1):
        try:
            return ask()
        except (CeremonyError, ShareError) as error:
            typer.echo(f"hebat: {error}", err=True)
    return ask()
