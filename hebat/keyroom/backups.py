"""The `hebat keys` commands that keep a vault safe from a fire: `backup`, `restore`, and `found` for a city whose ceremonies are held.

A file's backup is sealed, and its key goes to five custodians in shares. A token's is its keys as they were wrapped at their birth: what opens them is the
transport key that custodians bring to the next token.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.keyroom import desk, tokens
from hebat.keyroom.carrying import DataOption, keys_app
from hebat.keyroom.tokens import ModuleOption, Token, TokenOption
from hebat.vaults import LedgerWitness, note_token, token_of
from keys import backup as backups
from keys.clock import SystemClock
from keys.errors import VaultRolledBack
from keys.identity import authority_key
from keys.sealedfile import write_atomically
from keys.vault import KeyName, Purpose, Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.citytoken import CityToken
    from keys.filevault import FileVault
    from keys.tokenbackup import Backup, Entry
    from keys.vault import CityVault, VaultRecord

__all__ = ["keys_app"]

OlderOption = Annotated[
    bool, typer.Option("--older", help="Accept a backup that is older than what the ledger knows.")
]
FileArgument = Annotated[Path, typer.Argument(help="The file.")]


@keys_app.command("backup")
def backup(to: FileArgument, data: DataOption, module: ModuleOption = "", token: TokenOption = "") -> None:
    """Back the vault up: a file under a key in five shares, of which any three open it; a token's keys as they are wrapped under its transport key."""
    folder = Folder(data)
    if to.exists():
        raise InputRefused(f"{to} exists: choose another name")
    meant = tokens.chosen(folder, Token(module, token))
    if meant is None:
        _back_up_file(desk.opened(folder)[0], to)
        return
    with tokens.opened(folder, meant) as vault:
        _back_up_token(vault, to)


def _back_up_file(vault: FileVault, to: Path) -> None:
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


def _back_up_token(vault: CityVault, to: Path) -> None:
    from hebat.founding import AUTHORITY_LABEL  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from keys import tokenbackup  # noqa: PLC0415  the extra hsm
    from keys.citytoken import BRIDGE, SEAL, CityToken  # noqa: PLC0415  as above

    assert isinstance(vault, CityToken)  # noqa: S101  what a token opens as
    made, missing = tokenbackup.make(vault, AUTHORITY_LABEL)
    write_atomically(to, made)
    typer.echo(
        f"{to} is the backup of generation {vault.generation}; it opens in a token with the same transport key"
    )
    for one in missing:
        if one.purpose is not Purpose.TRANSPORT and one.label not in {BRIDGE.label, SEAL.label}:
            typer.echo(
                f"not in it, for there was no transport key when it was made: {one.label} version {one.version}"
            )


@keys_app.command("restore")
def restore(
    source: FileArgument, data: DataOption, older: OlderOption = False, module: ModuleOption = "", token: TokenOption = ""
) -> None:  # fmt: skip
    """Make the vault anew from a backup: a file with three custodians' shares, or a new token that has the transport key."""
    folder = Folder(data)
    if token or token_of(folder) is not None:
        _restore_token(folder, source, Token(module, token), older=older)
        return
    folder.make()
    shares: dict[int, backups.Share] = {}
    while len(shares) < backups.SHARES_NEEDED:
        desk.clear()
        share = desk.retried(lambda: backups.Share.parse(desk.secret("A custodian's share")))
        shares[share.number] = share
    desk.clear()
    typed = desk.passphrase(folder, new=True)
    witness = LedgerWitness(folder)

    def agree(vault: FileVault) -> None:
        """The ledger knows of it before it holds."""
        if not older:
            _refuse_older(vault, witness.known())
        witness.note(vault, restored=True)

    vault = backups.restore(source.read_bytes(), list(shares.values()), folder.vault, typed, before=agree)
    typer.echo(
        f"the vault of {vault.name} is back at generation {vault.generation}: compare it with the newest record"
    )


def _refuse_older(vault: FileVault, known: dict[str, VaultRecord]) -> None:
    try:
        if vault.name in known:
            vault.check_against(known[vault.name])
    except VaultRolledBack as error:
        raise InputRefused(f"{error}; {_OLDER}") from None


_OLDER = "where there is no newer one, --older accepts it: keys made since are lost, and retired ones back"


