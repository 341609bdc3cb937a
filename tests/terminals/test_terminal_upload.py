"""Uploads to answers that are no answers: whatever comes back, records stay until a receipt proves otherwise."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cbor2
import pytest

from card.batch import decode_batch, digest
from keys import envelope
from terminals.errors import Offline, ReceiptWrong, UploadRefused
from terminals.upload import Uploaded
from tests.terminals.depot import PLACE, Clock, Ledger, Server, card, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from card.batch import Batch
    from keys.filevault import FileVault
    from terminals.terminal import Terminal


@dataclass
class Odd(Ledger):
    """A ledger whose next answer a test bends: `told` replaces parts of the answer, `signed` the receipt's fields."""

    told: list[dict[str, Any]] = field(default_factory=list)
    signed: list[object] = field(default_factory=list)

    def receipt(self, body: bytes, batch: Batch, mishap: str) -> dict[str, Any]:
        answer = super().receipt(body, batch, mishap)
        if self.signed:
            payload = cbor2.dumps(self.signed.pop())
            sealed = envelope.seal(payload, kid=b"ledger", sign=self.key.sign, content_type="x")
            answer["receipt"] = base64.b64encode(sealed).decode()
        return answer | (self.told.pop() if self.told else {})


@pytest.fixture
def ledger() -> Odd:
    return Odd()


@pytest.fixture
def server(ledger: Odd) -> Iterator[Server]:
    made = Server(ledger)
    yield made
    made.close()


@pytest.fixture
def bus(
    tmp_path: Path, shared_vault: FileVault, still: Clock, ledger: Odd, server: Server
) -> Iterator[Terminal]:
    with terminal(tmp_path, shared_vault, still, ledger, server.address) as made:
        made.fare(card(shared_vault), PLACE)
        yield made


def refused_then_taken(bus: Terminal) -> bool:
    with pytest.raises(ReceiptWrong, match="records stay"):
        bus.upload()
    waited = bus.outbox.waiting
    return (waited, bus.upload(), bus.outbox.waiting) == (1, Uploaded(sent=1, posted=1), 0)


@pytest.mark.parametrize(
    "told",
    [
        {"receipt": "%%%"},
        {"receipt": base64.b64encode(b"no envelope").decode()},
        {"receipt": None},
        {"results": None},
        {"results": []},
        {"results": [{}]},
        {"results": ["posted"]},
        {"results": [{"result": "posted"}, {"result": "posted"}]},
        {"results": [{"result": "eaten"}]},
    ],
    ids=str,
)
def test_an_answer_that_is_none_drops_nothing(bus: Terminal, ledger: Odd, told: dict[str, Any]) -> None:
    ledger.told = [told]
    assert refused_then_taken(bus)


@pytest.mark.parametrize("fields", [7, [], [1001, 1], {"terminal": 1001}, b""], ids=str)
def test_a_signed_receipt_of_another_shape_drops_nothing(bus: Terminal, ledger: Odd, fields: object) -> None:
    ledger.signed = [fields]
    assert refused_then_taken(bus)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["terminal", "first", "last"])
def test_a_receipt_for_other_records_with_the_right_digest_drops_nothing(
    bus: Terminal, ledger: Odd, place: int
) -> None:
    ledger.mishaps = ["other batch"]
    with pytest.raises(ReceiptWrong):
        bus.upload()
    fields: list[object] = [1001, 1, 1, digest(ledger.bodies[0]), 1, 1, bytes(32)]
    fields[place] = 2
    ledger.signed = [fields]
    assert refused_then_taken(bus)


def test_a_batch_without_its_receipt_is_the_same_bytes_after_a_restart_and_more_records(
    tmp_path: Path, shared_vault: FileVault, still: Clock, ledger: Odd, server: Server
) -> None:
    ledger.mishaps = ["other batch"]
    with terminal(tmp_path, shared_vault, still, ledger, server.address, 1003) as before:
        before.fare(card(shared_vault), PLACE)
        with pytest.raises(ReceiptWrong):
            before.upload()
    still.wait(3_600)
    with terminal(tmp_path, shared_vault, still, ledger, server.address, 1003) as after:
        after.fare(card(shared_vault, serial=2), PLACE)
        assert after.upload().sent == 2
    first, again, second = ledger.bodies
    assert first == again
    batch = decode_batch(envelope.parse(second).payload)
    assert (batch.first_sequence, batch.previous_digest) == (2, digest(first))


@pytest.mark.parametrize("status", ["409", "422"])
def test_a_refused_batch_says_the_ledgers_reason_and_waits(bus: Terminal, ledger: Odd, status: str) -> None:
    ledger.mishaps = [status]
    with pytest.raises(UploadRefused, match=f"told to say {status}") as refused:
        bus.upload()
    assert (refused.value.status, refused.value.detail) == (int(status), f"told to say {status}")
    assert bus.outbox.waiting == 1


def test_a_ledger_that_stays_busy_is_as_good_as_none(bus: Terminal, ledger: Odd) -> None:
    ledger.mishaps = ["503", "429"]
    with pytest.raises(Offline, match="records wait"):
        bus.upload()
    assert (bus.outbox.waiting, bus.upload().posted) == (1, 1)
