"""What custodians carry: components on paper, key blocks between cities, a ceremony that a crash broke off, an older backup."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import pytest

from hebat.folder import Folder
from hebat.vaults import LedgerWitness
from keys import backup as backups
from keys.clock import SystemClock
from keys.envelope import parse
from keys.filevault import FileVault
from keys.softkey import check_value
from keys.vault import KeyName, Purpose, Role
from tests.founding import found
from tests.system.conftest import hebat
from tests.system.typist import PASSPHRASE, VALUES, Typist, give

if TYPE_CHECKING:
    from pathlib import Path

CLEARED = b"\x1b[2J\x1b[3J"
AUTHORITY = "terminal-authority"
KILL = "import os; from {module} import {owner}; {owner}.{name} = lambda *_: os.kill(os.getpid(), 9)"
CRASHES = {
    "before the record": KILL.format(module="hebat.keyroom", owner="records", name="keep"),
    "before the state is gone": KILL.format(module="keys.steps", owner="Steps", name="forget"),
}


def vault_in(folder: Path, passphrase: str = PASSPHRASE) -> FileVault:
    folder.mkdir()
    vault = FileVault.create(folder / "city.vault", passphrase, 16)
    vault.generate_signing_key(AUTHORITY)
    return vault


def test_a_component_is_shown_once_with_its_check_value(tmp_path: Path) -> None:
    typist = Typist("keys", "component", "Witness A")
    typist.answer("when that is so: ", "")
    typist.answer("when they are written: ", "")
    assert typist.end() == 0, typist.seen
    drawn = re.search(
        rb"Component of Witness A: ([0-9a-f]{32})\r\nIts check value: ([0-9a-f]{10})", typist.seen
    )
    assert drawn is not None
    value, check = drawn.groups()
    assert check_value(bytes.fromhex(value.decode())).hex() == check.decode()
    assert typist.seen.count(value) == 1
    before, after = typist.seen.split(value)
    assert CLEARED in before
    assert CLEARED in after
    assert after.rpartition(CLEARED)[2].count(check) == 1


def test_two_components_are_never_the_same() -> None:
    values = set()
    for _ in range(2):
        typist = Typist("keys", "component", "Witness A")
        typist.answer("when that is so: ", "")
        typist.answer("when they are written: ", "")
        assert typist.end() == 0
        values.update(re.findall(rb"[0-9a-f]{32}", typist.seen))
    assert len(values) == 2


def test_a_component_is_not_drawn_into_a_pipe() -> None:
    ran = hebat("keys", "component", "Witness A")
    assert (ran.code, ran.out) == (2, "")
    assert "shown at a terminal" in ran.err


def carried(command: str, *arguments: str | Path) -> Typist:
    typist = Typist("keys", command, *arguments)
    typist.answer("Passphrase of the vault: ", PASSPHRASE)
    return typist


def test_a_master_goes_from_one_citys_vault_to_anothers(tmp_path: Path) -> None:
    sender, receiver, block = tmp_path / "sender", tmp_path / "receiver", tmp_path / "block"
    for folder in (sender, receiver):
        vault_in(folder).add_key(KeyName("transport", 1), Purpose.TRANSPORT, VALUES[0])
    FileVault.open(sender / "city.vault", PASSPHRASE).add_master(Role.DEBIT, 3, VALUES[1])
    out = carried("export", "debit", block, "--version", "3", "--data", sender)
    assert out.end() == 0, out.seen
    assert VALUES[1].hex().upper() not in block.read_text(encoding="ascii").upper()
    back = carried("import", block, "--data", receiver)
    assert back.end() == 0, back.seen
    assert f"check value {check_value(VALUES[1]).hex()}".encode() in back.seen
    uid = bytes(7)
    keys = [
        FileVault.open(one / "city.vault", PASSPHRASE).card_key(Role.DEBIT, 3, uid)
        for one in (sender, receiver)
    ]
    assert keys[0].cmac(b"x") == keys[1].cmac(b"x")
    again = carried("import", block, "--data", receiver)
    assert (again.end(), b"exists: a key is never written over" in again.seen) == (2, True)


def test_a_block_that_was_changed_is_not_taken_in(tmp_path: Path) -> None:
    city, block = tmp_path / "city", tmp_path / "block"
    vault = vault_in(city)
    vault.add_key(KeyName("transport", 1), Purpose.TRANSPORT, VALUES[0])
    vault.add_master(Role.DEBIT, 3, VALUES[1])
    text = vault.export_block(KeyName("debit", 3), KeyName("transport", 1))
    block.write_text(text[:-1] + ("0" if text[-1] != "0" else "1"), encoding="ascii")
    wrong = carried("import", block, "--data", city)
    assert wrong.end() == 2
    assert b"hebat: " in wrong.seen
    assert len(FileVault.open(city / "city.vault", PASSPHRASE).contents()) == 3


@pytest.mark.parametrize("moment", CRASHES)
def test_a_ceremony_killed_after_its_key_is_stored_writes_its_record_once(
    moment: str, tmp_path: Path
) -> None:
    city = tmp_path / "city"
    vault_in(city)
    typist = Typist("keys", "ceremony", "debit", "--data", city, before=CRASHES[moment])
    typist.answer("Passphrase of the vault: ", PASSPHRASE)
    for number in range(3):
        give(typist, number)
    assert typist.end() == -signal.SIGKILL
    stored = FileVault.open(city / "city.vault", PASSPHRASE)
    assert stored.versions(Role.DEBIT) == [1]
    again = Typist("keys", "ceremony", "debit", "--data", city)
    again.answer("Passphrase of the vault: ", PASSPHRASE)
    assert again.end() == 0, again.seen
    assert b"is in the vault" in again.seen
    (kept,) = (city / "key-records").iterdir()
    told = json.loads(parse(kept.read_bytes()).verify(stored.public_key(AUTHORITY)))
    assert told["custodians"] == ["custodian 0", "custodian 1", "custodian 2"]
    assert told["digest"] == stored.record().digest.hex()
    assert FileVault.open(city / "city.vault", PASSPHRASE).generation == stored.generation
    assert list(city.glob("*.state")) == []
    over = Typist("keys", "ceremony", "debit", "--data", city)
    over.answer("Passphrase of the vault: ", PASSPHRASE)
    assert (over.end(), b"take the next version" in over.seen) == (2, True)


def restored(backup: Path, papers: list[str], *arguments: str | Path) -> Typist:
    typist = Typist("keys", "restore", backup, *arguments)
    for paper in papers:
        typist.answer("custodian's share: ", paper)
    assert typist.end() in {0, 2}, typist.seen
    return typist


def test_an_older_backup_is_restored_only_where_it_is_asked_for(tmp_path: Path) -> None:
    city = Folder(tmp_path / "city")
    found(city, SystemClock(), "demo")
    vault = FileVault.open(city.vault, city.passphrase())
    sealed, shares = backups.make(vault)
    (tmp_path / "backup").write_bytes(sealed)
    papers = [share.text for share in shares[:3]]
    people = ("--present", "Witness A", "--present", "Witness B")
    assert hebat("keys", "roll", "debit", *people, "--data", city.root).code == 0
    city.vault.unlink()
    refused = restored(tmp_path / "backup", papers, "--data", city.root)
    assert b"--older accepts it" in refused.seen
    assert not city.vault.exists()
    taken = restored(tmp_path / "backup", papers, "--data", city.root, "--older")
    assert b"is back at generation" in taken.seen
    assert LedgerWitness(city).known()["city.vault"] == vault.record()
    assert hebat("keys", "list", "--data", city.root).code == 0
