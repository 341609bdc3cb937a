"""A city whose gates are late: fares are corrected in the night by transfers, once, and again when a late tap tells better."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

import pytest

from card.layout import Concession
from hebat.application import application
from hebat.bundles.office import Office, first_bundles
from hebat.fleet import Post, enrol
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from keys.clock import UnixMs, day_of
from keys.identity import TerminalRole
from keys.money import Rupiah, sen_of
from ledger.chart import Code, purse, split
from ledger.transfer import Kind
from ledger.verify import verify
from terminals.fares import Place
from terminals.fares.tariff import Product, Tariff
from tests.ledger.desk import DAY, OPERATOR, Scene, open_scene
from tests.terminals.zones import STOPS, zonal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hebat.issuing import Issued
    from ledger.journeys.store import CorrectionRow
    from terminals.terminal import Terminal

ZONAL = replace(zonal(daily_caps=(("", Rupiah(14_000)),)), valid_from=day_of(DAY))
HOUR = 3_600_000


@dataclass
class Town:
    """An open city with gates at its stops, and its clock."""

    scene: Scene
    gates: dict[int, Terminal]
    stack: ExitStack
    address: str

    def wait(self, hours: float) -> None:
        self.scene.clock.move_to(UnixMs(round(self.scene.clock.now() + hours * HOUR)))

    def into(self, card: Issued, stop: int) -> int:
        card.chip.leave_field()
        return self.gates[stop].tap_in(card.chip, self.place(stop)).amount

    def out(self, card: Issued, stop: int) -> int:
        card.chip.leave_field()
        return self.gates[stop].tap_out(card.chip, self.place(stop)).amount

    def place(self, stop: int) -> Place:
        return Place("1", STOPS[stop - 1], 1, stop, self.gates[stop].number)

    def night(self) -> list[tuple[int, int, str]]:
        rows: tuple[CorrectionRow, ...] = self.scene.city.journeys.run().rows
        return [(row.tmc, row.amount // 100, row.code) for row in rows]

    def adjusted(self) -> list[tuple[str, str, int]]:
        """Corrections in the journal: from, to, rupiah."""
        return [
            (split(row["debit"]).code.name, split(row["credit"]).code.name, int(row["amount"]) // 100)
            for rows in self.scene.city.ledger.row_chunks()
            for row in rows
            if row["kind"] == Kind.ADJUSTMENT
        ]

    def sound(self, *cards: Issued) -> bool:
        ledger = self.scene.city.ledger
        balances = [
            ledger.balance(purse(card.identity.card_number)).net(purse(card.identity.card_number))
            for card in cards
        ]
        trial = ledger.trial_balance()
        verify(ledger.database)
        return balances == [sen_of(card.chip_balance) for card in cards] and trial.debits == trial.credits


def opened(folder: Path, stack: ExitStack, tariff: Tariff) -> Town:
    scene = open_scene(Folder(folder), fresh=True)
    stack.enter_context(scene.city)
    first_bundles(scene.city, tariff)
    address = stack.enter_context(LoopbackServer(application(scene.city))).address
    gates = {
        stop: stack.enter_context(
            enrol(scene.city, Post(1000 + stop, TerminalRole.VALIDATOR, OPERATOR), address, tariff)
        )
        for stop in (1, 3, 4)
    }
    for gate in gates.values():
        gate.refresh()
    return Town(scene, gates, stack, address)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with ExitStack() as stack:
        yield opened(tmp_path / "city", stack, ZONAL)


def test_a_missing_tap_out_is_provisional_until_the_late_gate_tells_and_each_correction_is_a_transfer(
    town: Town,
) -> None:
    card = town.scene.card(Concession.GENERAL, 50_000)
    assert town.into(card, 1) == 0
    town.gates[1].upload()
    town.wait(0.5)
    assert town.out(card, 3) == 5_000  # at a gate that is offline
    assert town.night() == []  # too early to say
    town.wait(5)
    assert town.night() == [(2, 9_000, "missing-tap-out")]
    assert town.night() == []
    assert town.adjusted() == [("SUSPENSE", "OPERATOR_PAYABLE", 9_000)]
    town.gates[3].upload()
    assert town.night() == [(2, 0, "reversed")]
    assert town.night() == []
    assert town.adjusted() == [
        ("SUSPENSE", "OPERATOR_PAYABLE", 9_000),
        ("OPERATOR_PAYABLE", "SUSPENSE", 9_000),
    ]
    assert town.sound(card)


def test_a_provisional_fare_gives_way_to_what_the_chip_pays_at_its_next_tap(town: Town) -> None:
    card = town.scene.card(Concession.GENERAL, 50_000)
    town.into(card, 1)
    town.gates[1].upload()
    town.wait(5)
    assert town.night() == [(2, 9_000, "missing-tap-out")]
    town.wait(1)
    assert town.into(card, 3) == 9_000
    town.gates[3].upload()
    assert town.night() == [(2, 0, "reversed")]
    assert town.sound(card)


def test_taps_that_were_charged_by_the_rules_are_never_corrected_in_whatever_order_they_come(
    town: Town,
) -> None:
    cards = [town.scene.card(Concession.GENERAL, 50_000) for _ in range(3)]
    paid = 0
    for card in cards:
        for origin, destination in ((1, 4), (4, 3), (3, 1)):
            town.into(card, origin)
            town.wait(0.4)
            paid += town.out(card, destination)
            town.wait(0.2)
    for stop in (4, 1, 3):  # the gates upload one after another, with a night in between
        town.gates[stop].upload()
        town.night()
    assert paid == 3 * 14_000
    net = sum(amount if source == "SUSPENSE" else -amount for source, _, amount in town.adjusted())
    assert net == 0
    assert town.sound(*cards)


def cut(*_: object) -> NoReturn:
    raise InterruptedError


@pytest.mark.parametrize("broken_off", [False, True])
def test_a_gate_with_other_prices_than_its_tariff_says_is_put_right_to_the_rupiah(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken_off: bool
) -> None:
    """Also where a run before was broken off when it had read everything and corrected nothing."""
    with ExitStack() as stack:
        town = opened(tmp_path / "city", stack, ZONAL)
        card = town.scene.card(Concession.GENERAL, 50_000)
        town.into(card, 1)
        town.wait(0.5)
        dear = replace(ZONAL, products=tuple(Product(one.product, one.category, one.medium, Rupiah(one.amount + 700)) for one in ZONAL.products))  # fmt: skip
        rules = town.gates[4]._rules
        honest = rules.tariff(town.scene.clock.now())
        rules._merged = (rules._merged[0], rules._merged[1], replace(dear, version=honest.version))  # type: ignore[index]
        assert town.out(card, 4) == 9_700
        for gate in town.gates.values():
            gate.upload()
        if broken_off:
            with monkeypatch.context() as patched:
                patched.setattr(town.scene.city.journeys, "_card", cut)
                with pytest.raises(InterruptedError):
                    town.night()
        assert town.night() == [(3, -700, "full")]
        assert town.adjusted() == [("OPERATOR_PAYABLE", "SUSPENSE", 700)]
        assert town.sound(card)


def test_a_night_settles_what_it_corrects(town: Town) -> None:
    card = town.scene.card(Concession.GENERAL, 50_000)
    town.into(card, 1)
    town.gates[1].upload()
    town.wait(5)
    town.scene.city.night.settle(day_of(DAY))
    assert town.adjusted() == [("SUSPENSE", "OPERATOR_PAYABLE", 9_000)]
    everything = [row for rows in town.scene.city.ledger.row_chunks() for row in rows]
    payouts = [row for row in everything if row["kind"] == Kind.PAYOUT]
    paid = sum(int(row["amount"]) for row in payouts if split(row["debit"]).code is Code.OPERATOR_PAYABLE)
    assert paid == 900_000


def test_a_pupil_on_a_holiday_of_the_calendar_is_not_corrected(tmp_path: Path) -> None:
    from terminals.places import semarang_tariff  # noqa: PLC0415

    with ExitStack() as stack:
        town = opened(tmp_path / "city", stack, replace(semarang_tariff(), valid_from=day_of(DAY)))
        Office.of(town.scene.city).calendar(frozenset({day_of(DAY)}), town.scene.clock.now())
        town.wait(0.1)
        town.gates[1].refresh()
        card = town.scene.card(Concession.PUPIL, 50_000)
        assert town.gates[1].fare(card.chip, town.place(1)).amount == 3_500
        town.gates[1].upload()
        assert town.night() == []
