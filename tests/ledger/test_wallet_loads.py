"""Loads ordered from a wallet: held there, written by the card's next tap, torn at every exchange, given back when they are over; and those that order themselves. All of it on both databases."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import cbor2
import pytest

from card.batch import WAITING_CONTENT_TYPE
from card.errors import CardLost
from card.layout import TapKind
from hebat.folder import Folder
from keys.clock import UnixMs, service_day
from keys.identity import TerminalIdentity, TerminalRole, read_certificate
from keys.money import Rupiah, Sen, sen_of
from keys.rights import Rights
from ledger.chart import Code, account_id, purse, split, wallet
from ledger.errors import BatchMalformed, LoadRefused, WalletRefused
from ledger.intake.audit import audit
from ledger.qris.writing import static_code
from ledger.transfer import Kind, Result, Transfer
from ledger.wallets.blocked import Follower
from ledger.wallets.desk import WalletDesk
from ledger.wallets.loads.store import Fate, loads_of
from ledger.wallets.loads.unit import WAITS_MS
from tests.empty import new_database
from tests.ledger.desk import OPERATOR, Desk, Scene, open_scene
from tests.ledger.kiosk import Kiosk
from tests.ledger.test_relay import COMMIT_STEP, books, restarted
from tests.ledger.test_wallets import SHOP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.issuing import Issued
    from ledger.intake.cards.issued import Card
    from ledger.wallets.loads.desk import OrderedLoads

AMOUNT = Rupiah(20_000)
RICH = Rupiah(500_000)
EXCHANGES = 11
"""Of a whole load with its card."""
NUMBERS = count(3101)
DAY_MS = 86_400_000


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One city for all tests here, on each database in turn."""
    on_server = request.param == "postgresql"
    database = new_database(request.getfixturevalue("postgres"), empty=True) if on_server else ""
    opened = open_scene(Folder(tmp_path_factory.mktemp("ordered") / "city", database), fresh=True)
    assert opened.city.ledger.database.is_sqlite is not on_server
    with opened.city as city:
        yield opened
        found = audit(city.ledger.database, city.registry, city.intake.assessor)
        assert (
            found.taps == found.macs
        )  # whatever the tests did: each tap is proven, and the books rebuild to what they are
        city.ledger.rebuild_check()


@pytest.fixture
def orders(scene: Scene) -> OrderedLoads:
    return scene.city.ordered


@pytest.fixture
def kiosk(scene: Scene) -> Kiosk:
    """Enrolled today, whatever day other tests have made it."""
    return new_kiosk(scene)


def new_kiosk(scene: Scene) -> Kiosk:
    return Kiosk(scene, next(NUMBERS), scene.city.desk)


def known(scene: Scene, card: Issued) -> Card:
    found = scene.city.registry.card(card.uid)
    assert found is not None
    return found


def rich_card(scene: Scene, rupiah: Rupiah = RICH) -> Issued:
    """A card with money in its wallet and none on its chip."""
    card = scene.card()
    account, now = wallet(card.identity.card_number), scene.clock.now()
    bank = account_id(Code.BANK_SETTLEMENT, split(account).partition, 9)
    paid_in = Transfer(bank, account, sen_of(rupiah), Kind.DEPOSIT, now, service_day(now))
    assert scene.city.ledger.post([paid_in])[0].result is Result.POSTED
    return card


def in_wallet(scene: Scene, card: Issued) -> tuple[int, int]:
    """What a wallet holds, and what of it is held, in rupiah."""
    found = scene.city.ledger.balance(wallet(card.identity.card_number))
    return (found.credits_posted - found.debits_posted) // 100, found.debits_pending // 100


def fates(scene: Scene, card: Issued) -> list[Fate]:
    held = known(scene, card)
    with scene.city.ledger.database.transaction() as connection:
        return [one.fate for one in loads_of(connection, held.partition, held.uid, 9)][::-1]


def check_written(scene: Scene, card: Issued, fares: int = 0) -> None:
    """The load is on the chip once, in the books once, out of the wallet once, and nothing is held."""
    assert card.chip_balance == AMOUNT - fares
    assert books(scene, card) == (AMOUNT - fares, 0)
    assert in_wallet(scene, card) == (RICH - AMOUNT, 0)
    scene.city.ordered.sweep()
    assert fates(scene, card) == [Fate.WRITTEN]


