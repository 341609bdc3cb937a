"""The `hebat keys` commands. No secret is an argument, is echoed, or stands on a screen beside another person's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.keyroom import desk
from hebat.vaults import agree, known_vaults, remember
from keys import backup as backups
from keys.ceremony import COMPONENTS, CeremonyRecord, Component
from keys.clock import SystemClock, local
from keys.errors import CeremonyError, VaultRolledBack
from keys.sealedfile import write_atomically
from keys.steps import Steps
from keys.vault import KeyInfo, KeyName, Purpose, Role, VaultRecord

if TYPE_CHECKING:
    from keys.filevault import FileVault

TRANSPORT = "transport"

keys_app = typer.Typer(help="Hold key ceremonies, list, roll, back up and carry keys.", no_args_is_help=True)

DataOption = Annotated[Path, typer.Option("--data", help="The city's data folder.")]
VersionOption = Annotated[int, typer.Option("--version", min=1, max=255, help="The key's version.")]
PeopleOption = Annotated[list[str], typer.Option("--present", help="Who is there; two people at least.")]
OlderOption = Annotated[
    bool, typer.Option("--older", help="Accept a backup that is older than what the ledger knows.")
]
FileArgument = Annotated[Path, typer.Argument(help="The file.")]


@keys_app.command("list")
def list_keys(
    data: DataOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
) -> None:
    """What the vault holds: names, purposes, check values, times; never a secret."""
    vault, _ = desk.opened(Folder(data))
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in vault.contents()], indent=1))
        return
    for one in vault.contents():
        state = f"retired {local(one.retired):%Y-%m-%d}" if one.retired else "in use"
        made = f"{local(one.created):%Y-%m-%d}"
        typer.echo(
            f"{one.label:20} {one.version:3}  {one.purpose:9} {one.check_value.hex()}  {made}  {state}"
        )


def _plain(one: KeyInfo) -> dict[str, object]:
    return {
        "label": one.label, "version": one.version, "purpose": one.purpose.value, "check_value": one.check_value.hex(),
        "created": one.created, "retired": one.retired,
    }  # fmt: skip


@keys_app.command("ceremony")
def hold_ceremony(
    label: Annotated[str, typer.Argument(help="A role, or `transport`.")],
    data: DataOption,
    version: VersionOption = 1,
) -> None:
    """Make a key of three custodians' components, one after the other; go on where it was left."""
    purpose = Purpose.TRANSPORT if label == TRANSPORT else Purpose.CARD
    name = KeyName(label if purpose is Purpose.TRANSPORT else _role(label).value, version)
    folder = Folder(data)
    vault, typed = desk.opened_or_new(folder)
    steps = Steps.begin(folder.root / f"ceremony-{name.label}-{version}.state", typed, name)
    while steps.taken < COMPONENTS:
        desk.clear()
        typer.echo(f"{name.label} version {version}: component {steps.taken + 1} of {COMPONENTS}")
        desk.retried(lambda: _one_component(steps))
        desk.clear()
    record = steps.finish(vault, name, purpose, SystemClock().now())
    kept = desk.keep_record(folder, vault, "ceremony", record)
    typer.echo(
        f"{name.label} version {version} is in the vault; check value {record.check_value}; record {kept.name}"
    )


def _one_component(steps: Steps) -> None:
    custodian = typer.prompt("Custodian")
    witness = typer.prompt("Second person")
    typed = desk.secret("Component (32 hexadecimal digits)")
    announced = typer.prompt("Its check value (10 hexadecimal digits)")
    try:
        value, check = bytes.fromhex(typed), bytes.fromhex(announced)
    except ValueError:
        raise CeremonyError(
            "a component and its check value are hexadecimal digits: enter them again"
        ) from None
    steps.take(Component(custodian, value, check), witness)


def _role(label: str) -> Role:
    try:
        return Role(label)
    except ValueError:
        raise InputRefused(f"{label} is no role: take one of {', '.join(Role)}") from None


@keys_app.command("roll")
def roll(role: Role, data: DataOption, present: PeopleOption) -> None:
    """Make the next version inside the vault: for new cards at once, beside the older ones until they are retired."""
    people = _two(present)
    folder = Folder(data)
    vault, _ = desk.opened(folder)
    told = vault.generate_key(KeyName(role.value, vault.next_version(role.value)), Purpose.CARD)
    record = _record(told, people)
    desk.keep_record(folder, vault, "roll", record)
    typer.echo(
        f"{role} version {told.version} is for new cards from now on; check value {record.check_value}"
    )


@keys_app.command("retire")
def retire(
    role: Role,
    version: Annotated[int, typer.Argument(min=0, max=255, help="The version that shall be used no more.")],
    data: DataOption,
    present: PeopleOption,
) -> None:
    """Take a version out of use for good."""
    people = _two(present)
    folder = Folder(data)
    vault, _ = desk.opened(folder)
    vault.retire(role, version)
    told = next(one for one in vault.contents() if (one.role, one.version) == (role, version))
    desk.keep_record(folder, vault, "retire", _record(told, people))
    typer.echo(f"{role} version {version} is retired; in use: {', '.join(map(str, vault.versions(role)))}")


def _two(present: list[str]) -> tuple[str, ...]:
    if len(set(present)) < 2:  # noqa: PLR2004  four eyes
        raise InputRefused("every step takes two people: name them with --present, twice")
    return tuple(present)


def _record(told: KeyInfo, people: tuple[str, ...]) -> CeremonyRecord:
    at = SystemClock().now()
    return CeremonyRecord(told.label, told.version, at, (), people, (), told.check_value.hex())


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
