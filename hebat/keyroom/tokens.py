"""Which vault a key command works on: the city's own (a file, or the token that it was founded on), or a token that the command names."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.keyroom import desk
from hebat.vaults import PIN_FILE_VARIABLE, PIN_VARIABLE, Token, note_token, open_token, pin, token_of
from keys.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hebat.folder import Folder
    from keys.citytoken import CityToken
    from keys.vault import CityVault, KeyName

__all__ = ["ModuleOption", "Token", "TokenOption", "opened", "opened_or_new"]

ModuleOption = Annotated[
    str, typer.Option("--module", help="The PKCS#11 module (a shared library) of a token.", envvar="HEBAT_MODULE")
]  # fmt: skip
TokenOption = Annotated[
    str,
    typer.Option(
        "--token",
        help=f"The token's label; its PIN is asked for, or in {PIN_VARIABLE}, or in the file that {PIN_FILE_VARIABLE} names.",
    ),
]


def chosen(folder: Folder, token: Token) -> Token | None:
    """The token that is meant; None for the city's file."""
    return token if token.label else token_of(folder)


@contextmanager
def opened(folder: Folder, token: Token) -> Iterator[CityVault]:
    """The vault, compared with what the ledger knows of it; raises InputRefused, VaultError."""
    meant = chosen(folder, token)
    if meant is None:
        yield desk.opened(folder)[0]
        return
    with open_token(folder, meant, typed_pin()) as vault:
        yield vault


@contextmanager
def opened_or_new(folder: Folder, token: Token, key: KeyName) -> Iterator[tuple[CityVault, Path, str]]:
    """The vault, made where there is none, with the place of a ceremony's state and the passphrase that guards it."""
    meant = chosen(folder, token)
    if meant is None:
        vault, typed = desk.opened_or_new(folder)
        yield vault, folder.root / f"ceremony-{key.label}-{key.version}.state", typed
        return
    with opened_or_made(folder, meant, typed_pin()) as held:
        place = folder.root / f"ceremony-token-{key.label}-{key.version}.state"
        yield held, place, desk.typed_passphrase("Passphrase of this ceremony", new=not place.exists())


def typed_pin() -> str:
    """The token's PIN, from the environment or a file, or typed; raises InputRefused."""
    return pin() or desk.secret("PIN of the token")


def opened_or_made(folder: Folder, token: Token, secret: str) -> CityToken:
    """A token's vault, made where there is none; the first one in an empty folder is its city's."""
    if not folder.vault.exists() and not folder.token.exists():
        folder.make()
        note_token(folder, token)
    try:
        return open_token(folder, token, secret, new=True)
    except TokenError as error:
        if "holds a vault already" not in str(error):
            raise
        return open_token(folder, token, secret)
