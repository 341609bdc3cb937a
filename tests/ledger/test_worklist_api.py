"""Quarantine and exceptions page by page, while more is written; health, readiness and metrics of a server at work and of one that cannot."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from keys.clock import UnixMs
from ledger.book import Ledger
from ledger.clients.scopes import Scope
from ledger.errors import CursorRefused, LedgerError
from ledger.health import readiness
from ledger.http import cursors
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind, Reason
from ledger.orders import desk
from ledger.worklist.store import Filters
from tests.ledger.entries import SetClock
from tests.ledger.served import Served, card, order, standing_still
from tests.ledger.units import Plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ledger.served import Partner

NOON = UnixMs(1_748_840_400_000)


@pytest.fixture(scope="module")
def served(module_url: str) -> Iterator[Served]:
    with Ledger.open(module_url, SetClock(NOON)) as ledger, Served(ledger) as opened:
        yield opened


@pytest.fixture(scope="module")
def partner(served: Served) -> Partner:
    return served.client("staff")


def put_in_quarantine(
    served: Served, terminal: int, count: int, *, at: int, reason: Reason = Reason.TMV_WRONG
) -> None:
    rows = [
        quarantine.QuarantineRow(
            terminal, sequence, reason, "why", 1, 1, -350_000, b"raw", UnixMs(at + sequence % 3)
        )
        for sequence in range(1, count + 1)
    ]
    unit = Plain(settle=lambda tx: quarantine.insert_quarantine(tx, rows))
    served.ledger.writer.submit(unit).result()


def raised(served: Served, terminal: int, count: int, *, at: int) -> None:
    rows = [
        quarantine.ExceptionRow(
            sequence % 64, 7, sequence, ExceptionKind.CLOCK_WRONG, terminal, sequence, "why", UnixMs(at)
        )
        for sequence in range(1, count + 1)
    ]
    unit = Plain(settle=lambda tx: quarantine.insert_exceptions(tx, rows))
    served.ledger.writer.submit(unit).result()


def turned(
    partner: Partner, path: str, limit: int, between: Any = lambda: None, **filters: Any
) -> list[dict[str, Any]]:
    """All rows, page by page; something happens between two pages."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = partner.http.get(path, params={"limit": limit, "cursor": cursor, **filters}).json()
        rows += page["rows"]
        assert len(page["rows"]) <= limit
        if page["next"] is None:
            return rows
        cursor = page["next"]
        between()


def test_no_row_comes_twice_and_none_is_missed_while_more_are_written(
    served: Served, partner: Partner
) -> None:
    put_in_quarantine(served, 2001, 25, at=1_000)
    late = iter(range(1, 100))

    def write() -> None:
        put_in_quarantine(served, 3000 + next(late), 1, at=2_000)

    rows = turned(partner, "/v1/quarantine", 4, write, reason="tmv_wrong")
    names = [(row["terminal"], row["sequence"]) for row in rows]
    assert len(set(names)) == len(names)
    assert {(2001, sequence) for sequence in range(1, 26)} <= set(names)
    assert [row["received_at"] for row in rows] == sorted(row["received_at"] for row in rows)
    assert len([name for name in names if name[0] > 3000]) == next(late) - 1


def test_filters_choose_and_pages_of_any_size_say_the_same(served: Served, partner: Partner) -> None:
    put_in_quarantine(served, 2002, 7, at=5_000, reason=Reason.CONFLICT)
    whole = turned(partner, "/v1/quarantine", 500, terminal=2002)
    assert [row["sequence"] for row in whole] == [3, 6, 1, 4, 7, 2, 5]
    for limit in (1, 2, 7, 8):
        assert turned(partner, "/v1/quarantine", limit, terminal=2002) == whole
    with served.ledger.database.writing() as connection:
        quarantine.resolve_quarantine(connection, 2002, 3, "voided", UnixMs(9))
    assert len(turned(partner, "/v1/quarantine", 3, terminal=2002, only_open=True)) == 6
    assert turned(partner, "/v1/quarantine", 3, reason="malformed") == []


def test_exceptions_of_one_moment_come_in_pages_too(served: Served, partner: Partner) -> None:
    raised(served, 2003, 23, at=7_000)
    whole = turned(partner, "/v1/exceptions", 500, terminal=2003)
    assert [row["sequence"] for row in whole] == list(range(1, 24))
    assert turned(partner, "/v1/exceptions", 5, terminal=2003) == whole
    assert turned(partner, "/v1/exceptions", 5, kind="card_blocked") == []