def bus_that_may(scene: Scene, number: int, *, loads: bool = True) -> Kiosk:
    """A validator whose certificate lets it write what was ordered."""
    made = new_kiosk(scene)
    identity = TerminalIdentity(scene.folder / f"bus-{number}")
    rights = Rights.of_role(TerminalRole.VALIDATOR, loads=loads)
    city = scene.city
    pem = city.authority.enrol(identity.request(), number, TerminalRole.VALIDATOR, OPERATOR, rights=rights)
    city.registry.add_terminal(read_certificate(pem, city.root, scene.clock.now()))
    made.number, made.desk = number, Desk(city, number, identity)
    return made


def test_what_is_ordered_is_held_in_the_wallet_and_written_at_a_kiosk_once(
    scene: Scene, orders: OrderedLoads, kiosk: Kiosk
) -> None:
    card = rich_card(scene)
    orders.order(known(scene, card), AMOUNT)
    assert (in_wallet(scene, card), books(scene, card)) == ((RICH, AMOUNT), (0, AMOUNT))
    told = kiosk.write(card)
    assert (told.colour, told.amount, told.balance) == ("green", AMOUNT, AMOUNT)
    check_written(scene, card)
    with pytest.raises(LoadRefused, match="nothing waits"):
        kiosk.write(card)
    check_written(scene, card)


def test_a_validator_writes_it_where_its_certificate_says_so(scene: Scene, orders: OrderedLoads) -> None:
    card = rich_card(scene)
    orders.order(known(scene, card), AMOUNT)
    with pytest.raises(LoadRefused, match="its certificate does not say so"):
        bus_that_may(scene, 1601, loads=False).write(card)
    told = bus_that_may(scene, 1602).write(card)
    assert told.colour == "green"
    check_written(scene, card)


@pytest.mark.parametrize("then", ["back", "elsewhere", "bus", "restarted"])
@pytest.mark.parametrize("acts", [False, True])
def test_a_load_that_is_torn_at_any_exchange_is_written_once_in_the_end(
    scene: Scene, kiosk: Kiosk, then: str, acts: bool
) -> None:
    other, bus = new_kiosk(scene), scene.desk(1700 + next(NUMBERS) % 1000)
    for cut in range(1, EXCHANGES + 1):
        card = rich_card(scene)
        scene.city.ordered.order(known(scene, card), AMOUNT)
        card.chip.tear(cut, acts=acts)
        told = kiosk.carried(kiosk.begin_ordered(card), card)
        assert told.colour == "amber", cut
        if then == "restarted":
            kiosk.line = restarted(scene)
        at = other if then == "elsewhere" else kiosk
        at.line = scene.city.desk
        check_written(scene, card, _goes_on(card, at, bus if then == "bus" else None))


def _goes_on(card: Issued, kiosk: Kiosk, bus: Desk | None) -> int:
    """What a torn card does next; the fare that it paid."""
    if bus is not None and card.chip_balance:
        bus.tap(card, TapKind.FARE, 3_500)
        bus.send()
        return 3_500
    assert kiosk.write(card).colour == "green"
    return 0


def test_exchanges_are_counted_right(scene: Scene, orders: OrderedLoads) -> None:
    card, kiosk = rich_card(scene), new_kiosk(scene)
    orders.order(known(scene, card), AMOUNT)
    card.chip.tear(EXCHANGES + 1, acts=False)
    assert kiosk.carried(kiosk.begin_ordered(card), card).colour == "green"
    with pytest.raises(CardLost):
        card.chip.transmit(b"\x90\x60\x00\x00\x00")


def test_what_may_be_written_already_is_not_given_back_until_the_card_tells(
    scene: Scene, orders: OrderedLoads
) -> None:
    card, kiosk = rich_card(scene), new_kiosk(scene)
    orders.order(known(scene, card), AMOUNT)
    step = kiosk.until(kiosk.begin_ordered(card), card.chip, COMMIT_STEP)
    assert not orders.cancel(known(scene, card))  # under way
    for apdu in step.apdus:
        card.chip.transmit(apdu)
    kiosk.line = restarted(scene)  # the ledger died with the answer: unknown
    orders = scene.city.ordered
    scene.clock.move_to(UnixMs(scene.clock.now() + WAITS_MS + 1))
    assert (orders.cancel(known(scene, card)), orders.sweep()) == (False, 0)
    assert in_wallet(scene, card) == (RICH, AMOUNT)
    assert new_kiosk(scene).write(card).colour == "green"
    check_written(scene, card)


