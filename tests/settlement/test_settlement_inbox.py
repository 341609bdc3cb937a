"""Statement files as they come in: chained, kept whole, duplicates told apart, refused ones tried again."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hebat.demo.statements import Account, Movement, camt053, mt940
from keys.clock import UnixMs
from keys.money import Sen
from settlement.errors import StatementTooLarge
from settlement.rulebook.model import RuleKind
from settlement.statements import folder, store
from settlement.statements.desk import StatementDesk
from settlement.statements.kept import KeptFile, Verdict
from settlement.statements.reading import digest
from settlement.view import NightView, view
from tests.settlement.town import DATE, DAY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settlement.town import Stage

FEE = Movement(Sen(-250_000), "", "biaya administrasi", "")
INTEREST = Movement(Sen(1_050), "", "bunga", "X77")


def statement(day: int, opening: int, *movements: Movement, account: str = "0099001122") -> bytes:
    written = Account("BNI", account, DATE + timedelta(days=day), day + 1, Sen(opening), movements)
    return camt053(written, "08")


def take(stage: Stage) -> list[KeptFile]:
    return stage.night.import_statements(DAY)


def verdicts(stage: Stage) -> dict[str, Verdict]:
    return {kept.name: kept.verdict for kept in take(stage)}


def test_a_folder_of_days_forms_one_chain_whatever_its_files_are_called(stage: Stage) -> None:
    stage.put("a.xml", statement(2, 3_000, INTEREST))
    stage.put("b.xml", statement(1, 2_000, Movement(Sen(1_000), "", "x", "")))
    stage.put("c.xml", statement(0, 1_000, Movement(Sen(1_000), "", "x", "")))
    assert [kept.name for kept in take(stage)] == ["c.xml", "b.xml", "a.xml"]
    assert set(verdicts(stage).values()) == {Verdict.ACCEPTED}
    with stage.ledger.database.transaction() as connection:
        last = store.last_statement(connection, 9)
    assert last is not None
    assert (last.chain, last.closing) == (3, Sen(4_050))


def test_a_gap_is_refused_until_the_statement_between_has_come(stage: Stage) -> None:
    stage.put("1.xml", statement(0, 1_000))
    stage.put("3.xml", statement(2, 2_050))
    taken = {kept.name: kept for kept in take(stage)}
    assert taken["3.xml"].verdict is Verdict.REFUSED
    assert "closed with 10.00 on 2026-11-18: ask the bank for the one between" in taken["3.xml"].reason
    stage.put("2.xml", statement(1, 1_000, INTEREST))
    assert set(verdicts(stage).values()) == {Verdict.ACCEPTED}


def numbered(day: int, opening: int, number: int) -> bytes:
    return camt053(Account("BNI", "0099001122", DATE + timedelta(days=day), number, Sen(opening), []), "08")


def test_a_gap_in_a_banks_own_numbers_is_told_where_the_balances_follow_on(stage: Stage) -> None:
    for day, number in ((0, 41), (1, 42), (2, 44), (3, 1)):
        stage.put(f"{day}.xml", numbered(day, 500, number))
    told = {kept.name: [remark.text for remark in kept.remarks if remark.line] for kept in take(stage)}
    assert told["1.xml"] == told["3.xml"] == []
    assert told["2.xml"] == [
        (
            "statement number 44 of Bank Negara Indonesia comes after 42, though the balances follow on:"
            " ask the bank whether one without movements is missing"
        )
    ]


def test_what_was_mended_is_kept_with_the_file(stage: Stage) -> None:
    stage.put(
        "1.sta", mt940(Account("BNI", "0099001122", DATE, 1, Sen(5), [FEE])).replace(b"biaya", b"biaya\t")
    )
    (kept,) = take(stage)
    assert (kept.verdict, kept.format) == (Verdict.ACCEPTED, "MT940")
    assert [remark.text for remark in kept.remarks] == ["tabs read as spaces"]
    assert take(stage) == [kept]


def test_a_notification_is_kept_and_books_nothing(stage: Stage) -> None:
    content = statement(0, 1_000, INTEREST)
    for old, new in (
        (b"camt.053", b"camt.054"),
        (b"BkToCstmrStmt", b"BkToCstmrDbtCdtNtfctn"),
        (b"Stmt>", b"Ntfctn>"),
    ):
        content = content.replace(old, new)
    stage.put("n.xml", content)
    stage.put("s.xml", statement(0, 1_000, INTEREST))
    assert verdicts(stage) == {"n.xml": Verdict.NOTED, "s.xml": Verdict.ACCEPTED}
    stage.night.run(DAY)
    assert [line.repeated for line in seen(stage).lines] == [False]


def taken(desk: StatementDesk, path: Path, content: bytes) -> KeptFile:
    path.write_bytes(content)
    return desk.take(path, DAY)


def test_a_table_without_balances_goes_on_from_the_statement_before(stage: Stage, tmp_path: Path) -> None:
    desk = StatementDesk(stage.ledger.database, stage.participants)
    mapping = {
        "header": ["Date", "Amount"], "columns": {"booking_date": 1, "amount": 2, "text": 3}, "account": "0099001122",
    }  # fmt: skip
    desk.rulebook.add(
        RuleKind.MAPPING, "plain", mapping, author="maker", reason="no other file", at=UnixMs(0)
    )
    stage.put("1.xml", statement(0, 1_000, INTEREST))
    assert verdicts(stage) == {"1.xml": Verdict.ACCEPTED}
    kept = taken(desk, tmp_path / "2.csv", b"Date,Amount,Text\n19/11/2026,5.00,setoran\n")
    assert (kept.verdict, kept.format) == (Verdict.ACCEPTED, "mapping plain 1")
    with stage.ledger.database.transaction() as connection:
        last = store.last_statement(connection, 9)
    assert last is not None
    assert (last.opening, last.closing, last.chain) == (2_050, 2_550, 2)
    assert (
        taken(desk, tmp_path / "3.csv", b"Date,Amount,Text\n19/11/2026,5.00,setoran \n").verdict
        is Verdict.DUPLICATE
    )


def test_staff_may_choose_another_dialect_for_a_bank(stage: Stage, tmp_path: Path) -> None:
    desk = StatementDesk(stage.ledger.database, stage.participants)
    content = mt940(Account("BNI", "0099001122", DATE, 1, Sen(500), [])).replace(b"IDR5,00", b"IDR5")
    assert taken(desk, tmp_path / "1.sta", content).verdict is Verdict.REFUSED
    desk.rulebook.add(RuleKind.DIALECT, "0009", "BTN", author="maker", reason="no commas", at=UnixMs(0))
    assert taken(desk, tmp_path / "1.sta", content).verdict is Verdict.ACCEPTED


def test_the_same_file_again_is_the_same_and_under_another_name_a_duplicate(stage: Stage) -> None:
    stage.put("1.xml", statement(0, 1_000, INTEREST))
    first = take(stage)
    assert take(stage) == first
    stage.put("copy.xml", statement(0, 1_000, INTEREST))
    assert verdicts(stage) == {"1.xml": Verdict.ACCEPTED, "copy.xml": Verdict.DUPLICATE}


def test_the_same_statement_in_other_bytes_is_a_duplicate(stage: Stage) -> None:
    stage.put("1.xml", statement(0, 1_000))
    stage.put("2.xml", statement(0, 1_000).replace(b"\n", b"\n\n", 1))
    assert verdicts(stage) == {"1.xml": Verdict.ACCEPTED, "2.xml": Verdict.DUPLICATE}


def test_a_line_told_twice_is_flagged_and_one_without_an_id_is_not(stage: Stage) -> None:
    stage.put("1.xml", statement(0, 1_000_000, INTEREST, INTEREST, FEE, FEE))
    stage.night.run(DAY)
    night = seen(stage)
    assert [line.repeated for line in night.lines] == [False, True, False, False]
    assert sorted(found.reason.value for found in night.breaks if found.line.sha256) == [
        "duplicate line", "unexpected on statement", "unexpected on statement", "unexpected on statement",
    ]  # fmt: skip
    assert night.sums.adds_up


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"garbage",
            "it is no XML and no MT940, and no mapping knows its header (there is none): look whether it is the bank's file, or make a mapping for it",
        ),
        (statement(0, 0, account="999"), "account 999 is none of ours"),
        (statement(0, 0).replace(b"IDR", b"USD"), "an account in USD"),
        (b"", "no statement in this file"),
    ],
)
def test_law_06_a_refused_file_is_kept_byte_for_byte_with_its_reason(
    stage: Stage, content: bytes, reason: str
) -> None:
    stage.put("bad.sta", content)
    (kept,) = take(stage)
    assert (kept.verdict, kept.bytes) == (Verdict.REFUSED, len(content))
    assert reason in kept.reason
    with stage.ledger.database.transaction() as connection:
        assert store.content_of(connection, digest(content)) == content
        assert store.statements_of(connection, DAY) == []
    assert take(stage) == [kept]


def test_a_file_whose_second_statement_is_wrong_is_refused_whole(stage: Stage) -> None:
    first, second = statement(0, 1_000, INTEREST), statement(1, 1_000, INTEREST)
    body = second[second.index(b"<Stmt>") : second.index(b"</BkToCstmrStmt>")]
    stage.put("two.xml", first.replace(b"</BkToCstmrStmt>", body + b"</BkToCstmrStmt>"))
    assert verdicts(stage) == {"two.xml": Verdict.REFUSED}
    with stage.ledger.database.transaction() as connection:
        assert store.last_statement(connection, 9) is None


def test_law_10_a_file_over_the_limit_is_refused_by_its_size_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "FILE_BYTES_MAX", 100)
    stage.put("big.xml", statement(0, 0))
    assert verdicts(stage) == {"big.xml": Verdict.REFUSED}


def test_law_10_a_folder_of_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "FILES_MAX", 2)
    for number in range(3):
        (tmp_path / f"{number}.xml").write_bytes(b"x")
    with pytest.raises(StatementTooLarge, match="3 files"):
        folder.incoming(tmp_path)


def test_a_file_whose_name_is_no_text_is_taken_in_all_the_same(stage: Stage) -> None:
    stage.put(os.fsdecode(b"rek\xff.xml"), statement(0, 1_000))
    assert verdicts(stage) == {"rek\N{REPLACEMENT CHARACTER}.xml": Verdict.ACCEPTED}


def test_hidden_files_and_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".part").write_bytes(b"x")
    (tmp_path / "old").mkdir()
    assert folder.incoming(tmp_path) == folder.incoming(tmp_path / "nowhere") == []


def seen(stage: Stage) -> NightView:
    night = view(stage.ledger.database, DAY)
    assert night is not None
    return night


def test_a_break_closes_when_its_proof_comes_and_the_night_that_found_it_stays(stage: Stage) -> None:
    stage.night.run(DAY)
    stage.put("1.xml", statement(0, 0))
    missing = stage.night.run(DAY)
    of_bni = [item for item in seen(stage).items if item.bank == 9]
    assert dict(missing.breaks_by_reason) == {"missing on statement": len(of_bni)}
    late = [Movement(item.amount, item.told, "", "") for item in of_bni]
    stage.put("2.xml", statement(1, 0, *late))
    done = stage.night.run(DAY)
    assert (done.breaks_by_reason, len(seen(stage).breaks)) == ((), len(of_bni))
    assert {found.closed_night for found in seen(stage).breaks} == {DAY}
