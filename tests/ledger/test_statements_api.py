"""Statements over HTTP, as JSON and CSV, page by page while the account moves; balances as they were."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

from keys.clock import UnixMs, date_of
from ledger.book import Ledger
from ledger.clients.scopes import Party, PartyKind, Scope
from tests.ledger.entries import SetClock
from tests.ledger.served import MERCHANT, Served, order, wallet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ledger.served import Partner

NOON = UnixMs(1_748_840_400_000)
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def clock() -> SetClock:
    return SetClock(NOON)


@pytest.fixture(scope="module")
def served(module_url: str, clock: SetClock) -> Iterator[Served]:
    clock.at = NOON
    with Ledger.open(module_url, clock) as ledger, Served(ledger) as opened:
        yield opened


@pytest.fixture(scope="module")
def partner(served: Served) -> Partner:
    return served.client("staff")


def page(partner: Partner, serial: int, **asked: Any) -> dict[str, Any]:
    answer = partner.http.get(f"/v1/accounts/{wallet(serial)}/statement", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def net(sums: dict[str, int]) -> int:
    return sums["credits_posted"] - sums["debits_posted"]


@pytest.mark.parametrize("paged", [False, True], ids=["from the journal", "from pages"])
def test_pages_follow_each_other_while_the_account_moves(
    served: Served, partner: Partner, paged: bool
) -> None:
    serial = 1 + paged
    partner.fund(serial, 1_000)
    for _ in range(11):
        partner.post("/v1/debits", order(serial, 10))
    if paged:
        served.indexer.catch_up()
    lines: list[dict[str, Any]] = []
    cursor = ""
    while True:
        found = page(partner, serial, limit=5, cursor=cursor)
        lines += found["lines"]
        if found["next"] is None:
            break
        cursor = found["next"]
        partner.post("/v1/debits", order(serial, 1))
    assert [line["amount"] for line in lines] == [1_000] + [10] * 11
    assert [net(line["balance"]) for line in lines] == list(range(1_000, 880, -10))
    assert (net(found["opening"]), net(found["closing"])) == (0, 890)
    newest = page(partner, serial, limit=500, newest_first=True)
    assert [line["amount"] for line in newest["lines"]] == [1] * 2 + [10] * 11 + [1_000]


def test_a_line_says_what_it_was(partner: Partner) -> None:
    partner.fund(3, 1_000)
    hold = partner.post("/v1/holds", order(3, 400)).json()["position"]
    partner.post(f"/v1/holds/{hold}/capture", {"amount": 300})
    given, held, taken = page(partner, 3)["lines"]
    assert (given["side"], given["kind"], given["state"], given["hold"]) == (
        "credit",
        "deposit",
        "posted",
        None,
    )
    assert (held["side"], held["state"], held["amount"], held["balance"]["debits_pending"]) == (
        "debit",
        "held",
        400,
        400,
    )
    assert (taken["kind"], taken["state"], taken["hold"], taken["amount"]) == ("sale", "posted", hold, 300)
    assert taken["counterparty_name"].startswith("merchant payable 502")
    assert taken["balance"] == {
        "debits_posted": 300,
        "credits_posted": 1_000,
        "debits_pending": 0,
        "credits_pending": 0,
    }


def test_a_spreadsheet_gets_the_same_lines(partner: Partner) -> None:
    partner.fund(4, 1_000)
    for _ in range(3):
        partner.post("/v1/debits", order(4, 150))
    address = f"/v1/accounts/{wallet(4)}/statement"
    asked = partner.http.get(address, params={"format": "csv", "limit": 2})
    rows = list(csv.DictReader(io.StringIO(asked.text)))
    assert asked.headers["content-type"] == "text/csv; charset=utf-8"
    assert [(row["side"], row["amount"], row["balance"]) for row in rows] == [
        ("credit", "10.00", "10.00"),
        ("debit", "1.50", "8.50"),
    ]
    rest = partner.http.get(
        address, params={"cursor": asked.headers["next-cursor"]}, headers={"Accept": "text/csv"}
    )
    assert len(list(csv.DictReader(io.StringIO(rest.text)))) == 2
    assert "next-cursor" not in rest.headers
    both = partner.http.get(address, params={"format": "json"}, headers={"Accept": "text/csv"})
    assert len(both.json()["lines"]) == 4


def test_a_period_and_a_past_moment_are_as_they_were(
    served: Served, partner: Partner, clock: SetClock
) -> None:
    partner.fund(5, 1_000)
    first = date_of(served.ledger.open_window())
    clock.at = UnixMs(clock.at + DAY_MS)
    partner.post("/v1/debits", order(5, 100))
    second = date_of(served.ledger.open_window())
    between = clock.at
    clock.at = UnixMs(clock.at + DAY_MS)
    partner.post("/v1/debits", order(5, 10))
    found = page(partner, 5, first=second, last=second)
    assert [line["amount"] for line in found["lines"]] == [100]
    assert (net(found["opening"]), net(found["closing"])) == (1_000, 900)
    assert [line["amount"] for line in page(partner, 5, last=first)["lines"]] == [1_000]
    address = f"/v1/accounts/{wallet(5)}/balance"
    for at, left in ((0, 0), (between - 1, 1_000), (between, 900), (clock.at, 890)):
        assert partner.http.get(address, params={"at": at}).json()["net"] == left, at


def test_statements_need_the_scope_and_are_for_the_own_party(served: Served, partner: Partner) -> None:
    partner.fund(6, 1_000)
    partner.post("/v1/debits", order(6, 100))
    shop = served.client("shop", Scope.ACCOUNTS, party=Party(PartyKind.MERCHANT, MERCHANT["number"]))
    own = page(partner, 6)["lines"][-1]["counterparty"]
    assert shop.http.get(f"/v1/accounts/{own}/statement").status_code == 200
    for what in ("statement", "balance?at=1"):
        assert shop.http.get(f"/v1/accounts/{wallet(6)}/{what}").json()["type"] == "/problems/scope-missing"
    narrow = served.client("narrow", Scope.DEBITS)
    assert narrow.http.get(f"/v1/accounts/{own}/statement").status_code == 403


@pytest.mark.parametrize(
    "cursor", ["x", "a-1-2", "a-5-1-3", "a-0-99999999999-1", "z" * 400, "a-1-1-1-1", "d--1-1-1"]
)
def test_a_cursor_that_no_page_gave_is_refused(partner: Partner, cursor: str) -> None:
    answer = partner.http.get(f"/v1/accounts/{wallet(1)}/statement", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor-refused")
