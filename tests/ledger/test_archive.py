"""The archive: business dates in files are read as before, nothing of them is posted twice, and nobody takes a changed file for the books."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from card.batch import Context
from card.layout import TapKind
from hebat.folder import Folder
from hebat.schema import TABLES
from keys.clock import Day, UnixMs, date_of, day_of
from ledger.archive import store
from ledger.archive.taking import archive
from ledger.book import Ledger
from ledger.chain import store as journal_store
from ledger.errors import (
    ArchiveDamaged,
    ArchiveMissing,
    ArchiveRefused,
    BatchConflict,
    ExportRefused,
)
from ledger.exports.sending import Wanted, export
from ledger.history.book import History
from ledger.history.indexing import index
from ledger.proofs.proving import prove_position, prove_tap
from ledger.proofs.verify import verify as verify_proofs
from ledger.rebuilding import rebuild
from ledger.store import Database
from ledger.transfer import Flag
from ledger.verify import verify
from tests.empty import new_database
from tests.ledger.desk import DAY, open_scene
from tests.ledger.entries import CASH, OPERATOR, OTHER_PURSE, PURSE, SUBSIDY, WALLET, SetClock, transfer
from tests.ledger.test_exports import contents, new_ledger, out, taken
from tests.ledger.test_proofs_checkpoints import DAY_MS, SIGNER, add_tables, book, close

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNTS = [PURSE, OPERATOR, CASH]
DAYS = 3


@pytest.fixture
def filled(whole_url: str, clock: SetClock) -> tuple[str, Day]:
    """Three closed dates and an open one, on each database: groups, documents, a hold that the next date posts; the first date."""
    with Ledger.open(whole_url, clock) as ledger:
        first, hold = ledger.open_window(), 0
        for day in range(DAYS):
            fare = transfer(PURSE, OPERATOR, 100 + day, flags=Flag.LINKED, uid=0x0401, tmc=day + 1)
            ledger.post([fare, transfer(SUBSIDY, OPERATOR, 250)], document=b"a signed batch")
            if hold:
                ledger.post([transfer(CASH, PURSE, 60, flags=Flag.POST_PENDING, hold=hold)])
            hold = (
                0
                if day == DAYS - 1
                else ledger.post([transfer(CASH, PURSE, 70, flags=Flag.PENDING)])[0].position
            )
            ledger.post([transfer(CASH, WALLET, 9)], document=b"another")
            ledger.post([], document=b"nothing to post, kept all the same")
            close(ledger, clock)
        ledger.post([transfer(OTHER_PURSE, OPERATOR, 5)])
        index(ledger.database)
        ledger.post([transfer(OTHER_PURSE, OPERATOR, 6)])
        book(ledger.database).make_all()
        ledger.snapshot()
    return whole_url, first


def moved(url: str, until: Day, place: Path, clock: SetClock) -> list[store.Archived]:
    database = Database(url)
    try:
        return archive(database, until, place, clock)
    finally:
        database.close()


def pages_of(history: History, account: Any, newest_first: bool) -> list[Any]:
    page = history.statement(account, limit=2, newest_first=newest_first)
    found = [page]
    while page.cursor:
        page = history.statement(account, cursor=page.cursor, limit=2)
        found.append(page)
    return found


def seen(url: str, folder: Path) -> dict[str, Any]:
    """All that anybody can ask a ledger for."""
    database = Database(url)
    history = History(database)
    newest = history.newest()
    export(database, TABLES, folder, Wanted())
    with database.transaction() as connection:
        rows = np.concatenate(list(journal_store.read_rows(connection)))
        middle = np.concatenate(list(journal_store.read_rows(connection, 3, newest - 2)))
        documents = journal_store.documents_of(connection, 1, 1 << 40)
    found = {
        "rows": rows.tobytes(), "middle": middle.tobytes(), "documents": documents, "export": contents(folder),
        "verified": verify(database),
        "balances": {(one, at): history.balance(one, at) for one in ACCOUNTS for at in range(newest + 1)},
        "statements": {(one, way): pages_of(history, one, way) for one in ACCOUNTS for way in (True, False)},
        "proofs": [prove_position(database, at).encode() for at in range(1, newest - 2)],
    }  # fmt: skip
    database.close()
    return found


def test_what_is_in_the_archive_is_read_as_before(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    before = seen(url, tmp_path / "before")
    # The hold of the second date is posted on the third, so that one side of it lies in the archive.
    for step, until in enumerate([Day(first), Day(first + 1)]):
        done = moved(url, until, tmp_path / "archive", clock)
        assert [one.span.business_date for one in done] == [until]
        after = seen(url, tmp_path / f"after-{step}")
        assert {name for name in before if before[name] != after[name]} == set()
    with Ledger.open(url, clock) as ledger:
        assert ledger.rebuild_check() == ledger.head().position
        assert ledger.rows(first).tobytes() == before["rows"][: len(ledger.rows(first).tobytes())]
        assert (
            ledger.post([transfer(OTHER_PURSE, OPERATOR, 7)])[0].position == before["verified"].transfers + 1
        )


def test_a_hold_that_was_resolved_behind_the_pages_is_no_longer_pending_once_its_date_is_archived(
    whole_url: str, clock: SetClock, tmp_path: Path
) -> None:
    with Ledger.open(whole_url, clock) as ledger:
        first, history = ledger.open_window(), History(ledger.database)
        held = [ledger.post([transfer(CASH, PURSE, 70, flags=Flag.PENDING)])[0].position for _ in range(2)]
        close(ledger, clock)
        index(ledger.database)
        for hold, amount, flag in zip(held, (60, 70), (Flag.POST_PENDING, Flag.VOID_PENDING), strict=True):
            ledger.post([transfer(CASH, PURSE, amount, flags=flag, hold=hold)])
        ledger.snapshot()
        before = {one: (history.balance(one), history.statement(one)) for one in (CASH, PURSE)}
        moved(whole_url, first, tmp_path / "archive", clock)
        assert {one: (history.balance(one), history.statement(one)) for one in (CASH, PURSE)} == before
        assert before[CASH][0] == ledger.balance(CASH)
        assert before[PURSE][1].lines[-1].balance == ledger.balance(PURSE)


def test_it_is_out_of_the_database(filled: tuple[str, Day], clock: SetClock, tmp_path: Path) -> None:
    url, first = filled
    done = moved(url, Day(first + 1), tmp_path / "archive", clock)
    assert [path.name for path in sorted((tmp_path / "archive").iterdir())] == [
        f"journal-{date_of(Day(first + day))}" for day in range(2)
    ]
    database = Database(url)
    with database.transaction() as connection:
        lowest = connection.exec_driver_sql("SELECT min(position) FROM transfers").scalar()
        blocks = connection.exec_driver_sql("SELECT min(block) FROM documents").scalar()
        assert (lowest, blocks) == (done[-1].span.last_position + 1, done[-1].span.last_block + 1)
        if not database.is_sqlite:
            name = f"transfers_{date_of(first):%Y%m%d}"
            assert connection.exec_driver_sql(f"SELECT to_regclass('{name}')").scalar() is None
    database.close()


def test_a_rebuild_and_an_import_bring_the_archive_along(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    moved(url, Day(first + 1), tmp_path / "archive", clock)
    before = out(url, tmp_path / "one")
    database = Database(url)
    assert rebuild(database, clock).wrong == ()
    database.close()
    assert out(url, tmp_path / "two") == before
    taken(new_ledger(tmp_path / "whole.db"), tmp_path / "two", public_key=SIGNER.public_key)
    assert out(f"sqlite:///{tmp_path / 'whole.db'}", tmp_path / "three") == before


def test_a_folder_that_a_crash_left_is_used_where_it_is_right_and_refused_where_it_is_not(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    place, name = tmp_path / "archive", f"journal-{date_of(first)}"
    place.mkdir()
    database = Database(url)
    export(database, (), place / name, Wanted(days=(first,)))
    export(database, (), tmp_path / "other", Wanted(days=(Day(first + 1),)))
    database.close()
    before = out(url, tmp_path / "before")
    shutil.move(place / name, tmp_path / "right")
    shutil.move(tmp_path / "other", place / name)
    with pytest.raises(ArchiveDamaged, match="move the folder away"):
        moved(url, first, place, clock)
    assert out(url, tmp_path / "between") == before
    shutil.rmtree(place / name)
    shutil.move(tmp_path / "right", place / name)
    assert len(moved(url, first, place, clock)) == 1
    assert out(url, tmp_path / "after") == before


def test_a_folder_of_as_many_rows_that_are_not_the_chains_is_refused(
    whole_url: str, clock: SetClock, tmp_path: Path
) -> None:
    new_ledger(tmp_path / "other.db")
    other, place = f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "archive"
    for url, amount in ((whole_url, 7), (other, 8)):
        with Ledger.open(url, clock) as ledger:
            day = ledger.open_window()
            ledger.post([transfer(amount=amount)])
            ledger.close_window(day)
            ledger.post([transfer()])
    place.mkdir()
    export(Database(other), (), place / f"journal-{date_of(day)}", Wanted(days=(day,)))
    with pytest.raises(ArchiveDamaged, match="does not hold block 1 as the chain has it"):
        moved(whole_url, day, place, clock)


def test_a_ledger_starts_and_posts_without_its_archive_and_says_where_it_was(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    moved(url, Day(first + 1), tmp_path / "archive", clock)
    shutil.move(tmp_path / "archive", tmp_path / "elsewhere")
    with Ledger.open(url, clock) as ledger:
        ledger.post([transfer(OTHER_PURSE, OPERATOR, 7)])
        assert ledger.balance(OTHER_PURSE).debits_posted == 18
        history = History(ledger.database)
        assert history.balance(PURSE).credits_posted == 120  # the newest needs no old line
        with pytest.raises(ArchiveMissing, match="--moved-to"):
            history.statement(PURSE)
    with pytest.raises(ArchiveMissing, match=str(date_of(first))):
        verify(Database(url))
    database = Database(url)
    with database.writing() as connection:
        assert store.relocate(connection, str(tmp_path / "elsewhere")) == 2
    assert verify(database).transfers > 0
    database.close()


def test_a_changed_file_of_the_archive_is_named(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    moved(url, first, tmp_path / "archive", clock)
    folder = tmp_path / "archive" / f"journal-{date_of(first)}"
    database = Database(url)
    for path in sorted(folder.rglob("*.*")):
        good = path.read_bytes()
        if "blocks" in path.name:
            continue  # the chain itself is in the database: these are for who reads the folder alone
        for at in {0, len(good) // 2, len(good) - 1}:
            path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            with pytest.raises(ArchiveDamaged, match=folder.name):
                verify(database)
        path.write_bytes(good)
    assert verify(database).transfers > 0
    database.close()


def test_only_closed_dates_without_holds_that_wait_go_and_never_the_newest_block(
    sqlite_url: str, clock: SetClock, tmp_path: Path
) -> None:
    add_tables(sqlite_url)
    place = tmp_path / "archive"
    with Ledger.open(sqlite_url, clock) as ledger:
        day = ledger.open_window()
        hold = ledger.post([transfer(CASH, PURSE, 70, flags=Flag.PENDING)])[0].position
    with pytest.raises(ArchiveRefused, match="is open"):
        moved(sqlite_url, day, place, clock)
    with Ledger.open(sqlite_url, clock) as ledger:
        close(ledger, clock)
    with pytest.raises(ArchiveRefused, match="newest block"):
        moved(sqlite_url, day, place, clock)
    with Ledger.open(sqlite_url, clock) as ledger:
        ledger.post([transfer(OTHER_PURSE, OPERATOR, 7)])
    with pytest.raises(ArchiveRefused, match=f"position {hold}"):
        moved(sqlite_url, day, place, clock)
    with Ledger.open(sqlite_url, clock) as ledger:
        ledger.post([transfer(CASH, PURSE, 70, flags=Flag.VOID_PENDING, hold=hold)])
    assert [one.span.rows for one in moved(sqlite_url, day, place, clock)] == [1]
    assert moved(sqlite_url, day, place, clock) == []


def test_dates_beyond_the_newest_snapshot_or_the_pages_stay(
    whole_url: str, clock: SetClock, tmp_path: Path
) -> None:
    with Ledger.open(whole_url, clock) as ledger:
        ledger.post([transfer(OTHER_PURSE, OPERATOR, 7)])
        ledger.snapshot()
        day = ledger.open_window()
        ledger.post([transfer(OTHER_PURSE, OPERATOR, 8)])
        close(ledger, clock)
        ledger.post([transfer(OTHER_PURSE, OPERATOR, 9)])
        with pytest.raises(ArchiveRefused, match="no snapshot is behind"):
            moved(whole_url, day, tmp_path / "archive", clock)
        ledger.snapshot()
        with pytest.raises(ArchiveRefused, match="pages do not reach"):
            moved(whole_url, day, tmp_path / "archive", clock)
        index(ledger.database)
        assert len(moved(whole_url, day, tmp_path / "archive", clock)) == 1


def test_a_place_that_cannot_be_written_leaves_everything_in_the_database(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    before = out(url, tmp_path / "before")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArchiveRefused, match="cannot be written"):
        moved(url, first, tmp_path / "file" / "archive", clock)
    assert out(url, tmp_path / "after") == before


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def replayed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """A city whose first date is in the archive, and the bytes that were posted on it."""
    url = ""
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("postgres"), empty=True)
    folder = Folder(tmp_path_factory.mktemp("archived") / "city", url)
    scene = open_scene(folder, fresh=True)
    with scene.city:
        card, desk = scene.card(loaded=50_000), scene.desk()
        record = desk.tap(card, TapKind.FARE, 3_500)
        body = desk.body()
        first = scene.city.intake.receive(body)
        desk.next_batch(body)
        scene.city.ledger.close_window(day_of(DAY))
        scene.clock.move_to(UnixMs(scene.clock.now() + DAY_MS))
        desk.tap(card, TapKind.FARE, 3_500)
        desk.send()
    archive(Database(folder.database_url), day_of(DAY), folder.root / "archive", scene.clock)
    opened = open_scene(folder, fresh=False)
    opened.clock.move_to(UnixMs(opened.clock.now() + 2 * DAY_MS))
    desk.city = opened.city
    with opened.city:
        yield {"scene": opened, "desk": desk, "card": card, "record": record, "body": body, "answer": first}


def test_law_03_what_went_to_the_archive_is_a_duplicate_with_the_first_answer(
    replayed: dict[str, Any],
) -> None:
    rows = len(replayed["scene"].city.ledger.rows())
    again = replayed["scene"].city.intake.receive(replayed["body"])
    assert again.results == replayed["answer"].results
    assert again.receipt == replayed["answer"].receipt
    assert len(replayed["scene"].city.ledger.rows()) == rows


def test_law_03_the_same_identity_with_other_bytes_is_a_conflict_after_archiving(
    replayed: dict[str, Any],
) -> None:
    desk, record = replayed["desk"], replayed["record"]
    first, previous, sequence = desk.first, desk.previous, desk.sequence
    desk.first, desk.previous = 1, bytes(32)
    desk.records = [replace(record, context=Context("2"))]
    other = desk.body()
    with pytest.raises(BatchConflict):
        replayed["scene"].city.intake.receive(other)
    desk.first, desk.previous, desk.sequence = first, previous, sequence
    desk.records = []
    rows = len(replayed["scene"].city.ledger.rows())
    for other_tmv, reason in ((record.tmv, "evidence_mismatch"), (bytes(8), "tmv_wrong")):
        desk.add(replace(record, sequence=desk.sequence, tmv=other_tmv))
        assert [(one["result"], one["reason"]) for one in desk.send().results] == [("quarantined", reason)]
    assert len(replayed["scene"].city.ledger.rows()) == rows


def test_a_tap_that_is_in_the_archive_is_proven_and_checkpoints_verify(replayed: dict[str, Any]) -> None:
    database, record = replayed["scene"].city.ledger.database, replayed["record"]
    known = replayed["scene"].city.registry.card(replayed["card"].uid)
    proof = prove_tap(database, known.partition, known.uid, record.tmc)
    assert (proof.leaf.terminal, proof.leaf.sequence, proof.leaf.amount) == (
        1001,
        record.sequence,
        int(record.amount) * 100,
    )
    assert verify_proofs(database, None).leaves == 2


def test_an_export_of_an_archived_date_is_that_date(
    filled: tuple[str, Day], clock: SetClock, tmp_path: Path
) -> None:
    url, first = filled
    before = {kind: out(url, tmp_path / kind, Wanted(kind, (first,))) for kind in ("csv", "parquet")}
    moved(url, first, tmp_path / "archive", clock)
    for kind in ("csv", "parquet"):
        assert out(url, tmp_path / f"{kind}-again", Wanted(kind, (first,))) == before[kind]
    with pytest.raises(ExportRefused, match="no entries"):
        out(url, tmp_path / "none", Wanted("csv", (Day(first - 1),)))
