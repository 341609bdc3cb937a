"""Coming back: what a terminal makes of a card whose last answer it never had. No ledger is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.batch import RecordStatus, decode_record
from keys.clock import UnixMs
from keys.money import Rupiah
from terminals.tap import Colour
from tests.terminals.depot import PLACE, START, Clock, Ledger, card, terminal, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from card.batch import TapRecord
    from card.virtual import VirtualCard
    from keys.filevault import FileVault
    from terminals.terminal import Terminal

NOWHERE = "http://127.0.0.1:1"
COMMIT = 0xC7


@pytest.fixture
def bus(tmp_path: Path, shared_vault: FileVault, still: Clock) -> Iterator[Terminal]:
    with terminal(tmp_path, shared_vault, still, Ledger(), NOWHERE) as made:
        yield made


@pytest.fixture
def other(tmp_path: Path, shared_vault: FileVault, still: Clock) -> Iterator[Terminal]:
    with terminal(tmp_path, shared_vault, still, Ledger(), NOWHERE, 1002) as made:
        yield made


def owed(bus: Terminal) -> list[TapRecord]:
    """What the terminal would send at the end of the shift."""
    found: list[TapRecord] = []

    def form(first: int, _previous: bytes, records: list[bytes]) -> bytes:
        found.extend(decode_record(raw, first + place) for place, raw in enumerate(records))
        return b"formed"

    bus.outbox.release_before(UnixMs(START + 1))
    bus.outbox.batch(form)
    return found


@pytest.mark.parametrize("acts", [False, True], ids=["before the chip acts", "after"])
@pytest.mark.parametrize("committed", [False, True], ids=["not paid", "paid"])
def test_a_card_torn_again_while_it_tells_what_happened_still_pays_once(
    bus: Terminal, shared_vault: FileVault, *, committed: bool, acts: bool
) -> None:
    cuts = range(1, 20)
    for cut in cuts:
        chip = card(shared_vault, serial=cut)
        chip.tear(12, acts=committed)
        bus.fare(chip, PLACE)
        chip.tear(cut, acts=acts)
        shown = [bus.fare(chip, PLACE)]
        chip.tear(0, acts=False)  # a tear that was not reached is forgotten
        if shown[0].colour is not Colour.GREEN:
            shown.append(bus.fare(chip, PLACE))
        assert [one.colour for one in shown].count(Colour.GREEN) == 1
        assert (shown[-1].balance, value_of(chip)) == (46_500, 46_500)
    records = owed(bus)
    confirmed = [one.amount for one in records if one.status is RecordStatus.CONFIRMED]
    assert confirmed == [-3_500] * len(cuts)
    assert all(one.status is not RecordStatus.UNCONFIRMED for one in records)


def test_the_same_sale_at_another_terminal_in_the_same_second_is_not_taken_for_ours(
    bus: Terminal, other: Terminal, shared_vault: FileVault
) -> None:
    chip = card(shared_vault)
    chip.tear(11, acts=False)
    assert bus.sale(chip, Rupiah(5_000)).colour is Colour.AMBER
    assert other.sale(chip, Rupiah(5_000)).colour is Colour.GREEN
    assert bus.sale(chip, Rupiah(5_000)).colour is Colour.GREEN
    assert value_of(chip) == 40_000
    assert [one.status for one in owed(bus)] == [RecordStatus.UNCONFIRMED, RecordStatus.CONFIRMED]


class Garbled:
    """A real chip behind a reader that answers a commit with a status of its own (ISO 7816-4, 6F00)."""

    def __init__(self, chip: VirtualCard) -> None:
        self.chip = chip
        self.uid = chip.uid

    def transmit(self, apdu: bytes) -> bytes:
        answer = self.chip.transmit(apdu)
        return b"\x6f\x00" if apdu[1] == COMMIT else answer


def test_a_reader_that_garbles_the_commits_answer_is_amber_and_the_card_tells(
    bus: Terminal, shared_vault: FileVault
) -> None:
    chip = card(shared_vault)
    assert bus.fare(Garbled(chip), PLACE).colour is Colour.AMBER
    assert value_of(chip) == 46_500
    chip.leave_field()
    assert bus.fare(chip, PLACE).colour is Colour.GREEN
    assert value_of(chip) == 46_500
    assert [one.status for one in owed(bus)] == [RecordStatus.CONFIRMED]


@pytest.mark.parametrize("price", [0, -5_000])
def test_a_sale_without_a_price_is_refused_and_leaves_no_record(
    bus: Terminal, shared_vault: FileVault, price: int
) -> None:
    chip = card(shared_vault)
    outcome = bus.sale(chip, Rupiah(price))
    assert (outcome.colour, outcome.sequence, value_of(chip)) == (Colour.RED, 0, 50_000)
    assert bus.outbox.waiting == 0


def test_a_purse_that_holds_exactly_the_fare_rides_and_one_rupiah_less_does_not(
    bus: Terminal, shared_vault: FileVault
) -> None:
    assert bus.fare(card(shared_vault, 3_500), PLACE).balance == 0
    poor = card(shared_vault, 3_499, serial=2)
    assert bus.fare(poor, PLACE).colour is Colour.RED
    assert value_of(poor) == 3_499
