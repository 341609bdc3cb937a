"""Loads whose record went into the books while nobody heard of it: they are over, and keep neither card nor kiosk from the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.clock import UnixMs
from ledger.errors import LoadSessionGone, OutcomeUnknown
from ledger.intake.loads import Loads
from ledger.intake.receive import Intake
from ledger.relay.desk import SESSION_SECONDS, LoadDesk
from tests.ledger.kiosk import Kiosk
from tests.ledger.test_relay import COMMIT_STEP, books, check_whole

if TYPE_CHECKING:
    from typing import Any

    from tests.ledger.desk import Scene


def unheard(patch: pytest.MonkeyPatch) -> None:
    """The next record is written, and the commit's end is not seen."""
    write = Intake.take_relayed

    def lost(intake: Intake, *record: Any) -> bytes:
        patch.undo()
        write(intake, *record)
        raise OutcomeUnknown("the database went away in the middle of a commit")

    patch.setattr(Intake, "take_relayed", lost)


@pytest.mark.parametrize("again", ["time", "load"])
@pytest.mark.parametrize("written", ["posted", "given back"])
def test_a_load_whose_record_was_written_unheard_is_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, written: str, again: str
) -> None:
    ticks, city, card = [0.0], scene.city, scene.card()
    loads = Loads(city.ledger, city.registry, city.intake.intents, scene.clock)
    desk = LoadDesk(city.ledger, city.intake, loads, city.vault, scene.clock, lambda: ticks[0])
    kiosk = Kiosk(scene, 3101, desk)
    step = kiosk.begin(card)
    if written == "posted":
        step = kiosk.until(step, card.chip, COMMIT_STEP)
        unheard(monkeypatch)
        with pytest.raises(OutcomeUnknown):
            kiosk.go_on(step, card.chip)
    else:
        ticks[0] += SESSION_SECONDS
        unheard(monkeypatch)
        desk.sweep()
    landed = card.chip_balance
    scene.clock.move_to(UnixMs(scene.clock.now() + 1000))
    assert (books(scene, card), landed) == ((landed, 0), 20_000 * (written == "posted"))
    if again == "time":
        ticks[0] += SESSION_SECONDS
        desk.sweep()
        assert desk.open_sessions == 0
        with pytest.raises(LoadSessionGone):
            desk.step(kiosk.answered(step, []))
    assert kiosk.load(card).colour == "green"
    assert card.chip_balance == landed + 20_000
    check_whole(scene, card)
