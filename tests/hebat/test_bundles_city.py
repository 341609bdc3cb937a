"""A city that tells its terminals things: issued, served over HTTP, in force on taps, and used again by the ledger."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import httpx2
import pytest
import sqlalchemy as sa
import structlog
from structlog.testing import capture_logs

from card.layout import Concession, TapKind
from hebat.application import application
from hebat.bundles.office import Office, first_bundles, start_of
from hebat.demo import town
from hebat.fleet import Post, enrol
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from keys.bundle import BundleKind, opened
from keys.clock import UnixMs, day_of, local
from keys.identity import TerminalRole
from keys.money import Rupiah
from ledger.errors import BlockRefused, BundleUnknown
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind
from ledger.intake.tables import taps
from ledger.transfer import Kind
from terminals.bundles.contents import Limits
from terminals.fares import TRANS_SEMARANG_2022, Place, flat_tariff
from terminals.tap import Colour
from tests.ledger.desk import OPERATOR, Scene, open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hebat.issuing import Issued
    from ledger.intake.cards.issued import Card
    from terminals.terminal import Terminal

PLACE = Place("1", "Simpang Lima", 1, 7, 1001)
TOMORROW = day_of(date(2026, 11, 19))
DEARER = flat_tariff("semarang-2027", TOMORROW, Rupiah(4_000), Rupiah(1_500))


@dataclass
class Town:
    """An open city that is served, and its bundle office."""

    scene: Scene
    office: Office
    address: str
    stack: ExitStack

    def bus(self, number: int = 1001, role: TerminalRole = TerminalRole.VALIDATOR) -> Terminal:
        owner = town.AGENT if role is TerminalRole.KIOSK else OPERATOR
        made = enrol(self.scene.city, Post(number, role, owner), self.address, TRANS_SEMARANG_2022)
        return self.stack.enter_context(made)

    def card(self, concession: Concession = Concession.GENERAL) -> Issued:
        return self.scene.card(concession, 50_000)

    def known(self, card: Issued) -> Card:
        found = self.scene.city.registry.card(card.uid)
        assert found is not None
        return found

    def exceptions(self) -> list[tuple[ExceptionKind, str]]:
        with self.scene.city.ledger.database.transaction() as connection:
            return [(one.kind, one.detail) for one in quarantine.read_exceptions(connection)]


@pytest.fixture
def semarang(tmp_path: Path) -> Iterator[Town]:
    scene = open_scene(Folder(tmp_path / "city"), fresh=True)
    with ExitStack() as stack:
        stack.enter_context(scene.city)
        first_bundles(scene.city, TRANS_SEMARANG_2022)
        server = stack.enter_context(LoopbackServer(application(scene.city)))
        yield Town(scene, Office.of(scene.city), server.address, stack)


def subsidies(scene: Scene) -> list[int]:
    chunks = scene.city.ledger.row_chunks()
    return [int(row["amount"]) for rows in chunks for row in rows if row["kind"] == Kind.SUBSIDY]


def test_a_new_fare_holds_on_all_terminals_from_its_day_and_the_ledger_uses_it_again(semarang: Town) -> None:
    buses = [semarang.bus(1001), semarang.bus(1002)]
    semarang.office.tariff(DEARER)
    for bus in buses:
        assert bus.fare(semarang.card(Concession.ELDERLY).chip, PLACE).amount == 1_000
        assert bus.upload().posted == 1
    semarang.scene.clock.move_to(UnixMs(start_of(TOMORROW) - 1))
    assert buses[0].fare(semarang.card().chip, PLACE).amount == 3_500
    semarang.scene.clock.move_to(start_of(TOMORROW))
    for bus in buses:
        assert bus.fare(semarang.card(Concession.ELDERLY).chip, PLACE).amount == 1_500
        bus.upload()
    assert sorted(subsidies(semarang.scene)) == [250_000] * 4


def test_a_blocked_card_is_refused_once_the_hotlist_is_there_and_rides_again_after_it_is_unblocked(
    semarang: Town,
) -> None:
    bus, card, other = semarang.bus(), semarang.card(), semarang.card()
    semarang.office.blocks.block(semarang.known(card), "lost", semarang.scene.clock.now())
    (full, *rest) = semarang.office.hotlist()
    assert (full.number, [one.base for one in rest]) == (2, [])
    bus.upload()
    for _ in range(2):
        assert bus.fare(card.chip, PLACE).reason == "blocked"
    assert card.chip_balance == 50_000
    assert bus.fare(other.chip, PLACE).colour is Colour.GREEN
    assert bus.upload().posted == 2
    semarang.office.blocks.unblock(semarang.known(card), semarang.scene.clock.now())
    assert semarang.office.hotlist()
    bus.refresh()
    assert bus.fare(card.chip, PLACE).colour is Colour.GREEN


@pytest.mark.parametrize("role", [TerminalRole.VALIDATOR, TerminalRole.CONDUCTOR, TerminalRole.MERCHANT])
def test_a_blocked_cards_lock_is_kept_once_moves_no_money_and_is_told_to_staff_with_place_and_time(
    role: TerminalRole, semarang: Town
) -> None:
    bus, card, at = semarang.bus(1001, role), semarang.card(), semarang.scene.clock.now()
    semarang.office.blocks.block(semarang.known(card), "lost", at)
    semarang.scene.city.following.look()  # the wallet's flag is a row too
    semarang.office.hotlist()
    bus.refresh()
    rows = sum(len(some) for some in semarang.scene.city.ledger.row_chunks())
    bus.outbox.open_shift("Somebody", at)
    for _ in range(3):
        assert bus.sale(card.chip, Rupiah(1_000)).reason == "blocked"
    shift = bus.outbox.close_shift(at)
    assert bus.upload().posted == 1
    assert bus.upload().posted == 0
    assert sum(len(some) for some in semarang.scene.city.ledger.row_chunks()) == rows
    told = f"blocked card seen at terminal 1001 at {local(at):%Y-%m-%d %H:%M}, and locked there"
    said = [detail for kind, detail in semarang.exceptions() if kind is ExceptionKind.CARD_LOCKED]
    assert said == [told]
    assert ExceptionKind.CARD_BLOCKED not in [kind for kind, _ in semarang.exceptions()]
    with semarang.scene.city.ledger.database.transaction() as connection:
        [tap] = connection.execute(
            sa.select(taps.c.kind, taps.c.amount, taps.c.position).where(taps.c.terminal == 1001)
        ).all()
    assert tuple(tap) == (TapKind.LOCK, 0, 0)
    assert bus.cash_up(shift).differs == ()


def test_a_kiosk_that_shows_a_blocked_cards_balance_has_the_ledger_lock_it_once_and_tell_staff(
    semarang: Town,
) -> None:
    kiosk, bus, card = semarang.bus(3900, TerminalRole.KIOSK), semarang.bus(), semarang.card()
    at = semarang.scene.clock.now()
    semarang.office.blocks.block(semarang.known(card), "lost", at)
    semarang.office.hotlist()
    kiosk.refresh()
    for _ in range(3):
        card.chip.leave_field()
        outcome, told = kiosk.inspect(card.chip)
        assert (outcome.colour, outcome.reason, told) == (Colour.RED, "blocked", None)
    assert (kiosk.outbox.waiting, kiosk.outbox.last_request) == (0, 1)
    said = [detail for kind, detail in semarang.exceptions() if kind is ExceptionKind.CARD_LOCKED]
    assert said == [f"blocked card seen at terminal 3900 at {local(at):%Y-%m-%d %H:%M}, and locked there"]
    assert bus.fare(card.chip, PLACE).reason == "blocked"  # this bus has not heard of it
    semarang.office.blocks.unblock(semarang.known(card), at)
    semarang.office.hotlist()
    bus.refresh()
    assert bus.fare(card.chip, PLACE).colour is Colour.GREEN


def test_a_kiosk_without_a_line_shows_a_blocked_card_red_and_says_in_its_log_that_it_is_not_locked(
    semarang: Town,
) -> None:
    kiosk, card = semarang.bus(3900, TerminalRole.KIOSK), semarang.card()
    semarang.office.blocks.block(semarang.known(card), "lost", semarang.scene.clock.now())
    semarang.office.hotlist()
    kiosk.refresh()
    kiosk._parts.link._client.base_url = httpx2.URL("http://127.0.0.1:9")
    structlog.reset_defaults()
    with capture_logs() as told:
        assert kiosk.inspect(card.chip)[0].reason == "blocked"
    assert [one["event"] for one in told] == ["blocked card not locked"]
    assert ExceptionKind.CARD_LOCKED not in [kind for kind, _ in semarang.exceptions()]


def test_a_load_by_the_ledger_ends_the_lock_of_a_card_that_was_unblocked(semarang: Town) -> None:
    bus, kiosk, card = semarang.bus(), semarang.bus(3900, TerminalRole.KIOSK), semarang.card()
    stale, at = semarang.bus(1002), semarang.scene.clock.now()
    semarang.office.blocks.block(semarang.known(card), "lost", at)
    semarang.office.hotlist()
    bus.refresh()
    assert bus.fare(card.chip, PLACE).reason == "blocked"
    assert stale.fare(card.chip, PLACE).reason == "blocked"
    bus.upload()
    semarang.office.blocks.unblock(semarang.known(card), at)
    assert kiosk.load(card.chip, Rupiah(10_000)).colour is Colour.GREEN
    assert stale.fare(card.chip, PLACE).colour is Colour.GREEN


def test_law_05_a_blocked_cards_tap_at_an_outdated_terminal_is_posted_and_shown(semarang: Town) -> None:
    bus, card, early = semarang.bus(), semarang.card(), semarang.card()
    assert bus.fare(early.chip, PLACE).colour is Colour.GREEN
    semarang.scene.clock.move_to(UnixMs(semarang.scene.clock.now() + 60_000))
    for one in (card, early):
        semarang.office.blocks.block(semarang.known(one), "stolen", semarang.scene.clock.now())
    assert bus.fare(card.chip, PLACE).colour is Colour.GREEN
    assert bus.upload().posted == 2
    said = [detail for kind, detail in semarang.exceptions() if kind is ExceptionKind.CARD_BLOCKED]
    assert said == ["the card was blocked (stolen): the terminal had an old hotlist"]


def test_no_load_is_authorised_for_a_blocked_card(semarang: Town) -> None:
    kiosk, card = semarang.bus(3900, TerminalRole.KIOSK), semarang.card()
    semarang.office.blocks.block(semarang.known(card), "lost", semarang.scene.clock.now())
    assert kiosk.load(card.chip, Rupiah(10_000)).reason == "blocked"  # its own list does not name the card
    semarang.office.hotlist()
    kiosk.refresh()
    card.chip.leave_field()
    assert kiosk.load(card.chip, Rupiah(10_000)).reason == "blocked"
    assert card.chip_balance == 50_000


def test_a_block_has_a_reason_and_holds_once(semarang: Town) -> None:
    blocks, card, at = semarang.office.blocks, semarang.known(semarang.card()), semarang.scene.clock.now()
    for reason in ("", "  ", "x" * 201):
        with pytest.raises(BlockRefused, match="say why"):
            blocks.block(card, reason, at)
    with pytest.raises(BlockRefused, match="is not blocked"):
        blocks.unblock(card, at)
    blocks.block(card, "lost", at)
    with pytest.raises(BlockRefused, match=r"blocked already \(lost\)"):
        blocks.block(card, "stolen", at)
    assert [(one.uid, one.reason) for one in blocks.now()] == [(card.uid, "lost")]
    blocks.unblock(card, at)
    blocks.block(card, "lost again", at)
    found = blocks.of(card)
    assert found is not None
    assert found.reason == "lost again"


def test_a_terminal_a_few_lists_behind_gets_deltas_and_one_far_behind_the_full_list(semarang: Town) -> None:
    cards, bus, clock = [semarang.card() for _ in range(14)], semarang.bus(), semarang.scene.clock
    for card in cards[:4]:
        semarang.office.blocks.block(semarang.known(card), "lost", clock.now())
    semarang.office.hotlist()
    bus.refresh()
    for card in cards[4:7]:
        semarang.office.blocks.block(semarang.known(card), "lost", clock.now())
        semarang.office.hotlist()
    assert [(one.number, one.base) for one in bus.refresh().taken] == [(3, 2), (4, 3), (5, 4)]
    for card in cards[7:]:
        semarang.office.blocks.block(semarang.known(card), "lost", clock.now())
        semarang.office.hotlist()
    for card in cards[:3]:
        semarang.office.blocks.unblock(semarang.known(card), clock.now())
        semarang.office.hotlist()
    assert [(one.number, one.base) for one in bus.refresh().taken] == [(15, 0)]
    assert [bus.fare(card.chip, PLACE).reason for card in cards].count("blocked") == 11
    assert semarang.office.hotlist() == []


def test_a_class_gets_its_own_limits_and_no_others(semarang: Town) -> None:
    till, bus = semarang.bus(2001, TerminalRole.MERCHANT), semarang.bus()
    low = Limits(Rupiah(10_000), Rupiah(10_000))
    semarang.office.limits(low, semarang.scene.clock.now(), TerminalRole.MERCHANT.value)
    assert [one.number for one in till.refresh().taken] == [2]
    assert bus.refresh().taken == []
    card = semarang.card()
    assert till.sale(card.chip, Rupiah(10_001)).reason == "over-limit"
    assert bus.sale(card.chip, Rupiah(10_001)).colour is Colour.GREEN


def test_http_says_what_is_newest_what_is_next_and_when_there_is_nothing(semarang: Town) -> None:
    semarang.office.tariff(DEARER)
    key = semarang.scene.city.vault.public_key("bundles")
    with httpx2.Client(base_url=semarang.address, timeout=60) as client:
        newest = client.get("/v1/bundles", params={"audience": "validator"}).json()
        assert newest.pop("time") == semarang.scene.clock.now()
        assert newest == {"tariff": 2, "hotlist": 1, "limits": 1, "calendar": 1, "keys": 1}
        said = client.get("/v1/bundles/tariff", params={"audience": "validator"})
        assert (said.status_code, said.headers["etag"], opened(said.content, key).number) == (
            200,
            '"tariff-1-0"',
            1,
        )
        same = {"If-None-Match": '"x", "tariff-1-0"'}
        assert client.get("/v1/bundles/tariff", params={"audience": "kiosk"}, headers=same).status_code == 304
        ahead = client.get("/v1/bundles/tariff", params={"audience": "kiosk", "have": 1})
        assert opened(ahead.content, key).number == 2
        assert client.get("/v1/bundles/tariff", params={"audience": "kiosk", "have": 2}).status_code == 204
        for bad in ("audience=driver", "", "audience=kiosk&have=-1"):
            assert client.get(f"/v1/bundles/tariff?{bad}").status_code == 422
        assert client.get("/v1/bundles/weather", params={"audience": "kiosk"}).status_code == 422


def test_a_bundle_that_was_replaced_before_its_day_is_not_sent(semarang: Town) -> None:
    shelf, now = semarang.scene.city.shelf, semarang.scene.clock.now()
    semarang.office.tariff(DEARER)
    semarang.office.tariff(DEARER)
    found = shelf.next(BundleKind.TARIFF, "validator", 1, now)
    assert found is not None
    assert found.number == 3
    with pytest.raises(BundleUnknown, match="there is no tariff 9"):
        shelf.data(BundleKind.TARIFF, 9)


def test_a_tariff_that_was_never_issued_brings_no_subsidy(semarang: Town) -> None:
    desk, card = semarang.scene.desk(1005), semarang.card(Concession.ELDERLY)
    desk.tap(card, TapKind.FARE, 1_000, rules=("concession:elderly",))
    known = semarang.scene.city.intake.tariffs
    assert desk.records
    for version in (
        "semarang#1",
        "trans-semarang-2022-07#9",
        "trans-semarang-2022-07#",
        "#1",
        "x#99999999999",
    ):
        assert known.subsidy(version, card.identity, Rupiah(1_000), ("concession:elderly",)) == 0
    issued = "trans-semarang-2022-07#1"
    assert known.subsidy(issued, card.identity, Rupiah(1_000), ("concession:elderly",)) == 2_500
