"""A city with keys and parties of its own, as docs/city.md founds it: its passphrase is typed, or lies in a file that one person can read."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from keys.clock import CITY
from tests.system.conftest import ROOT, hebat, serving
from tests.system.typist import PASSPHRASE, Typist

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = ROOT / "deploy" / "participants.toml"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city founded at a terminal."""
    folder = tmp_path_factory.mktemp("own") / "city"
    typist = Typist("keys", "found", "--draw", "--participants", EXAMPLE, "--data", folder)
    typist.answer("Passphrase of the vault: ", PASSPHRASE)
    typist.answer("The same again: ", PASSPHRASE)
    assert typist.end() == 0, typist.seen
    return folder


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The passphrase in a file, and the file's name where commands look for it."""
    file = tmp_path / "passphrase"
    file.touch(0o600)
    file.write_text(PASSPHRASE + "\n", encoding="utf-8")
    monkeypatch.setenv("HEBAT_PASSPHRASE_FILE", str(file))
    yield file
    file.unlink()


def test_without_a_terminal_and_a_file_it_says_how_the_passphrase_is_given(city: Path) -> None:
    ran = hebat("ledger", "verify", "--data", city)
    assert (ran.code, "HEBAT_PASSPHRASE_FILE" in ran.err) == (2, True)


def test_it_is_opened_by_what_somebody_types(city: Path) -> None:
    typist = Typist("ledger", "verify", "--data", city)
    typist.answer("Passphrase of the vault: ", PASSPHRASE)
    assert typist.end() == 0, typist.seen


def test_a_file_that_others_can_read_is_refused(city: Path, told: Path) -> None:
    told.chmod(0o640)
    ran = hebat("ledger", "verify", "--data", city)
    assert (ran.code, "chmod 600" in ran.err) == (2, True)


def test_a_credential_of_systemd_is_taken_by_its_access_list(
    city: Path, told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(told.parent))
    assert hebat("ledger", "verify", "--data", city).code == 0


def test_it_serves_terminals_of_its_own_parties_and_has_its_night(
    city: Path, told: Path, tmp_path: Path
) -> None:
    assert told.exists()
    invited = hebat(
        "terminals", "invite", "2001", "--class", "till", "--owner", "501", "--data", city, "--json"
    )
    assert invited.code == 0, invited.err
    with serving(city) as address:
        code = json.loads(invited.out)["code"]
        enrolled = hebat(
            "terminals", "enrol", "--folder", tmp_path / "till", "--ledger", address, "--code", code
        )
        assert (enrolled.code, "enrolled as a merchant" in enrolled.out) == (0, True), enrolled.err
    night = hebat("night", "--data", city, "--date", f"{datetime.now(CITY):%Y-%m-%d}")
    assert night.code == 0, night.err + night.out
