"""Waiting for cards and watching readers, with a real pcscd that comes and goes, and with other programs."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import pytest

from card import pcsc
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
from card.virtual.vpcd import VpcdSlot
from tests.card.pcscd import SLOTS, WAIT_S, Pcscd, until, waited

if TYPE_CHECKING:
    from card.virtual import VirtualCard

ATR = bytes.fromhex("3b8180018080")
"""What a reader states for a DESFire."""

pytest_plugins = ["tests.card.pcscd_fixtures"]

FIRST, SECOND = SLOTS
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
        until(lambda: self.seen[-len(changes) :] == list(changes), f"{changes}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(WAIT_S)


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


def test_a_removal_that_pcscd_has_seen_means_that_nothing_was_sent(slot: VpcdSlot) -> None:
    with waited() as card:
        with Watched() as watched:
            slot.remove()
            until(lambda: pcsc.Presence(FIRST, None) in watched.seen, "the removal")
        slot.insert()
        with pytest.raises(CardLost) as lost:
            card.transmit(GET_UID)
        assert lost.value.acted is Acted.NOT_SENT


# The service


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


# Other programs


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
