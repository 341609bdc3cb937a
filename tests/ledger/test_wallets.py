"""Wallets: limits at their boundary and over a month's and a year's change, freezing, transfers that survive a crash at any step, QR payments, files in bulk."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card.layout import luhn_ok
from keys.clock import UnixMs, day_of, moment, service_day
from keys.money import Rupiah, Sen, sen_of
from ledger.book import Ledger
from ledger.chart import Code, account_id, split
from ledger.errors import QrRefused, WalletRefused
from ledger.orders.order import wallet_of
from ledger.qris.merchant import Additional, Tip, TipKind
from ledger.qris.writing import Acquirer, Merchant, dynamic_code, static_code
from ledger.store import Database
from ledger.transfer import Kind, Result, Transfer
from ledger.wallets.desk import WalletDesk
from ledger.wallets.limits import limit_on
from ledger.wallets.qr import OUR_DOMAIN, read_payment
from ledger.wallets.sending import Arrive, End, Leave
from ledger.wallets.store import Sent, State
from ledger.windows import CUT_OFF
from tests.ledger.entries import SetClock
from tests.ledger.served import TABLES, add_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.chart import AccountId

BANK = 9
TEN = sen_of(Rupiah(10_000))
NOON = moment(datetime(2026, 11, 18, 12))  # noqa: DTZ001  the city's wall clock
SHOP = Merchant(
    (Acquirer(OUR_DOMAIN, "936009990000000502", "502", "UMI"),), "ID1020304050607", "5499", "Lumpia Gang Lombok",
    "Kota Semarang", "50137", {Additional.TERMINAL: "K1"},
)  # fmt: skip


def card_of(number: int) -> str:
    return next(card for digit in range(10) if luhn_ok(int(card := f"936000090{number:06d}{digit}")))


ALL = [card_of(number) for number in range(1, 60)]
SARI = ALL[0]
BUDI = next(card for card in ALL if split(wallet_of(card)).partition != split(wallet_of(SARI)).partition)
NEAR = next(
    card
    for card in map(card_of, count(60))
    if split(wallet_of(card)).partition == split(wallet_of(SARI)).partition
)


def cut_off_of(day: str, milliseconds: int = 0) -> UnixMs:
    """The moment at which a business date ends, which a month's last one ends with, and so many milliseconds more."""
    return UnixMs(moment(datetime.fromisoformat(day) + CUT_OFF) + milliseconds)


def bank_in(wallet: AccountId) -> AccountId:
    return account_id(Code.BANK_SETTLEMENT, split(wallet).partition, BANK)


def deposit(ledger: Ledger, card: str, sen: int, at: UnixMs = NOON) -> Result:
    wallet = wallet_of(card)
    return ledger.post([Transfer(bank_in(wallet), wallet, Sen(sen), Kind.DEPOSIT, at, service_day(at))])[
        0
    ].result


def holds(ledger: Ledger, card: str) -> tuple[int, int]:
    found = ledger.balance(wallet_of(card))
    return found.credits_posted - found.debits_posted, found.debits_pending


def clearing_net(ledger: Ledger) -> int:
    found = [one for one in ledger.trial_balance().lines if one.code is Code.CLEARING]
    return sum(one.credits - one.debits for one in found)


@pytest.fixture
def where(url: str) -> str:
    """A ledger with wallets, on each of the two databases in turn."""
    add_tables(Database(url))
    return url


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOON)


@pytest.fixture
def books(where: str, clock: SetClock) -> Iterator[Ledger]:
    with Ledger.open(where, clock) as opened:
        yield opened


@pytest.fixture
def desk(books: Ledger, clock: SetClock) -> WalletDesk:
    return WalletDesk(books, clock)


def test_a_wallet_holds_at_most_its_ceiling(books: Ledger, desk: WalletDesk) -> None:
    desk.open(SARI)
    limit = sen_of(limit_on(day_of(datetime(2026, 11, 18).date()), registered=True).ceiling)  # noqa: DTZ001
    assert deposit(books, SARI, limit) is Result.POSTED
    assert deposit(books, SARI, 1) is Result.EXCEEDS_CEILING
    desk.open(BUDI, registered=False)
    assert deposit(books, BUDI, sen_of(Rupiah(2_000_000)) + 1) is Result.EXCEEDS_CEILING


