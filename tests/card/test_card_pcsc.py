"""The virtual card behind a real pcscd: every flow, tears, hot-plug, a dying service, two readers and two programs."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import pytest

from card import pcsc, purse
from card.apdu import GET_UID
from card.errors import (
    Acted,
    CardAbsent,
    CardError,
    CardForeign,
    CardLost,
    ReaderBusy,
    ReaderMissing,
    ReaderServiceDown,
)
from card.layout import AID, File, Journey, TapKind
from card.personalise import personalise
from card.purse import Change
from card.virtual import VirtualCard
from card.virtual.vpcd import ATR, VpcdSlot
from keys.clock import UnixMs
from keys.money import Rupiah
from keys.vault import Role
from tests.card.known import IDENTITY
from tests.card.pcscd import SLOTS, WAIT_S, Pcscd, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from card.transport import Transport
    from keys.filevault import FileVault

pytest_plugins = ["tests.card.pcscd_fixtures"]

FIRST, SECOND = SLOTS
FARE_EXCHANGES = 12
HOLDER = """
import sys
from card import pcsc
with pcsc.wait_for_card(sys.argv[1], 10) as card:
    print(card.uid.hex(), flush=True)
    sys.stdin.readline()
"""


def holder(pcscd: Pcscd, reader: str) -> subprocess.Popen[str]:
    """Another program, which tells the UID of a reader's card and keeps the card until it gets a line."""
    command = [sys.executable, "-c", HOLDER, reader]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, env=pcscd.environment, text=True)


def blank(serial: int = 1) -> VirtualCard:
    return VirtualCard(bytes([4, 1, 2, 3, 4, 5, serial]))


def waited(reader: str | None = None) -> pcsc.PcscCard:
    return pcsc.wait_for_card(reader, WAIT_S)


def transact(card: Transport, vault: FileVault, kind: TapKind, amount: int, sequence: int) -> purse.Evidence:
    role = Role.LOAD if kind is TapKind.LOAD else Role.DEBIT
    journey = None if kind is TapKind.LOAD else Journey(tap_in_at=sequence)
    open_ = purse.open_card(card, vault, role)
    open_.stage(Change(kind, Rupiah(amount), journey, 1, sequence, UnixMs(1_795_000_000_000)))
    return open_.commit()


def value(chip: VirtualCard) -> int:
    return chip.applications[AID].files[File.PURSE].value


@pytest.fixture
def slot(pcscd: Pcscd, card: VirtualCard) -> Iterator[VpcdSlot]:
    """The first slot with a personalised card in it."""
    with VpcdSlot(card, pcscd.port) as made:
        yield made


@pytest.fixture
def second_slot(pcscd: Pcscd, new_card: Callable[..., VirtualCard]) -> Iterator[VpcdSlot]:
    """The second slot with another card in it."""
    with VpcdSlot(new_card(2), pcscd.port + 1) as made:
        yield made


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
        newest = purse.newest_record(card, vault, Role.READ)
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


def test_a_removal_that_pcscd_has_seen_means_that_nothing_was_sent(slot: VpcdSlot) -> None:
    with waited() as card:
        with Watched() as watched:
            slot.remove()
            until(lambda: pcsc.Presence(FIRST, None) in watched.seen, "the removal")
        slot.insert()
        with pytest.raises(CardLost) as lost:
            card.transmit(GET_UID)
        assert lost.value.acted is Acted.NOT_SENT


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

    def swap() -> None:
        for turn in range(8):
            with VpcdSlot(chips[turn % 2], pcscd.port):
                over.wait(chance.uniform(0.1, 0.7))
            over.wait(chance.choice([0, 0.001, 0.3]))
        over.set()

    told: set[bytes] = set()
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


# Waiting and watching


def test_waiting_for_a_card_says_once_that_there_is_none_and_ends_in_time(pcscd: Pcscd) -> None:
    prompts: list[str] = []
    with pytest.raises(CardAbsent, match=r"0\.6 s: hold one"):
        pcsc.wait_for_card(timeout_s=0.6, on_wait=lambda: prompts.append("hold a card"))
    assert prompts == ["hold a card"]


def test_waiting_ends_when_a_card_comes(pcscd: Pcscd, card: VirtualCard) -> None:
    slot = VpcdSlot(card, pcscd.port + 1)
    with pcsc.wait_for_card(timeout_s=WAIT_S, on_wait=slot.insert) as found:
        assert (found.reader, found.uid) == (SECOND, card.uid)
    slot.remove()


def test_a_card_that_tells_no_uid_is_foreign(pcscd: Pcscd) -> None:
    class Contact:
        uid = b""

        def transmit(self, apdu: bytes) -> bytes:
            return b"\x6a\x81"

    with VpcdSlot(Contact(), pcscd.port), pytest.raises(CardForeign, match="no UID"):
        waited()


