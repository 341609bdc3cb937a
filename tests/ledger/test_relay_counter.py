"""A kiosk that shows the ledger another transaction counter than the card's: found out before the commit, so that no cash stays held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card import far
from ledger.chain.store import read_documents
from tests.ledger.test_relay import COMMIT_STEP, books, check_whole, kiosk

if TYPE_CHECKING:
    from tests.ledger.desk import Scene
    from tests.ledger.kiosk import Kiosk

__all__ = ["kiosk"]


@pytest.mark.parametrize("shown", [bytes(12), (7).to_bytes(4, "little") + bytes(8)])
def test_a_forged_counter_is_found_before_the_commit_and_holds_nobodys_cash(
    scene: Scene, kiosk: Kiosk, shown: bytes
) -> None:
    """A torn load that landed, and a TMAC file of the kiosk's own that says otherwise: the next load does not begin, and the true card settles both."""
    card = scene.card()
    step = kiosk.until(kiosk.begin(card), card.chip, COMMIT_STEP)
    far.carried(card.chip, step.apdus)
    kiosk.line.step(kiosk.answered(step, []))
    card.chip.leave_field()
    assert (card.chip_balance, books(scene, card)) == (20_000, (0, 20_000))
    step = kiosk.begin(card)
    answers = far.carried(card.chip, step.apdus)
    step = kiosk.line.step(kiosk.answered(step, [answers[0], shown + b"\x91\x00", answers[2]]))
    while step.apdus:
        step = kiosk.go_on(step, card.chip)
    assert step.outcome is not None
    assert (step.outcome.colour, "counter was changed" in step.outcome.detail) == ("red", True)
    # The second load's cash went back at once, with the reason in its record; the first one's waits for the card's own word.
    assert (card.chip_balance, books(scene, card)) == (20_000, (0, 20_000))
    assert b"counter-forged" in newest_document(scene)
    card.chip.leave_field()
    assert kiosk.load(card).amount == 20_000
    kiosk.load(card)
    check_whole(scene, card)


def test_no_counter_but_the_cards_own_passes_for_it(scene: Scene, kiosk: Kiosk) -> None:
    """Every counter around the true one, on a card that has been used: none gets as far as a commit."""
    card = scene.card()
    for _ in range(3):
        kiosk.load(card)
    before = books(scene, card)
    for counter in (0, 1, 2, 4, 5, 2**32 - 2):
        card.chip.leave_field()
        step = kiosk.begin(card)
        answers = far.carried(card.chip, step.apdus)
        forged = counter.to_bytes(4, "little") + answers[1][4:]
        step = kiosk.line.step(kiosk.answered(step, [answers[0], forged, answers[2]]))
        while step.apdus:
            step = kiosk.go_on(step, card.chip)
        assert step.outcome is not None
        assert step.outcome.colour == "red"
        assert books(scene, card) == before
    check_whole(scene, card)


def newest_document(scene: Scene) -> bytes:
    """The last batch that the ledger kept: here its own, of a relayed load."""
    with scene.city.ledger.database.transaction() as connection:
        return read_documents(connection, scene.city.ledger.head().block)[-1]