def test_a_load_that_nobody_fetches_goes_back_and_a_cancelled_one_at_once(
    scene: Scene, orders: OrderedLoads
) -> None:
    card = rich_card(scene)
    orders.order(known(scene, card), AMOUNT)
    with pytest.raises(WalletRefused, match="waits for this card already"):
        orders.order(known(scene, card), AMOUNT)
    assert orders.cancel(known(scene, card))
    assert not orders.cancel(known(scene, card))
    orders.order(known(scene, card), AMOUNT)
    scene.clock.move_to(UnixMs(scene.clock.now() + WAITS_MS - 1))
    assert orders.sweep() == 0
    scene.clock.move_to(UnixMs(scene.clock.now() + 1))
    assert orders.sweep() == 1
    assert (in_wallet(scene, card), books(scene, card)) == ((RICH, 0), (0, 0))
    assert fates(scene, card) == [Fate.CANCELLED, Fate.EXPIRED]
    with pytest.raises(LoadRefused, match="nothing waits"):
        new_kiosk(scene).write(card)


@pytest.mark.parametrize("amount", [0, 999, 2_000_001])
def test_an_amount_out_of_bounds_is_not_ordered(scene: Scene, orders: OrderedLoads, amount: int) -> None:
    with pytest.raises(WalletRefused, match="choose another amount"):
        orders.order(known(scene, rich_card(scene)), Rupiah(amount))


def test_what_the_wallet_has_not_or_the_purse_may_not_hold_is_not_ordered(
    scene: Scene, orders: OrderedLoads
) -> None:
    card = rich_card(scene, Rupiah(19_999))
    with pytest.raises(WalletRefused, match="exceeds credits"):
        orders.order(known(scene, card), AMOUNT)
    full = rich_card(scene, Rupiah(4_000_000))
    orders.order(known(scene, full), Rupiah(2_000_000))
    assert new_kiosk(scene).write(full).colour == "green"
    with pytest.raises(WalletRefused, match="exceeds ceiling"):
        orders.order(known(scene, full), Rupiah(1_000))
    WalletDesk(scene.city.ledger, scene.clock).freeze(str(card.identity.card_number))
    with pytest.raises(WalletRefused, match="debits frozen"):
        orders.order(known(scene, card), Rupiah(1_000))


def test_terminals_that_may_are_told_which_cards_wait_and_nobody_else(
    scene: Scene, orders: OrderedLoads, kiosk: Kiosk
) -> None:
    card, other = rich_card(scene), rich_card(scene)
    orders.order(known(scene, card), AMOUNT)

    def ask(at: Kiosk, *fields: object) -> list[bytes]:
        return scene.city.desk.waiting(at.desk.seal(cbor2.dumps(list(fields)), WAITING_CONTENT_TYPE))

    told = ask(kiosk, scene.clock.now())
    assert card.chip.uid in told
    assert other.chip.uid not in told
    with pytest.raises(LoadRefused, match="does not say so"):
        ask(bus_that_may(scene, 1603, loads=False), scene.clock.now())
    with pytest.raises(LoadRefused, match="another time"):
        ask(kiosk, scene.clock.now() - 3_600_000)
    for fields in ((), ("now",), (1, 2)):
        with pytest.raises(BatchMalformed):
            ask(kiosk, *fields)
    orders.cancel(known(scene, card))
    assert card.chip.uid not in ask(kiosk, scene.clock.now())


def stands(scene: Scene, rupiah: Rupiah = RICH) -> Issued:
    """A card that is loaded with 20,000 whenever it holds less than 10,000, twice a day at most."""
    card = rich_card(scene, rupiah)
    scene.city.ordered.order(known(scene, card), AMOUNT)
    assert new_kiosk(scene).write(card).colour == "green"
    scene.city.ordered.stand(known(scene, card), Rupiah(10_000), AMOUNT, Rupiah(40_000))
    return card


def rides(scene: Scene, card: Issued, fare: int) -> None:
    bus = scene.desk(1700 + next(NUMBERS) % 1000)
    bus.tap(card, TapKind.FARE, fare)
    bus.send()