@pytest.mark.parametrize("last", ["2026-11-30", "2026-12-31", "2027-02-28"])
def test_what_comes_in_a_month_is_bounded_until_the_next(
    books: Ledger, desk: WalletDesk, clock: SetClock, last: str
) -> None:
    clock.at = cut_off_of(last, -1)
    desk.open(SARI)
    desk.open(BUDI)
    for number in range(2):
        assert deposit(books, SARI, sen_of(Rupiah(20_000_000))) is Result.POSTED
        desk.send(f"on {number}", SARI, BUDI, sen_of(Rupiah(10_000_000)))
        desk.send(f"off {number}", SARI, NEAR, sen_of(Rupiah(10_000_000)))
    assert deposit(books, SARI, 1) is Result.EXCEEDS_MONTH
    clock.at = cut_off_of(last)
    assert deposit(books, SARI, 1) is Result.POSTED


def test_limits_are_dated() -> None:
    days = [day_of(date(2022, 6, 30)), day_of(date(2022, 7, 1))]
    assert [limit_on(day, registered=True).ceiling for day in days] == [10_000_000, 20_000_000]
    with pytest.raises(WalletRefused):
        limit_on(day_of(datetime(2000, 1, 1).date()), registered=True)  # noqa: DTZ001


def test_loads_that_come_at_once_stay_below_one_ceiling(books: Ledger, desk: WalletDesk) -> None:
    desk.open(SARI)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: deposit(books, SARI, sen_of(Rupiah(3_000_000))), range(16)))
    assert results.count(Result.POSTED) == 6
    assert holds(books, SARI) == (sen_of(Rupiah(18_000_000)), 0)


def test_a_frozen_wallet_gives_nothing_and_a_closed_one_is_gone(books: Ledger, desk: WalletDesk) -> None:
    deposit(books, SARI, 2 * TEN)
    desk.freeze(SARI)
    with pytest.raises(WalletRefused, match="debits frozen"):
        desk.send("R1", SARI, BUDI, TEN)
    assert deposit(books, SARI, TEN) is Result.POSTED
    desk.freeze(SARI, incoming=True)
    assert deposit(books, SARI, TEN) is Result.CREDITS_FROZEN
    desk.unfreeze(SARI)
    with pytest.raises(WalletRefused, match="holds money"):
        desk.close(SARI)
    desk.send("R2", SARI, BUDI, Sen(3 * TEN))
    desk.close(SARI)
    with pytest.raises(WalletRefused, match="closed: it stays so"):
        desk.unfreeze(SARI)
    assert deposit(books, SARI, TEN) is Result.ACCOUNT_CLOSED


def test_opening_again_keeps_what_people_set(books: Ledger, desk: WalletDesk) -> None:
    desk.freeze(SARI)
    desk.open(SARI)
    with pytest.raises(WalletRefused, match="debits frozen"):
        desk.send("R", SARI, BUDI, TEN)
    assert books.rules(wallet_of(SARI)).ceiling == 20_000_000


@pytest.mark.parametrize("target", [BUDI, NEAR], ids=["another partition", "the same"])
def test_money_goes_from_wallet_to_wallet_once_a_reference(
    books: Ledger, desk: WalletDesk, target: str
) -> None:
    deposit(books, SARI, 3 * TEN)
    first = desk.send("R1", SARI, target, TEN)
    assert desk.send("R1", SARI, target, TEN).state is first.state is State.DONE
    assert (holds(books, SARI), holds(books, target), clearing_net(books)) == ((2 * TEN, 0), (TEN, 0), 0)
    with pytest.raises(WalletRefused, match="another transfer"):
        desk.send("R1", SARI, target, Sen(TEN + 1))
    with pytest.raises(WalletRefused, match="exceeds credits"):
        desk.send("R2", SARI, target, Sen(3 * TEN))


def test_money_that_cannot_arrive_comes_back(books: Ledger, desk: WalletDesk) -> None:
    deposit(books, SARI, 3 * TEN)
    desk.freeze(BUDI, incoming=True)
    for _ in range(2):
        with pytest.raises(WalletRefused, match="the money is back"):
            desk.send("R1", SARI, BUDI, TEN)
    desk.unfreeze(BUDI)
    with pytest.raises(WalletRefused, match="the money is back"):  # decided for good
        desk.send("R1", SARI, BUDI, TEN)
    assert (holds(books, SARI), holds(books, BUDI), clearing_net(books)) == ((3 * TEN, 0), (0, 0), 0)


