"""A blocked card's wallet: every way out of it is refused by its door, and by the engine where a door forgets to ask; what comes in comes in."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys.clock import service_day
from keys.money import Rupiah, Sen, sen_of
from ledger.book import Ledger
from ledger.bundles.blocks import STILL, Blocks
from ledger.bundles.store import Block, insert_block
from ledger.cardholder import tables as cardholder_tables
from ledger.cardholder.blocking import Blocking
from ledger.cardholder.unit import noted
from ledger.chart import Code, account_id, partition_of, purse, split
from ledger.clients.scopes import Client, Party, PartyKind, Scope
from ledger.errors import NotWritten, WalletRefused
from ledger.intake.cards.issued import Card
from ledger.intake.registry import Registry
from ledger.orders import order as orders
from ledger.orders.answers import Answer
from ledger.orders.blocked import BlockedWallets
from ledger.orders.desk import OrderDesk
from ledger.orders.order import caller_of, wallet_of
from ledger.orders.refunds import Refund, find_payment
from ledger.orders.unit import Orders
from ledger.qris.writing import static_code
from ledger.rules import RuleFlag
from ledger.store import Database
from ledger.transfer import Flag, Kind, Result, Transfer
from ledger.wallets.blocked import Follower, NotedInStep
from ledger.wallets.bulk import BulkFile, pay_bulk
from ledger.wallets.desk import WalletDesk
from ledger.wallets.loads import store as loads
from ledger.wallets.loads.store import Standing
from ledger.wallets.loads.unit import Place
from ledger.wallets.ordering import PlaceTransfer
from settlement.banks import tables as bank_tables
from settlement.banks.payment import Payment
from settlement.banks.unit import Plan
from settlement.errors import PaymentInvalid
from settlement.snap.codes import Service
from tests.ledger.entries import SetClock
from tests.ledger.served import add_tables
from tests.ledger.test_wallets import BANK, NOON, SHOP, bank_in, card_of, holds
from tests.ledger.units import Gate, Plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledger.store import Connection
    from ledger.transaction import Transaction

SELLER = Party(PartyKind.MERCHANT, 502)
RICH = sen_of(Rupiah(500_000))
TEN = sen_of(Rupiah(10_000))
NUMBERS = count(700_001)
CLIENT = Client("app", frozenset(Scope), None)


@dataclass
class Wallets:
    """A ledger with registered cards, and what works on their wallets in this process and in another."""

    books: Ledger
    desk: WalletDesk
    blocking: Blocking
    follower: Follower
    elsewhere: Blocks

    def card(self) -> Card:
        """A new card with Rp500,000 in its wallet."""
        text = card_of(next(NUMBERS))
        card = Card(int(text) % 10**9 + 0x04000000000000, int(text), True, 1, b"")
        Registry(self.books.database, b"").add_cards([card])
        self.desk.open(text)
        self.deposit(card, RICH)
        return card

    def deposit(self, card: Card, sen: int) -> None:
        account = wallet_of(str(card.card_number))
        paid = Transfer(bank_in(account), account, Sen(sen), Kind.DEPOSIT, NOON, service_day(NOON))
        assert self.books.post([paid])[0].result is Result.POSTED

    def free(self, card: Card) -> int:
        """What a wallet holds and may still give."""
        held, pending = holds(self.books, str(card.card_number))
        return held - pending


@pytest.fixture(scope="module")
def wallets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallets]:
    url = f"sqlite:///{tmp_path_factory.mktemp('blocked') / 'ledger.db'}"
    Ledger.create(url, bank_tables.metadata, cardholder_tables.metadata).close()
    add_tables(Database(url))
    clock = SetClock(NOON)
    with Ledger.open(url, clock) as books:
        yield Wallets(
            books, WalletDesk(books, clock), Blocking(books, clock, lambda: None), Follower(books), Blocks(books.database)
        )  # fmt: skip


def to_near(wallets: Wallets, card: Card) -> None:
    near = next(text for text in map(card_of, NUMBERS) if partition_of(int(text) // 10) == card.partition)
    wallets.desk.send(f"N{next(NUMBERS)}", str(card.card_number), near, TEN)


def to_far(wallets: Wallets, card: Card) -> None:
    far = next(text for text in map(card_of, NUMBERS) if partition_of(int(text) // 10) != card.partition)
    wallets.desk.send(f"F{next(NUMBERS)}", str(card.card_number), far, TEN)


def transfer_ordered(wallets: Wallets, card: Card) -> None:
    other = wallet_of(card_of(next(NUMBERS)))
    done = wallets.books.writer.submit(
        PlaceTransfer("app", wallet_of(str(card.card_number)), other, TEN)
    ).result()
    if isinstance(done, WalletRefused):
        raise done


def by_qr(wallets: Wallets, card: Card) -> None:
    wallets.desk.pay_by_qr(str(card.card_number), static_code(SHOP).text(), TEN)


def by_order(wallets: Wallets, card: Card, seconds: int) -> None:
    caller = caller_of(CLIENT, f"K{next(NUMBERS)}", b"")
    asked = orders.debit(caller, str(card.card_number), SELLER, TEN, seconds)
    (said,) = wallets.books.writer.submit(Orders([asked])).result()
    assert isinstance(said, Answer)
    if said.is_problem:
        raise WalletRefused(said.body.decode())


def load_ordered(wallets: Wallets, card: Card) -> None:
    done = wallets.books.writer.submit(Place(card, TEN)).result()
    if isinstance(done, Result):
        raise WalletRefused(done.name.lower())


def load_automatic(wallets: Wallets, card: Card) -> None:
    """A standing order that is due; where its card is blocked it has nothing to do."""
    account = purse(card.card_number)
    one = Standing(card.partition, card.uid, Sen(RICH), TEN, Sen(RICH), NOON)
    noted(wallets.books, lambda connection: loads.set_standing(connection, one))
    done = wallets.books.writer.submit(Place(card, Sen(0), automatic=True)).result()
    assert wallets.books.balance(account).credits_posted == 0
    if done is None or isinstance(done, Result):
        raise WalletRefused("blocked")


def by_bank(wallets: Wallets, card: Card) -> None:
    account = wallet_of(str(card.card_number))
    ours = account_id(Code.BANK_SETTLEMENT, split(account).partition, BANK)
    paid = Payment(
        f"P{next(NUMBERS)}", "bni", Service.INTRABANK, TEN, "1", "2", debit=account, credit=ours, kind=Kind.PAYOUT
    )  # fmt: skip
    done = wallets.books.writer.submit(Plan(paid)).result()
    if isinstance(done, Result):
        raise WalletRefused(done.name.lower())


def bare(wallets: Wallets, card: Card, flags: Flag) -> None:
    account = wallet_of(str(card.card_number))
    taken = Transfer(account, bank_in(account), TEN, Kind.PAYOUT, NOON, service_day(NOON), flags)
    done = wallets.books.post([taken])[0]
    if done.result is not Result.POSTED:
        raise WalletRefused(done.result.name.lower())


DOORS: dict[str, Callable[[Wallets, Card], None]] = {
    "a transfer in its partition": to_near,
    "a transfer to another partition": to_far,
    "a transfer in two steps": transfer_ordered,
    "a payment by QR": by_qr,
    "a debit of a partner": lambda wallets, card: by_order(wallets, card, 0),
    "a hold of a partner": lambda wallets, card: by_order(wallets, card, 60),
    "a load onto the card": load_ordered,
    "an automatic load": load_automatic,
    "a payout by a bank": by_bank,
    "a bare transfer": lambda wallets, card: bare(wallets, card, Flag.NONE),
    "a bare hold": lambda wallets, card: bare(wallets, card, Flag.PENDING),
}
REFUSED = (WalletRefused, PaymentInvalid)


def forget_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doors that ask whether a card is blocked hear that none is."""
    monkeypatch.setattr("ledger.bundles.store.is_blocked", lambda *_: False)
    monkeypatch.setattr("ledger.bundles.store.blocks_of", lambda *_: [])
    monkeypatch.setattr(BlockedWallets, "now", lambda *_: frozenset())


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_each_door_is_open_and_shut_by_a_block_even_where_it_forgets_to_ask(
    wallets: Wallets, monkeypatch: pytest.MonkeyPatch, door: Callable[[Wallets, Card], None]
) -> None:
    open_, shut = wallets.card(), wallets.card()
    door(wallets, open_)
    assert wallets.free(open_) == RICH - TEN
    wallets.blocking.block(shut)
    with pytest.raises(REFUSED, match="blocked"):
        door(wallets, shut)
    with monkeypatch.context() as patched:
        forget_to_ask(patched)
        with pytest.raises(REFUSED, match="blocked"):
            door(wallets, shut)
    assert holds(wallets.books, str(shut.card_number)) == (RICH, 0)
    wallets.elsewhere.unblock(shut, NOON)
    assert wallets.follower.look() == 1
    door(wallets, shut)
    assert wallets.free(shut) == RICH - TEN