def test_a_card_that_falls_below_its_threshold_is_loaded_by_itself_within_a_days_limit(
    scene: Scene, orders: OrderedLoads, kiosk: Kiosk
) -> None:
    card = stands(scene)
    rides(scene, card, 10_000)
    assert orders.waiting(known(scene, card)) is None  # at the threshold, not below
    for _ in range(2):
        rides(scene, card, card.chip_balance - 9_999)
        found = orders.waiting(known(scene, card))
        assert found is not None
        assert (found.amount, found.automatic) == (sen_of(AMOUNT), True)
        rides(scene, card, 1)  # one waits: no second one
        assert kiosk.write(card).colour == "green"
    rides(scene, card, card.chip_balance - 5_000)
    assert orders.waiting(known(scene, card)) is None  # the day has had its two
    scene.clock.move_to(UnixMs(scene.clock.now() + DAY_MS))
    orders.sweep()
    assert orders.waiting(known(scene, card)) is not None
    assert in_wallet(scene, card) == (RICH - 3 * AMOUNT, AMOUNT)


def test_an_automatic_load_ends_when_it_is_told_to_and_asks_for_nothing_a_wallet_has_not(
    scene: Scene, orders: OrderedLoads
) -> None:
    card = stands(scene, AMOUNT)
    rides(scene, card, 15_000)
    assert orders.waiting(known(scene, card)) is None  # the wallet is empty: nothing, and the fare is posted
    assert books(scene, card) == (5_000, 0)
    other = stands(scene)
    orders.stand(known(scene, other), Rupiah(0), Rupiah(0), Rupiah(0))
    rides(scene, other, 15_000)
    assert (orders.waiting(known(scene, other)), orders.standing(known(scene, other))) == (None, None)


@pytest.mark.parametrize(
    ("below", "amount", "daily"),
    [(0, 20_000, 40_000), (10_000, 999, 40_000), (10_000, 20_000, 19_999), (2_000_001, 20_000, 40_000)],
)
def test_a_standing_order_that_makes_no_sense_is_refused(
    scene: Scene, orders: OrderedLoads, below: int, amount: int, daily: int
) -> None:
    with pytest.raises(WalletRefused, match="choose other amounts"):
        orders.stand(known(scene, rich_card(scene)), Rupiah(below), Rupiah(amount), Rupiah(daily))


def test_standing_orders_and_waiting_loads_are_known_after_a_start(scene: Scene) -> None:
    from ledger.wallets.loads.desk import OrderedLoads as Anew  # noqa: PLC0415

    card = stands(scene)
    city = scene.city
    anew = Anew(city.ledger, city.registry, city.intake.intents, scene.clock)
    assert card.uid in anew._standing
    city.intake.after_batch.clear()
    rides(scene, card, 15_000)  # a ledger that died between the batch and the order
    city.intake.after_batch.append(anew.look)
    assert anew.waiting(known(scene, card)) is None
    anew.sweep()
    assert anew.waiting(known(scene, card)) is not None
    account = purse(card.identity.card_number)
    assert city.ledger.balance(account).credits_pending == Sen(sen_of(AMOUNT))


def test_a_blocked_cards_wallet_gives_nothing_by_any_way_until_the_block_is_taken_back(
    scene: Scene, orders: OrderedLoads, kiosk: Kiosk
) -> None:
    card, other = rich_card(scene), rich_card(scene)
    number, desk = str(card.identity.card_number), WalletDesk(scene.city.ledger, scene.clock)
    code = static_code(SHOP).text()
    orders.order(known(scene, card), AMOUNT)
    scene.city.blocks.block(known(scene, card), "lost", scene.clock.now())
    assert kiosk.write(card).reason == "blocked"
    assert orders.sweep() == 1  # what waited for the card is the wallet's again
    assert in_wallet(scene, card) == (RICH, 0)
    for way in (
        lambda: orders.order(known(scene, card), AMOUNT),
        lambda: desk.send(f"S-{number}", number, str(other.identity.card_number), Sen(100)),
        lambda: desk.pay_by_qr(number, code, Sen(100)),
    ):
        with pytest.raises(WalletRefused, match="card is blocked"):
            way()
    desk.send(f"T-{number}", str(other.identity.card_number), number, Sen(100))  # it takes what comes
    scene.city.blocks.unblock(known(scene, card), scene.clock.now())
    Follower(scene.city.ledger).look()  # the city's own looks within a second
    desk.send(f"S-{number}", number, str(other.identity.card_number), Sen(100))
    desk.pay_by_qr(number, code, Sen(100))
    assert in_wallet(scene, card) == (RICH - 1, 0)
