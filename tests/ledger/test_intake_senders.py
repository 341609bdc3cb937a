"""Who sent a batch, and what is examined of it, before any writer has a turn; and keeping what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.batch import CONTENT_TYPE, FIRST_DIGEST, RELAYED_FROM, encode_batch, encode_record
from card.layout import TapKind
from ledger.errors import BatchMalformed, BatchTooLarge, SignatureRefused
from ledger.intake import refused
from ledger.intake.assess import Assessor
from ledger.intake.examining import Examining
from ledger.intake.memory import Memory
from ledger.intake.quarantine import store as quarantine
from ledger.intake.senders import Senders
from ledger.relay import own
from ledger.watch.changes import Changes

if TYPE_CHECKING:
    from tests.ledger.desk import Scene


def senders(scene: Scene) -> Senders:
    return Senders(scene.city.registry, scene.city.vault, scene.clock)


def counts(scene: Scene) -> dict[str, int]:
    return dict(Changes(scene.city.ledger.database).counts())


def test_a_batch_names_its_sender_by_the_key_that_signed_it(scene: Scene) -> None:
    desk = scene.desk()
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    sender, frame = senders(scene).opened(desk.body(), counts(scene))
    assert sender.certificate == scene.city.registry.enrolled(desk.number)
    assert (frame.terminal, frame.first_sequence, len(frame.raws)) == (desk.number, 1, 1)


def test_a_batch_that_the_ledger_wrote_is_its_kiosks(scene: Scene) -> None:
    kiosk = scene.desk()
    record = kiosk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    body, written = own.written(kiosk.number, record, scene.city.vault, scene.clock.now())
    sender, frame = senders(scene).opened(body, counts(scene))
    assert (sender.certificate, frame) == (scene.city.registry.enrolled(kiosk.number), written)


def test_a_terminal_signs_no_numbers_of_the_ledgers_own(scene: Scene) -> None:
    desk = scene.desk()
    raws = [encode_record(desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500))]
    payload = encode_batch(desk.number, RELAYED_FROM, FIRST_DIGEST, scene.clock.now(), raws)
    with pytest.raises(BatchMalformed, match="those of loads"):
        senders(scene).opened(desk.seal(payload), counts(scene))


@pytest.mark.parametrize("what", ["no envelope", "another kind of envelope", "no batch"])
def test_what_is_no_batch_is_said_so(scene: Scene, what: str) -> None:
    desk = scene.desk()
    bodies = {
        "no envelope": b"\xf6",
        "another kind of envelope": desk.seal(b"\x80", "text/plain"),
        "no batch": desk.seal(b"\x80", CONTENT_TYPE),
    }
    with pytest.raises(BatchMalformed):
        senders(scene).opened(bodies[what], counts(scene))


def test_a_changed_byte_makes_a_signature_nobodys(scene: Scene) -> None:
    desk = scene.desk()
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    body = bytearray(desk.body())
    body[-1] ^= 1
    with pytest.raises(SignatureRefused, match="not terminal 1001's"):
        senders(scene).opened(bytes(body), counts(scene))


def test_examining_a_batch_writes_nothing_and_reads_what_the_books_know_of_its_cards(scene: Scene) -> None:
    city, desk, card = scene.city, scene.desk(), scene.card(loaded=50_000)
    desk.tap(card, TapKind.FARE, 3_500)
    desk.send()
    tap = desk.tap(card, TapKind.FARE, 3_500)
    body, head = desk.body(), city.ledger.head()
    sender, frame = senders(scene).opened(body, counts(scene))
    examining = Examining(
        city.ledger.database, city.registry, city.vault, city.intake.tariffs, Assessor(city.registry, city.vault), Memory(),
    )  # fmt: skip
    examined = examining.examined(body, sender, frame, counts(scene))
    assert examined.columns.plain.tolist() == [True]
    assert examined.uids.tolist() == [int.from_bytes(card.chip.uid, "big")]
    assert examined.highest.tolist() == [tap.tmc - 1]
    assert city.ledger.head() == head


def test_law_06_a_refused_batch_is_kept_and_a_ledger_that_cannot_write_raises_nothing_more(
    scene: Scene,
) -> None:
    ledger, at = scene.city.ledger, scene.clock.now()
    refused.keep(b"garbage", BatchTooLarge("too large"), ledger.writer, at)
    ledger.writer.close()
    refused.keep(b"more garbage", BatchTooLarge("too large"), ledger.writer, at)
    with ledger.database.transaction() as connection:
        kept = [(row.body, row.reason, row.detail) for row in quarantine.read_refused(connection)]
    assert kept == [(b"garbage", "BatchTooLarge", "too large")]
