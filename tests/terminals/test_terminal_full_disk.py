"""A disk that takes no file, and files that were damaged on it: the terminal goes on, sends what it owes, and forgets no blocked card."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2
import pytest
from structlog.testing import capture_logs

from keys.bundle import BundleKind
from keys.errors import KeyRetired
from keys.identity import TerminalIdentity
from terminals.bundles import contents
from terminals.bundles.contents import Limits
from terminals.bundles.fetch import refresh
from terminals.fares import TRANS_SEMARANG_2022
from terminals.outbox import Outbox
from terminals.pump import Pump
from terminals.roles.validator import Validator
from terminals.screen.board import Tone
from terminals.station import Station
from terminals.tap import Colour
from terminals.terminal import Terminal
from terminals.upkeep import Parts
from terminals.upload import Link
from tests.terminals.depot import PLACE, START, Clock, Ledger, Server, card, value_of
from tests.terminals.press import DAY_MS, Press
from tests.terminals.test_bundle_taps import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keys.filevault import FileVault
    from terminals.bundles.kept import KeptBundles

HOTLIST = BundleKind.HOTLIST
LISTS = (HOTLIST, BundleKind.TARIFF, BundleKind.LIMITS)


@dataclass
class Bus:
    """A validator with bundles, whose far end takes its records."""

    folder: Path
    kept: KeptBundles
    station: Station
    terminal: Terminal
    vault: FileVault
    press: Press = field(default_factory=Press)


def full(folder: Path, name: str) -> Path:
    """Where this file would be written, the disk has no room (the kernel's own device for that); the way there, to be taken off."""
    way = folder / f"{name}.new"
    way.symlink_to("/dev/full")
    return way


@pytest.fixture
def bus(tmp_path: Path, shared_vault: FileVault, still: Clock, ledger: Ledger) -> Iterator[Bus]:
    server, press, folder = Server(ledger), Press(), tmp_path / "bundles"
    kept = press.kept(folder)
    identity = TerminalIdentity(tmp_path / "terminal")
    client = httpx2.Client(base_url=server.address, timeout=60)
    link = Link(client, 1001, identity.sign, ledger.key.public_key().public_bytes_raw(), still, attempts=1)
    outbox = Outbox(tmp_path / "outbox.db")
    with Terminal(Parts(1001, outbox, shared_vault, link, still, TRANS_SEMARANG_2022, kept)) as made:
        station = Station(made, Validator(made, PLACE), Pump(made, still.now), still)
        yield Bus(folder, kept, station, made, shared_vault, press)
        station.close()
    server.close()


def test_a_list_that_finds_no_room_is_told_of_and_fetched_once_there_is_some(
    tmp_path: Path, still: Clock
) -> None:
    press, folder = Press(), tmp_path / "bundles"
    kept, data = press.kept(folder), press.hotlist(1, {5})
    way = full(folder, "hotlist-0000000001.array")
    done = refresh(kept, Shelf({"hotlist": 1}, [data]), still)
    assert (done.taken, done.hotlist_current) == ([], False)
    assert "No space left on device" in done.refused[0]
    way.unlink()
    again = refresh(kept, Shelf({"hotlist": 1}, [data]), still)
    assert (len(again.taken), again.hotlist_current) == (1, True)


def test_a_new_fare_comes_into_force_though_the_disk_is_full(bus: Bus, still: Clock) -> None:
    bus.kept.take(bus.press.tariff(1, 4_000, at=START + DAY_MS), START)
    still.wait(86_400)
    way = full(bus.folder, "in-force")
    chip = card(bus.vault)
    with capture_logs() as logs:
        board = bus.station.tapped(chip)
    assert (board.tone, board.amount, value_of(chip)) == (Tone.GREEN, 4_000, 46_000)
    assert "bundle in force not noted" in {line["event"] for line in logs}
    way.unlink()


def test_a_key_that_is_retired_during_a_tap_refuses_it_and_the_next_card_is_served(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def retired(*_of: object) -> None:
        raise KeyRetired("debit version 1 is retired: use a newer one")

    chip = card(bus.vault)
    with monkeypatch.context() as patched:
        patched.setattr(type(bus.vault), "card_key", retired)
        assert bus.station.tapped(chip).word == "not-now"
    assert bus.station.tapped(chip).tone is Tone.GREEN


def test_the_sending_goes_on_after_whatever_the_disk_or_the_keys_do(
    bus: Bus, ledger: Ledger, still: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each trouble comes once at each place of a round; records go up in the round after them."""
    assert bus.station.tapped(card(bus.vault)).tone is Tone.GREEN
    troubles = [OSError(28, "No space left on device"), KeyRetired("the key is retired: ask for another")]
    asked = 0

    def troubled(real: object) -> object:
        def once(*arguments: object) -> object:
            nonlocal asked
            asked += 1
            if troubles:
                raise troubles.pop()
            return real(*arguments)  # type: ignore[operator]  # the method that it stands before

        return once

    monkeypatch.setattr(bus.terminal, "upload", troubled(bus.terminal.upload))
    pump = bus.station.pump
    for failures in (1, 2):
        assert pump.send() is None
        assert (pump.line.failures, pump.line.refused, bus.terminal.outbox.waiting) == (failures, True, 1)
    sent = pump.send()
    assert sent is not None
    assert (sent.posted, len(ledger.records()), asked) == (1, 1, 3)


def test_a_blocked_card_is_not_taken_where_the_list_that_named_it_was_damaged(
    tmp_path: Path, bus: Bus
) -> None:
    chip, other, earlier = (card(bus.vault, serial=number) for number in (1, 2, 3))
    listed = {int.from_bytes(chip.uid, "big")}
    bus.kept.take(bus.press.hotlist(4, listed), START)
    assert bus.terminal.fare(earlier, PLACE).colour is Colour.GREEN
    (bus.folder / "hotlist-0000000004.array").write_bytes(b"")
    again = bus.press.kept(bus.folder)
    parts = bus.terminal._parts
    outbox = Outbox(tmp_path / "after.db")
    with Terminal(
        Parts(1001, outbox, bus.vault, parts.link, parts.clock, TRANS_SEMARANG_2022, again)
    ) as bare:
        for one in (chip, other):
            outcome = bare.fare(one, PLACE)
            assert (outcome.colour, outcome.reason) == (Colour.RED, "offline-too-long")
            assert bare.inspect(one)[0].reason == "offline-too-long"
            assert value_of(one) == 50_000
        again.take(bus.press.hotlist(4, listed), START)
        assert bare.fare(chip, PLACE).reason == "blocked"
        assert bare.fare(other, PLACE).colour is Colour.GREEN


def test_lists_that_come_into_force_at_the_same_moment_are_all_noted(tmp_path: Path) -> None:
    """A tap and an upload are threads, and each asks what is in force."""
    press, body = Press(), contents.encode_limits(Limits())
    for turn in range(40):
        kept = press.kept(tmp_path / str(turn))
        kept.take(press.tariff(1, 3_500), START)
        kept.take(press.hotlist(1, {5}), START)
        kept.take(press.seal(BundleKind.LIMITS, 1, body), START)
        with ThreadPoolExecutor(3) as hands:
            found = list(hands.map(lambda kind, kept=kept: kept.in_force(kind, START), LISTS))
        assert None not in found
        again = press.kept(tmp_path / str(turn))
        assert [again._in_force[kind] for kind in LISTS] == [1, 1, 1]
