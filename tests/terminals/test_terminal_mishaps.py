"""Everything that goes wrong at a terminal, made to go wrong: a real reader without its service, cards pulled, foreign, blocked, a clock set back, a disk without room.

Each shows the screen, sound and log entry that stand in the table of docs/terminal.md, takes nothing from the card, and ends by what the table says to do.
"""

from __future__ import annotations

import resource
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import httpx2
import pytest
import structlog
from structlog.testing import capture_logs

from card import pcsc
from card.layout import AID, File, Journey
from card.personalise import personalise
from card.virtual import VirtualCard
from card.virtual.vpcd import VpcdSlot
from keys.bundle import BundleKind
from keys.clock import Day, service_day
from keys.filevault import FileVault
from keys.identity import TerminalIdentity
from keys.money import Rupiah
from keys.vault import Role
from terminals.bundles import contents
from terminals.bundles.contents import Limits
from terminals.fares import TRANS_SEMARANG_2022
from terminals.outbox import Outbox
from terminals.pump import Pump
from terminals.roles.validator import Validator
from terminals.screen.board import HINTS, Tone
from terminals.screen.words import LANGUAGES, words
from terminals.station import at_work
from terminals.terminal import Terminal
from terminals.upkeep import Parts
from terminals.upload import Link
from tests.card.pcscd import until
from tests.terminals.depot import IDENTITY, PLACE, START, Clock, Lasting, Ledger, Server, card, value_of
from tests.terminals.press import Press
from tests.terminals.test_terminal_errors import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from terminals.bundles.kept import KeptBundles
    from terminals.screen.board import Board
    from tests.card.pcscd import Pcscd

pytest_plugins = ["tests.card.pcscd_fixtures"]
VALUE: Final = 50_000
FARE: Final = 3_500


@dataclass
class Stage:
    """A validator at a real reader, with a far end that takes its records."""

    terminal: Terminal
    station: Lasting
    clock: Clock
    vault: FileVault
    press: Press
    kept: KeptBundles
    ledger: Ledger
    pcscd: Pcscd
    disk: Path
    cards: int = 0

    @property
    def now(self) -> Board:
        return self.station.boards.now

    def card(self, value: int = VALUE) -> VirtualCard:
        self.cards += 1
        return card(self.vault, value, self.cards)

    def hold(self, chip: VirtualCard, slot: int = 0) -> Board:
        """Hold a card to the reader and take it away again; what was shown for it."""
        with self.held(chip, slot) as shown:
            pass
        until(lambda: not self.station.present, "the card has left", self.pcscd)
        return shown

    @contextmanager
    def held(self, chip: VirtualCard, slot: int = 0) -> Iterator[Board]:
        before = self.now.number
        with VpcdSlot(chip, self.pcscd.port + slot):
            until(
                lambda: self.now.number > before and self.now.tone is not Tone.IDLE, "an answer", self.pcscd
            )
            yield self.now


@pytest.fixture
def stage(
    tmp_path: Path, shared_vault: FileVault, still: Clock, ledger: Ledger, pcscd: Pcscd
) -> Iterator[Stage]:
    structlog.reset_defaults()  # a fixture of the whole session may have quietened it
    server, press = Server(ledger), Press()
    identity, kept = TerminalIdentity(tmp_path / "terminal"), press.kept(tmp_path / "bundles")
    client = httpx2.Client(base_url=server.address, timeout=60)
    link = Link(client, 1001, identity.sign, ledger.key.public_key().public_bytes_raw(), still, attempts=1)
    outbox = Outbox(tmp_path / "outbox.db")
    parts = Parts(1001, outbox, shared_vault, link, still, TRANS_SEMARANG_2022, kept)
    with Terminal(parts) as terminal:
        station = Lasting(terminal, Validator(terminal, PLACE), Pump(terminal, still.now), still)
        station.pump.send()  # what there is to send now: no line of its own accord later
        with at_work(station, pcsc):
            until(lambda: station.boards.now.word == "hold-card", "a reader", pcscd)
            yield Stage(
                terminal, station, still, shared_vault, press, kept, ledger, pcscd, tmp_path / "outbox.db"
            )
    server.close()


@dataclass(frozen=True)
class Mishap:
    """What is done to a terminal, the word that it shows, events beside the board's own, and what the table says to do, in its words."""

    word: str
    made: Callable[[Stage, VirtualCard], Board]
    action: str
    mended: Callable[[Stage, VirtualCard], Board]
    beside: frozenset[str] = frozenset()


def again(stage: Stage, chip: VirtualCard) -> Board:
    return stage.hold(chip)


def another(stage: Stage, chip: VirtualCard) -> Board:
    assert value_of(chip) == VALUE
    return stage.hold(stage.card())


def unplugged(stage: Stage, _chip: VirtualCard) -> Board:
    stage.pcscd.kill()
    until(lambda: stage.now.word == "reader-gone", "the reader is gone")
    return stage.now


def plugged_in(stage: Stage, chip: VirtualCard) -> Board:
    stage.pcscd.start()
    until(lambda: stage.now.word == "hold-card", "the terminal goes on", stage.pcscd)
    return stage.hold(chip)


def pulled(stage: Stage, chip: VirtualCard) -> Board:
    chip.tear(12, acts=True)  # the commit is done, its answer is lost
    return stage.hold(chip)


