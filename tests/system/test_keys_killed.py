"""A roll or a retirement killed at any step: the same command again ends it, with one record, and no older copy of the vault passes once a newer one holds."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from hebat.cli import app
from hebat.folder import Folder
from hebat.founding import AUTHORITY_LABEL
from hebat.keyroom import records
from hebat.vaults import LedgerWitness, city_vault
from keys.clock import SystemClock
from keys.envelope import parse
from keys.errors import VaultRolledBack
from keys.filevault import FileVault
from keys.sealedfile import SealedFile, beside
from keys.vault import KeyName, Purpose, Role
from ledger.vaults.memory import VaultMemory
from tests.founding import found

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST, SECOND = ("Witness A", "Witness B"), ("Witness C", "Witness D")


class Step(NamedTuple):
    """A call that a change makes; the process dies right before it, or right after it."""

    owner: Any
    name: str
    after: bool = False


STEPS = {
    "before it is announced": Step(records, "announce"),
    "once it is announced": Step(records, "announce", after=True),
    "before the next state is prepared": Step(SealedFile, "prepare"),
    "once it is prepared, before the ledger knows": Step(VaultMemory, "note"),
    "once the ledger knows": Step(VaultMemory, "note", after=True),
    "before the next state is put in place": Step(SealedFile, "put"),
    "once it is in place": Step(SealedFile, "put", after=True),
    "before the record": Step(records, "keep"),
    "once the record is written": Step(records, "keep", after=True),
    "before the announcement goes": Step(records, "forget"),
}
HOLDS = list(STEPS)[4:]
"""The steps from which on the change has taken effect."""


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A founded city with two versions of the debit key."""
    folder = Folder(tmp_path_factory.mktemp("killed") / "city")
    found(folder, SystemClock(), "demo")
    city_vault(folder).generate_key(KeyName("debit", 2), Purpose.CARD)
    return folder


@pytest.fixture
def city(founded: Folder, tmp_path: Path) -> Folder:
    """A copy of it."""
    return Folder(shutil.copytree(founded.root, tmp_path / "city"))


def in_a_fork(work: Callable[[], object]) -> int:
    """How a process of its own ended."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killing(step: Step) -> None:
    """From now on this process dies at a step."""
    real = getattr(step.owner, step.name)

    def dies(*given: Any, **named: Any) -> Any:
        if step.after:
            real(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(step.owner, step.name, dies)


def command(city: Folder, what: str, people: tuple[str, str], step: Step | None = None) -> int:
    """`hebat keys roll debit` or `retire debit 1`, in a process of its own."""
    version = ["1"] if what == "retire" else []
    present = [word for one in people for word in ("--present", one)]

    def run() -> None:
        if step is not None:
            killing(step)
        app(["keys", what, "debit", *version, *present, "--data", str(city.root)], standalone_mode=False)

    return in_a_fork(run)


def kept(city: Folder) -> list[dict[str, Any]]:
    """All records, their signatures checked."""
    public = FileVault.open(city.vault, city.passphrase()).public_key(AUTHORITY_LABEL)
    paths = sorted((city.root / "key-records").iterdir())
    return [json.loads(parse(path.read_bytes()).verify(public)) for path in paths]


@pytest.mark.parametrize("moment", STEPS)
@pytest.mark.parametrize("what", ["roll", "retire"])
def test_a_change_that_was_killed_is_ended_by_the_same_command_with_one_record(
    city: Folder, what: str, moment: str
) -> None:
    assert command(city, what, FIRST, STEPS[moment]) == -signal.SIGKILL
    assert command(city, what, SECOND) == 0
    vault = FileVault.open(city.vault, city.passphrase())
    assert vault.versions(Role.DEBIT) == {"roll": [3, 2, 1], "retire": [2]}[what]
    (record,) = kept(city)
    people = FIRST if moment in HOLDS else SECOND
    assert (record["what"], record["version"], record["witnesses"]) == (
        what, 3 if what == "roll" else 1, list(people),
    )  # fmt: skip
    state = vault.record()
    assert (record["generation"], record["digest"]) == (state.generation, state.digest.hex())
    checks = {one.version: one.check_value.hex() for one in vault.contents() if one.role is Role.DEBIT}
    assert record["check_value"] == checks[record["version"]]
    assert LedgerWitness(city).known()["city.vault"] == state
    assert not beside(city.vault).exists()


@pytest.mark.parametrize("moment", STEPS)
def test_from_the_moment_that_a_retirement_holds_no_older_copy_passes(
    city: Folder, tmp_path: Path, moment: str
) -> None:
    older = city.vault.read_bytes()
    assert command(city, "retire", FIRST, STEPS[moment]) == -signal.SIGKILL
    holds = city_vault(city).versions(Role.DEBIT) == [2]
    assert holds is (moment in HOLDS)
    beside(city.vault).unlink(missing_ok=True)
    city.vault.write_bytes(older)
    if holds:
        with pytest.raises(VaultRolledBack, match="put an older copy back"):
            city_vault(city)
    else:
        assert city_vault(city).versions(Role.DEBIT) == [2, 1]


@pytest.mark.parametrize("moment", ["once the ledger knows", "before the next state is put in place"])
def test_an_older_copy_does_not_pass_even_before_the_newer_one_is_in_place(city: Folder, moment: str) -> None:
    """Nobody has opened the vault since the crash: the file is the older copy still, and what is prepared has been taken away."""
    assert command(city, "retire", FIRST, STEPS[moment]) == -signal.SIGKILL
    beside(city.vault).unlink()
    with pytest.raises(VaultRolledBack, match="put an older copy back"):
        city_vault(city)


def test_another_command_writes_the_record_that_a_crash_left_out_and_then_its_own(city: Folder) -> None:
    assert command(city, "roll", FIRST, STEPS["before the record"]) == -signal.SIGKILL
    assert command(city, "retire", SECOND) == 0
    assert [(one["what"], one["witnesses"]) for one in kept(city)] == [
        ("roll", list(FIRST)), ("retire", list(SECOND)),
    ]  # fmt: skip


def test_an_announcement_that_somebody_else_wrote_counts_for_nothing(city: Folder) -> None:
    assert command(city, "roll", FIRST, STEPS["before the record"]) == -signal.SIGKILL
    coming = city.root / "key-records" / "coming.cose"
    coming.write_bytes(coming.read_bytes().replace(b"Witness A", b"Witness M"))
    assert command(city, "roll", SECOND) == 0
    assert [(one["version"], one["witnesses"]) for one in kept(city)] == [(4, list(SECOND))]


def test_a_retirement_that_the_vault_refuses_leaves_no_announcement_and_no_record(city: Folder) -> None:
    assert command(city, "retire", FIRST) == 0
    assert command(city, "retire", SECOND) == 1
    assert [one["witnesses"] for one in kept(city)] == [list(FIRST)]


def test_a_change_that_the_ledger_cannot_note_does_not_take_place(
    city: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = city_vault(city)

    def no_ledger(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(VaultMemory, "note", no_ledger)
        with pytest.raises(OSError, match="disk is full"):
            vault.retire(Role.DEBIT, 1)
    assert vault.versions(Role.DEBIT) == city_vault(city).versions(Role.DEBIT) == [2, 1]
    vault.retire(Role.DEBIT, 1)
    assert city_vault(city).versions(Role.DEBIT) == [2]