@pytest.mark.parametrize(("source", "target", "amount", "reference"), [
    (SARI, SARI, TEN, "R"), (SARI, BUDI, 0, "R"), (SARI, BUDI, -1, "R"), ("9360000900000011", BUDI, TEN, "R"), (SARI, BUDI, TEN, ""),
    (SARI, BUDI, TEN, "x" * 65), (SARI, BUDI, TEN, "a\nb"),
])  # fmt: skip
def test_a_transfer_that_makes_no_sense_is_refused(
    desk: WalletDesk, source: str, target: str, amount: int, reference: str
) -> None:
    with pytest.raises(WalletRefused):
        desk.send(reference, source, target, Sen(amount))


def test_nobody_takes_the_reference_of_an_ordered_transfer(books: Ledger, desk: WalletDesk) -> None:
    deposit(books, SARI, TEN)
    with pytest.raises(WalletRefused, match="order-"):
        desk.send("order-7", SARI, BUDI, TEN)
    assert holds(books, SARI) == (TEN, 0)


@pytest.mark.parametrize("takes_it", [True, False])
@pytest.mark.parametrize("steps", range(4))
def test_a_transfer_survives_a_crash_after_each_step(
    where: str, clock: SetClock, steps: int, takes_it: bool
) -> None:
    asked = Sent("R1", wallet_of(SARI), wallet_of(BUDI), TEN, State.HELD)
    with Ledger.open(where, clock) as ledger:
        deposit(ledger, SARI, TEN)
        if not takes_it:
            WalletDesk(ledger, clock).freeze(BUDI, incoming=True)
        sent = ledger.writer.submit(Leave(asked)).result() if steps > 0 else asked
        arrived = ledger.writer.submit(Arrive(sent)).result() if steps > 1 else Result.POSTED
        if steps > 2:
            ledger.writer.submit(End(sent, arrived)).result()
    with Ledger.open(where, clock) as ledger:
        again = WalletDesk(ledger, clock)
        assert len(again.resume()) == (steps in {1, 2})
        assert again.resume() == []
        moved = steps > 0 and takes_it
        assert (holds(ledger, SARI), holds(ledger, BUDI)) == ((TEN * (not moved), 0), (TEN * moved, 0))
        assert clearing_net(ledger) == 0
        ledger.rebuild_check()


@pytest.mark.parametrize("steps", [1, 2])
def test_a_transfer_whose_wallet_is_frozen_on_the_way_ends_as_it_was_begun(
    where: str, clock: SetClock, steps: int
) -> None:
    asked = Sent("R1", wallet_of(SARI), wallet_of(BUDI), TEN, State.HELD)
    with Ledger.open(where, clock) as ledger:
        desk = WalletDesk(ledger, clock)
        deposit(ledger, SARI, 2 * TEN)
        sent = ledger.writer.submit(Leave(asked)).result()
        if steps > 1:
            ledger.writer.submit(Arrive(sent)).result()
        desk.freeze(SARI, incoming=True)
        assert [one.state for one in desk.resume()] == [State.DONE]
        assert (holds(ledger, SARI), holds(ledger, BUDI)) == ((TEN, 0), (TEN, 0))
        assert clearing_net(ledger) == 0
        with pytest.raises(WalletRefused, match="frozen"):
            desk.send("R2", SARI, BUDI, TEN)
        ledger.rebuild_check()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 2_000)), max_size=12))
def test_transfers_agree_with_plain_sums(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, int, int]]
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('sums') / 'ledger.db'}"
    Ledger.create(url, *TABLES).close()
    clock, purses = SetClock(NOON), [1_000] * 6
    with Ledger.open(url, clock) as ledger:
        desk = WalletDesk(ledger, clock)
        for card in ALL[:6]:
            deposit(ledger, card, 1_000)
        for number, (source, target, sen) in enumerate(moves):
            good = source != target and purses[source] >= sen
            try:
                desk.send(f"R{number}", ALL[source], ALL[target], Sen(sen))
            except WalletRefused:
                assert not good
            else:
                assert good
                purses[source] -= sen
                purses[target] += sen
        assert [holds(ledger, card) for card in ALL[:6]] == [(purse, 0) for purse in purses]
        assert clearing_net(ledger) == 0


