"""A kiosk loads no more in a service day than its certificate says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cbor2
import pytest

from card.batch import LOAD_CONTENT_TYPE
from card.layout import TapKind
from hebat.demo.town import AGENT
from keys.money import Rupiah
from keys.rights import Rights, TerminalRole
from ledger.errors import LoadRefused
from ledger.intake.loads import Loads
from tests.ledger.limited import Limited

if TYPE_CHECKING:
    from hebat.issuing import Issued
    from tests.ledger.desk import Desk, Scene


def admitted(kiosk: Desk, card: Issued, amount: int, request: int) -> bool:
    """Whether a load is authorised; raises LoadRefused."""
    city = kiosk.city
    loads = Loads(city.ledger, city.registry, city.intake.intents, city.clock)
    payload = cbor2.dumps([card.chip.uid, amount, request, city.clock.now()], canonical=True)
    return loads.admit(kiosk.seal(payload, LOAD_CONTENT_TYPE)).fresh


def test_a_kiosk_is_promised_no_more_than_its_days_limit_open_loads_included(scene: Scene) -> None:
    rights = Rights.of_role(TerminalRole.KIOSK, Rupiah(60_000))
    kiosk, card = Limited(scene).desk(3001, TerminalRole.KIOSK, AGENT, rights), scene.card()
    kiosk.tap(card, TapKind.LOAD, 20_000)
    assert kiosk.send().results[0]["result"] == "posted"
    assert admitted(kiosk, card, 30_000, 1)
    with pytest.raises(LoadRefused, match="60000 rupiah a day"):
        admitted(kiosk, card, 10_001, 2)
    assert admitted(kiosk, card, 10_000, 3)
