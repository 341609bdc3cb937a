"""Wallets over HTTP: a transfer ordered and confirmed, a QR payment once a key, what is refused and how; on both databases."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from keys.clock import UnixMs, service_day
from keys.money import Rupiah, Sen, sen_of
from ledger.chart import Code, account_id, split
from ledger.clients.scopes import Party, PartyKind, Scope
from ledger.errors import WalletRefused
from ledger.orders.blocked import BlockedWallets
from ledger.orders.order import caller_of
from ledger.qris.merchant import Tip, TipKind
from ledger.qris.writing import dynamic_code, static_code
from ledger.rules import RuleFlag
from ledger.transfer import Kind, Result, Transfer
from ledger.wallets.desk import WalletDesk
from ledger.wallets.ordering import ORDER_MS
from ledger.wallets.paying import Paying, Payments
from ledger.wallets.qr import read_payment
from tests.ledger.served import BANK, Partner, Served, card, order, standing_still, wallet
from tests.ledger.test_wallets import SHOP
from tests.ledger.test_wallets_blocked import CLIENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from ledger.book import Ledger
    from tests.ledger.entries import SetClock

TEN = 1_000_000
SARI = 1
BUDI = next(n for n in range(2, 60) if split(wallet(n)).partition != split(wallet(SARI)).partition)
NEAR = next(n for n in range(60, 900) if split(wallet(n)).partition == split(wallet(SARI)).partition)


@pytest.fixture
def served(ledger: Ledger) -> Iterator[Served]:
    with Served(ledger) as opened:
        yield opened


@pytest.fixture
def app(served: Served) -> Partner:
    """A holder's app, with money in its wallet."""
    made = served.client("app", Scope.WALLETS, Scope.ACCOUNTS, Scope.CREDITS)
    made.fund(SARI, 3 * TEN)
    return made


def sums(app: Partner, number: int) -> tuple[int, int]:
    told = app.http.get(f"/v1/wallets/{card(number)}").json()
    return told["posted"], told["held"]


def wallet_now(posted: int, held: int) -> dict[str, int]:
    return {"posted": posted, "held": held, "available": posted - held}


def transfer(target: int, amount: int = TEN) -> dict[str, Any]:
    return {"card": card(SARI), "to": card(target), "amount": amount}


def confirm(app: Partner, ordered: httpx2.Response) -> httpx2.Response:
    return app.http.post(f"/v1/wallets/transfers/{ordered.json()['transfer']}/confirm")


def check_problem(answer: httpx2.Response, status: int, name: str, words: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{name}"
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("target", [BUDI, NEAR], ids=["another partition", "the same"])
def test_a_transfer_is_held_when_it_is_ordered_and_arrives_when_it_is_confirmed(
    app: Partner, target: int
) -> None:
    ordered = app.post("/v1/wallets/transfers", transfer(target), key="T-1")
    assert ordered.status_code == 201
    assert ordered.json()["wallet"] == wallet_now(3 * TEN, TEN)
    assert (sums(app, SARI), sums(app, target)) == ((3 * TEN, TEN), (0, 0))
    again = app.post("/v1/wallets/transfers", transfer(target), key="T-1")
    assert (again.content, sums(app, SARI)) == (ordered.content, (3 * TEN, TEN))
    done = confirm(app, ordered)
    assert (done.status_code, done.json()["state"]) == (200, "done")
    assert confirm(app, ordered).content == done.content
    assert (sums(app, SARI), sums(app, target)) == ((2 * TEN, 0), (TEN, 0))
    check_problem(
        app.post("/v1/wallets/transfers", transfer(target, 5), key="T-1"), 422, "idempotency-key-reused"
    )


def test_an_order_that_nobody_confirms_goes_back_and_cannot_be_confirmed_later(
    app: Partner, clock: SetClock
) -> None:
    ordered = app.post("/v1/wallets/transfers", transfer(BUDI))
    clock.at = UnixMs(clock.at + ORDER_MS)
    other = app.post("/v1/wallets/transfers", transfer(BUDI, 3 * TEN))
    until = time.monotonic() + 60
    while other.status_code != 201 and time.monotonic() < until:  # the ledger looks four times a second
        time.sleep(0.05)
        other = app.post("/v1/wallets/transfers", transfer(BUDI, 3 * TEN))
    assert other.status_code == 201
    check_problem(confirm(app, ordered), 409, "wallet-refused", "order again")
    assert confirm(app, other).json()["state"] == "done"
    assert (sums(app, SARI), sums(app, BUDI)) == ((0, 0), (3 * TEN, 0))


def test_a_transfer_that_cannot_arrive_comes_back(app: Partner, served: Served, clock: SetClock) -> None:
    ordered = app.post("/v1/wallets/transfers", transfer(BUDI))
    WalletDesk(served.ledger, clock).freeze(card(BUDI), incoming=True)
    for _ in range(2):
        check_problem(confirm(app, ordered), 409, "wallet-refused", "the money is back")
    assert sums(app, SARI) == (3 * TEN, 0)
    assert app.http.get(f"/v1/wallets/{card(BUDI)}").json()["frozen"] == ["debits", "credits"]


def test_two_that_confirm_at_once_send_once(app: Partner) -> None:
    ordered = app.post("/v1/wallets/transfers", transfer(BUDI))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: confirm(app, ordered), range(8)))
    assert {one.status_code for one in answers} == {200}
    assert (sums(app, SARI), sums(app, BUDI)) == ((2 * TEN, 0), (TEN, 0))