def test_what_comes_to_a_blocked_cards_wallet_comes_in(wallets: Wallets) -> None:
    """Refunds, the government's payments, transfers of others: the value waits for the card that takes its place."""
    card, other = wallets.card(), wallets.card()
    number = str(card.card_number)
    by_order(wallets, card, 0)
    paid = find_payment(wallets.books.database, wallets.books.head().position, number, SELLER)
    wallets.blocking.block(card)
    aid = BulkFile.read(f"card,rupiah,text\n{number},10000,aid {number}\n".encode())
    assert pay_bulk(wallets.books, aid, BANK).paid == 1
    refund = Refund.of(caller_of(CLIENT, f"R{number}", b""), number, SELLER, TEN, paid)
    (said,) = wallets.books.writer.submit(Orders([refund])).result()
    assert not said.is_problem
    wallets.desk.send(f"C{number}", str(other.card_number), number, TEN)
    wallets.deposit(card, TEN)
    assert holds(wallets.books, number) == (RICH + 3 * TEN, 0)


def test_a_block_that_another_process_wrote_is_followed_and_people_s_own_freeze_outlasts_it(
    wallets: Wallets,
) -> None:
    card = wallets.card()
    number = str(card.card_number)
    wallets.desk.freeze(number)
    wallets.elsewhere.block(card, "lost", NOON)
    assert (wallets.follower.look(), wallets.follower.look()) == (1, 0)
    account = wallet_of(number)
    assert wallets.books.rules(account).flags & RuleFlag.BLOCKED
    wallets.desk.unfreeze(number)  # the block holds
    assert wallets.books.rules(account).flags & ~RuleFlag.DEBITS_WITHIN_CREDITS == RuleFlag.BLOCKED
    wallets.desk.freeze(number)
    wallets.elsewhere.unblock(card, NOON)
    assert wallets.follower.look() == 1
    assert wallets.books.rules(account).flags & ~RuleFlag.DEBITS_WITHIN_CREDITS == RuleFlag.DEBITS_FROZEN


