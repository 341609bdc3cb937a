"""The `hebat keys` commands. No secret is an argument, is echoed, or stands on a screen beside another person's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.keyroom import desk, records, report, tokens
from hebat.keyroom.tokens import ModuleOption, Token, TokenOption
from keys.ceremony import COMPONENTS, CeremonyRecord, Component
from keys.clock import SystemClock, local
from keys.cmac import BLOCK
from keys.errors import CeremonyError, KeyMisused
from keys.steps import Steps
from keys.vault import TRANSPORT, KeyName, Purpose, Role

if TYPE_CHECKING:
    from keys.vault import KeyInfo, KeyVault

keys_app = typer.Typer(help="Hold key ceremonies, list, roll, back up and carry keys.", no_args_is_help=True)

DataOption = Annotated[Path, typer.Option("--data", help="The city's data folder.")]
VersionOption = Annotated[int, typer.Option("--version", min=1, max=255, help="The key's version.")]
PeopleOption = Annotated[list[str], typer.Option("--present", help="Who is there; two people at least.")]


@keys_app.command("list")
def list_keys(
    data: DataOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
    module: ModuleOption = "",
    token: TokenOption = "",
) -> None:
    """What the vault holds: names, purposes, check values, times; never a secret."""
    with tokens.opened(Folder(data), Token(module, token)) as vault:
        held = vault.contents()
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in held], indent=1))
        return
    for one in held:
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


@keys_app.command("report")
def report_versions(
    data: DataOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
    module: ModuleOption = "",
    token: TokenOption = "",
) -> None:
    """How many cards still need which key version, by role: a version that none needs may be retired."""
    folder = Folder(data)
    with tokens.opened(folder, Token(module, token)) as vault:
        rows = report.report(report.cards_of(folder), vault.contents())
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in rows], indent=1))
        return
    typer.echo(f"{'role':16} version     cards  state")
    for one in rows:
        typer.echo(f"{one.role:16} {one.version:7} {one.cards:9}  {one.state}")


@keys_app.command("ceremony")
def hold_ceremony(
    label: Annotated[str, typer.Argument(help="A role, or `transport`.")],
    data: DataOption,
    version: VersionOption = 1,
    module: ModuleOption = "",
    token: TokenOption = "",
) -> None:
    """Make a key of three custodians' components, one after the other; go on where it was left."""
    purpose = Purpose.TRANSPORT if label == TRANSPORT else Purpose.CARD
    name = KeyName(label if purpose is Purpose.TRANSPORT else _role(label).value, version)
    folder = Folder(data)
    with (
        tokens.opened_or_new(folder, Token(module, token), name) as (vault, place, typed),
        records.room(folder),
    ):
        records.finish(folder, vault)
        if not place.exists():
            _need_free(vault, name)
        steps = Steps.begin(place, typed, name)
        _take_components(steps, name)
        record = steps.finish(vault, name, purpose, SystemClock().now())
        kept = records.keep(folder, vault, records.Change(records.CEREMONY, record, steps.mark))
        steps.forget()
    typer.echo(
        f"{name.label} version {version} is in the vault; check value {record.check_value}; record {kept.name}"
    )


def _need_free(vault: KeyVault, name: KeyName) -> None:
    if any((one.label, one.version) == name for one in vault.contents()):
        raise KeyMisused(
            f"key {name.label} version {name.version} exists: a key is never written over; take the next version"
        )


def _take_components(steps: Steps, name: KeyName) -> None:
    while steps.taken < COMPONENTS:
        desk.clear()
        typer.echo(f"{name.label} version {name.version}: component {steps.taken + 1} of {COMPONENTS}")
        desk.retried(lambda: _one_component(steps))
        desk.clear()


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


@keys_app.command("component")
def draw_component(
    custodian: Annotated[str, typer.Argument(help="Who writes it down and brings it to the ceremony.")],
) -> None:
    """Draw a component of a key for one custodian: it is shown once, with its check value, and kept nowhere."""
    desk.need_screen()
    drawn = Component.drawn(custodian)
    desk.secret(f"{custodian} alone may see what comes next. Press Enter when that is so")
    desk.clear()
    check = drawn.check_value.hex()
    typer.echo(f"Component of {custodian}: {drawn.combined(bytes(BLOCK)).hex()}\nIts check value: {check}\n")
    desk.secret("Write both down. Press Enter when they are written")
    desk.clear()
    typer.echo(f"{custodian} has a component of check value {check}; nothing else keeps it")


def _role(label: str) -> Role:
    try:
        return Role(label)
    except ValueError:
        raise InputRefused(f"{label} is no role: take one of {', '.join(Role)}") from None


@keys_app.command("roll")
def roll(
    role: Role, data: DataOption, present: PeopleOption, module: ModuleOption = "", token: TokenOption = ""
) -> None:
    """Make the next version inside the vault: for new cards at once, beside the older ones until they are retired.

    Where a crash broke a roll of this role off, the same command ends that one instead, with its one record.
    """
    people = _two(present)
    folder = Folder(data)
    with tokens.opened(folder, Token(module, token)) as vault, records.room(folder):
        done = records.finish(folder, vault)
        if done is None or not done.names(records.ROLL, role.value):
            name = KeyName(role.value, vault.next_version(role.value))
            with records.announced(folder, vault, records.ROLL, _record(name, people)):
                vault.generate_key(name, Purpose.CARD)
            done = _finished(folder, vault)
    told = done.record
    typer.echo(f"{role} version {told.version} is for new cards from now on; check value {told.check_value}")


def _finished(folder: Folder, vault: KeyVault) -> records.Change:
    done = records.finish(folder, vault)
    assert done is not None  # noqa: S101  the change was announced and made
    return done


@keys_app.command("retire")
def retire(
    role: Role,
    version: Annotated[int, typer.Argument(min=0, max=255, help="The version that shall be used no more.")],
    data: DataOption,
    present: PeopleOption,
    module: ModuleOption = "",
    token: TokenOption = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Also where cards need it: they are locked out.")
    ] = False,
) -> None:
    """Take a version out of use for good; while cards need it, only with --yes."""
    people = _two(present)
    folder = Folder(data)
    count = report.locked_out(folder, role, version)
    if count and not yes:
        raise InputRefused(_locking_out(role, version, count))
    with tokens.opened(folder, Token(module, token)) as vault, records.room(folder):
        done = records.finish(folder, vault)
        if done is None or not done.names(records.RETIRE, role.value, version):
            record = _record(KeyName(role.value, version), people)
            with records.announced(folder, vault, records.RETIRE, record):
                vault.retire(role, version)
            _finished(folder, vault)
        left = ", ".join(map(str, vault.versions(role)))
    typer.echo(f"{role} version {version} is retired; in use: {left}")
    if count:
        typer.echo(f"cards that it locked out: {count}")


def _locking_out(role: Role, version: int, count: int) -> str:
    later = (
        "it is theirs for life"
        if role in report.FOR_LIFE
        else "most get the newest version at their next load"
    )
    return (
        f"nothing was retired: cards that need {role} version {version} and would be locked out: {count}; {later}. "
        "Say --yes to lock them out"
    )


def _two(present: list[str]) -> tuple[str, ...]:
    if len(set(present)) < 2:  # noqa: PLR2004  four eyes
        raise InputRefused("every step takes two people: name them with --present, twice")
    return tuple(present)


def _record(name: KeyName, people: tuple[str, ...]) -> CeremonyRecord:
    """Who does what and when; the check value comes once the key is there."""
    return CeremonyRecord(*name, SystemClock().now(), (), people, (), "")