class Watched:
    """What `watch` tells, in a thread of its own."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.seen: list[pcsc.Presence] = []
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        for change in pcsc.watch(self.stop, 0.05):
            self.seen.append(change)

    def cards(self) -> dict[str, bytes | None]:
        return {one.reader: one.atr for one in self.seen}

    def has(self, *changes: pcsc.Presence) -> None:
        until(lambda: self.seen[-len(changes) :] == list(changes), f"{changes} at the end of {self.seen}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(WAIT_S)


def test_a_watch_tells_of_insertions_removals_and_readers_that_come_and_go(
    pcscd: Pcscd, card: VirtualCard
) -> None:
    with Watched() as watched:
        until(lambda: watched.cards() == {FIRST: None, SECOND: None}, "two empty readers")
        watched.seen.clear()
        with VpcdSlot(card, pcscd.port):
            watched.has(pcsc.Presence(FIRST, ATR))
            pcscd.kill()
            watched.has(pcsc.Presence(FIRST, None, there=False), pcsc.Presence(SECOND, None, there=False))
            pcscd.start()
            until(lambda: pcsc.Presence(FIRST, ATR) in watched.seen[-2:], "the card behind the new pcscd")
        until(lambda: watched.seen[-1] == pcsc.Presence(FIRST, None), "the removal")
        assert len(watched.seen) in {6, 7}


def test_a_callback_gets_every_card_once_and_a_lost_one_again(slot: VpcdSlot, second_slot: VpcdSlot) -> None:
    stop = threading.Event()
    uids: list[bytes] = []
    troubles: list[CardError] = []

    def tapped(card: pcsc.PcscCard) -> None:
        uids.append(card.uid)
        if len(uids) == 2:
            lying = slot if card.uid == slot.card.uid else second_slot
            lying.remove()
            lying.insert()
        card.transmit(GET_UID)

    thread = threading.Thread(target=pcsc.on_card, args=(tapped, stop, None, troubles.append))
    thread.start()
    until(lambda: len(uids) >= 3, "three calls")
    stop.wait(1)
    stop.set()
    thread.join(WAIT_S)
    assert sorted(uids[:2]) == [slot.card.uid, second_slot.card.uid]
    assert uids[2:] == [uids[1]]
    assert [type(one) for one in troubles] == [CardLost]


# The service


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


def test_a_pcscd_that_dies_while_a_card_is_waited_for_is_told(pcscd: Pcscd) -> None:
    with pytest.raises(ReaderServiceDown):
        pcsc.wait_for_card(timeout_s=WAIT_S, on_wait=pcscd.kill)


def test_without_pcscd_the_error_names_what_to_do(pcscd: Pcscd) -> None:
    pcscd.stop()
    with pytest.raises(ReaderServiceDown, match=r"systemctl start pcscd.*apt-get install pcscd") as down:
        pcsc.reader_names()
    assert down.value.acted is Acted.NOT_SENT


def test_without_pyscard_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcsc, "scard", None)
    with pytest.raises(ReaderServiceDown, match="extra 'reader'"):
        pcsc.reader_names()


def test_a_reader_that_is_not_there_is_missing_and_so_is_any_where_there_is_none(pcscd: Pcscd) -> None:
    with pytest.raises(ReaderMissing, match="'Gate 7'"):
        pcsc.wait_for_card("Gate 7")
    pcscd.kill()
    with pcscd.unplugged():
        pcscd.start()
    assert pcsc.reader_names() == []
    with pytest.raises(ReaderMissing, match="plug one in"):
        pcsc.wait_for_card()
    pcscd.kill()


def test_a_reader_that_comes_later_is_told_of_and_serves(pcscd: Pcscd, card: VirtualCard) -> None:
    """It comes with another pcscd: Debian's takes up new USB readers as it runs, but no new serial ones, such as the virtual one."""
    pcscd.kill()
    with pcscd.unplugged():
        pcscd.start()
    with Watched() as watched:
        assert pcsc.reader_names() == []
        pcscd.kill()
        pcscd.start()
        until(lambda: watched.cards() == {FIRST: None, SECOND: None}, "two empty readers", pcscd)
    with VpcdSlot(card, pcscd.port), waited() as found:
        assert (found.reader, found.uid) == (FIRST, card.uid)


# Several at once


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


def test_a_card_that_another_program_has_is_busy_until_it_gives_it_up(pcscd: Pcscd, slot: VpcdSlot) -> None:
    with holder(pcscd, FIRST) as other, ThreadPoolExecutor(1) as pool:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == slot.card.uid.hex()
        with pytest.raises(ReaderBusy, match=FIRST):
            pcsc.wait_for_card(FIRST, 0.3)
        coming = pool.submit(waited, FIRST)
        assert not coming.done()
        other.communicate("\n", WAIT_S)
        with coming.result(WAIT_S) as card:
            assert card.uid == slot.card.uid


def test_a_program_that_is_killed_gives_its_card_up(pcscd: Pcscd, slot: VpcdSlot) -> None:
    with holder(pcscd, FIRST) as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        other.kill()
        with waited(FIRST) as card:
            assert card.uid == slot.card.uid
