"""Debits, credits and holds of wallets over real sockets, on both databases: each once, refused when short, answered when durable."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from keys.clock import UnixMs
from ledger.book import Ledger
from ledger.chain.store import read_documents
from ledger.clients.scopes import Party, PartyKind, Scope
from ledger.http.asgi import JSON
from ledger.orders import store
from ledger.orders.order import Fingerprint
from ledger.orders.tables import order_answers
from ledger.orders.unit import KEPT_MS
from tests.ledger.entries import SetClock
from tests.ledger.served import BANK, Partner, Served, card, order, standing_still, wallet
from tests.ledger.units import Plain

if TYPE_CHECKING:
    from collections.abc import Iterator


PROBLEMS = "/problems/"
NOON = UnixMs(1_748_840_400_000)


def expect_problem(response: httpx2.Response, status: int, name: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["type"] == PROBLEMS + name
    assert found["status"] == status
    return found


@pytest.fixture(scope="module")
def served(module_url: str) -> Iterator[Served]:
    """One server for all tests here, on each database: every test has wallets of its own."""
    with Ledger.open(module_url, SetClock(NOON)) as ledger, Served(ledger) as opened:
        yield opened


@pytest.fixture(scope="module")
def partner(served: Served) -> Partner:
    return served.client("partner")


@pytest.fixture
def own(ledger: Ledger) -> Iterator[Served]:
    """A server of the test's own."""
    with Served(ledger) as opened:
        yield opened


def test_a_debit_moves_money_and_says_what_is_left(served: Served, partner: Partner) -> None:
    partner.fund(1, 5_000_000)
    answer = partner.post("/v1/debits", order(1, 350_000))
    assert answer.status_code == 201
    said = answer.json()
    assert said["wallet"] == {"posted": 4_650_000, "held": 0, "available": 4_650_000}
    assert served.ledger.balance(wallet(1)).debits_posted == 350_000
    account = partner.http.get(f"/v1/accounts/{wallet(1)}").json()
    assert (account["net"], account["display"]) == (4_650_000, "Rp46.500")


def test_law_05_an_online_debit_is_refused_when_short(served: Served, partner: Partner) -> None:
    partner.fund(2, 300_000)
    said = expect_problem(partner.post("/v1/debits", order(2, 300_001)), 422, "insufficient-funds")
    assert said["available"] == 300_000
    assert served.ledger.balance(wallet(2)).debits_posted == 0
    assert partner.post("/v1/debits", order(2, 300_000)).status_code == 201


def test_concurrent_debits_never_take_more_than_there_is(served: Served, partner: Partner) -> None:
    partner.fund(3, 1_000)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: partner.post("/v1/debits", order(3, 100)), range(40)))
    assert [answer.status_code for answer in answers].count(201) == 10
    left = sorted(answer.json()["wallet"]["available"] for answer in answers if answer.status_code == 201)
    assert left == list(range(0, 1_000, 100))
    assert served.ledger.balance(wallet(3)).net(wallet(3)) == 0


def test_law_03_the_same_key_gets_the_first_answer_byte_for_byte(served: Served, partner: Partner) -> None:
    partner.fund(4, 500_000)
    first = partner.post("/v1/debits", order(4, 400_000), key="sale-17")
    again = partner.post("/v1/debits", order(4, 400_000), key="sale-17")
    quoted = partner.post("/v1/debits", order(4, 400_000), key='"sale-17"')
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert quoted.content == first.content
    short = partner.post("/v1/debits", order(4, 400_000), key="sale-18")
    partner.fund(4, 500_000)
    assert partner.post("/v1/debits", order(4, 400_000), key="sale-18").content == short.content
    assert served.ledger.balance(wallet(4)).debits_posted == 400_000


def test_the_first_answer_survives_a_restart(url: str, clock: SetClock) -> None:
    with Ledger.open(url, clock) as ledger, Served(ledger) as served:
        partner = served.client("partner")
        partner.fund(5, 500_000)
        first = partner.post("/v1/debits", order(5, 1_000), key="before")
        headers = dict(partner.http.headers)
    with (
        Ledger.open(url, clock) as ledger,
        Served(ledger) as served,
        httpx2.Client(base_url=served.server.address, headers=headers, timeout=60) as http,
    ):
        assert Partner(http).post("/v1/debits", order(5, 1_000), key="before").content == first.content
        assert ledger.balance(wallet(5)).debits_posted == 1_000


def test_the_same_key_with_another_body_or_address_is_refused(partner: Partner) -> None:
    partner.fund(6, 500_000)
    assert partner.post("/v1/debits", order(6, 1_000), key="k6").status_code == 201
    expect_problem(partner.post("/v1/debits", order(6, 1_001), key="k6"), 422, "idempotency-key-reused")
    expect_problem(partner.post("/v1/holds", order(6, 1_000), key="k6"), 422, "idempotency-key-reused")


