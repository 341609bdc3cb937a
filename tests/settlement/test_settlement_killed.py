"""A night that is killed at any durable effect, and run again, ends as one that nobody killed: byte for byte, on both databases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from hebat.schema import TABLES
from ledger.book import Ledger
from ledger.store import Database
from tests.ledger.conftest import postgres, postgres_url

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["postgres", "postgres_url"]  # the ledger's own server, as fixtures of this module

LONG: Final = os.environ.get("HEBAT_LONG") == "1"
ROOT: Final = Path(__file__).resolve().parents[2]


def killed(url: str, folder: Path, points: str) -> dict[str, Any]:
    """What the killing process found (`tests.settlement.nights.killing`)."""
    command = [sys.executable, "-m", "tests.settlement.nights.killing", url, str(folder), points]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.slow
def test_law_09_a_night_killed_at_any_durable_effect_and_run_again_ends_as_if_nobody_had(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    folder = tmp_path / "template"
    folder.mkdir()
    url = f"sqlite:///{folder / 'ledger.db'}"
    Ledger.create(url, *TABLES).close()
    found = killed(url, folder, "all" if LONG else "every 5")
    record_property("kills", found["kills"])
    assert found["wrong"] == {}
    assert found["points"] >= 10
    assert found["kills"] == (found["points"] if LONG else len(range(0, found["points"], 5)))


@pytest.mark.slow
def test_law_09_the_same_on_postgresql(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = tmp_path / "template"
    folder.mkdir()
    url = request.getfixturevalue("postgres_url")
    database = Database(url)
    with database.transaction() as connection:
        for one in TABLES:
            one.create_all(connection)
    database.close()
    found = killed(url, folder, "all" if LONG else "every 7")
    assert found["wrong"] == {}
    assert found["kills"] > 1
