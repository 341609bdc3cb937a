"""A roll or a retirement on a token killed at any step: the same command again ends it, with one record, and nothing is left half-made."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.keys.tokens import PIN, module
from tests.system.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, SECOND = ("Witness A", "Witness B"), ("Witness C", "Witness D")
LABEL = "city"
STEPS = {
    "before it is announced": ("records.announce", False),
    "once it is announced": ("records.announce", True),
    "before room is made for the key": ("token._make_room", False),
    "once the key is born, before it is wrapped": ("hsm._close_up", False),
    "once the key is wrapped and closed up": ("hsm._close_up", True),
    "before the next state is stored": ("token._store", False),
    "once it is stored, before the ledger knows": ("token._tell", False),
    "once the ledger knows": ("ledger.note", True),
    "once the older state is gone": ("token._store", True),
    "before the record": ("records.keep", False),
    "once the record is written": ("records.keep", True),
    "before the announcement goes": ("records.forget", False),
}
HOLDS = list(STEPS)[6:]
"""The steps from which on a change has taken effect: a token's newest state counts, and is noted before anybody uses it."""
ROLL_ONLY = list(STEPS)[2:5]
CASES = [
    (what, moment)
    for what in ("roll", "retire")
    for moment in STEPS
    if what == "roll" or moment not in ROLL_ONLY
]


@dataclass(frozen=True)
class Room:
    """A city on a token, and the process whose forks are its key room."""

    process: subprocess.Popen[str]
    folder: Path

    def asked(self, do: str, **more: Any) -> int:
        """How it ended."""
        order = {
            "do": do, "conf": str(self.folder / "softhsm2.conf"), "data": str(self.folder / "city"), "module": module(),
            "label": LABEL, "pin": PIN, "out": str(self.folder / "told"), **more,
        }  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def command(
        self, what: str, role: str, people: tuple[str, str], at: str = "", *, after: bool = False
    ) -> int:
        """`hebat keys roll ROLE` or `retire ROLE 1`."""
        version = ["1"] if what == "retire" else []
        words = ["keys", what, role, *version, *(word for one in people for word in ("--present", one))]
        return self.asked("command", words=words, at=at, after=after)

    def told(self) -> dict[str, Any]:
        """What is there now."""
        assert self.asked("look") == 0
        told: dict[str, Any] = json.loads((self.folder / "told").read_text(encoding="utf-8"))
        return told

    def copied(self, place: Path) -> Room:
        """The same city and token once more."""
        shutil.copytree(self.folder, place)
        _configured(place)
        return replace(self, folder=place)


def _configured(place: Path) -> None:
    text = f"directories.tokendir = {place / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    (place / "softhsm2.conf").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """A city that was founded on a token of its own."""
    if module() is None:
        pytest.skip("it needs the Debian package softhsm2 (keys in a PKCS#11 token)")
    pytest.importorskip("pkcs11", reason="it needs the extra hsm (keys in a PKCS#11 token)")
    place = tmp_path_factory.mktemp("token-killed") / "first"
    (place / "tokens").mkdir(parents=True)
    _configured(place)
    made = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", PIN]
    subprocess.run(
        made,
        check=True,
        capture_output=True,
        env={"SOFTHSM2_CONF": str(place / "softhsm2.conf"), "PATH": "/usr/bin:/bin"},
    )
    command = [sys.executable, "-m", "tests.system.token_room"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        room = Room(process, place)
        assert room.asked("found") == 0
        yield room
        process.kill()


@pytest.mark.parametrize(("what", "moment"), CASES)
def test_a_change_on_a_token_that_was_killed_is_ended_by_the_same_command_with_one_record(
    founded: Room, tmp_path: Path, what: str, moment: str
) -> None:
    room = founded.copied(tmp_path / "room")
    at, after = STEPS[moment]
    assert room.command(what, "load", FIRST, at, after=after) == -signal.SIGKILL
    assert room.command(what, "load", SECOND) == 0
    told = room.told()
    held = {version: (check, used) for label, version, check, used in told["held"] if label == "load"}
    in_use = [version for version, (_, used) in sorted(held.items()) if used]
    assert in_use == {"roll": [1, 2, 3], "retire": [2]}[what]
    (record,) = told["records"]
    people = FIRST if moment in HOLDS else SECOND
    assert (record["what"], record["version"], record["witnesses"]) == (
        what, 3 if what == "roll" else 1, list(people),
    )  # fmt: skip
    assert [record["generation"], record["digest"]] == told["state"] == told["noted"]
    assert record["check_value"] == held[record["version"]][0]
    assert (told["half_born"], set(told["copies"])) == (0, {True})


@pytest.mark.parametrize(
    "moment", ["before it is announced", "once the ledger knows", "once the older state is gone"]
)
def test_from_the_moment_that_the_ledger_knows_of_a_change_no_older_copy_of_a_token_passes(
    founded: Room, tmp_path: Path, moment: str
) -> None:
    room = founded.copied(tmp_path / "room")
    at, after = STEPS[moment]
    assert room.command("retire", "load", FIRST, at, after=after) == -signal.SIGKILL
    shutil.rmtree(room.folder / "tokens")
    shutil.copytree(founded.folder / "tokens", room.folder / "tokens")
    passes = room.asked("look") == 0
    assert passes is (moment not in HOLDS)
    if not passes:
        said = (room.folder / "told").read_text(encoding="utf-8")
        assert said.startswith("VaultRolledBack: ")
        assert "put an older copy back" in said


def test_a_key_that_was_half_born_is_gone_with_the_next_change_of_any_key(
    founded: Room, tmp_path: Path
) -> None:
    """It could still be wrapped, and nobody has noted it: another role's roll sweeps it away."""
    room = founded.copied(tmp_path / "room")
    at, after = STEPS["once the key is born, before it is wrapped"]
    assert room.command("roll", "load", FIRST, at, after=after) == -signal.SIGKILL
    assert room.told()["half_born"] == 1
    assert room.command("roll", "picc", SECOND) == 0
    told = room.told()
    assert told["half_born"] == 0
    assert [(one["role"], one["witnesses"]) for one in told["records"]] == [("picc", list(SECOND))]


MIRRORED = [
    ("roll", "city._carried", False), ("roll", "city._carried", True), ("roll", "ledger.note", False),
    ("roll", "ledger.note", True), ("retire", "token._store", False), ("retire", "token._store", True),
    ("retire", "ledger.note", True),
]  # fmt: skip


@pytest.mark.parametrize(("what", "at", "after"), MIRRORED)
def test_a_key_that_terminals_hold_is_the_same_in_the_token_and_in_the_file_beside_it_after_a_kill(
    founded: Room, tmp_path: Path, what: str, at: str, after: bool
) -> None:
    room = founded.copied(tmp_path / "room")
    assert room.command(what, "debit", FIRST, at, after=after) == -signal.SIGKILL
    assert room.command(what, "debit", SECOND) == 0
    told = room.told()
    token, file = (
        sorted(tuple(one) for one in told[place] if one[0] == "debit") for place in ("held", "handout")
    )
    assert token == file
    assert [one[1] for one in token if one[3]] == {"roll": [1, 2, 3], "retire": [2]}[what]
    (record,) = told["records"]
    assert (record["what"], record["version"]) == (what, 3 if what == "roll" else 1)
    assert told["state"] == told["noted"]
