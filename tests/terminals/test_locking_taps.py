"""Blocked cards are locked where they are seen: once, torn anywhere, refused by terminals with old lists, and let go by newer ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import pytest

from card import evidence, purse
from card.batch import RecordStatus, decode_record
from card.errors import EvidenceError
from card.layout import AID, File, Journey, JourneyState, TapKind
from card.purse import Change
from keys.identity import TerminalIdentity
from keys.money import Rupiah
from keys.vault import Role
from terminals.fares import TRANS_SEMARANG_2022
from terminals.outbox import Outbox
from terminals.tap import Colour
from terminals.terminal import Terminal
from terminals.upkeep import Parts
from terminals.upload import Link
from tests.terminals.depot import PLACE, START, card, value_of
from tests.terminals.press import Press

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from card.batch import TapRecord
    from card.virtual import VirtualCard
    from keys.filevault import FileVault
    from terminals.bundles.kept import KeptBundles
    from terminals.tap import Outcome
    from tests.terminals.depot import Clock

UID = int.from_bytes(bytes([4, 0, 0, 0, 0, 0, 1]), "big")
EXCHANGES = 11
"""What locking a card takes: a debit's twelve without the debit."""


@dataclass
class Bus:
    """A terminal of its own, and its lists."""

    terminal: Terminal
    kept: KeptBundles

    def records(self) -> list[TapRecord]:
        rows = self.terminal.outbox._db.execute("SELECT sequence, raw FROM records ORDER BY sequence")
        return [decode_record(raw, sequence) for sequence, raw in rows]

    def locks(self, status: RecordStatus = RecordStatus.CONFIRMED) -> list[TapRecord]:
        return [one for one in self.records() if one.kind is TapKind.LOCK and one.status is status]


@dataclass
class Depot:
    press: Press
    vault: FileVault
    buses: list[Bus]


@pytest.fixture
def depot(tmp_path: Path, shared_vault: FileVault, still: Clock) -> Iterator[Depot]:
    press, buses = Press(), []
    for number in (1001, 1002):
        folder = tmp_path / str(number)
        identity, kept = TerminalIdentity(folder), press.kept(folder / "bundles")
        client = httpx2.Client(base_url="http://127.0.0.1:9")
        link = Link(client, number, identity.sign, bytes(32), still, attempts=1)
        outbox = Outbox(folder / "outbox.db")
        parts = Parts(number, outbox, shared_vault, link, still, TRANS_SEMARANG_2022, kept)
        buses.append(Bus(Terminal(parts), kept))
    with buses[0].terminal, buses[1].terminal:
        yield Depot(press, shared_vault, buses)


def journey_of(chip: VirtualCard) -> Journey:
    return Journey.decode(bytes(chip.applications[AID].files[File.JOURNEY].data))


FLOWS: dict[str, Callable[[Terminal, VirtualCard], Outcome]] = {
    "fare": lambda bus, chip: bus.fare(chip, PLACE),
    "tap in": lambda bus, chip: bus.tap_in(chip, PLACE),
    "tap out": lambda bus, chip: bus.tap_out(chip, PLACE),
    "sale": lambda bus, chip: bus.sale(chip, Rupiah(1_000)),
    "load": lambda bus, chip: bus.load(chip, Rupiah(10_000)),
    "ordered load": lambda bus, chip: bus.load_ordered(chip),
    "inspection": lambda bus, chip: bus.inspect(chip)[0],
}


@pytest.mark.parametrize("flow", FLOWS)
def test_a_blocked_card_is_red_and_locked_once_however_often_it_is_held(flow: str, depot: Depot) -> None:
    chip, bus = card(depot.vault), depot.buses[0]
    bus.kept.take(depot.press.hotlist(7, {UID}), START)
    for _ in range(3):
        outcome = FLOWS[flow](bus.terminal, chip)
        assert (outcome.colour, outcome.reason) == (Colour.RED, "blocked")
        assert outcome.detail == "the card is blocked: nothing was taken, ask at a counter"
    [lock] = bus.records()
    assert (lock.kind, lock.status, lock.amount) == (TapKind.LOCK, RecordStatus.CONFIRMED, 0)
    assert evidence.parse(lock.tmi).record.reference == 7
    assert evidence.verify(
        depot.vault.card_key(Role.TRANSACTION_MAC, 1, chip.uid), chip.uid, lock.tmc, lock.tmi, lock.tmv
    )
    assert (journey_of(chip).locked, value_of(chip)) == (True, 50_000)


