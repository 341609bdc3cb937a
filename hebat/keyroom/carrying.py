"""The `hebat keys` commands that carry keys: a vault's backup in shares, and key blocks between vaults."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.keyroom import desk
from hebat.keyroom.commands import TRANSPORT, DataOption, VersionOption, keys_app
from hebat.vaults import agree, known_vaults, remember
from keys import backup as backups
from keys.errors import VaultRolledBack
from keys.sealedfile import write_atomically
from keys.vault import KeyName, Role, VaultRecord

if TYPE_CHECKING:
    from keys.filevault import FileVault

__all__ = ["keys_app"]

OlderOption = Annotated[
    bool, typer.Option("--older", help="Accept a backup that is older than what the ledger knows.")
]
FileArgument = Annotated[Path, typer.Argument(help="The file.")]


@keys_app.command("backup")
def backup(to: FileArgument, data: DataOption) -> None:
    """Back the vault up; its key goes to five custodians in shares, of which any three open it."""
    vault, _ = desk.opened(Folder(data))
    if to.exists():
        raise InputRefused(f"{to} exists: choose another name")
    desk.secret(
        "Five custodians are shown a share each, one after the other. Press Enter when the first is alone"
    )
    sealed, shares = backups.make(vault)
    write_atomically(to, sealed)
    for one in shares:
        desk.clear()
        typer.echo(f"Share {one.number} of {len(shares)}; write it down:\n\n{one.text}\n")
        desk.secret("Press Enter when it is written")
        desk.clear()
    typer.echo(f"{to} is the backup of generation {vault.generation}; keep it apart from the shares")


@keys_app.command("restore")
def restore(source: FileArgument, data: DataOption, older: OlderOption = False) -> None:
    """Make the vault anew from a backup and three custodians' shares."""
    folder = Folder(data)
    folder.make()
    shares: dict[int, backups.Share] = {}
    while len(shares) < backups.SHARES_NEEDED:
        desk.clear()
        share = desk.retried(lambda: backups.Share.parse(desk.secret("A custodian's share")))
        shares[share.number] = share
    desk.clear()
    typed = desk.passphrase(folder, new=True)
    known = {} if older else known_vaults(folder)
    vault = backups.restore(source.read_bytes(), list(shares.values()), folder.vault, typed)
    _refuse_older(folder, vault, known)
    remember(folder, vault, restored=True)
    typer.echo(
        f"the vault of {vault.name} is back at generation {vault.generation}: compare it with the newest record"
    )


def _refuse_older(folder: Folder, vault: FileVault, known: dict[str, VaultRecord]) -> None:
    try:
        agree(vault, known)
    except VaultRolledBack as error:
        folder.vault.unlink()
        raise InputRefused(
            f"{error}; where there is no newer one, --older accepts it: keys made since are lost, and retired ones back"
        ) from None


@keys_app.command("export")
def export(
    role: Role, to: FileArgument, data: DataOption, version: VersionOption = 1,
    under: Annotated[int, typer.Option(min=1, max=255, help="Version of the transport key.")] = 1,
) -> None:  # fmt: skip
    """Write a master key as an X9.143 (TR-31) key block under the transport key."""
    vault, _ = desk.opened(Folder(data))
    block = vault.export_block(KeyName(role.value, version), KeyName(TRANSPORT, under))
    write_atomically(to, block.encode())
    typer.echo(f"{role} version {version} is in {to}, under transport key version {under}")


@keys_app.command("import")
def import_(
    source: FileArgument, data: DataOption,
    under: Annotated[int, typer.Option(min=1, max=255, help="Version of the transport key.")] = 1,
) -> None:  # fmt: skip
    """Take in a master key from an X9.143 (TR-31) key block under the transport key."""
    folder = Folder(data)
    vault, _ = desk.opened(folder)
    told = vault.import_block(source.read_text(encoding="ascii", errors="replace"), KeyName(TRANSPORT, under))
    remember(folder, vault)
    typer.echo(f"{told.label} version {told.version} is in the vault; check value {told.check_value.hex()}")
