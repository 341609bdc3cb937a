"""Files and folders that are not what a command needs: one sentence with what to do, exit code 2, and never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.conftest import hebat

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "command",
    ["ledger init", "keys list", "keys report", "keys backup away.backup", "windows", "load prepare"],
)
def test_a_file_where_a_folder_belongs_is_named(command: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    ran = hebat(*command.split(), "--data", file)
    assert (ran.code, "Traceback" in ran.err) == (2, False), ran.err
    assert ran.err.splitlines()[-1].startswith("hebat: ")
    assert str(file) in ran.err
    assert file.read_text(encoding="utf-8") == "x"


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = tmp_path / "nowhere"
    ran = hebat("keys", "import", source, "--data", tmp_path / "city")
    assert ran.code == 2
    assert f"{source}: No such file or directory; look whether the name is right" in ran.err
    assert not (tmp_path / "city").exists()


def test_a_place_that_cannot_be_written_is_named() -> None:
    ran = hebat("ledger", "init", "--data", "/proc/city")  # where nobody makes a folder, root neither
    assert (ran.code, "Traceback" in ran.err) == (2, False), ran.err
    assert ran.err.startswith("hebat: /proc/city: ")


@pytest.mark.parametrize("command", ["bank payments", "wallet loads list", "ledger verify", "keys list"])
def test_a_folder_without_a_city_is_named(command: str, tmp_path: Path) -> None:
    ran = hebat(*command.split(), "--data", tmp_path / "nowhere")
    assert ran.code == 2, ran.err
    assert str(tmp_path / "nowhere") in ran.err
    assert not (tmp_path / "nowhere").exists()