def test_only_who_ordered_confirms(app: Partner, served: Served) -> None:
    ordered = app.post("/v1/wallets/transfers", transfer(BUDI))
    other = served.client("other", Scope.WALLETS)
    check_problem(confirm(other, ordered), 409, "wallet-refused", "you ordered no transfer")
    shop = served.client("shop", *Scope, party=Party(PartyKind.MERCHANT, 502))
    for answer in (
        shop.post("/v1/wallets/transfers", transfer(BUDI)),
        shop.http.get(f"/v1/wallets/{card(SARI)}"),
        shop.post(
            "/v1/wallets/payments", {"card": card(SARI), "code": static_code(SHOP).text(), "amount": 1}
        ),
    ):
        check_problem(answer, 403, "scope-missing")
    reader = served.client("reader", Scope.ACCOUNTS)
    check_problem(reader.post("/v1/wallets/transfers", transfer(BUDI)), 403, "scope-missing")


def test_a_merchants_code_is_paid_once_a_key_and_a_dynamic_one_once_for_all(
    app: Partner, served: Served
) -> None:
    static = {
        "card": card(SARI),
        "code": static_code(SHOP, tip=Tip(TipKind.ASKED)).text(),
        "amount": TEN,
        "tip": 50,
    }
    first = app.post("/v1/wallets/payments", static, key="P-1")
    assert (first.status_code, first.json()["merchant"], first.json()["tip"]) == (201, 502, 50)
    assert first.json()["wallet"] == wallet_now(2 * TEN - 50, 0)
    assert app.post("/v1/wallets/payments", static, key="P-1").content == first.content
    dynamic = {"card": card(SARI), "code": dynamic_code(SHOP, Sen(TEN), "INV-1").text()}
    assert app.post("/v1/wallets/payments", dynamic).status_code == 201
    check_problem(app.post("/v1/wallets/payments", dynamic), 409, "wallet-refused", "paid already")
    assert sums(app, SARI) == (TEN - 50, 0)
    shop = account_id(Code.MERCHANT_PAYABLE, split(wallet(SARI)).partition, 502)
    assert served.ledger.balance(shop).credits_posted == 2 * TEN + 50
    check_problem(
        app.post("/v1/wallets/payments", {**static, "amount": 2 * TEN}), 409, "wallet-refused", "it: exceeds"
    )


def test_of_many_that_pay_one_dynamic_code_at_once_one_pays(app: Partner, served: Served) -> None:
    """They wait while the writer stands still, and come to it together: in one commit, some of them in one batch."""
    payers = [SARI, BUDI, NEAR, NEAR + 1]
    for payer in payers[1:]:
        app.fund(payer, TEN)
    before = {payer: sums(app, payer)[0] for payer in payers}
    code = dynamic_code(SHOP, Sen(TEN), "INV-2").text()
    with ThreadPoolExecutor(16) as pool:
        with standing_still(served.ledger):
            asked = [
                pool.submit(app.post, "/v1/wallets/payments", {"card": card(payer), "code": code})
                for payer in payers * 4
            ]
            until = time.monotonic() + 60
            while served.front.under_way < len(asked) and time.monotonic() < until:
                time.sleep(0.01)
        answers = [one.result() for one in asked]
    paid = [one for one in answers if one.status_code == 201]
    assert (len(paid), len(answers)) == (1, 16)
    for one in answers:
        if one is not paid[0]:
            check_problem(one, 409, "wallet-refused", "paid already")
    left = {payer: before[payer] - sums(app, payer)[0] for payer in payers}
    assert sorted(left.values()) == [0, 0, 0, TEN]
    assert card(next(payer for payer, moved in left.items() if moved)) == paid[0].json()["card"]


def test_units_of_one_commit_pay_a_dynamic_code_once(app: Partner, served: Served) -> None:
    """Two units that the writer takes in one group: the second sees what the first has paid."""
    app.fund(BUDI, TEN)
    paying = read_payment(dynamic_code(SHOP, Sen(TEN), "INV-3").text())
    units = [
        Payments([Paying.of(caller_of(CLIENT, f"U{payer}", b""), card(payer), wallet(payer), paying)], BlockedWallets())
        for payer in (SARI, BUDI)
    ]  # fmt: skip
    with standing_still(served.ledger):
        asked = [served.ledger.writer.submit(unit) for unit in units]
    (first,), (second,) = (one.result() for one in asked)
    assert first.status == 201
    assert isinstance(second, WalletRefused)
    assert (sums(app, SARI)[0], sums(app, BUDI)[0]) == (2 * TEN, TEN)


