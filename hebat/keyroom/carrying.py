"""The `hebat keys` commands that carry keys between vaults: X9.143 blocks between files, and wrapped keys where a token is at one end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import cbor2
import typer

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.keyroom import tokens
from hebat.keyroom.commands import DataOption, VersionOption, keys_app
from hebat.keyroom.tokens import ModuleOption, Token, TokenOption
from keys import cbor
from keys.errors import CborMalformed, KeyBlockError
from keys.sealedfile import write_atomically
from keys.vault import TRANSPORT, CityVault, KeyInfo, KeyName, Purpose, Role

__all__ = ["DataOption", "keys_app"]

FileArgument = Annotated[Path, typer.Argument(help="The file.")]
UnderOption = Annotated[int, typer.Option("--under", min=1, max=255, help="Version of the transport key.")]
_KIND: Final = "ksh-wrapped-key-1"


@keys_app.command("export")
def export(
    role: Role, to: FileArgument, data: DataOption, version: VersionOption = 1, under: UnderOption = 1,
    wrapped: Annotated[
        bool, typer.Option("--wrapped", help="As a wrapped key (RFC 3394), which tokens can make and take.")
    ] = False,
    module: ModuleOption = "", token: TokenOption = "",
) -> None:  # fmt: skip
    """Write a master key as an X9.143 (TR-31) key block under the transport key, or wrapped."""
    name, transport = KeyName(role.value, version), KeyName(TRANSPORT, under)
    with tokens.opened(Folder(data), Token(module, token)) as vault:
        block = _wrapped(vault, name, transport) if wrapped else vault.export_block(name, transport).encode()
    write_atomically(to, block)
    typer.echo(f"{role} version {version} is in {to}, under transport key version {under}")


def _wrapped(vault: CityVault, name: KeyName, under: KeyName) -> bytes:
    (told,) = (one for one in vault.contents() if (one.label, one.version) == name)
    return cbor2.dumps([_KIND, *name, told.check_value, vault.wrap(name, under)], canonical=True)


@keys_app.command("import")
def import_(
    source: FileArgument, data: DataOption, under: UnderOption = 1, module: ModuleOption = "", token: TokenOption = ""
) -> None:  # fmt: skip
    """Take in a master key from an X9.143 (TR-31) key block, or wrapped, under the transport key."""
    transport, content = KeyName(TRANSPORT, under), source.read_bytes()
    found = _parsed(content)
    with tokens.opened(Folder(data), Token(module, token)) as vault:
        if found is None:
            told = vault.import_block(content.decode("ascii", "replace"), transport)
        else:
            told = _unwrapped(vault, found, transport)
    typer.echo(
        f"{told.label} version {told.version} is in the vault; check value {told.check_value.hex()}: compare it with its sender's"
    )


def _unwrapped(vault: CityVault, found: tuple[KeyName, bytes, bytes], under: KeyName) -> KeyInfo:
    name, check, copy = found
    told = vault.unwrap(name, Purpose.CARD, copy, under)
    if told.check_value != check:
        raise InputRefused(
            f"{name.label} version {name.version} came in with check value {told.check_value.hex()}, and its file says "
            f"{check.hex()}: retire it, and ask its sender"
        )
    return told


def _parsed(content: bytes) -> tuple[KeyName, bytes, bytes] | None:
    """A wrapped key's name, check value and copy; None where it is no such file. Raises KeyBlockError."""
    try:
        fields: Any = cbor.decoded(content)
    except CborMalformed:
        return None
    if not isinstance(fields, list) or fields[:1] != [_KIND]:
        return None
    match fields[1:]:
        case [str(label), int(version), bytes(check), bytes(copy)] if label in set(Role):
            return KeyName(label, int(version)), check, copy
    raise KeyBlockError("the wrapped key is not what its sender wrote: ask for it again")
