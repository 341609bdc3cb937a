"""The virtual card behind a real pcscd: every flow, tears, swapped cards, a dying service, and two readers at once."""

from __future__ import annotations

import contextlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from card import inspecting, pcsc, purse
from card.apdu import GET_UID
from card.errors import (
    Acted,
    CardAbsent,
    CardLost,
    ReaderServiceDown,
)
from card.layout import AID, File, Journey, TapKind
from card.personalise import personalise
from card.purse import Change
from card.virtual import VirtualCard
from card.virtual.vpcd import VpcdSlot
from keys.clock import UnixMs
from keys.money import Rupiah
from keys.vault import Role
from tests.card.known import IDENTITY
from tests.card.pcscd import SLOTS, WAIT_S, Pcscd, until, waited

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.transport import Transport
    from keys.filevault import FileVault

ATR = bytes.fromhex("3b8180018080")
"""What a reader states for a DESFire."""

pytest_plugins = ["tests.card.pcscd_fixtures"]

FIRST, SECOND = SLOTS
FARE_EXCHANGES = 12


def blank(serial: int = 1) -> VirtualCard:
    return VirtualCard(bytes([4, 1, 2, 3, 4, 5, serial]))


def transact(card: Transport, vault: FileVault, kind: TapKind, amount: int, sequence: int) -> purse.Evidence:
    role = Role.LOAD if kind is TapKind.LOAD else Role.DEBIT
    journey = None if kind is TapKind.LOAD else Journey(tap_in_at=sequence)
    open_ = purse.open_card(card, vault, role)
    open_.stage(Change(kind, Rupiah(amount), journey, 1, sequence, UnixMs(1_795_000_000_000)))
    return open_.commit()


def value(chip: VirtualCard) -> int:
    return chip.applications[AID].files[File.PURSE].value


# Flows


def test_both_slots_are_readers_and_a_card_tells_its_uid_and_atr(pcscd: Pcscd, slot: VpcdSlot) -> None:
    assert pcsc.reader_names() == [FIRST, SECOND]
    with waited() as card:
        assert (card.reader, card.uid, card.atr) == (FIRST, slot.card.uid, ATR)


def test_a_card_is_personalised_loaded_and_debited_through_a_reader(pcscd: Pcscd, vault: FileVault) -> None:
    chip = blank()
    with VpcdSlot(chip, pcscd.port), waited(FIRST) as card:
        personalise(card, vault, IDENTITY)
        loaded = transact(card, vault, TapKind.LOAD, 50_000, 1)
        paid = transact(card, vault, TapKind.FARE, 3_500, 2)
        newest = inspecting.newest_record(card, vault, Role.READ)
    assert (loaded.tmc, paid.tmc, value(chip)) == (1, 2, 46_500)
    assert newest is not None
    assert (newest.kind, newest.balance_after) == (TapKind.FARE, 46_500)


def test_a_card_given_up_loses_its_session_and_opens_again(slot: VpcdSlot, vault: FileVault) -> None:
    chip = slot.card
    assert isinstance(chip, VirtualCard)
    with waited() as card:
        purse.open_card(card, vault, Role.DEBIT)
        assert chip.session is not None
    until(lambda: chip.session is None, "no power")
    with pytest.raises(CardLost) as lost:
        card.transmit(GET_UID)
    assert lost.value.acted is Acted.NOT_SENT
    card.close()
    with waited() as again:
        assert again.uid == chip.uid


# Tears


@pytest.mark.parametrize("cut", [1, FARE_EXCHANGES - 1, FARE_EXCHANGES])
@pytest.mark.parametrize("acts", [False, True])
def test_a_card_torn_out_has_committed_whole_or_not_at_all_and_says_so_when_it_comes_back(
    slot: VpcdSlot, vault: FileVault, cut: int, *, acts: bool
) -> None:
    chip = slot.card
    assert isinstance(chip, VirtualCard)
    with waited() as card:
        before = transact(card, vault, TapKind.LOAD, 50_000, 1)
        chip.tear(cut, acts=acts)
        with pytest.raises(CardLost) as lost:
            transact(card, vault, TapKind.FARE, 3_500, 2)
        assert lost.value.acted is Acted.UNKNOWN
        assert card.lost
    assert not slot.inserted
    slot.insert()
    with waited() as card:
        seen = purse.seen_now(card)
    committed = seen.tmc == before.tmc + 1
    assert committed == (acts and cut == FARE_EXCHANGES)
    assert value(chip) == (46_500 if committed else 50_000)