def test_one_key_means_something_else_for_somebody_else(served: Served, partner: Partner) -> None:
    other = served.client("other")
    partner.fund(7, 500_000)
    assert partner.post("/v1/debits", order(7, 1_000), key="k").status_code == 201
    assert other.post("/v1/debits", order(7, 2_000), key="k").status_code == 201


def test_a_key_that_is_missing_or_no_key_is_refused(partner: Partner) -> None:
    bare = partner.http.post("/v1/debits", json=order(8, 1_000))
    expect_problem(bare, 400, "idempotency-key-missing")
    for wrong in ("", "a b", '"open', "x" * 65):
        expect_problem(partner.post("/v1/debits", order(8, 1_000), key=wrong), 400, "idempotency-key-missing")


def test_a_request_whose_key_is_under_way_is_told_so(served: Served, partner: Partner) -> None:
    partner.fund(9, 500_000)
    with ThreadPoolExecutor(2) as pool, standing_still(served.ledger):
        asked = [pool.submit(partner.post, "/v1/debits", order(9, 1_000), "twice") for _ in range(2)]
        early = next(as_completed(asked))
        expect_problem(early.result(), 409, "idempotency-key-in-use")
    assert {one.result().status_code for one in asked} == {201, 409}


def test_answers_are_forgotten_after_a_week_and_not_before(own: Served, clock: SetClock) -> None:
    partner = own.client("partner")
    partner.fund(10, 500_000)
    first = partner.post("/v1/debits", order(10, 1_000), key="old")
    clock.at = UnixMs(clock.at + KEPT_MS)
    assert partner.post("/v1/debits", order(10, 1_000), key="old").content == first.content
    clock.at = UnixMs(clock.at + 1)
    assert partner.post("/v1/debits", order(10, 1_000), key="old").content != first.content
    own.rooms.desk._cleared_at = float("-inf")
    partner.post("/v1/debits", order(10, 1_000), key="new")
    with own.ledger.database.transaction() as connection:
        assert store.count_answers(connection) == 2


def test_old_answers_go_faster_than_new_ones_come(own: Served, clock: SetClock) -> None:
    partner = own.client("partner")
    partner.fund(18, 500_000)
    old = UnixMs(clock.at - KEPT_MS - 1)
    rows = [store.AnswerRow("gone", f"k{n}", Fingerprint(bytes(32)), old, 201, b"{}") for n in range(250)]
    unit = Plain(settle=lambda tx: tx.add(order_answers, store.columns_of(rows)))
    own.ledger.writer.submit(unit).result()
    own.rooms.desk._cleared_at = float("-inf")
    left = []
    for _ in range(4):
        partner.post("/v1/debits", order(18, 1))
        with own.ledger.database.transaction() as connection:
            left.append(store.count_answers(connection))
    assert left == [250 + 1 - 102 + 1, 250 + 1 - 204 + 2, 1 + 3, 1 + 4]


def test_a_hold_is_captured_in_part_and_the_rest_comes_back(served: Served, partner: Partner) -> None:
    partner.fund(11, 500_000)
    held = partner.post("/v1/holds", order(11, 400_000)).json()
    assert held["wallet"] == {"posted": 500_000, "held": 400_000, "available": 100_000}
    number = held["position"]
    expect_problem(partner.post("/v1/debits", order(11, 100_001)), 422, "insufficient-funds")
    assert partner.http.get(f"/v1/holds/{number}").json()["pending"] is True
    taken = partner.post(f"/v1/holds/{number}/capture", {"amount": 250_000}).json()
    assert taken["wallet"] == {"posted": 250_000, "held": 0, "available": 250_000}
    assert partner.http.get(f"/v1/holds/{number}").json()["pending"] is False
    again = expect_problem(partner.post(f"/v1/holds/{number}/capture"), 422, "order-not-posted")
    assert again["result"] == "hold_not_pending"
    assert served.ledger.balance(wallet(11)).debits_posted == 250_000


def test_a_hold_whose_time_is_over_goes_back_and_is_captured_no_more(own: Served, clock: SetClock) -> None:
    partner = own.client("partner")
    partner.fund(17, 500_000)
    held = partner.post("/v1/holds", order(17, 500_000) | {"seconds": 60}).json()
    assert held["expires_at"] == clock.at + 60_000
    assert partner.http.get(f"/v1/holds/{held['position']}").json()["expires_at"] == held["expires_at"]
    clock.at = UnixMs(held["expires_at"])
    late = expect_problem(partner.post(f"/v1/holds/{held['position']}/capture"), 422, "order-not-posted")
    assert late["result"] in {"hold_expired", "hold_not_pending"}
    until = time.monotonic() + 60
    while own.ledger.balance(wallet(17)).debits_pending and time.monotonic() < until:
        time.sleep(0.05)
    assert partner.post("/v1/debits", order(17, 500_000)).status_code == 201


