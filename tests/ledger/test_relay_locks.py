"""A blocked card at a terminal without keys: the ledger locks it itself, once, torn anywhere, and nothing but a blocked card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card import far, inspecting
from card.batch import LOCK_CONTENT_TYPE, RELAYED_FROM
from card.layout import AID, File, Journey, TapKind
from hebat.folder import Folder
from keys.bundle import BundleKind
from keys.rights import TerminalRole
from ledger.bundles.store import last_number
from ledger.errors import LoadRefused
from ledger.intake import store
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind
from ledger.relay.ends import BLOCKED
from tests.ledger.desk import Scene, open_scene
from tests.ledger.kiosk import Kiosk
from tests.ledger.test_relay import COMMIT_STEP, books, check_whole, restarted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hebat.issuing import Issued
    from ledger.relay.told import Told

EXCHANGES = 11
"""What it takes: as many as a load: the journey file instead of the credit."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One city for all of these: each test takes cards of its own."""
    opened = open_scene(Folder(tmp_path_factory.mktemp("locks") / "city"), fresh=True)
    with opened.city:
        yield opened


@pytest.fixture(scope="module")
def kiosk(scene: Scene) -> Kiosk:
    return Kiosk(scene, 3101, scene.city.desk)


def blocked(scene: Scene) -> Issued:
    card = scene.card()
    known = scene.city.registry.card(card.uid)
    assert known is not None
    scene.city.blocks.block(known, "lost", scene.clock.now())
    return card


def journey_of(card: Issued) -> Journey:
    return Journey.decode(bytes(card.chip.applications[AID].files[File.JOURNEY].data))


def locks(scene: Scene, card: Issued) -> list[tuple[int, int]]:
    """The locks of a card in the books (terminal, sequence), each told to staff once."""
    known = scene.city.registry.card(card.uid)
    assert known is not None
    with scene.city.ledger.database.transaction() as connection:
        taps = store.taps_of(connection, known.partition, card.uid, 100)
        told = [
            one for one in quarantine.read_exceptions(connection)
            if one.kind is ExceptionKind.CARD_LOCKED and one.uid == card.uid
        ]  # fmt: skip
    found = [(tap.terminal, tap.sequence) for tap in taps if tap.kind == TapKind.LOCK]
    assert sorted((one.terminal, one.sequence) for one in told) == sorted(found)
    return found


WAYS: dict[str, Callable[[Kiosk, Issued], Told]] = {
    "a load": lambda kiosk, card: kiosk.load(card),
    "a load from the wallet": lambda kiosk, card: kiosk.write(card),
    "a lock": lambda kiosk, card: kiosk.lock(card),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_blocked_card_is_locked_by_whatever_a_kiosk_asks_for_it_and_its_holder_is_told(
    scene: Scene, kiosk: Kiosk, way: str
) -> None:
    card = blocked(scene)
    told = [WAYS[way](kiosk, card) for _ in range(2)]
    assert {(one.colour, one.reason, one.receipt) for one in told} == {("red", "blocked", b"")}
    assert (journey_of(card).locked, card.chip_balance) == (True, 0)
    assert locks(scene, card) == [(kiosk.number, RELAYED_FROM + kiosk.requests - 1)]
    with scene.city.ledger.database.transaction() as connection:
        newest = last_number(connection, BundleKind.HOTLIST)
    card.chip.leave_field()
    [record] = inspecting.last_records(card.chip, scene.city.vault)
    assert (record.kind, record.reference, record.amount) == (TapKind.LOCK, newest, 0)
    check_whole(scene, card)


@pytest.mark.parametrize("acts", [False, True])
def test_a_lock_torn_at_any_exchange_is_red_and_whole_once_the_card_is_held_again(
    scene: Scene, kiosk: Kiosk, acts: bool
) -> None:
    torn: list[Issued] = []
    for exchange in range(1, EXCHANGES + 1):
        card = blocked(scene)
        card.chip.tear(exchange, acts=acts)
        step = kiosk.line.begin(kiosk.asked(card.chip.uid, 0, LOCK_CONTENT_TYPE))
        assert kiosk.carried(step, card) == BLOCKED
        assert journey_of(card).locked is (acts and exchange == EXCHANGES)
        assert kiosk.lock(card).reason == "blocked"
        assert journey_of(card).locked
        assert len(locks(scene, card)) == 1
        torn.append(card)
    check_whole(scene, *torn)


def test_a_ledger_that_is_killed_while_it_locks_knows_of_the_lock_when_the_card_comes_again(
    scene: Scene, kiosk: Kiosk
) -> None:
    card, other = blocked(scene), blocked(scene)
    for one, sent in ((card, True), (other, False)):
        step = kiosk.line.begin(kiosk.asked(one.chip.uid, 0, LOCK_CONTENT_TYPE))
        step = kiosk.until(step, one.chip, COMMIT_STEP if sent else 2)
        far.carried(one.chip, step.apdus if sent else [])
        kiosk.line = restarted(scene)
    for one in (card, other):
        assert kiosk.lock(one).reason == "blocked"
        assert len(locks(scene, one)) == 1
    check_whole(scene, card, other)


def test_no_card_is_locked_that_is_not_blocked_in_the_books(scene: Scene, kiosk: Kiosk) -> None:
    card = scene.card()
    with pytest.raises(LoadRefused, match="not blocked in the books"):
        kiosk.lock(card)
    assert kiosk.load(card).colour == "green"
    assert (journey_of(card).locked, locks(scene, card)) == (False, [])


def test_a_till_may_show_a_blocked_card_too_and_a_load_after_the_block_ends_the_lock(
    scene: Scene, kiosk: Kiosk
) -> None:
    card = blocked(scene)
    till = type(kiosk)(scene, kiosk.number, kiosk.line)
    till.desk = scene.desk(2101, TerminalRole.MERCHANT, 502)
    assert till.lock(card).reason == "blocked"
    assert locks(scene, card) == [(2101, RELAYED_FROM + 1)]
    known = scene.city.registry.card(card.uid)
    assert known is not None
    scene.city.blocks.unblock(known, scene.clock.now())
    assert kiosk.load(card).colour == "green"
    assert not journey_of(card).locked
    assert books(scene, card) == (20_000, 0)


def test_a_journey_file_of_a_newer_software_is_left_as_it_is(scene: Scene, kiosk: Kiosk) -> None:
    card = blocked(scene)
    held = card.chip.applications[AID].files[File.JOURNEY]
    held.data[:] = bytes([3 << 4]) + bytes(31)
    assert kiosk.lock(card).reason == "blocked"
    assert (held.data[0], locks(scene, card)) == (3 << 4, [])