def test_a_lost_card_stays_lost_though_it_lies_there_again(slot: VpcdSlot) -> None:
    with waited() as card:
        slot.remove()
        slot.insert()
        acted = []
        for _ in range(3):
            with pytest.raises(CardLost) as lost:
                card.transmit(GET_UID)
            acted.append(lost.value.acted)
        assert acted[1:] == [Acted.NOT_SENT, Acted.NOT_SENT]
    with waited() as again:
        assert again.transmit(GET_UID) == slot.card.uid + b"\x90\x00"


def test_another_card_in_the_same_reader_is_another_card(
    slot: VpcdSlot, new_card: Callable[..., VirtualCard]
) -> None:
    with waited() as first:
        slot.remove()
        with VpcdSlot(new_card(9), slot.port):
            with pytest.raises(CardLost):
                first.transmit(GET_UID)
            first.close()
            with waited() as second:
                assert (first.uid[-1], second.uid[-1]) == (1, 9)


def test_a_card_that_goes_and_comes_back_while_it_is_given_up_is_found_again(slot: VpcdSlot) -> None:
    with waited():
        slot.remove()
    slot.insert()
    with waited() as again:
        assert again.uid == slot.card.uid


def test_however_cards_are_swapped_an_open_card_is_the_same_or_lost(
    pcscd: Pcscd, new_card: Callable[..., VirtualCard]
) -> None:
    chips = [new_card(serial) for serial in (1, 2)]
    chance = random.Random(14443)
    over = threading.Event()

    told: set[bytes] = set()

    def swap() -> None:
        for turn in range(100):
            with VpcdSlot(chips[turn % 2], pcscd.port):
                over.wait(chance.uniform(0.1, 0.7))
            over.wait(chance.choice([0, 0.001, 0.3]))
            if (
                turn >= 7 and len(told) == 2
            ):  # a busy pcscd may have missed a card that lay there for a moment
                break
        over.set()

    with ThreadPoolExecutor(1) as pool:
        swapped = pool.submit(swap)
        while not over.is_set():
            with contextlib.suppress(CardAbsent), pcsc.wait_for_card(FIRST, 0.2) as card:
                told.add(held_to_the_end(card))
        swapped.result(WAIT_S)
    assert told == {chip.uid for chip in chips}


def held_to_the_end(card: pcsc.PcscCard) -> bytes:
    """Ask a card for its UID until it is lost."""
    try:
        while True:
            assert card.transmit(GET_UID) == card.uid + b"\x90\x00"
    except CardLost:
        return card.uid


@pytest.mark.parametrize("times", [5])
def test_a_card_goes_in_and_out_any_number_of_times(slot: VpcdSlot, times: int) -> None:
    for _ in range(times):
        slot.insert()
        slot.insert()
        with waited() as card:
            assert card.uid == slot.card.uid
        slot.remove()
        slot.remove()
    assert not slot.inserted


# The service, and several readers


def test_a_killed_pcscd_is_a_lost_card_and_its_successor_finds_the_card_again(
    pcscd: Pcscd, slot: VpcdSlot, vault: FileVault
) -> None:
    with waited() as card:
        open_ = purse.open_card(card, vault, Role.LOAD)
        pcscd.kill()
        with pytest.raises(CardLost) as lost:
            open_.stage(Change(TapKind.LOAD, Rupiah(10_000), None, 1, 1, UnixMs(1_795_000_000_000)))
        assert lost.value.acted is Acted.UNKNOWN
        with pytest.raises(ReaderServiceDown, match="systemctl start pcscd"):
            pcsc.wait_for_card(timeout_s=0)
        pcscd.start()
        with pytest.raises(CardLost):
            card.transmit(GET_UID)
    with waited() as again:
        assert transact(again, vault, TapKind.LOAD, 10_000, 2).tmc == 1


def test_two_readers_work_at_once_from_two_threads(
    slot: VpcdSlot, second_slot: VpcdSlot, vault: FileVault
) -> None:
    both = threading.Barrier(2, timeout=WAIT_S)

    def fares(reader: str) -> int:
        with waited(reader) as card:
            both.wait()
            transact(card, vault, TapKind.LOAD, 100_000, 1)
            return [transact(card, vault, TapKind.FARE, 3_500, 2 + n) for n in range(10)][-1].tmc

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(fares, [FIRST, SECOND], timeout=60)) == [11, 11]
    chips = [one.card for one in (slot, second_slot)]
    assert [value(chip) for chip in chips if isinstance(chip, VirtualCard)] == [65_000, 65_000]