@pytest.mark.parametrize("seconds", [0, -1, 1.5, "60", 31 * 86_400 + 1, None])
def test_a_hold_for_no_time_or_for_ever_is_refused(partner: Partner, seconds: object) -> None:
    expect_problem(partner.post("/v1/holds", order(1, 1) | {"seconds": seconds}), 422, "bad-request")


def test_a_hold_is_captured_whole_or_given_back(partner: Partner) -> None:
    partner.fund(12, 500_000)
    whole = partner.post("/v1/holds", order(12, 200_000)).json()["position"]
    back = partner.post("/v1/holds", order(12, 300_000)).json()["position"]
    said = expect_problem(
        partner.post(f"/v1/holds/{whole}/capture", {"amount": 200_001}), 422, "hold-exceeded"
    )
    assert "200000" in said["detail"]
    assert partner.post(f"/v1/holds/{whole}/capture").json()["wallet"]["posted"] == 300_000
    assert partner.post(f"/v1/holds/{back}/void").json()["wallet"]["available"] == 300_000


def test_only_holds_on_wallets_and_of_the_own_party_are_seen(served: Served, partner: Partner) -> None:
    partner.fund(13, 500_000)
    mine = partner.post("/v1/holds", order(13, 1_000)).json()["position"]
    stranger = served.client("stranger", Scope.HOLDS, party=Party(PartyKind.MERCHANT, 503))
    for number in (mine, 1, 999_999_999):
        expect_problem(stranger.http.get(f"/v1/holds/{number}"), 404, "hold-unknown")
        expect_problem(stranger.post(f"/v1/holds/{number}/capture"), 404, "hold-unknown")
        expect_problem(stranger.post(f"/v1/holds/{number}/void"), 404, "hold-unknown")


def test_a_client_of_one_party_moves_and_sees_its_money_only(served: Served, partner: Partner) -> None:
    partner.fund(14, 500_000)
    shop = served.client("shop", Scope.DEBITS, Scope.ACCOUNTS, party=Party(PartyKind.MERCHANT, 502))
    assert shop.post("/v1/debits", order(14, 1_000)).status_code == 201
    other = {"kind": "merchant", "number": 503}
    expect_problem(shop.post("/v1/debits", order(14, 1_000, other)), 403, "scope-missing")
    expect_problem(shop.http.get(f"/v1/accounts/{wallet(14)}"), 403, "scope-missing")


@pytest.mark.parametrize(
    ("path", "scope"),
    [("/v1/debits", Scope.CREDITS), ("/v1/credits", Scope.DEBITS), ("/v1/holds", Scope.ACCOUNTS)],
)
def test_a_token_without_the_scope_is_refused(served: Served, path: str, scope: Scope) -> None:
    narrow = served.client(f"narrow-{scope}", scope)
    said = expect_problem(narrow.post(path, order(15, 1_000)), 403, "scope-missing")
    assert "narrow" in said["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"card": card(1)[:-1] + str((int(card(1)[-1]) + 1) % 10)},
        {"card": "9360"},
        {"card": 9_360_000_900_000_012},
        {"party": {"kind": "city", "number": 1}},
        {"party": {"kind": "merchant", "number": 0}},
        {"party": BANK},
        {"amount": 0},
        {"amount": -1},
        {"amount": 1.5},
        {"amount": "1"},
        {"amount": True},
        {"amount": 1 << 70},
        {"purse": 1},
    ],
    ids=repr,
)
def test_an_order_that_is_none_is_refused_and_moves_nothing(
    served: Served, partner: Partner, change: dict[str, Any]
) -> None:
    partner.fund(1, 1_000_000)
    before = served.ledger.head()
    response = partner.post("/v1/debits", order(1, 1_000) | change)
    assert response.status_code == 422, response.text
    assert response.json()["type"] in {PROBLEMS + "bad-request", PROBLEMS + "order-invalid"}
    assert served.ledger.head() == before


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"card":', b"\xff", b"[" * 4000, b"1" * 4096, b"x" * 4097]
)
def test_bytes_that_are_no_order_are_refused(partner: Partner, body: bytes) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": JSON}
    response = partner.http.post("/v1/debits", content=body, headers=headers)
    assert response.status_code in {400, 413, 422}, response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_what_orders_did_is_in_the_chain_with_who_asked(served: Served, partner: Partner) -> None:
    partner.fund(16, 1_000)
    partner.post("/v1/debits", order(16, 1_000), key="the-key")
    with served.ledger.database.transaction() as connection:
        document = json.loads(read_documents(connection, served.ledger.head().block)[0])
    [[client, key, fingerprint, status]] = document["orders"]
    assert (client, key, len(fingerprint), status) == ("partner", "the-key", 64, 201)