def two_cards(stage: Stage, chip: VirtualCard) -> Board:
    with stage.held(stage.card()), stage.held(chip, slot=1) as shown:
        pass
    until(lambda: not stage.station.present, "both have left", stage.pcscd)
    assert value_of(chip) == VALUE
    return shown


def blocked(stage: Stage, chip: VirtualCard) -> Board:
    stage.kept.take(stage.press.hotlist(7, {int.from_bytes(chip.uid, "big")}), START)
    shown = stage.hold(chip)
    assert Journey.decode(bytes(chip.applications[AID].files[File.JOURNEY].data)).locked
    return shown


def unblocked(stage: Stage, chip: VirtualCard) -> Board:
    stage.kept.take(stage.press.hotlist(8, {99}), START)
    return stage.hold(chip)


def expired(stage: Stage, chip: VirtualCard) -> Board:
    old = VirtualCard(b"\x04\x0e" + bytes(5))
    personalise(old, stage.vault, replace(IDENTITY, valid_until=Day(service_day(START) - 1)))
    old.applications[AID].files[File.PURSE].value = VALUE
    shown = stage.hold(old)
    assert value_of(old) == VALUE
    del chip
    return shown


def of_another_city(stage: Stage, _chip: VirtualCard) -> Board:
    other = FileVault.create(stage.disk.with_name("other.vault"), "x", 16)
    for number, role in enumerate(Role):
        other.add_master(role, 1, bytes([100 + number]) * 16)
    theirs = card(other, VALUE, 200)
    shown = stage.hold(theirs)
    assert value_of(theirs) == VALUE
    return shown


def empty(stage: Stage, chip: VirtualCard) -> Board:
    chip.applications[AID].files[File.PURSE].value = FARE - 1
    return stage.hold(chip)


def loaded(stage: Stage, chip: VirtualCard) -> Board:
    chip.applications[AID].files[File.PURSE].value = VALUE
    return stage.hold(chip)


def at_its_limit(stage: Stage, chip: VirtualCard) -> Board:
    limits = contents.encode_limits(Limits(offline_sum_max=Rupiah(FARE)))
    stage.kept.take(stage.press.seal(BundleKind.LIMITS, 1, limits), START)
    assert stage.hold(stage.card()).word == "paid"
    return stage.hold(chip)


def connected(stage: Stage, chip: VirtualCard) -> Board:
    assert stage.terminal.upload().sent == len(stage.ledger.records()) == 1  # nothing is lost
    return stage.hold(chip)


def set_back(stage: Stage, chip: VirtualCard) -> Board:
    assert stage.hold(stage.card()).word == "paid"
    stage.clock.wait(-301)
    return stage.hold(chip)


def set_right(stage: Stage, chip: VirtualCard) -> Board:
    stage.clock.wait(301)
    return stage.hold(chip)


def without_room(stage: Stage, chip: VirtualCard) -> Board:
    """No file of this process may grow past what the outbox has written, as on a disk that is full."""
    assert stage.hold(stage.card()).word == "paid"
    used = stage.disk.with_name(f"{stage.disk.name}-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (used, hard))
    try:
        assert stage.station.pump.send() is None  # and its thread lives on
        return stage.hold(chip)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def with_room(stage: Stage, chip: VirtualCard) -> Board:
    sent = stage.station.pump.send()
    assert (sent and sent.sent, len(stage.ledger.records())) == (1, 1)
    return stage.hold(chip)


MISHAPS: Final = {
    "reader unplugged": Mishap("reader-gone", unplugged, "plug it in; the terminal goes on by itself", plugged_in),
    "card pulled": Mishap("tap-again", pulled, "hold the same card again: it pays once", again),
    "two cards": Mishap("two-cards", two_cards, "hold one", again),
    "blocked": Mishap("blocked", blocked, "Once unblocked, it is taken again with the next list", unblocked),
    "expired": Mishap("expired", expired, "nothing was taken; send the holder to a counter", another),
    "wrong issuer": Mishap("foreign", of_another_city, "nothing was taken; send the holder to a counter", another),
    "empty purse": Mishap("short", empty, "load the card", loaded),
    "limit reached": Mishap("offline-limit", at_its_limit, "connect it; nothing is lost", connected),
    "clock wrong": Mishap("clock-wrong", set_back, "set it", set_right),
    "disk full": Mishap("disk-full", without_room, "make room", with_room, frozenset({"outbox not written"})),
}  # fmt: skip
"""By the names of the wish list in the terminals' issue: each of them, and nothing by a stand-in."""


@pytest.mark.parametrize("name", MISHAPS)
def test_what_goes_wrong_has_its_own_screen_sound_log_entry_and_way_out(name: str, stage: Stage) -> None:
    mishap, chip = MISHAPS[name], stage.card()
    line = TABLE[mishap.word]
    with capture_logs() as told:
        shown = mishap.made(stage, chip)
    assert (shown.word, shown.tone, shown.sound) == (mishap.word, line.tone, line.sound)
    assert shown.notes == ((HINTS[shown.word],) if shown.word in HINTS else ())
    assert len({words(language)[shown.word] for language in LANGUAGES}) == len(LANGUAGES)
    events = {one["event"] for one in told if one.get("word", mishap.word) == mishap.word}
    assert events & set(line.events) == {line.events[0], *mishap.beside}
    assert mishap.action in line.action
    assert mishap.mended(stage, chip).word == "paid"
    paid = chip if mishap.mended is not another else None
    assert paid is None or value_of(paid) == VALUE - FARE
