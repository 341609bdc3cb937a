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
from hebat.demo.day import DemoDay, run
from hebat.demo.report import make_report
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
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Issued], int]:
    """A finished demo day: its folder, its cards, and how many records got receipts."""
    root = tmp_path_factory.mktemp("laws") / "city"
    with ExitStack() as stack:
        finished = run(stack, Folder(root), date(2026, 11, 18), 2, 25, Quiet())
        assert make_report(finished).sound
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


def test_a_report_with_a_broken_law_or_a_missed_mistake_is_not_sound(tmp_path: Path) -> None:
    with ExitStack() as stack:
        finished: DemoDay = run(stack, Folder(tmp_path / "city"), date(2026, 11, 18), 2, 25, Quiet())
        report = make_report(finished)
        broken = replace(
            finished, findings=[replace(finished.findings[0], held=False), *finished.findings[1:]]
        )
        assert not make_report(broken).sound
        unexpected = replace(finished, planted=finished.planted[1:])
        assert not make_report(unexpected).sound
        missed = replace(finished, planted=[*finished.planted, finished.planted[0]])
        assert not make_report(missed).sound
    assert report.sound
