"""An older copy of the city's vault is refused by every command that opens it: the ledger remembers a newer one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from hebat.configurations import configuration_of
from hebat.folder import Folder
from hebat.vaults import LedgerWitness
from hebat.wiring import City
from keys.clock import SystemClock
from keys.errors import VaultRolledBack
from keys.filevault import FileVault
from keys.sealedfile import COST
from keys.vault import Role
from tests.founding import found
from tests.system.conftest import hebat

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = ("--present", "Witness A", "--present", "Witness B")
COMMANDS = {
    "serve": ("serve", "--port", "0"),
    "list": ("keys", "list"),
    "roll": ("keys", "roll", "load", *PEOPLE),
    "read": ("card", "read", "--timeout", "1"),
    "verify": ("ledger", "verify"),
    "bundles": ("bundles", "list"),
}


@pytest.fixture
def city(tmp_path: Path) -> Folder:
    """A founded city."""
    folder = Folder(tmp_path / "city")
    found(folder, SystemClock(), "demo")
    return folder


def opened(folder: Folder) -> FileVault:
    return FileVault.open(folder.vault, folder.passphrase())


def test_an_older_copy_of_the_vault_is_refused_by_every_command(city: Folder, tmp_path: Path) -> None:
    aside = shutil.copy2(city.vault, tmp_path / "aside")
    assert LedgerWitness(city).known()["city.vault"] == opened(city).record()
    assert hebat("keys", "roll", "debit", *PEOPLE, "--data", city.root).code == 0
    assert LedgerWitness(city).known()["city.vault"] == opened(city).record()
    newest = shutil.copy2(city.vault, tmp_path / "newest")
    shutil.copy2(aside, city.vault)
    for name, command in COMMANDS.items():
        ran = hebat(*command, "--data", city.root)
        assert (ran.code, "put an older copy back" in ran.err) == (2, True), (name, ran)
        assert len(ran.err.splitlines()) == 1, (name, ran.err)
    shutil.copy2(newest, city.vault)
    assert hebat("keys", "list", "--data", city.root).code == 0


def test_a_retired_key_does_not_come_back_with_an_older_copy(city: Folder, tmp_path: Path) -> None:
    assert hebat("keys", "roll", "debit", *PEOPLE, "--data", city.root).code == 0
    aside = shutil.copy2(city.vault, tmp_path / "aside")
    assert hebat("keys", "retire", "debit", "1", *PEOPLE, "--data", city.root).code == 0
    shutil.copy2(aside, city.vault)
    with pytest.raises(VaultRolledBack, match="stop, and restore the newest backup"):
        City(city, configuration_of(city), SystemClock())


def test_a_copy_that_went_on_from_an_older_one_is_refused_too(city: Folder, tmp_path: Path) -> None:
    aside = shutil.copy2(city.vault, tmp_path / "aside")
    opened(city).generate_signing_key("one")
    with City(city, configuration_of(city), SystemClock()):
        assert LedgerWitness(city).known()["city.vault"] == opened(city).record()
    shutil.copy2(aside, city.vault)
    for label in ("two", "three"):
        opened(city).generate_signing_key(label)
    ran = hebat("keys", "list", "--data", city.root)
    assert (ran.code, "left that history" in ran.err) == (2, True)


def test_a_change_whose_record_a_crash_lost_is_taken_when_the_city_opens(city: Folder) -> None:
    before = LedgerWitness(city).known()["city.vault"]
    opened(city).generate_signing_key("another")
    assert LedgerWitness(city).known()["city.vault"] == before
    with City(city, configuration_of(city), SystemClock()) as open_city:
        assert open_city.vault.generation == before.generation + 1
    assert LedgerWitness(city).known()["city.vault"].generation == before.generation + 1


def test_a_late_writer_does_not_take_the_record_back(city: Folder) -> None:
    early = opened(city)
    opened(city).generate_signing_key("another")
    LedgerWitness(city).note(opened(city))
    LedgerWitness(city).note(early)
    assert LedgerWitness(city).known()["city.vault"].generation == early.generation + 1


def test_another_citys_vault_is_no_later_state_of_this_one(city: Folder) -> None:
    city.vault.unlink()
    other = FileVault.create(city.vault, city.passphrase(), COST, "city.vault")
    for version in range(1, LedgerWitness(city).known()["city.vault"].generation + 3):
        other.add_master(Role.DEBIT, version, bytes(16))
    with pytest.raises(VaultRolledBack, match="not the one on record"):
        LedgerWitness(city).note(other)
    assert hebat("serve", "--port", "0", "--data", city.root).code == 2
