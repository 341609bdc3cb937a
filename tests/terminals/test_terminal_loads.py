"""Loads: one hold for one load, and each hold that no card took is given back exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.batch import RecordStatus
from card.virtual import VirtualCard
from keys.money import Rupiah
from terminals.errors import Offline, OutboxFull, UploadRefused
from terminals.tap import Colour
from tests.terminals.depot import PLACE, Clock, Ledger, Server, card, terminal, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from card.batch import TapRecord
    from keys.filevault import FileVault
    from terminals.terminal import Terminal

AMOUNT = Rupiah(20_000)
EXCHANGES = 11
COMMIT = 0xC7


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def kiosk(tmp_path: Path, shared_vault: FileVault, still: Clock, ledger: Ledger) -> Iterator[Terminal]:
    server = Server(ledger)
    with terminal(tmp_path, shared_vault, still, ledger, server.address) as made:
        yield made
    server.close()


def holds(records: list[TapRecord]) -> dict[int, list[RecordStatus]]:
    found: dict[int, list[RecordStatus]] = {}
    for record in records:
        found.setdefault(record.context.authorisation, []).append(record.status)
    return found


@pytest.mark.parametrize("acts", [False, True], ids=["before the chip acts", "after"])
def test_however_a_load_is_torn_and_tried_again_each_hold_has_one_fate(
    kiosk: Terminal, shared_vault: FileVault, ledger: Ledger, *, acts: bool
) -> None:
    expected: dict[int, list[RecordStatus]] = {}
    for cut in range(1, EXCHANGES + 1):
        chip = card(shared_vault, serial=cut)
        chip.tear(cut, acts=acts)
        assert kiosk.load(chip, AMOUNT).colour is Colour.AMBER
        again = kiosk.load(chip, AMOUNT)
        assert (again.colour, again.balance, value_of(chip)) == (Colour.GREEN, 70_000, 70_000)
        landed = cut == EXCHANGES and acts
        taken, unused = (ledger.holds - 1, ledger.holds) if landed else (ledger.holds, ledger.holds - 1)
        expected |= {taken: [RecordStatus.CONFIRMED], unused: [RecordStatus.WITNESS]}
    kiosk.close_shift()
    assert holds(ledger.records()) == expected


def test_a_load_past_the_purses_limit_or_onto_a_foreign_card_gives_its_hold_back(
    kiosk: Terminal, shared_vault: FileVault, ledger: Ledger
) -> None:
    chip = card(shared_vault, 19_999_000)
    assert kiosk.load(chip, AMOUNT).reason == "refused"
    assert kiosk.load(VirtualCard(bytes([4, 0, 0, 0, 0, 0, 9])), AMOUNT).reason == "foreign"
    assert value_of(chip) == 19_999_000
    kiosk.upload()
    assert holds(ledger.records()) == {41: [RecordStatus.WITNESS], 42: [RecordStatus.WITNESS]}


def test_a_load_that_the_card_refuses_at_the_commit_gives_its_hold_back_once(
    kiosk: Terminal, shared_vault: FileVault, ledger: Ledger
) -> None:
    refusing = Forgetful(card(shared_vault))
    assert kiosk.load(refusing, AMOUNT).colour is Colour.RED
    assert value_of(refusing.chip) == 50_000
    kiosk.upload()
    assert holds(ledger.records()) == {41: [RecordStatus.WITNESS]}


class Forgetful:
    """A real chip whose session ends just before the commit, as by a reset in the field: the commit is refused."""

    def __init__(self, chip: VirtualCard) -> None:
        self.chip = chip
        self.uid = chip.uid

    def transmit(self, apdu: bytes) -> bytes:
        if apdu[1] == COMMIT:
            self.chip.end_session()
        return self.chip.transmit(apdu)


def test_without_a_ledger_nothing_is_loaded_and_the_next_request_has_a_fresh_number(
    tmp_path: Path, shared_vault: FileVault, still: Clock, ledger: Ledger
) -> None:
    chip = card(shared_vault)
    with terminal(tmp_path, shared_vault, still, ledger, "http://127.0.0.1:1", 1009) as lonely:
        with pytest.raises(Offline):
            lonely.load(chip, AMOUNT)
        assert (value_of(chip), lonely.outbox.waiting, lonely.outbox.next_request()) == (50_000, 0, 2)


def test_an_answer_without_an_authorisation_loads_nothing(
    kiosk: Terminal, shared_vault: FileVault, ledger: Ledger
) -> None:
    chip = card(shared_vault)
    ledger.mishaps = ["200"]
    with pytest.raises(UploadRefused, match="authorisation"):
        kiosk.load(chip, AMOUNT)
    assert value_of(chip) == 50_000


def test_a_full_outbox_asks_for_no_hold_that_it_could_not_account_for(
    kiosk: Terminal, shared_vault: FileVault, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminals.outbox.RECORDS_MAX", 1)
    kiosk.fare(card(shared_vault), PLACE)
    with pytest.raises(OutboxFull):
        kiosk.load(card(shared_vault, serial=2), AMOUNT)
    assert ledger.bodies == []