SENDER = """
import sys
from keys.clock import SystemClock
from keys.money import Sen
from ledger.book import Ledger
from ledger.wallets.desk import WalletDesk
url, source, target = sys.argv[1:]
with Ledger.open(url, SystemClock()) as ledger:
    desk = WalletDesk(ledger, SystemClock())
    print("open", flush=True)
    for number in range(100_000):
        desk.send(f"R{number}", source, target, Sen(1))
        print(number, flush=True)
"""


def test_a_process_that_is_killed_between_steps_loses_and_doubles_nothing(where: str) -> None:
    with Ledger.open(where, SetClock(NOON)) as ledger:
        deposit(ledger, SARI, 100_000)
    said = -1
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", SENDER, where, SARI, BUDI], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert "open\n" in process.stdout  # reads as far as that
            said = max(said, int(process.stdout.readline()))
            time.sleep(0.15)
            process.kill()
            numbers = process.stdout.read().split()
        said = max([said, *map(int, numbers[:-1])])  # the last line may be cut
    clock = SetClock(UnixMs(NOON + 10 * 365 * 86_400_000))
    with Ledger.open(where, clock) as ledger:
        WalletDesk(ledger, clock).resume()
        left, arrived = holds(ledger, SARI), holds(ledger, BUDI)
        assert left[1] == arrived[1] == clearing_net(ledger) == 0
        assert left[0] + arrived[0] == 100_000
        assert arrived[0] >= said + 1 > 0


def test_a_static_code_is_paid_with_the_amount_that_the_payer_says(books: Ledger, desk: WalletDesk) -> None:
    deposit(books, SARI, 10 * TEN)
    text = static_code(SHOP, tip=Tip(TipKind.ASKED)).text()
    for _ in range(2):
        paid = desk.pay_by_qr(SARI, text, TEN, Sen(500))
    shop = books.balance(account_id(Code.MERCHANT_PAYABLE, split(wallet_of(SARI)).partition, 502))
    assert (paid.name, shop.credits_posted) == ("Lumpia Gang Lombok", 2 * (TEN + 500))
    with pytest.raises(WalletRefused, match="say how much"):
        desk.pay_by_qr(SARI, text)


def test_a_dynamic_code_is_paid_once_whoever_pays(books: Ledger, desk: WalletDesk) -> None:
    deposit(books, SARI, 2 * TEN)
    deposit(books, BUDI, 2 * TEN)
    text = dynamic_code(SHOP, TEN, "INV-1", Tip(TipKind.PERCENT, 1_000)).text()
    assert desk.pay_by_qr(SARI, text).total == 11 * TEN // 10
    for card in (SARI, BUDI):
        with pytest.raises(WalletRefused, match="paid already"):
            desk.pay_by_qr(card, text)
    assert holds(books, BUDI) == (2 * TEN, 0)
    desk.freeze(BUDI)
    other = dynamic_code(SHOP, TEN, "INV-2").text()
    with pytest.raises(WalletRefused, match="frozen"):
        desk.pay_by_qr(BUDI, other)
    desk.pay_by_qr(SARI, dynamic_code(SHOP, Sen(1), "INV-3").text())
    with pytest.raises(WalletRefused, match="exceeds credits"):
        desk.pay_by_qr(SARI, other)


def test_a_code_that_is_not_for_here_or_asks_for_something_else_is_refused() -> None:
    other = Merchant((Acquirer("ID.OTHER.WWW", "936000010000000001", "1", "UMI"),), *SHOP_REST)
    text = dynamic_code(SHOP, TEN, "INV").text()
    asked = [
        (dynamic_code(other, TEN, "INV").text(), None, 0),
        (text, Sen(TEN + 1), 0),
        (text, TEN, 5),
        (static_code(SHOP).text(), Sen(0), 0),
    ]
    for code, amount, tip in asked:
        with pytest.raises(WalletRefused):
            read_payment(code, amount, Sen(tip))
    with pytest.raises(QrRefused):
        read_payment(static_code(SHOP).text(), Sen(10**9 + 1))
    tipped = static_code(SHOP, tip=Tip(TipKind.ASKED)).text()
    assert read_payment(tipped, Sen(10**9 - 1), Sen(1)).total == 10**9
    with pytest.raises(QrRefused, match="at most"):  # the tip counts too
        read_payment(tipped, Sen(10**9), Sen(1))
    with pytest.raises(QrRefused):
        read_payment(text[:-1] + "x")


SHOP_REST = (SHOP.nmid, SHOP.mcc, SHOP.name, SHOP.city, SHOP.post_code)