@pytest.mark.parametrize(
    "cursor", ["x", "!!!!", "bnVsbA", "W10", "eyJhIjoxfQ", "W1tbW1tbW1tbW1tb", "A" * 400]
)
def test_a_cursor_that_no_page_gave_is_refused(partner: Partner, cursor: str) -> None:
    answer = partner.http.get("/v1/quarantine", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-refused")


@pytest.mark.parametrize("word", ["a\0", "\ud800", "\u00e9"])
def test_a_cursor_with_a_word_that_a_database_fails_at_is_refused(partner: Partner, word: str) -> None:
    cursor = cursors.written(f"exceptions {Filters(0, '')}", (0, 1, 1, 1, 1, word))
    answer = partner.http.get("/v1/exceptions", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-refused")


def test_a_cursor_of_another_list_is_refused() -> None:
    cursor = cursors.written("a", (1, 2))
    assert cursors.read("a", cursor, (int, int)) == (1, 2)
    for of, kinds in (("b", (int, int)), ("a", (int,)), ("a", (int, str))):
        with pytest.raises(CursorRefused):
            cursors.read(of, cursor, kinds)
    with pytest.raises(CursorRefused):
        cursors.read("a", cursors.written("a", (1 << 63,)), (int,))


def test_a_ledger_at_work_is_ready_and_tells_its_metrics_without_naming_anybody(
    served: Served, partner: Partner
) -> None:
    partner.fund(1, 1_000)
    partner.post("/v1/debits", order(1, 2_000))
    assert partner.http.get("/health").json() == {"status": "ok"}
    assert partner.http.get("/ready").json()["status"] == "ready"
    text = partner.http.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(lines['ledger_orders_total{kind="debit",status="422"}']) >= 1
    assert float(lines['ledger_http_calls_total{method="POST",route="/v1/credits",status="201"}']) >= 1
    assert float(lines["ledger_commit_group_size_sum"]) >= 2
    assert float(lines["ledger_ready"]) == 1
    assert float(lines["ledger_position"]) == served.ledger.head().position
    assert float(lines['ledger_taps_total{result="quarantined"}']) == 0
    named = "".join(
        lines
    )  # the numbers aside: any four digits stand in a sum of seconds, or in a moment, by chance
    for secret in ("9360", partner.http.headers["authorization"].split(".")[2], "staff"):
        assert secret not in named
    assert card(1) not in text


def test_metrics_are_for_this_machine_or_a_token(served: Served, partner: Partner) -> None:
    from_afar = {"X-Forwarded-For": "203.0.113.9"}
    anonymous = partner.http.get("/metrics", headers={**from_afar, "Authorization": ""})
    assert anonymous.status_code == 401
    assert partner.http.get("/metrics", headers=from_afar).status_code == 200
    narrow = served.client("narrow", Scope.DEBITS)
    assert narrow.http.get("/metrics", headers=from_afar).status_code == 403
    assert narrow.http.get("/metrics").status_code == 200


def test_a_writer_that_stands_still_is_not_ready_but_alive(
    served: Served, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "LAG_SECONDS_MAX", 0.2)
    served.rooms.readiness._found_at = float("-inf")
    with standing_still(served.ledger):
        answer = partner.http.get("/ready")
        assert (answer.status_code, answer.json()["failing"]) == (503, ["lag"])
        assert answer.headers["retry-after"] == "1"
        assert partner.http.get("/health").status_code == 200
    monkeypatch.undo()
    served.rooms.readiness._found_at = float("-inf")
    assert partner.http.get("/ready").status_code == 200


def test_a_writer_that_is_late_sends_new_orders_away_at_once(
    served: Served, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "WAIT_SECONDS_MAX", 0.2)
    partner.fund(2, 1_000)
    with ThreadPoolExecutor(1) as pool:
        with standing_still(served.ledger):
            first = pool.submit(partner.post, "/v1/debits", order(2, 1))
            while not served.rooms.desk._under_way:
                time.sleep(0.01)
            time.sleep(0.3)
            answer = partner.post("/v1/debits", order(2, 1))
            assert answer.status_code == 429
            assert answer.headers["retry-after"] == "1"
        assert first.result().status_code == 201


def test_a_full_disk_a_gone_folder_and_a_closed_ledger_are_told(
    served: Served, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    looks = readiness.Readiness(served.ledger, tmp_path, iter(range(0, 1000, 10)).__next__)
    assert looks.look().failing == ()
    monkeypatch.setattr(readiness, "DISK_BYTES_MIN", usage.total + 1)
    assert looks.look().failing == ("disk",)
    assert readiness.Readiness(served.ledger, tmp_path / "gone").look().failing == ("disk",)


def test_a_closed_ledger_is_not_ready(ledger: Ledger) -> None:
    ledger.writer.close()
    found = readiness.Readiness(ledger, None).look()
    assert found.failing[0] == "writer"
    with pytest.raises(LedgerError):
        ledger.post([])