@given(st.lists(st.sampled_from([*DOORS.values(), "block", "unblock", "freeze", "thaw", "in"]), max_size=12))
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_nothing_ever_leaves_while_a_card_is_blocked_or_its_wallet_frozen(
    wallets: Wallets, steps: list[str | Callable[[Wallets, Card], None]]
) -> None:
    card = wallets.card()
    is_blocked = is_frozen = False
    for step in steps:
        before = wallets.free(card)
        if step == "block":
            wallets.blocking.block(card)
            is_blocked = True
        elif step == "unblock" and is_blocked:
            wallets.elsewhere.unblock(card, NOON)
            is_blocked = wallets.follower.look() != 1
        elif step in {"freeze", "thaw"}:
            is_frozen = step == "freeze"
            (wallets.desk.freeze if is_frozen else wallets.desk.unfreeze)(str(card.card_number))
        elif step == "in":
            wallets.deposit(card, TEN)
        elif callable(step):
            with suppress(*REFUSED):
                step(wallets, card)
        moved = wallets.free(card) - before
        assert moved in {0, TEN if step == "in" else -TEN}
        assert moved >= 0 or not (is_blocked or is_frozen)


def test_a_block_whose_commit_failed_is_not_remembered_for_the_next_one(wallets: Wallets) -> None:
    one, other, desk = wallets.card(), wallets.card(), OrderDesk(wallets.books.writer, lambda *_: None)

    async def pays(card: Card) -> bool:
        caller = caller_of(CLIENT, f"K{next(NUMBERS)}", b"")
        answer = await desk.place(orders.debit(caller, str(card.card_number), SELLER, TEN, 0))
        return not answer.is_problem

    def block(connection: Connection) -> None:
        insert_block(connection, one.partition, 0, Block(one.uid, "lost", NOON, STILL))

    def fail(_tx: Transaction) -> None:
        raise KeyError("a fault of ours")

    async def scene() -> list[bool]:
        gate = Gate(wallets.books)
        blocked = wallets.books.writer.submit(NotedInStep(wallet_of(str(one.card_number)), block))
        asked = asyncio.ensure_future(pays(one))
        await asyncio.sleep(0.05)  # two turns of the loop: it is with the writer then
        assert desk._under_way
        wallets.books.writer.submit(Plain(settle=fail))
        gate.let_go()
        with pytest.raises(NotWritten):
            await asked
        assert isinstance(blocked.exception(60), NotWritten)
        wallets.elsewhere.block(other, "lost", NOON)
        return [await pays(one), await pays(other)]

    assert asyncio.run(scene()) == [True, False]
