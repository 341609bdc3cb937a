"""Refunds to wallets over HTTP: each gives back a payment that it names, all of one payment at most what it was, on both databases."""

from __future__ import annotations

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from keys.clock import UnixMs
from keys.money import Sen
from ledger import tables as journal
from ledger.book import Ledger
from ledger.cardholder.records import ReplacementRow, add_replacement
from ledger.chain.store import read_documents
from ledger.chart import Code, account_id, split
from ledger.clients.scopes import Party, PartyKind, Scope
from ledger.errors import PaymentUnknown
from ledger.history.indexing import index
from ledger.intake.tables import cards
from ledger.orders.order import caller_of
from ledger.orders.refunds import Refund, find_payment
from ledger.orders.unit import Orders
from ledger.qris.writing import static_code
from ledger.wallets.desk import WalletDesk
from tests.ledger.entries import SetClock
from tests.ledger.served import BANK, MERCHANT, Served, card, order, standing_still, wallet
from tests.ledger.test_archive import moved
from tests.ledger.test_orders_api import expect_problem
from tests.ledger.test_proofs_checkpoints import add_tables as add_proof_tables
from tests.ledger.test_proofs_checkpoints import book, close
from tests.ledger.test_wallets import SHOP
from tests.ledger.test_wallets_blocked import CLIENT
from tests.ledger.units import Plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

    from tests.ledger.served import Partner

NOON = UnixMs(1_748_840_400_000)
PRICE = 350_000
OTHER = {"kind": "merchant", "number": 503}
SELLER = Party(PartyKind.MERCHANT, 502)


@pytest.fixture(scope="module")
def served(module_url: str) -> Iterator[Served]:
    """One server for all tests here, on each database: every test has wallets of its own."""
    with Ledger.open(module_url, SetClock(NOON)) as ledger, Served(ledger) as opened:
        yield opened


@pytest.fixture(scope="module")
def shop(served: Served) -> Partner:
    return served.client("shop", *Scope)


def bought(shop: Partner, serial: int, amount: int = PRICE) -> int:
    """A payment of a wallet that has just that; its position."""
    shop.fund(serial, amount)
    answer = shop.post("/v1/debits", order(serial, amount))
    assert answer.status_code == 201
    return int(answer.json()["position"])


def give_back(
    shop: Partner,
    serial: int,
    payment: object,
    amount: int,
    *,
    key: str | None = None,
    party: dict[str, Any] = MERCHANT,
) -> httpx2.Response:
    return shop.post("/v1/credits", order(serial, amount, party) | {"payment": payment}, key)