@pytest.mark.parametrize("limit", ["ceiling", "month"])
def test_credits_that_come_at_once_over_http_stay_below_one_limit(
    app: Partner, served: Served, clock: SetClock, limit: str
) -> None:
    """Sixteen callers, each with a connection of its own; and one sen at the boundary."""
    rules = WalletDesk(served.ledger, clock).open(card(BUDI))
    room, amount = sen_of(rules.ceiling), sen_of(Rupiah(3_000_000))
    if limit == "month":  # what came in before went out again, and counts
        for number, gone in enumerate((room, sen_of(Rupiah(5_000_000)))):
            app.fund(BUDI, gone)
            paid_out(served, BUDI, gone, number)
        room = Sen(sen_of(rules.monthly) - room - sen_of(Rupiah(5_000_000)))
    callers = [served.client(f"bank{number}", Scope.CREDITS) for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda one: one.post("/v1/credits", order(BUDI, amount, BANK)), callers))
    fit = room // amount
    assert sorted(one.status_code for one in answers) == [201] * fit + [422] * (16 - fit)
    assert sums(app, BUDI) == (fit * amount, 0)
    if room > fit * amount:
        app.fund(BUDI, room - fit * amount)
    beyond = app.post("/v1/credits", order(BUDI, 1, BANK))
    check_problem(beyond, 422, "order-not-posted", f"exceeds {limit}")
    assert sums(app, BUDI) == (room, 0)


def paid_out(served: Served, number: int, amount: int, ordinal: int) -> None:
    """A wallet pays out what it holds."""
    account = wallet(number)
    bank = account_id(Code.BANK_SETTLEMENT, split(account).partition, 9)
    row = Transfer(account, bank, Sen(amount), Kind.PAYOUT, UnixMs(ordinal), service_day(UnixMs(ordinal)))
    assert served.ledger.post([row])[0].result is Result.POSTED


@pytest.mark.parametrize(("path", "body", "status", "name"), [
    ("transfers", {**transfer(BUDI), "amount": 0}, 422, "bad-request"),
    ("transfers", {**transfer(BUDI), "amount": 1.5}, 422, "bad-request"),
    ("transfers", {**transfer(BUDI), "note": "x"}, 422, "bad-request"),
    ("transfers", {**transfer(BUDI), "to": "9360000900000013"}, 409, "wallet-refused"),
    ("transfers", {**transfer(BUDI), "to": card(SARI)}, 409, "wallet-refused"),
    ("transfers", transfer(BUDI, 4 * TEN), 409, "wallet-refused"),
    ("payments", {"card": card(SARI), "code": "000201"}, 422, "qr-refused"),
    ("payments", {"card": card(SARI), "code": "x" * 513}, 422, "bad-request"),
    ("payments", {"card": card(SARI), "code": static_code(SHOP).text()}, 409, "wallet-refused"),
])  # fmt: skip
def test_what_makes_no_sense_is_a_problem_that_says_so_and_moves_nothing(
    app: Partner, path: str, body: dict[str, Any], status: int, name: str
) -> None:
    check_problem(app.post(f"/v1/wallets/{path}", body), status, name)
    assert sums(app, SARI) == (3 * TEN, 0)


def test_a_call_without_a_key_or_with_a_wrong_number_is_told_what_to_do(app: Partner) -> None:
    check_problem(app.http.post("/v1/wallets/transfers", json=transfer(BUDI)), 400, "idempotency-key-missing")
    check_problem(app.http.post("/v1/wallets/transfers/0/confirm"), 422, "bad-request")
    check_problem(app.http.post("/v1/wallets/transfers/9/confirm"), 409, "wallet-refused")
    check_problem(app.http.get("/v1/wallets/9360000900000013"), 422, "order-invalid")


def test_a_wallet_tells_its_limits_and_where_its_statement_is(
    app: Partner, served: Served, clock: SetClock
) -> None:
    WalletDesk(served.ledger, clock).open(card(SARI))
    told = app.http.get(f"/v1/wallets/{card(SARI)}").json()
    assert (told["ceiling"], told["monthly"], told["frozen"], told["closed"]) == (
        20_000_000,
        40_000_000,
        [],
        False,
    )
    assert RuleFlag.DEBITS_WITHIN_CREDITS in served.ledger.rules(wallet(SARI)).flags
    lines = app.http.get(told["statement"]).json()["lines"]
    assert [(one["kind"], one["amount"]) for one in lines if one["amount"]] == [("deposit", 3 * TEN)]
