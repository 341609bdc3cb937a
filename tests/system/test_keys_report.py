"""`hebat keys report`: how many cards still need which key version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hebat.configurations import configuration_of
from hebat.folder import Folder
from hebat.wiring import City
from keys.clock import SystemClock
from ledger.intake.cards.issued import Card
from tests.founding import found
from tests.system.conftest import hebat

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = ("--present", "Witness A", "--present", "Witness B")


def test_the_report_counts_cards_by_role_and_version(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "city")
    found(folder, SystemClock(), "demo")
    cards = [
        Card(uid, 9360_0009_0000_0011 + 10 * uid, False, version, bytes([uid]) * 32)
        for uid, version in ((1, 1), (2, 1), (3, 2), (4, 3))
    ]
    with City(folder, configuration_of(folder), SystemClock()) as city:
        city.registry.add_cards(cards)
    for _ in range(2):
        assert hebat("keys", "roll", "debit", *PEOPLE, "--data", folder.root).code == 0
    assert hebat("keys", "retire", "debit", "2", "--yes", *PEOPLE, "--data", folder.root).code == 0
    told = json.loads(hebat("keys", "report", "--json", "--data", folder.root).out)
    debit = [(one["version"], one["cards"], one["state"]) for one in told if one["role"] == "debit"]
    assert debit == [(1, 2, "in use"), (2, 1, "retired"), (3, 1, "in use")]
    load = [(one["version"], one["cards"], one["state"]) for one in told if one["role"] == "load"]
    assert load == [(1, 2, "in use"), (2, 1, "not in this vault"), (3, 1, "not in this vault")]
    shown = hebat("keys", "report", "--data", folder.root).out.splitlines()
    assert shown[0].split() == ["role", "version", "cards", "state"]
    assert [line.split() for line in shown if line.startswith("debit")][1] == ["debit", "2", "1", "retired"]
