"""The look at the laws can see: a city that breaks one is found out, and its report is not sound."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from hebat import laws
from hebat.demo import town
from hebat.demo.day import run
from hebat.demo.figures import make_report
from hebat.folder import Folder
from hebat.progress import Quiet
from hebat.story_clock import StoryClock
from hebat.wiring import City
from keys.clock import UnixMs
from keys.filevault import FileVault
from keys.vault import KeyName
from tests.ledger.unguarded import unguard_file

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.demo.day import DemoDay
    from hebat.demo.report import Report
    from hebat.issuing import Issued
    from hebat.laws import Finding

DAMAGE = {
    2: "UPDATE taps SET amount = amount - 100 WHERE rowid = 20",
    4: "DELETE FROM batches WHERE rowid = (SELECT max(rowid) FROM batches WHERE first_sequence < 2147483648)",
    6: "DELETE FROM quarantine WHERE rowid = 1",
    8: "UPDATE transfers SET amount = amount + 100 WHERE kind = 1 AND position = (SELECT min(position) FROM transfers WHERE kind = 1)",
    9: "UPDATE windows SET last_position = last_position - 1",
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoDay, list[Report]]:
    """A finished demo day, its folder, and its reports: as it was, with a law broken, with a surprise, and with a mistake missed."""
    root = tmp_path_factory.mktemp("laws") / "city"
    with ExitStack() as stack:
        finished = run(stack, Folder(root), date(2026, 11, 18), 2, 25, Quiet())
        first, *others = finished.findings
        variants = [
            finished,
            replace(finished, findings=[replace(first, held=False), *others]),
            replace(finished, planted=finished.planted[1:]),
            replace(finished, planted=[*finished.planted, finished.planted[0]]),
        ]
        return root, finished, [make_report(one) for one in variants]


@pytest.fixture(scope="module")
def done(played: tuple[Path, DemoDay, list[Report]]) -> tuple[Path, list[Issued], int]:
    """A finished demo day: its folder, its cards, and how many records got receipts."""
    root, finished, _ = played
    return root, finished.cards, finished.diary.records


def look_at(root: Path, cards: list[Issued], records: int) -> dict[int, Finding]:
    with City(Folder(root), town.CONFIGURATION, StoryClock(UnixMs(1_795_020_000_000))) as city:
        return {finding.law: finding for finding in laws.look(laws.Evidence(city, cards, records))}


@pytest.mark.parametrize("law", DAMAGE)
def test_a_broken_law_is_found(done: tuple[Path, list[Issued], int], tmp_path: Path, law: int) -> None:
    root, cards, records = done
    copy = tmp_path / "city"
    shutil.copytree(root, copy)
    with closing(sqlite3.connect(copy / "ledger.db", isolation_level=None)) as database:
        unguard_file(database)
        assert database.execute(DAMAGE[law]).rowcount > 0
    findings = look_at(copy, cards, records)
    assert not findings[law].held, findings[law]
    assert findings[law].figure


def test_a_leaked_key_is_found(done: tuple[Path, list[Issued], int], tmp_path: Path) -> None:
    root, cards, records = done
    copy = tmp_path / "city"
    shutil.copytree(root, copy)
    with City(Folder(copy), town.CONFIGURATION, StoryClock(UnixMs(1_795_020_000_000))) as city:
        assert isinstance(city.vault, FileVault)
        held = city.vault._values[KeyName("debit", 1)]
        (copy / "debug.log").write_text(f"key={held.hex()}", encoding="utf-8")
        findings = laws.look(laws.Evidence(city, cards, records))
    assert not findings[10].held
    assert "debug.log" in findings[10].figure


def test_money_that_vanished_from_a_chip_is_found(done: tuple[Path, list[Issued], int]) -> None:
    root, cards, records = done
    poorer = cards[1].chip.clone()
    from card.layout import AID, File  # noqa: PLC0415

    poorer.applications[AID].files[File.PURSE].value -= 1
    changed = [cards[0], replace(cards[1], chip=poorer), *cards[2:]]
    assert not look_at(root, changed, records)[8].held


def test_a_report_with_a_broken_law_or_a_missed_mistake_is_not_sound(
    played: tuple[Path, DemoDay, list[Report]],
) -> None:
    assert [report.sound for report in played[2]] == [True, False, False, False]