def _restore_token(folder: Folder, source: Path, token: Token, *, older: bool) -> None:
    """A new token takes the old one's place: with its transport key in it, all that was wrapped under that comes in."""
    from keys import tokenbackup  # noqa: PLC0415  the extra hsm

    found = tokenbackup.parsed(source.read_bytes())
    _need_citys(folder, found, older=older)
    if token.label and token_of(folder) != token:
        if folder.handout.exists():
            folder.handout.rename(
                folder.handout.with_suffix(".before")
            )  # another token's: this one cannot open it
        note_token(folder, token)
    meant = token_of(folder) or token
    with tokens.opened_or_made(folder, meant, tokens.typed_pin()) as vault:
        _need_transport(found.entries, vault)
        came = tokenbackup.restore(found.entries, vault)
    typer.echo(f"keys that came into token {meant.label}: {len(came)}")
    for one in came:
        typer.echo(f"{one.label} version {one.version}, check value {one.check_value.hex()}")
    typer.echo("compare them with the records; terminals' keys are given anew at their next hand-out")


def _need_citys(folder: Folder, found: Backup, *, older: bool) -> None:
    """Raises InputRefused for another city's backup, and for one that is older than what the ledger knows."""
    root = folder.root_certificate
    if root.exists() and authority_key(root.read_bytes()) != found.signer:
        raise InputRefused("the backup is not signed by this city's authority: take another one")
    known = LedgerWitness(folder).known().get(found.name)
    if known is not None and known.generation > found.generation and not older:
        raise InputRefused(
            f"the backup is of generation {found.generation} of {found.name}, and {known.generation} is on record; {_OLDER}"
        )


def _need_transport(entries: list[Entry], vault: CityToken) -> None:
    wanted = {one.under for one in entries}
    missing = sorted(wanted - {KeyName(one.label, one.version) for one in vault.contents()})
    if missing:
        held = " and ".join(f"`hebat keys ceremony {one.label} --version {one.version}`" for one in missing)
        raise InputRefused(
            f"the token is noted as the city's, and has no transport key yet: hold {held}, then restore again"
        )


@keys_app.command("found")
def found(
    data: DataOption,
    configuration: Annotated[
        str, typer.Option(help="Without --participants: whose town it is, the demo's or the day's.")
    ] = "demo",
    participants: Annotated[
        Path | None, typer.Option(help="Who takes part in this city, as TOML: banks, operators, merchants, agents, the city.")
    ] = None,
    draw: Annotated[
        bool, typer.Option("--draw", help="Draw the masters that no ceremony made, here and now: for a test city.")
    ] = False,
    module: ModuleOption = "",
    token: TokenOption = "",
) -> None:  # fmt: skip
    """Found a city over the vault that ceremonies filled: its authority, its signing keys, an empty ledger."""
    from hebat.configurations import OWN, need_known  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from hebat.founding import found_over  # noqa: PLC0415  as above
    from hebat.settlement_commands.parties_file import read  # noqa: PLC0415

    folder = Folder(data)
    need_known(configuration)
    over = partial(found_over, configuration=configuration)
    if participants is not None:
        over = partial(found_over, configuration=OWN, parties=read(participants))
    _need_no_ledger(folder)
    meant = tokens.chosen(folder, Token(module, token))
    if meant is None:
        _found(folder, desk.opened_or_new(folder)[0], over, draw=draw)
        return
    with tokens.opened_or_made(folder, meant, tokens.typed_pin()) as vault:
        _found(folder, vault, over, draw=draw)


def _need_no_ledger(folder: Folder) -> None:
    if not folder.holds_ledger():
        return
    if folder.ledger.exists():
        raise InputRefused(f"{folder.root} holds a city already: name another folder")
    raise InputRefused("the database that is named holds a ledger already: name an empty one for a new city")


def _found(folder: Folder, vault: CityVault, over: Callable[..., object], *, draw: bool) -> None:
    missing = [role for role in Role if not vault.versions(role)]
    if missing and not draw:
        raise InputRefused(
            f"the vault holds no {', '.join(missing)}: hold their ceremonies first, or draw them with --draw for a test city"
        )
    over(folder, vault, SystemClock())
    typer.echo(f"{folder.root} holds a city; its keys are in {vault.record().name}")