@pytest.mark.parametrize("acts", [False, True])
@pytest.mark.parametrize("exchange", range(1, EXCHANGES + 1))
def test_a_lock_torn_at_any_exchange_is_red_takes_nothing_and_is_whole_at_the_next_tap(
    exchange: int, acts: bool, depot: Depot
) -> None:
    chip, bus = card(depot.vault), depot.buses[0]
    bus.kept.take(depot.press.hotlist(7, {UID}), START)
    chip.tear(exchange, acts=acts)
    assert bus.terminal.fare(chip, PLACE).reason == "blocked"
    assert journey_of(chip).locked is (exchange == EXCHANGES and acts)
    assert bus.terminal.fare(chip, PLACE).reason == "blocked"
    assert journey_of(chip).locked
    assert len(bus.locks()) == 1
    assert bus.locks(RecordStatus.UNCONFIRMED) == []
    assert bus.terminal.outbox.ready() == len(bus.records())
    assert value_of(chip) == 50_000


def test_a_terminal_with_an_old_list_or_none_refuses_a_locked_card_and_writes_nothing(depot: Depot) -> None:
    chip, (first, second) = card(depot.vault), depot.buses
    first.kept.take(depot.press.hotlist(7, {UID}), START)
    first.terminal.fare(chip, PLACE)
    for number in (0, 6, 7):
        if number:
            second.kept.take(depot.press.hotlist(number, {99}), START)
        for outcome in (second.terminal.fare(chip, PLACE), second.terminal.inspect(chip)[0]):
            assert (outcome.colour, outcome.reason) == (Colour.RED, "blocked")
            assert "locked at another terminal" in outcome.detail
    assert second.records() == []


@pytest.mark.parametrize("flow", ["fare", "tap in", "tap out", "sale", "inspection"])
def test_a_newer_list_without_the_card_lets_it_go_and_its_next_transaction_ends_the_lock(
    flow: str, depot: Depot
) -> None:
    chip, (first, second) = card(depot.vault), depot.buses
    first.kept.take(depot.press.hotlist(7, {UID}), START)
    first.terminal.fare(chip, PLACE)
    second.kept.take(depot.press.hotlist(8, {99}), START)
    assert FLOWS[flow](second.terminal, chip).colour is Colour.GREEN
    assert journey_of(chip).locked is (flow == "inspection")  # a look writes nothing
    first.kept.take(depot.press.delta(8, {UID}, {99}), START)
    assert first.terminal.sale(chip, Rupiah(500)).colour is Colour.GREEN
    assert len(first.locks()) == 1


def test_a_card_that_was_locked_inside_is_still_inside_when_it_is_let_go(depot: Depot, still: Clock) -> None:
    chip, (first, second) = card(depot.vault), depot.buses
    assert first.terminal.tap_in(chip, PLACE).colour is Colour.GREEN
    before = journey_of(chip)
    first.kept.take(depot.press.hotlist(7, {UID}), START)
    assert first.terminal.tap_out(chip, PLACE).reason == "blocked"
    assert (journey_of(chip).state, journey_of(chip).tap_in_at) == (JourneyState.INSIDE, before.tap_in_at)
    second.kept.take(depot.press.hotlist(8, {99}), START)
    still.wait(1_200)
    assert "tap-out" in second.terminal.tap_out(chip, PLACE).rules
    assert journey_of(chip).state is JourneyState.OUTSIDE


def test_a_card_whose_journey_file_is_of_a_newer_software_is_refused_and_left_as_it_is(depot: Depot) -> None:
    chip, bus = card(depot.vault), depot.buses[0]
    held = chip.applications[AID].files[File.JOURNEY]
    held.data[:] = bytes([3 << 4]) + bytes(31)
    bus.kept.take(depot.press.hotlist(7, {UID}), START)
    assert bus.terminal.fare(chip, PLACE).reason == "blocked"
    assert bytes(held.data)[0] == 3 << 4
    assert bus.records() == []


def test_a_card_that_was_blocked_while_a_fare_is_torn_tells_of_the_fare_first(depot: Depot) -> None:
    chip, bus = card(depot.vault), depot.buses[0]
    chip.tear(12, acts=True)
    assert bus.terminal.fare(chip, PLACE).colour is Colour.AMBER
    bus.kept.take(depot.press.hotlist(7, {UID}), START)
    assert bus.terminal.load(chip, Rupiah(10_000)).reason == "blocked"
    assert not journey_of(chip).locked
    assert bus.terminal.fare(chip, PLACE).colour is Colour.GREEN
    assert bus.terminal.fare(chip, PLACE).reason == "blocked"
    assert journey_of(chip).locked


def test_a_lock_that_moves_money_is_no_evidence(depot: Depot) -> None:
    chip = card(depot.vault)
    open_ = purse.open_card(chip, depot.vault, Role.DEBIT)
    staged = open_.stage(Change(TapKind.LOCK, Rupiah(500), None, 1001, 1, START))
    with pytest.raises(EvidenceError, match="a lock moves no money"):
        evidence.parse(staged.tmi)
