"""Which vault a key command works on: the city's file, or a PKCS#11 token, whose PIN is typed or stands in the environment."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from hebat.errors import InputRefused
from hebat.keyroom import desk
from hebat.vaults import agree, known_vaults
from keys.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hebat.folder import Folder
    from keys.hsmvault import HsmVault
    from keys.vault import KeyName, KeyVault

PIN_VARIABLE: Final = "HEBAT_TOKEN_PIN"

ModuleOption = Annotated[
    str, typer.Option("--module", help="The PKCS#11 module (a shared library) of a token.", envvar="HEBAT_MODULE")
]  # fmt: skip
TokenOption = Annotated[
    str, typer.Option("--token", help=f"The token's label; its PIN is asked for, or in {PIN_VARIABLE}.")
]


class Token(NamedTuple):
    """Where a token's vault is; without a label, the city's file is meant."""

    module: str
    label: str


@contextmanager
def opened(folder: Folder, token: Token) -> Iterator[KeyVault]:
    """The vault, compared with what the ledger knows of it; raises InputRefused, VaultError."""
    if not token.label:
        yield desk.opened(folder)[0]
        return
    known = known_vaults(folder)
    with _token_vault(token, pin(), new=False) as vault:
        agree(vault, known)
        yield vault


@contextmanager
def opened_or_new(folder: Folder, token: Token, key: KeyName) -> Iterator[tuple[KeyVault, Path, str]]:
    """The vault, made where there is none, with the place of a ceremony's state and the passphrase that guards it."""
    if not token.label:
        vault, typed = desk.opened_or_new(folder)
        yield vault, folder.root / f"ceremony-{key.label}-{key.version}.state", typed
        return
    folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    known = known_vaults(folder)
    with _token_vault(token, pin(), new=True) as held:
        agree(held, known)
        place = folder.root / f"ceremony-token-{key.label}-{key.version}.state"
        yield held, place, desk.typed_passphrase("Passphrase of this ceremony", new=not place.exists())


def pin() -> str:
    """The token's PIN, from the environment (where it stays no longer) or typed; raises InputRefused."""
    return os.environ.pop(PIN_VARIABLE, "") or desk.secret("PIN of the token")


def _token_vault(token: Token, secret: str, *, new: bool) -> HsmVault:
    if not token.module:
        raise InputRefused("a token is reached through its PKCS#11 module: name it with --module")
    try:
        from keys.hsmvault import HsmVault  # noqa: PLC0415  the extra hsm, only for those who have a token
    except ImportError:
        raise InputRefused("tokens need the extra hsm: install kartu-semarang-hebat[hsm]") from None
    if not new:
        return HsmVault.open(token.module, token.label, secret)
    try:
        return _made(HsmVault.create(token.module, token.label, secret))
    except TokenError as error:
        if "holds a vault already" not in str(error):
            raise
        return _made(HsmVault.open(token.module, token.label, secret))


def _made(vault: HsmVault) -> HsmVault:
    """With the city's signing keys; a crash may have left a vault without them."""
    held = {one.label for one in vault.contents()}
    for label in desk.signing_labels():
        if label not in held:
            vault.generate_signing_key(label)
    return vault
