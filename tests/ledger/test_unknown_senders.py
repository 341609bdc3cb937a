"""Whoever signs as a terminal that no table has room for is told that there is none, at every door; what they sent is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from hebat.application import application
from hebat.serving import LoopbackServer
from keys import envelope
from ledger.intake.quarantine.store import read_refused
from tests.fuzz.api import signed_of
from tests.ledger.tokens import staff

if TYPE_CHECKING:
    from tests.ledger.desk import Scene


@pytest.mark.parametrize("kid", [b"\xff" * 64, b"\xff" * 8, b"\x80" + bytes(7)])
def test_no_door_fails_at_a_number_that_no_terminal_can_have(scene: Scene, kid: bytes) -> None:
    desk, card = scene.desk(1901), scene.card()
    told = signed_of(desk, card.chip.uid, scene.clock.now())
    with (
        LoopbackServer(application(scene.city)) as server,
        httpx2.Client(base_url=server.address, timeout=60, headers=staff(scene.city)) as client,
    ):
        answers = {}
        for path, (content_type, payloads) in told.items():
            sealed = envelope.seal(
                bytes.fromhex(payloads[0]), kid=kid, sign=desk.identity.sign, content_type=content_type
            )
            answers[path] = client.post(path, content=sealed, headers={"Content-Type": "application/cose"})
            assert answers[path].status_code == 403, (path, answers[path].text)
            assert "not enrolled here" in answers[path].text, path
    with scene.city.ledger.database.transaction() as connection:
        kept = [row.body for row in read_refused(connection)]
    assert [envelope.parse(body).payload.hex() for body in kept] == told["/v1/batches"][1]
    assert len(answers) == 11
