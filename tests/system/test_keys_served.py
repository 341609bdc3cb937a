"""Keys that are rolled and retired while a ledger serves: it works with them from the next request on, and a till fetches its own by a command."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from card import client, management
from card.layout import AID, Concession
from hebat.application import application
from hebat.cli import app
from hebat.demo import town
from hebat.fleet import Post, enrol
from hebat.folder import Folder
from hebat.issuing import Issued, Issuer
from hebat.serving import LoopbackServer
from hebat.wiring import City
from keys.clock import SystemClock, day_of, local
from keys.money import Rupiah
from keys.rights import TerminalRole
from terminals.opening import opened
from terminals.tap import Colour
from tests.founding import found
from tests.system.conftest import hebat, serving

if TYPE_CHECKING:
    from pathlib import Path

    from card.virtual import VirtualCard
    from terminals.terminal import Terminal

KIOSK = Post(3001, TerminalRole.KIOSK, town.AGENT)
TILL = Post(2001, TerminalRole.MERCHANT, 502)
PEOPLE = ("--present", "Witness A", "--present", "Witness B")
AMOUNT = Rupiah(20_000)
PRICE = Rupiah(5_000)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, list[Issued]]:
    """A city with a kiosk and a till, and two cards."""
    folder = Folder(tmp_path_factory.mktemp("served") / "city")
    found(folder, SystemClock(), "demo")
    with City(folder, town.CONFIGURATION, SystemClock()) as city, LoopbackServer(application(city)) as server:
        issuer, today = Issuer(city, 1), day_of(local(city.clock.now()).date())
        cards = [issuer.issue(9, n, Concession.GENERAL, today, registered=False) for n in (1, 2)]
        issuer.register(cards)
        for post in (KIOSK, TILL):
            with enrol(city, post, server.address, city.configuration.tariffs[0]):
                pass
    return folder, cards


def at_work(folder: Folder, post: Post, address: str) -> Terminal:
    return opened(
        folder.terminal(post.number), SystemClock(), address, town.CONFIGURATION.tariffs[0]
    ).terminal


def key_room(folder: Folder, *words: str) -> None:
    """A command of the key room, in this process: the server is another one."""
    app(["keys", *words, *PEOPLE, "--data", str(folder.root)], standalone_mode=False)


def fetched(folder: Folder, address: str) -> list[str]:
    """What `hebat terminals keys` says at the till."""
    ran = hebat("terminals", "keys", "--folder", folder.terminal(TILL.number), "--ledger", address)
    assert ran.code == 0, ran.err
    return ran.out.splitlines()


def on_chip(chip: VirtualCard) -> tuple[int, int]:
    """Versions of debit and load key that the chip names."""
    client.select(chip, AID)
    free = client.free(chip)
    found = management.key_version(free, 2), management.key_version(free, 3)
    chip.leave_field()
    return found


def loaded(folder: Folder, address: str, card: Issued) -> Colour:
    with at_work(folder, KIOSK, address) as kiosk:
        outcome = kiosk.load(card.chip, AMOUNT)
    card.chip.leave_field()
    return outcome.colour


def sold(folder: Folder, address: str, card: Issued) -> tuple[Colour, int]:
    """A sale, and how many records the ledger posted of what the till then sent."""
    with at_work(folder, TILL, address) as till:
        outcome = till.sale(card.chip, PRICE)
        card.chip.leave_field()
        return outcome.colour, till.close_shift().posted


def test_keys_roll_and_retire_under_a_server_and_a_till_fetches_its_own(
    founded: tuple[Folder, list[Issued]], tmp_path: Path
) -> None:
    folder, (card, late) = Folder(shutil.copytree(founded[0].root, tmp_path / "city")), founded[1]
    with serving(folder.root) as address:
        assert fetched(folder, address) == ["this device has the newest keys already"]
        assert loaded(folder, address, card) is Colour.GREEN
        assert on_chip(card.chip) == (1, 1)
        for role in ("load", "debit"):
            key_room(folder, "roll", role)
        # The same server, never started again, gives the next card its new keys behind its load.
        assert loaded(folder, address, card) is Colour.GREEN
        assert on_chip(card.chip) == (2, 2)
        assert sold(folder, address, card)[0] is Colour.RED, "the till has no key of that version yet"
        (told,) = fetched(folder, address)
        assert told.startswith("debit version 2, check value ")
        assert told.endswith(": now here")
        assert sold(folder, address, card) == (Colour.GREEN, 1)
        assert loaded(folder, address, card) is Colour.GREEN
        for role in ("load", "debit"):
            assert (
                "would be locked out: 1"
                in hebat("keys", "retire", role, "1", *PEOPLE, "--data", folder.root).err
            )
            key_room(folder, "retire", role, "1", "--yes")
        # And gives the retired ones up: a card that never got the new ones is no card of ours any more, the others go on.
        assert loaded(folder, address, late) is Colour.RED
        (told,) = fetched(folder, address)
        assert "debit version 1" in told
        assert told.endswith(": in use no more")
        assert loaded(folder, address, card) is Colour.GREEN
        assert sold(folder, address, card) == (Colour.GREEN, 1)
    assert card.chip_balance == 4 * AMOUNT - 2 * PRICE
    assert late.chip_balance == 0


def test_a_till_without_a_line_or_without_a_right_to_ask_is_told_in_a_sentence(
    founded: tuple[Folder, list[Issued]], tmp_path: Path
) -> None:
    folder = Folder(shutil.copytree(founded[0].root, tmp_path / "city"))
    place = folder.terminal(TILL.number)
    away = hebat("terminals", "keys", "--folder", place, "--ledger", "http://127.0.0.1:9")
    with serving(folder.root) as address:
        app(["terminals", "revoke", str(TILL.number), "--data", str(folder.root)], standalone_mode=False)
        revoked = hebat("terminals", "keys", "--folder", place, "--ledger", address)
    for ran, said in ((away, "does not answer"), (revoked, "was revoked")):
        assert (ran.code, said in ran.err, len(ran.err.splitlines())) == (2, True, 1), ran
