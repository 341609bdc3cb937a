"""`hebat keys` on a PKCS#11 token (SoftHSM2): ceremony, list, roll and retire; the PIN is typed or in the environment."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from hebat.folder import Folder
from hebat.vaults import LedgerWitness
from keys.clock import SystemClock
from keys.vault import Role
from tests.founding import found
from tests.keys.tokens import PIN, SoftTokens, shared_tokens
from tests.system.conftest import hebat
from tests.system.typist import PASSPHRASE, Typist, give, shown

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = ("--present", "Witness A", "--present", "Witness B")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> SoftTokens:
    """This run's SoftHSM2."""
    return shared_tokens(tmp_path_factory)


@pytest.fixture
def city(tmp_path: Path) -> Folder:
    """A founded city, whose ledger remembers vaults."""
    folder = Folder(tmp_path / "city")
    found(folder, SystemClock(), "demo")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def held_ceremony(place: tuple[str, ...], label: str = "debit") -> Typist:
    typist = Typist("keys", "ceremony", label, *place)
    typist.answer("PIN of the token: ", PIN)
    typist.answer("Passphrase of this ceremony: ", PASSPHRASE)
    typist.answer("The same again: ", PASSPHRASE)
    for number in range(3):
        give(typist, number)
    assert typist.end() == 0, typist.seen
    return typist


def test_a_tokens_keys_are_made_listed_rolled_and_retired(
    tokens: SoftTokens, city: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = tokens.new()
    place = ("--data", str(city.root), "--module", tokens.module, "--token", label)
    typist = held_ceremony(place)
    assert shown([PIN.encode(), PASSPHRASE.encode()], typist.seen) == []
    monkeypatch.setenv("HEBAT_TOKEN_PIN", PIN)
    assert "version 2 is for new cards" in hebat("keys", "roll", "debit", *PEOPLE, *place).out
    assert "in use: 2" in hebat("keys", "retire", "debit", "1", *PEOPLE, *place).out
    listed = json.loads(hebat("keys", "list", "--json", *place).out)
    assert [(one["version"], one["retired"] is None) for one in listed][:2] == [(1, False), (2, True)]
    records = sorted(path.name.split("-")[1] for path in (city.root / "key-records").iterdir())
    assert records == ["ceremony", "retire", "roll"]
    from keys.hsmvault import HsmVault  # noqa: PLC0415  the extra hsm

    with HsmVault.open(tokens.module, label, PIN) as vault:
        assert LedgerWitness(city).known()[label] == vault.record()
        assert vault.versions(Role.DEBIT) == [2]


def test_an_older_copy_of_a_tokens_objects_is_refused(
    tokens: SoftTokens, city: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ("--data", str(city.root), "--module", tokens.module, "--token", tokens.new())
    held_ceremony(place)
    shutil.copytree(tokens.folder, tmp_path / "aside")
    monkeypatch.setenv("HEBAT_TOKEN_PIN", PIN)
    assert hebat("keys", "roll", "debit", *PEOPLE, *place).code == 0
    (own,) = (one for one in tokens.folder.iterdir() if files(one) != files(tmp_path / "aside" / one.name))
    shutil.rmtree(own)
    shutil.copytree(tmp_path / "aside" / own.name, own)
    ran = hebat("keys", "list", *place)
    assert (ran.code, "put an older copy back" in ran.err) == (2, True), ran


def test_a_token_that_cannot_be_opened_says_why(
    tokens: SoftTokens, city: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ("--data", str(city.root), "--token", tokens.new())
    module_of = ("--module", tokens.module)
    piped = hebat("keys", "list", *place, *module_of)
    assert (piped.code, "typed at a terminal" in piped.err) == (2, True)
    monkeypatch.setenv("HEBAT_TOKEN_PIN", PIN)
    assert "name it with --module" in hebat("keys", "list", *place).err
    assert "holds no vault" in hebat("keys", "list", *place, *module_of).err
    assert "look at the module" in hebat("keys", "list", *place, "--module", "none.so").err
    monkeypatch.setenv("HEBAT_TOKEN_PIN", "11112222")
    wrong = hebat("keys", "list", *place, *module_of)
    assert (wrong.code, "wrong PIN" in wrong.err, "11112222" in wrong.err) == (2, True, False)
    assert os.environ["HEBAT_TOKEN_PIN"] == "11112222"
