"""The city's vault, a file or a token, opened before a witness: the ledger remembers its newest state (`ledger.vaults`), and an older copy is refused."""

from __future__ import annotations

import getpass
import json
import os
import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from hebat.errors import InputRefused
from hebat.folder import no_city
from hebat.settings import read_settings
from keys.filevault import FileVault
from keys.sealedfile import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.folder import Folder
    from keys.citytoken import CityToken
    from keys.vault import CityVault, Recorded, VaultRecord
    from ledger.vaults.memory import VaultMemory

PIN_VARIABLE: Final = "HEBAT_TOKEN_PIN"
PIN_FILE_VARIABLE: Final = "HEBAT_TOKEN_PIN_FILE"
WORDS_FILE_VARIABLE: Final = "HEBAT_PASSPHRASE_FILE"


class LedgerWitness:
    """Implements `keys.vault.Witness` over a folder's ledger; knows nothing where there is none (yet): the key room may come before it."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    @contextmanager
    def _memory(self) -> Iterator[VaultMemory | None]:
        if not self._folder.holds_ledger():
            yield None
            return
        from ledger.store import Database  # noqa: PLC0415  SQLAlchemy loads only where it is needed
        from ledger.vaults.memory import VaultMemory  # noqa: PLC0415  as above

        database = Database(self._folder.database_url)
        try:
            yield VaultMemory(database)
        finally:
            database.close()

    def known(self) -> dict[str, VaultRecord]:
        """The newest states, by the vaults' names; raises StorageError."""
        with self._memory() as memory:
            return {} if memory is None else memory.known()

    def note(self, vault: Recorded, *, restored: bool = False) -> None:
        """Keep a vault's state, durably; one restored from a backup as it is. Raises VaultRolledBack, StorageError."""
        with self._memory() as memory:
            if memory is not None:
                memory.note(vault, restored=restored)


def _not_for(path: Path) -> int:
    """Whose rights a secret's file must not give: group's and others'. systemd gives a service its credentials by an access list, whose mask stands in the group's bits."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return 0o007 if credentials and path.is_relative_to(credentials) else 0o077


class Token(NamedTuple):
    """Where a token's vault is: the PKCS#11 module (a shared library), and the token's label; without a label, a file is meant."""

    module: str
    label: str


def token_of(folder: Folder) -> Token | None:
    """The token that a city was founded on; None for a city in a file. Settings may name another module, or a token that took its place.

    Raises InputRefused.
    """
    if not folder.token.exists():
        return None
    try:
        noted = json.loads(folder.token.read_text(encoding="utf-8"))
        module, label = str(noted["module"]), str(noted["token"])
    except (ValueError, KeyError, TypeError):
        raise InputRefused(
            f"{folder.token} does not say which token it is: write it as the city was founded"
        ) from None
    settings = read_settings()
    return Token(settings.module or module, settings.token or label)


def note_token(folder: Folder, token: Token) -> None:
    """From now on this is the token of the city in a folder."""
    text = json.dumps({"module": token.module, "token": token.label})
    write_atomically(folder.token, text.encode())


def pin() -> str:
    """The token's PIN from the environment (where it stays no longer), or from a file that only its owner can read; "" where there is none.

    Raises InputRefused for a file that others can read.
    """
    return os.environ.pop(PIN_VARIABLE, "") or _secret_in_file(PIN_FILE_VARIABLE, "the token's PIN")


def passphrase(folder: Folder) -> str:
    """The passphrase of a city's vaults: from the folder where a demo left it, from the file that HEBAT_PASSPHRASE_FILE names, or typed.

    Raises InputRefused where there is no city, no such file, and nobody to type.
    """
    if not folder.vault.exists() and not folder.token.exists() and not folder.keeps_passphrase:
        raise no_city(folder.root)
    if folder.keeps_passphrase:
        return folder.passphrase()
    kept = _secret_in_file(WORDS_FILE_VARIABLE, "the vault's passphrase")
    if kept:
        return kept
    if not sys.stdin.isatty():
        raise InputRefused(
            f"the vault of {folder.root} wants its passphrase: type it at a terminal, or put it into a file that only you can "
            f"read, and the file's name into {WORDS_FILE_VARIABLE}"
        )
    return getpass.getpass("Passphrase of the vault: ")


def _secret_in_file(variable: str, what: str) -> str:
    name = os.environ.get(variable, "")
    if not name:
        return ""
    path = Path(name)
    try:
        if stat.S_IMODE(path.stat().st_mode) & _not_for(path):
            raise InputRefused(f"{path} can be read by others: let its owner alone read it (chmod 600)")
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InputRefused(f"{path}: {what} cannot be read ({error.strerror})") from None


def open_token(folder: Folder, token: Token, secret: str, *, new: bool = False) -> CityToken:
    """A token's vault before the folder's ledger, made where it is to be `new`; the city's own with its hand-out file.

    Raises InputRefused, VaultError.
    """
    if not token.module:
        raise InputRefused("a token is reached through its PKCS#11 module: name it with --module")
    try:
        from keys.citytoken import CityToken  # noqa: PLC0415  the extra hsm, only for those who have a token
    except ImportError:
        raise InputRefused("tokens need the extra hsm: install kartu-semarang-hebat[hsm]") from None
    make = CityToken.create if new else CityToken.open
    vault = make(token.module, token.label, secret, witness=LedgerWitness(folder))
    own = token_of(folder)
    if own is not None and own.label == token.label:
        try:
            vault.attach(folder.handout)
        except BaseException:
            vault.close()
            raise
    return vault


def city_vault(folder: Folder, typed: str | None = None) -> CityVault:
    """The city's vault; raises InputRefused where the folder holds none, VaultRolledBack for an older copy, VaultError."""
    return _opened(folder, FileVault, typed)


def ledger_vault(folder: Folder) -> CityVault:
    """The same as a server opens it: one in a file proves whole batches of taps at once; raises as `city_vault`."""
    from keys.ledgervault import LedgerVault  # noqa: PLC0415  numba loads only where it is needed

    return _opened(folder, LedgerVault)


def _opened(folder: Folder, kind: type[FileVault], typed: str | None = None) -> CityVault:
    token = token_of(folder)
    if token is None:
        return kind.open(
            folder.vault,
            passphrase(folder) if typed is None else typed,
            folder.vault.name,
            LedgerWitness(folder),
        )
    secret = pin()
    if not secret:
        raise InputRefused(
            f"this city's keys are in token {token.label}: put its PIN into {PIN_VARIABLE}, or its file's name into {PIN_FILE_VARIABLE}"
        )
    return open_token(folder, token, secret)
