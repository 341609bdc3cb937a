"""The demo day, as somebody sees it who cloned the repository and typed one command."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hebat.wording import some
from ledger.chart import Code
from ledger.transfer import Flag, Kind
from tests.ledger.unguarded import unguard_file
from tests.system.conftest import hebat

if TYPE_CHECKING:
    from tests.system.conftest import Demo


def test_the_demo_runs_through_and_every_law_holds(demo: Demo) -> None:
    assert demo.ran.code == 0, demo.ran.err
    assert demo.report["sound"]
    assert [law[2] for law in demo.report["laws"]] == [True] * 11


def test_its_report_counts_one_of_a_thing_as_one(demo: Demo) -> None:
    said = " ".join(
        [*(law[3] for law in demo.report["laws"]), *(one["told"] for one in demo.report["pockets"])]
    )
    assert "1 refused batch kept" in said
    assert re.findall(r"\b1 (?:\w+ )?(?:batches|orders|loads|records|banks|wait|were)\b", said) == []


def test_its_breaks_are_exactly_the_planted_ones_each_named(demo: Demo) -> None:
    reasons = sorted(found["reason"] for found in demo.report["breaks"])
    assert reasons == ["amount differs", "duplicate line", "missing on statement", "unexpected on statement"]
    assert all(found["planted"] for found in demo.report["breaks"])
    assert (demo.report["missed"], demo.report["unplanted"], demo.report["statements"]) == (0, 0, 3)


def test_all_three_pockets_are_used_and_two_banks_agree_with_the_books(demo: Demo) -> None:
    """Holders' accounts at two banks that are processes of their own: orders done once, answers lost and asked after, one order that waits for the bank's hours."""
    tapcash, wallet, saving = demo.report["pockets"]
    assert (tapcash["count"], wallet["count"], saving["count"]) == (60, 16, 16)
    written = demo.report["screens"]["load from the wallet"]["green"]
    assert f"; {some(written, 'load')} onto the chip, " in wallet["told"]
    with closing(sqlite3.connect(demo.folder / "ledger.db")) as database:
        by_itself = "SELECT count(*) FROM wallet_loads WHERE automatic = 1 AND fate = 'written'"
        automatic = database.execute(by_itself).fetchone()[0]
    assert 0 < automatic < written
    assert f"chip, {automatic} of them automatic, " in wallet["told"]
    with closing(sqlite3.connect(demo.folder / "ledger.db")) as database:
        ours = f"kind = {int(Kind.LOAD)} AND debit >> 56 = {int(Code.WALLET)} AND flags & {int(Flag.UNPOSTED)} = 0"
        assert database.execute(f"SELECT count(*) FROM transfers WHERE {ours}").fetchone() == (written,)
    assert "orders done" in saving["told"]
    assert "0 without an answer" not in saving["told"]
    assert saving["told"].endswith("1 waits for its bank")
    checks = {check["name"]: check for check in demo.report["night"]["three_way"]}
    mirror, away = checks["savings: mirror less bank"], checks["savings: accounts not told"]
    assert (mirror["checked"], mirror["figure"], away["checked"], away["figure"]) == (16, 0, 16, 0)
    law = next(law for law in demo.report["laws"] if law[0] == 7)
    assert "2 banks' own books hold what ours say" in law[3]
    forms = {path.suffix for path in (demo.folder / "banks" / "inbox").iterdir()}
    assert forms == {".sta", ".xml"}


def test_its_money_is_the_journals(demo: Demo) -> None:
    with closing(sqlite3.connect(demo.folder / "ledger.db")) as database:
        posted = f"FROM transfers WHERE flags & {int(Flag.UNPOSTED)} = 0"
        journal = dict(database.execute(f"SELECT kind, sum(amount) {posted} GROUP BY kind").fetchall())
        debits = database.execute(f"SELECT sum(amount) {posted}").fetchone()[0]
    told = {line["kind"]: line["sen"] for line in demo.report["kinds"]}
    assert told == {"load": journal[4], "fare": journal[1], "subsidy": journal[2], "sale": journal[3]}
    assert demo.report["debits"] == demo.report["credits"] == debits


def test_what_went_wrong_is_refused_for_its_reason_and_kept(demo: Demo) -> None:
    reasons = {(reason, resolution) for reason, resolution, _ in demo.report["quarantine"]}
    assert reasons == {("conflict", "open"), ("unconfirmed", "voided"), ("unconfirmed", "witnessed")}
    assert set(demo.report["exceptions"]) <= {
        "clone_or_replay", "counter_missing", "intent_settled", "intent_voided",
    }  # fmt: skip
    attacks = {name: status for name, status, _ in demo.report["attacks"]}
    assert attacks == {"forged batch": 401, "replayed batch": 200}
    assert (
        demo.report["screens"]["fare"]["red: the purse holds 0 rupiah and 3500 are due: load the card"] == 1
    )
    assert demo.report["exceptions"]["clone_or_replay"] == 1


def test_each_hole_in_a_cards_counters_by_the_cut_off_is_an_exception(demo: Demo) -> None:
    gaps = (
        "SELECT count(*) FROM (SELECT tmc - lag(tmc) OVER (PARTITION BY uid ORDER BY tmc) AS step FROM taps"
        " WHERE business_date = (SELECT min(business_date) FROM settlements)) WHERE step > 1"
    )
    with closing(sqlite3.connect(demo.folder / "ledger.db")) as database:
        holes = database.execute(gaps).fetchone()[0]
    assert demo.report["exceptions"].get("counter_missing", 0) == holes > 0


def test_the_same_seed_gives_the_same_money(demo: Demo, tmp_path: Path) -> None:
    import json  # noqa: PLC0415

    again = json.loads(
        hebat("demo", "--cards", "60", "--seed", "5", "--keep", tmp_path / "again", "--json").out
    )
    for figure in ("kinds", "positions", "trial", "breaks", "screens"):
        assert again[figure] == demo.report[figure]


def test_people_see_a_table_of_everything_and_a_verdict(tmp_path: Path) -> None:
    ran = hebat("demo", "--cards", "20")
    assert ran.code == 0
    for heading in (
        "What the cards did",
        "What was refused",
        "Positions",
        "Breaks",
        "Trial balance",
        "The laws",
        "Chain head",
    ):
        assert heading in ran.out
    assert "every law held, breaks are the planted ones" in ran.out
    assert "http://" not in ran.out, "its pages went with the day"
    assert "To look at the pages: ./run demo --serve" in ran.out


def test_a_kept_day_names_the_addresses_at_which_it_will_be_served(tmp_path: Path) -> None:
    ran = hebat("demo", "--cards", "20", "--keep", tmp_path / "city")
    assert "http://127.0.0.1:8460/night/2026-11-18" in ran.out
    assert f"./run serve --data {tmp_path / 'city'}" in ran.out


def test_verify_passes_after_the_demo(demo: Demo) -> None:
    ran = hebat("ledger", "verify", "--data", demo.folder)
    assert ran.code == 0, ran.err
    assert "Transaction MACs recomputed" in ran.out


CHANGES = {
    "an amount": "UPDATE transfers SET amount = amount + 1 WHERE position = 57",
    "an account": "UPDATE transfers SET credit = credit + 1 WHERE position = 57",
    "a time": "UPDATE transfers SET occurred_at = occurred_at + 1 WHERE position = 57",
    "a row taken out": "DELETE FROM transfers WHERE position = 57",
    "a block's digest": "UPDATE blocks SET digest = zeroblob(32) WHERE block = 9",
    "a signed batch": "UPDATE documents SET body = CAST(x'00' || substr(body, 2) AS BLOB) WHERE rowid = (SELECT max(rowid) FROM documents)",
    "a balance": "UPDATE snapshot_chunks SET body = CAST(substr(body, 1, 40) || x'00' || substr(body, 42) AS BLOB)",
    "a tap": "UPDATE taps SET amount = amount - 100 WHERE tmc = 2 AND uid = (SELECT max(uid) FROM taps)",
}


@pytest.mark.parametrize("change", CHANGES)
def test_verify_names_the_place_of_a_change(demo: Demo, tmp_path: Path, change: str) -> None:
    folder = tmp_path / "city"
    shutil.copytree(demo.folder, folder)
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as database:
        unguard_file(database)
        assert database.execute(CHANGES[change]).rowcount == 1
    ran = hebat("ledger", "verify", "--data", folder)
    assert ran.code == 3
    assert "Traceback" not in ran.err
    assert any(place in ran.err for place in ("position", "block", "partition", "account")), ran.err


def test_verify_notices_one_changed_byte_of_the_file(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "city"
    shutil.copytree(demo.folder, folder)
    path = folder / "ledger.db"
    with closing(sqlite3.connect(path)) as database:
        (signed,) = database.execute(
            "SELECT max(body) FROM documents WHERE length(body) BETWEEN 300 AND 900"
        ).fetchone()
    whole, piece = path.read_bytes(), signed[100:200]
    assert piece in whole
    # SQLite leaves stale copies of moved cells behind: the byte changes in each of them.
    path.write_bytes(whole.replace(piece, piece[:50] + bytes([piece[50] ^ 1]) + piece[51:]))
    ran = hebat("ledger", "verify", "--data", folder)
    assert (ran.code, "block" in ran.err) == (3, True), ran.err


def test_a_damaged_database_gets_one_clear_sentence(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "city"
    shutil.copytree(demo.folder, folder)
    (folder / "ledger.db").write_bytes(b"this is no database at all" * 100)
    for command in ("serve", "ledger verify"):
        ran = hebat(*command.split(), "--data", folder)
        assert ran.code == 3
        assert ran.err.strip().splitlines()[-1].startswith("hebat: ")
        assert "restore" in ran.err
        assert "Traceback" not in ran.err


def test_a_folder_that_holds_no_city_is_told_what_to_do(tmp_path: Path) -> None:
    ran = hebat("serve", "--data", tmp_path)
    assert (ran.code, "hebat demo --keep" in ran.err) == (2, True)


def test_a_folder_that_holds_a_city_is_not_written_over(demo: Demo) -> None:
    before = (demo.folder / "ledger.db").read_bytes()
    ran = hebat("demo", "--keep", demo.folder)
    assert (ran.code, "holds a city already" in ran.err) == (2, True)
    assert (demo.folder / "ledger.db").read_bytes() == before


def test_a_day_may_run_on_a_postgresql_of_its_own_that_leaves_nothing_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="day") as room:
        Path(room).chmod(0o711)  # PostgreSQL runs as somebody else where the tests run as root
        ran = hebat("demo", "--cards", "20", "--seed", "3", "--postgresql", "--json", TMPDIR=room)
        assert ran.code == 0, ran.err
        report = json.loads(ran.out)
        assert (report["database"], report["sound"]) == ("PostgreSQL", True)
        assert list(Path(room).iterdir()) == []
    kept = hebat("demo", "--postgresql", "--keep", "nowhere")
    assert (kept.code, "name yours with HEBAT_DATABASE_URL" in kept.err) == (2, True)