def lines(shop: Partner, account: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.http.get(f"/v1/accounts/{account}/statement").json()["lines"]
    return found


def held(served: Served, serial: int) -> int:
    return served.ledger.balance(wallet(serial)).net(wallet(serial))


def test_a_refund_gives_back_the_payment_that_it_names_and_both_statements_say_which(
    served: Served, shop: Partner
) -> None:
    payment = bought(shop, 1)
    given = give_back(shop, 1, payment, PRICE)
    assert (given.status_code, given.json()["wallet"]["posted"]) == (201, PRICE)
    merchant = account_id(Code.MERCHANT_PAYABLE, split(wallet(1)).partition, 502)
    for account, side in ((wallet(1), "credit"), (merchant, "debit")):
        line = lines(shop, account)[-1]
        told = (line["kind"], line["side"], line["amount"], line["refund_of"], line["position"])
        assert told == ("refund", side, PRICE, payment, given.json()["position"])
    assert [one["refund_of"] for one in lines(shop, wallet(1))] == [None, None, payment]
    sheet = shop.http.get(f"/v1/accounts/{wallet(1)}/statement", params={"format": "csv"}).text
    assert [row["refund_of"] for row in csv.DictReader(io.StringIO(sheet))] == ["", "", str(payment)]
    with served.ledger.database.transaction() as connection:
        document = json.loads(read_documents(connection, served.ledger.head().block)[0])
    assert document["refunds"] == [[given.json()["position"], payment]]


def test_parts_are_given_back_until_nothing_is_left(served: Served, shop: Partner) -> None:
    payment = bought(shop, 2)
    assert give_back(shop, 2, payment, 100_000).status_code == 201
    said = expect_problem(give_back(shop, 2, payment, PRICE - 100_000 + 1), 422, "refund-exceeded")
    assert said["left"] == PRICE - 100_000
    assert give_back(shop, 2, payment, PRICE - 100_000).status_code == 201
    assert expect_problem(give_back(shop, 2, payment, 1), 422, "refund-exceeded")["left"] == 0
    assert held(served, 2) == PRICE


def test_no_more_than_the_payment_is_given_back_at_once(served: Served, shop: Partner) -> None:
    payment = bought(shop, 3)
    said = expect_problem(give_back(shop, 3, payment, PRICE + 1), 422, "refund-exceeded")
    assert said["left"] == PRICE
    assert held(served, 3) == 0


def test_refunds_that_come_at_once_together_give_back_what_was_paid(served: Served, shop: Partner) -> None:
    """They wait while the writer stands still, so that several units and commits are full of them."""
    payments = {serial: bought(shop, serial, 1_000) for serial in (4, 5)}
    callers = [served.client(f"till{number}", Scope.CREDITS) for number in range(8)]

    def ask(number: int) -> tuple[int, int]:
        serial = 4 + number % 2
        return serial, give_back(callers[number % 8], serial, payments[serial], 300).status_code

    with ThreadPoolExecutor(16) as pool:
        with standing_still(served.ledger):
            asked = [pool.submit(ask, number) for number in range(24)]
        answers = [one.result() for one in asked]
    for serial in payments:
        assert sorted(status for one, status in answers if one == serial) == [201] * 3 + [422] * 9
        assert held(served, serial) == 900


def test_units_of_one_commit_give_a_payment_back_once(served: Served, shop: Partner) -> None:
    """Without the desk, which lets only one refund of a payment into a unit: two in one unit, and a third behind them in the same commit."""
    paid = find_payment(served.ledger.database, bought(shop, 6), card(6), SELLER)
    asked = [
        Refund.of(caller_of(CLIENT, f"R6-{number}", b""), card(6), SELLER, PRICE, paid) for number in range(3)
    ]
    with standing_still(served.ledger):
        units = [served.ledger.writer.submit(Orders(some)) for some in (asked[:2], asked[2:])]
    assert [one.status for unit in units for one in unit.result()] == [201, 422, 422]
    assert held(served, 6) == PRICE


def test_the_same_refund_again_is_the_first_and_another_under_its_key_is_refused(
    served: Served, shop: Partner
) -> None:
    payment, other = bought(shop, 7), bought(shop, 7)
    first = give_back(shop, 7, payment, 1_000, key="back-7")
    assert give_back(shop, 7, payment, 1_000, key="back-7").content == first.content
    for changed in ({"amount": 1_001}, {"payment": other}):
        body = order(7, 1_000) | {"payment": payment} | changed
        expect_problem(shop.post("/v1/credits", body, "back-7"), 422, "idempotency-key-reused")
    assert held(served, 7) == 1_000


def test_what_was_given_back_is_known_after_a_restart(url: str, clock: SetClock) -> None:
    for opened in range(2):
        with Ledger.open(url, clock) as ledger, Served(ledger) as served:
            shop = served.client(f"shop{opened}", *Scope)
            if not opened:
                payment = bought(shop, 8)
                assert give_back(shop, 8, payment, PRICE).status_code == 201
            else:
                expect_problem(give_back(shop, 8, payment, 1), 422, "refund-exceeded")
                assert lines(shop, wallet(8))[-1]["refund_of"] == payment


def test_a_payment_that_is_in_the_archive_is_given_back_as_any_other(
    url: str, clock: SetClock, tmp_path: Path
) -> None:
    add_proof_tables(url)
    with Ledger.open(url, clock) as ledger, Served(ledger) as served:
        first, shop = ledger.open_window(), served.client("shop", *Scope)
        payment = bought(shop, 8)
        assert give_back(shop, 8, payment, 100_000).status_code == 201
        close(ledger, clock)
        bought(shop, 9)
        index(ledger.database)
        book(ledger.database).make_all()
        ledger.snapshot()
    assert [one.span.business_date for one in moved(url, first, tmp_path / "archive", clock)] == [first]
    with Ledger.open(url, clock) as ledger, Served(ledger) as served:
        shop = served.client("again", *Scope)
        assert row_at_live(ledger, payment) == 0
        expect_problem(give_back(shop, 9, payment, 1), 404, "payment-unknown")
        said = expect_problem(give_back(shop, 8, payment, PRICE), 422, "refund-exceeded")
        assert said["left"] == PRICE - 100_000
        assert give_back(shop, 8, payment, PRICE - 100_000).status_code == 201
        told = [one["refund_of"] for one in lines(shop, wallet(8))]
        assert told == [None, None, payment, payment]


def row_at_live(ledger: Ledger, position: int) -> int:
    """How many rows of the journal's table stand at a position."""
    with ledger.database.transaction() as connection:
        table = journal.transfers
        counted = sa.select(sa.func.count()).select_from(table).where(table.c.position == position)
        return connection.execute(counted).scalar_one()


def test_a_merchant_that_names_no_payment_gives_nothing_and_a_bank_names_none(shop: Partner) -> None:
    payment = bought(shop, 9)
    said = expect_problem(shop.post("/v1/credits", order(9, 1)), 422, "order-invalid")
    assert "name it by its position" in said["detail"]
    expect_problem(give_back(shop, 9, payment, 1, party=BANK), 422, "order-invalid")
    for wrong in (0, -1, 1.5, "1", 1 << 63, True):
        expect_problem(give_back(shop, 9, wrong, 1), 422, "bad-request")


def test_only_a_payment_of_that_wallet_to_that_merchant_is_given_back(served: Served, shop: Partner) -> None:
    payment = bought(shop, 10)
    deposit = lines(shop, wallet(10))[0]["position"]
    bought(shop, 11)
    hold = shop.post("/v1/holds", {**order(10, 1), "amount": 1})
    assert hold.status_code == 422, "the wallet is empty"
    shop.fund(10, 1_000)
    hold = shop.post("/v1/holds", order(10, 1_000))
    void = shop.post(f"/v1/holds/{hold.json()['position']}/void")
    given = give_back(shop, 10, payment, 1)
    wrong = [(10, one.json()["position"], MERCHANT) for one in (hold, void, given)]
    wrong += [(10, deposit, MERCHANT), (11, payment, MERCHANT), (10, payment, OTHER), (10, 1 << 62, MERCHANT)]
    for serial, number, party in wrong:
        expect_problem(give_back(shop, serial, number, 1, party=party), 404, "payment-unknown")
    assert (held(served, 10), held(served, 11)) == (1_001, 0)


def test_a_hold_is_given_back_up_to_what_was_captured(served: Served, shop: Partner) -> None:
    shop.fund(12, 1_000)
    hold = shop.post("/v1/holds", order(12, 1_000)).json()["position"]
    captured = shop.post(f"/v1/holds/{hold}/capture", {"amount": 400}).json()["position"]
    assert expect_problem(give_back(shop, 12, captured, 401), 422, "refund-exceeded")["left"] == 400
    assert give_back(shop, 12, captured, 400).status_code == 201
    assert held(served, 12) == 1_000


def test_a_payment_by_qr_is_given_back_tip_and_all_by_its_merchant_alone(
    served: Served, shop: Partner
) -> None:
    shop.fund(13, PRICE)
    body = {"card": card(13), "code": static_code(SHOP).text(), "amount": PRICE}
    payment = shop.post("/v1/wallets/payments", body).json()["position"]
    own = served.client("own-till", Scope.CREDITS, party=SELLER)
    thief = served.client("thief", Scope.CREDITS, party=Party(PartyKind.MERCHANT, 503))
    expect_problem(give_back(thief, 13, payment, PRICE), 403, "scope-missing")
    expect_problem(give_back(thief, 13, payment, PRICE, party=OTHER), 404, "payment-unknown")
    assert give_back(own, 13, payment, PRICE).status_code == 201
    assert lines(shop, wallet(13))[-1]["refund_of"] == payment


def test_a_refund_that_the_wallet_may_not_take_is_left_to_give(served: Served, shop: Partner) -> None:
    payment = bought(shop, 14)
    desk = WalletDesk(served.ledger, SetClock(NOON))
    desk.freeze(card(14), incoming=True)
    expect_problem(give_back(shop, 14, payment, PRICE), 422, "order-not-posted")
    desk.unfreeze(card(14))
    assert give_back(shop, 14, payment, PRICE).status_code == 201


def test_the_card_that_took_a_lost_ones_place_is_given_its_refunds(served: Served, shop: Partner) -> None:
    """Its wallet lies in another partition than the payment, whose sum counts on all the same."""
    lost, newer, newest = 15, 16, 17
    assert split(wallet(lost)).partition != split(wallet(newest)).partition
    payment = bought(shop, lost)

    def replaced(tx: Any) -> None:
        for uid in (lost, newer, newest):
            place = split(wallet(uid)).partition
            row = {
                "partition": place,
                "uid": uid,
                "card_number": int(card(uid)),
                "registered": 1,
                "key_version": 0,
            }
            tx.connection.execute(cards.insert(), {**row, "token_digest": bytes(32)})
        for uid, by in ((lost, newer), (newer, newest)):
            add_replacement(
                tx.connection, ReplacementRow(split(wallet(uid)).partition, uid, by, NOON, 0, 0, NOON)
            )

    served.ledger.writer.submit(Plain(settle=replaced)).result()
    with pytest.raises(PaymentUnknown):
        find_payment(served.ledger.database, payment, card(18), SELLER)
    assert give_back(shop, newest, payment, 100_000).status_code == 201
    assert lines(shop, wallet(newest))[-1]["refund_of"] == payment
    said = expect_problem(give_back(shop, lost, payment, PRICE), 422, "refund-exceeded")
    assert said["left"] == PRICE - 100_000
    assert give_back(shop, newer, payment, Sen(PRICE - 100_000)).status_code == 201
    assert [held(served, one) for one in (lost, newer, newest)] == [0, PRICE - 100_000, 100_000]
