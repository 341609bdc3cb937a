"""A terminal's commands with a wrong path: a sentence, and nothing is made where nothing was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from hebat.cli import app
from keys.clock import SystemClock
from keys.device import secret_beside
from keys.errors import IdentityError
from keys.filevault import FileVault
from keys.identity import TerminalAuthority, TerminalIdentity
from keys.rights import TerminalRole
from terminals.enrolment import AUTHORITY_FILE

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = ("--ledger", "http://127.0.0.1:9")
COMMANDS = (("terminals", "keys"), ("terminals", "renew"), ("terminal", "run"))


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """The folder of a terminal of a city, as enrolment leaves it, but for what the ledger signs with."""
    vault = FileVault.create(tmp_path / "city.vault", "x", 16)
    vault.generate_signing_key("authority")
    city, folder = TerminalAuthority(vault, "authority", SystemClock()), tmp_path / "device"
    identity = TerminalIdentity(folder)
    identity.install(city.enrol(identity.request(), 7, TerminalRole.VALIDATOR, 1))
    (folder / AUTHORITY_FILE).write_bytes(city.root_certificate())
    return folder


def refused(command: tuple[str, ...], *options: object) -> str:
    error = CliRunner().invoke(app, [*command, *NOBODY, *map(str, options)]).exception
    assert isinstance(error, IdentityError), error
    return str(error)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_folder_is_told_and_not_made(command: tuple[str, ...], tmp_path: Path) -> None:
    told = refused(command, "--folder", tmp_path / "wrong" / "place")
    assert "holds no terminal: enrol one with `hebat terminals enrol" in told
    (tmp_path / "empty").mkdir()
    assert "holds no terminal" in refused(command, "--folder", tmp_path / "empty")
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_place_of_the_secret_is_told_and_no_secret_is_drawn(
    command: tuple[str, ...], device: Path, tmp_path: Path
) -> None:
    elsewhere = secret_beside(device).rename(tmp_path / "elsewhere.secret")
    before = sorted(tmp_path.rglob("*"))
    assert "with --secret" in refused(command, "--folder", device)
    assert "with --secret" in refused(command, "--folder", device, "--secret", tmp_path / "nowhere")
    assert sorted(tmp_path.rglob("*")) == before
    other = tmp_path / "other"
    other.write_bytes(bytes(32))
    assert "sealed on another device" in refused(command, "--folder", device, "--secret", other)
    if command[1] == "keys":  # the right one: it goes on to what this folder lacks
        assert "ledger.key is gone" in refused(command, "--folder", device, "--secret", elsewhere)
