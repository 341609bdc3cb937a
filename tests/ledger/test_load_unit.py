"""What the unit that authorises a load tells of its refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.money import Rupiah
from ledger.intake.load_requests import LoadRequest
from ledger.intake.load_unit import Authorise
from ledger.transfer import Result
from tests.ledger.kiosk import Kiosk

if TYPE_CHECKING:
    from tests.ledger.desk import Scene


def test_a_refusal_names_what_the_card_may_hold_and_not_what_its_torn_loads_have_room_in(
    scene: Scene,
) -> None:
    Kiosk(scene, 3101, scene.city.desk)
    uid = scene.card().chip.uid
    card = scene.city.registry.card(int.from_bytes(uid, "big"))
    assert card is not None
    asked, torn = LoadRequest(uid, Rupiah(50_000), 1), 100 * 20_000
    unit = Authorise(asked, card, scene.city.registry.enrolled(3101), b"", torn, None)
    assert unit.rules.ceiling == 2_020_000
    assert "may hold 2000000 rupiah at most" in unit.why(Result.EXCEEDS_CEILING)
