"""What a holder may do: block, report, register, take the data away, be forgotten; and a lost card's value moves once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from card.layout import VALID_DAYS
from hebat.errors import InputRefused
from hebat.settings import read_settings
from keys.clock import UnixMs, day_of, local, service_day
from keys.money import Rupiah, sen_of
from ledger.cardholder.blocking import LATE_MS
from ledger.cardholder.disputes import Outcome, Reason
from ledger.cardholder.holders import RETENTION_DAYS, Person, Purpose
from ledger.cardholder.reading import wallet
from ledger.cardholder.words import words
from ledger.chart import purse
from ledger.clients.scopes import Scope
from ledger.errors import BlockRefused, DisputeRefused
from settlement.calendar.city import city_calendar
from settlement.rulebook.book import Rulebook
from tests.cardholder.town import Holder, Town, form_key, tapped
from tests.ledger.served import Partner
from tests.ledger.tokens import bearer, token

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.issuing import Issued

DAY_MS = 86_400_000
NIK = "3374014507900001"
PERSON = {
    "name": "Tutik  Wulandari",
    "nik": NIK,
    "phone": "0812-3456-7890",
    "agree-registration": "yes",
    "agree-contact": "yes",
}
EN = {"Accept-Language": "en"}


def balance(town: Town, card: Issued) -> int:
    account = purse(card.identity.card_number)
    return town.city.ledger.balance(account).net(account)


def in_view(town: Town, card: Issued) -> tuple[Holder, str]:
    holder = town.holder(**EN)
    return holder, form_key(holder.opens(card).text)


def registered(town: Town, card: Issued) -> tuple[Holder, str]:
    holder, key = in_view(town, card)
    assert holder.post("/card/register", {**PERSON, "key": key}).status_code == 303
    return holder, key


def partner(town: Town, name: str) -> Partner:
    made = token(town.city.ledger.database, name, *Scope)
    holder = town.holder(**bearer(made))
    return Partner(holder.http)


def test_a_holder_blocks_a_lost_card_and_the_next_hotlist_names_it(town: Town) -> None:
    card = town.card()
    holder, key = in_view(town, card)
    assert "lost with the card" in holder.get("/card/block").text
    assert holder.post("/card/block", {"key": key}).status_code == 303
    assert "This card is blocked since" in holder.get("/card").text
    assert "Card blocked" in holder.get(f"/c/{card.token}").text
    from hebat.bundles.office import Office  # noqa: PLC0415
    from keys.bundle import BundleKind  # noqa: PLC0415

    office = Office.of(town.city)
    newest = max(one.number for one in town.city.shelf.all() if one.kind is BundleKind.HOTLIST)
    assert card.uid in office.listed(newest).numbers()
    assert holder.post("/card/block", {"key": key}).status_code == 303, "a second time changes nothing"


def test_a_blocked_cards_wallet_pays_nothing_and_takes_what_comes(town: Town) -> None:
    card, shop = town.card(), partner(town, "market")
    number = str(card.identity.card_number)
    order = {"card": number, "party": {"kind": "merchant", "number": 502}, "amount": 250_000}
    fund = {"card": number, "party": {"kind": "bank", "number": 9}, "amount": 1_000_000}
    assert shop.post("/v1/credits", fund).status_code == 201
    assert shop.post("/v1/debits", order).status_code == 201
    town.city.cardholders.blocking.block(town.known(card))
    refused = shop.post("/v1/debits", order)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/card-blocked")
    assert shop.post("/v1/holds", {**order, "seconds": 60}).status_code == 403
    assert shop.post("/v1/credits", fund).status_code == 201
    town.city.blocks.unblock(town.known(card), town.scene.clock.now())
    town.city.following.look()  # as a served city does twice a second
    assert shop.post("/v1/debits", order).status_code == 201


def test_a_found_card_on_a_phone_can_be_looked_at_and_nothing_else(town: Town) -> None:
    card, holder = town.phone_card(), town.holder(**EN)
    page = holder.get(holder.get(tapped(card)).headers["location"]).text
    key = form_key(page)
    assert "Block a lost card" not in page
    for path in ("/card/block", "/card/register", "/card/erase"):
        assert holder.post(path, {**PERSON, "key": key}).status_code == 403
    for path in ("/card/block", "/card/register", "/card/data", "/card/data.json", "/card/wallet"):
        assert holder.get(path).status_code == 403
    assert town.city.blocks.of(town.known(card)) is None


def test_a_reported_tap_has_a_number_a_deadline_and_an_answer(town: Town) -> None:
    card = town.card()
    town.rides(card, [3_500])
    holder, key = in_view(town, card)
    town.city.cardholders.failures.forget()
    tap = "/card/taps/2"
    made = holder.post(
        f"{tap}/problem", {"key": key, "reason": "twice", "words": "Dua kali di bus yang sama"}
    )
    assert made.status_code == 201, made.text
    number = made.text.split('href="/d/')[1].split("?")[0]
    assert len(number.replace("-", "")) == 20
    stranger = town.holder(**EN)
    open_ = stranger.get(f"/d/{number}").text
    assert "Being looked at" in open_
    assert "Dua kali" not in open_
    desk = town.city.cardholders.disputes
    (waiting,) = [one for one in desk.all(only_open=True) if one.uid == card.uid]
    today = day_of(local(town.scene.clock.now()).date())
    assert waiting.due == city_calendar(Rulebook(town.city.ledger.database)).plus(today, 10)
    assert desk.words(waiting.reference) == "Dua kali di bus yang sama"
    desk.answer(waiting.reference, Outcome.UPHELD, "Rp3.500 dikembalikan ke dompet.", "maker")
    answered = stranger.get(f"/d/{number.lower().replace('-', '')}").text
    assert "Upheld" in answered
    assert "Rp3.500 dikembalikan" in answered
    with pytest.raises(DisputeRefused, match="answered already"):
        desk.answer(waiting.reference, Outcome.REFUSED, "Tidak.", "maker")


def test_a_city_says_itself_in_how_many_bank_days_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEBAT_ANSWER_BANK_DAYS", "3")
    with Town.open(tmp_path / "city") as town:
        card = town.known(town.card())
        town.city.cardholders.disputes.open(card, 2, Reason.OTHER, "")
        (made,) = town.city.cardholders.disputes.of(card)
        friday = day_of(local(town.scene.clock.now()).date())
        assert made.due == city_calendar(Rulebook(town.city.ledger.database)).plus(friday, 3)
    monkeypatch.setenv("HEBAT_ANSWER_BANK_DAYS", "0")
    with pytest.raises(InputRefused, match="HEBAT_ANSWER_BANK_DAYS"):
        read_settings()


def test_a_report_is_found_by_its_number_or_reference_without_reading_others(town: Town) -> None:
    disputes, card = town.city.cardholders.disputes, town.known(town.card())
    number = disputes.open(card, 2, Reason.OTHER, "words")
    (made,) = disputes.of(card)
    asked: list[tuple[str, Any]] = []

    def heard(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    engine = town.city.ledger.database.engine
    sa.event.listen(engine, "before_cursor_execute", heard)
    try:
        assert disputes.words(made.reference) == "words"
        assert disputes.follow(number) == made
        assert disputes.of(card) == [made]
    finally:
        sa.event.remove(engine, "before_cursor_execute", heard)
    plans = list[str]()
    with engine.connect() as connection:
        for statement, parameters in asked:
            if "FROM disputes" in statement:
                found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans += [str(row[-1]) for row in found]
    looks = [plan for plan in plans if "disputes" in plan]
    assert len(looks) == 3
    assert all(plan.startswith("SEARCH disputes USING INDEX") for plan in looks), looks
    near = f"{int(made.reference, 16) ^ 1:0{len(made.reference)}x}"
    for wrong in (near, made.reference[:-1], made.reference.upper() + "0", "%", "x" * 12, ""):
        with pytest.raises(DisputeRefused, match="no dispute has the reference"):
            disputes.words(wrong)


def test_a_tap_is_reported_once_at_a_time_and_a_card_five_times(town: Town) -> None:
    card = town.card()
    town.rides(card, [1_000] * 7)
    holder, key = in_view(town, card)
    form = {"key": key, "reason": "amount"}
    assert holder.post("/card/taps/2/problem", form).status_code == 201
    assert holder.post("/card/taps/2/problem", form).status_code == 409
    assert holder.post("/card/taps/2/problem", {**form, "reason": "nonsense"}).status_code == 422
    assert [holder.post(f"/card/taps/{tmc}/problem", form).status_code for tmc in (3, 4, 5, 6, 7)] == [
        201, 201, 201, 201, 409,
    ]  # fmt: skip


def test_registering_raises_the_cards_limits_in_the_books(town: Town) -> None:
    card = town.card()
    account = purse(card.identity.card_number)
    registered(town, card)
    assert town.known(card).registered
    rules = town.city.ledger.rules(account)
    assert (rules.ceiling, rules.monthly) == (20_000_000, 40_000_000)
    assert town.city.ledger.rebuild_check() > 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"nik": "3374013207900001"}, "Check the NIK"),
        ({"nik": "12"}, "Check the NIK"),
        ({"name": " "}, "Check the name"),
        ({"phone": "024123"}, "Check the mobile number"),
        ({"agree-registration": ""}, "Without your agreement"),
    ],
)
def test_what_cannot_be_kept_is_said_at_its_field(town: Town, changed: dict[str, str], message: str) -> None:
    card = town.card()
    holder, key = in_view(town, card)
    answer = holder.post("/card/register", {**PERSON, "key": key, **changed})
    assert answer.status_code == 422
    assert message in answer.text
    assert not town.known(card).registered
    assert town.city.cardholders.holders.kept(town.known(card)) is None


def test_personal_data_is_sealed_at_rest_and_can_be_taken_away(town: Town) -> None:
    card = town.card()
    town.rides(card, [3_500])
    holder, _ = registered(town, card)
    told = json.loads(holder.get("/card/data.json").content)
    assert told["holder"]["nik"] == NIK
    assert told["holder"]["name"] == "Tutik Wulandari"
    assert told["card"]["tapcash"] == "46500.00"
    assert [one["amount"] for one in told["taps"]] == ["-3500.00", "50000.00"]
    path = town.city.ledger.database.path
    kept = b"".join(one.read_bytes() for one in path.parent.glob(path.name + "*"))
    assert NIK.encode() not in kept
    assert b"Wulandari" not in kept


def test_a_holder_sees_and_takes_the_wallets_movements_and_a_refund_says_what_it_gives_back(
    town: Town,
) -> None:
    card, shop = town.card(), partner(town, "shop-of-refunds")
    number = str(card.identity.card_number)
    order = {"card": number, "party": {"kind": "merchant", "number": 502}, "amount": 250_000}
    fund = {**order, "party": {"kind": "bank", "number": 9}}
    assert shop.post("/v1/credits", fund).status_code == 201
    payment = shop.post("/v1/debits", order).json()["position"]
    assert shop.post("/v1/credits", {**order, "amount": 100_000, "payment": payment}).status_code == 201
    holder, _ = in_view(town, card)
    told = json.loads(holder.get("/card/data.json").content)["wallet"]
    assert [(one["kind"], one["amount"], one["refund_of"]) for one in told] == [
        ("refund", "1000.00", payment), ("sale", "-2500.00", None), ("deposit", "2500.00", None),
    ]  # fmt: skip
    assert told[1]["number"] == payment
    page = holder.get("/card/wallet").text
    at = words("en").moment(town.scene.clock.now())
    assert f"for the payment of Rp2,500 on {at}" in page
    assert [page.index(one) for one in ("+Rp1,000", "\u2212Rp2,500", "+Rp2,500")] == sorted(
        page.index(one) for one in ("+Rp1,000", "\u2212Rp2,500", "+Rp2,500")
    )
    assert '<p class="big">Rp1,000</p>' in page
    assert "on hold" not in page
    assert shop.post("/v1/holds", {**order, "amount": 40_000, "seconds": 60}).status_code == 201
    page = holder.get("/card/wallet").text
    assert "Available Rp600, on hold Rp400." in page
    assert page.count("<li><span") == 3  # a hold moved nothing yet
    assert {one["state"] for one in told} == {"posted"}


def test_a_holder_is_forgotten_a_year_after_the_cards_validity_and_not_before(tmp_path: Path) -> None:
    with Town.open(tmp_path / "city") as town:
        card = town.card()
        registered(town, card)
        room, last = town.city.cardholders, card.identity.valid_until
        for days, forgotten in ((last + 365, 0), (last + 367, 1), (last + 367, 0)):
            town.scene.clock.move_to(UnixMs(days * DAY_MS + DAY_MS // 2))
            assert room.erase_expired() == forgotten
        kept = room.holders.kept(town.known(card))
        assert kept is not None
        assert (kept.person, town.known(card).registered) == (None, False)


def test_a_holder_whose_card_was_never_tapped_is_forgotten_after_the_longest_validity_and_a_year(
    tmp_path: Path,
) -> None:
    with Town.open(tmp_path / "city") as town:
        card = town.known(town.phone_card())
        room, at = town.city.cardholders, town.scene.clock.now()
        room.holders.register(card, Person("Wulandari", NIK), [Purpose.REGISTRATION])
        last = service_day(at) + VALID_DAYS + RETENTION_DAYS
        for days, forgotten in ((last, 0), (last + 1, 1)):
            town.scene.clock.move_to(UnixMs(days * DAY_MS + DAY_MS // 2))
            assert room.erase_expired() == forgotten
        kept = room.holders.kept(card)
        assert kept is not None
        assert kept.person is None


def test_a_forgotten_holder_leaves_the_books_as_they_are(town: Town) -> None:
    card = town.card()
    town.rides(card, [3_500])
    holder, key = registered(town, card)
    before = town.city.ledger.head().position
    assert holder.post("/card/erase", {"key": key}).status_code == 303
    page = holder.get("/card/data").text
    assert "Your data was deleted" in page
    assert "Wulandari" not in page
    told = json.loads(holder.get("/card/data.json").content)
    assert "nik" not in told["holder"]
    assert len(told["taps"]) == 2
    assert not town.known(card).registered
    account = purse(card.identity.card_number)
    assert town.city.ledger.rules(account).ceiling == 2_000_000
    rows = town.city.ledger.rows()
    mine = (rows["debit"] == account) | (rows["credit"] == account)
    assert (mine & (rows["position"] > before)).sum() == 1, "the change of the limits, and nothing else"


def test_a_sealed_record_of_one_card_is_not_anothers(town: Town) -> None:
    from ledger.cardholder.sealing import Sealing  # noqa: PLC0415
    from ledger.errors import DatabaseDamaged  # noqa: PLC0415

    sealing = Sealing(town.city.vault)
    sealed = sealing.seal("holder", 7, b"somebody")
    assert sealing.open("holder", 7, sealed) == b"somebody"
    for wrong in (
        ("holder", 8, sealed),
        ("dispute", 7, sealed),
        ("holder", 7, sealed[:-1] + bytes((sealed[-1] ^ 1,))),
    ):
        with pytest.raises(DatabaseDamaged):
            sealing.open(*wrong)


def test_registered_value_moves_to_the_card_in_its_place_once_and_three_days_later(town: Town) -> None:
    lost, new = town.card(80_000, registered=True), town.card(10_000)
    blocking, moved = town.city.cardholders.blocking, sen_of(Rupiah(80_000))
    with pytest.raises(BlockRefused, match="not blocked"):
        blocking.move(town.known(lost), town.known(new))
    blocking.block(town.known(lost))
    with pytest.raises(BlockRefused, match="three days"):
        blocking.move(town.known(lost), town.known(new))
    town.pass_(LATE_MS)
    done = blocking.move(town.known(lost), town.known(new))
    assert (done.purse, done.wallet) == (moved, 0)
    account = wallet(town.known(new))
    assert town.city.ledger.balance(account).net(account) == moved
    assert balance(town, lost) == 0
    trial = town.city.ledger.trial_balance()
    assert trial.debits == trial.credits
    with pytest.raises(BlockRefused, match="moved already"):
        blocking.move(town.known(lost), town.known(new))


def test_unregistered_value_stays_with_its_card(town: Town) -> None:
    lost, new = town.card(), town.card()
    town.city.cardholders.blocking.block(town.known(lost))
    town.pass_(LATE_MS)
    with pytest.raises(BlockRefused, match="PBI 20/6/2018"):
        town.city.cardholders.blocking.move(town.known(lost), town.known(new))
    assert balance(town, lost) == sen_of(Rupiah(50_000))
