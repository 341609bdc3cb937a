"""The laws of the intake, each on real chips and real signatures."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from card.batch import BATCH_BYTES_MAX, Context, RecordStatus, TapRecord, encode_record
from card.layout import Concession, TapKind
from hebat.folder import Folder
from keys.clock import day_of, moment
from keys.identity import TerminalRole
from keys.money import Rupiah
from ledger.chart import purse, split
from ledger.errors import BatchConflict, BatchOutOfOrder, BatchTooLarge, SignatureRefused, TerminalUnknown
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind, Reason
from ledger.transfer import Kind
from tests.ledger.desk import DAY, MERCHANT, Scene, open_scene

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.issuing import Issued
    from ledger.intake.quarantine.store import ExceptionRow, QuarantineRow


def in_books(scene: Scene, card: Issued) -> int:
    account = purse(card.identity.card_number)
    return scene.city.ledger.balance(account).net(account) // 100


def quarantine_of(scene: Scene) -> list[QuarantineRow]:
    with scene.city.ledger.database.transaction() as connection:
        return quarantine.read_quarantine(connection)


def exceptions(scene: Scene) -> list[ExceptionRow]:
    with scene.city.ledger.database.transaction() as connection:
        return quarantine.read_exceptions(connection)


def test_a_fare_moves_money_from_the_purse_to_the_operator(scene: Scene) -> None:
    card = scene.card(loaded=50_000)
    desk = scene.desk()
    desk.tap(card, TapKind.FARE, 3_500)
    assert [result["result"] for result in desk.send().results] == ["posted"]
    assert in_books(scene, card) == card.chip_balance == 46_500


def test_a_concession_fare_is_linked_with_the_citys_subsidy(scene: Scene) -> None:
    card = scene.card(Concession.PUPIL, loaded=50_000)
    desk = scene.desk()
    desk.tap(card, TapKind.FARE, 1_000, rules=("concession:pupil",))
    desk.send()
    rows = scene.city.ledger.rows()
    moved = {Kind(int(row["kind"])): int(row["amount"]) for row in rows[-2:]}
    assert moved == {Kind.FARE: 100_000, Kind.SUBSIDY: 250_000}
    assert len({split(row["debit"]).partition for row in rows[-2:]}) == 1


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"amount": Rupiah(-500)}, Reason.EVIDENCE_MISMATCH),
        ({"kind": TapKind.TAP_OUT}, Reason.EVIDENCE_MISMATCH),
        ({"occurred_at": 1_795_000_000_000}, Reason.EVIDENCE_MISMATCH),
        ({"tmv": bytes(8)}, Reason.TMV_WRONG),
        ({"tmc": 77}, Reason.TMV_WRONG),
        ({"uid": bytes(7)}, Reason.CARD_UNKNOWN),
    ],
)
def test_law_02_a_terminals_word_against_the_cards_is_kept_and_moves_nothing(
    scene: Scene, lie: dict[str, object], reason: Reason
) -> None:
    card = scene.card(loaded=50_000)
    desk = scene.desk()
    desk.records[-1:] = [replace(desk.tap(card, TapKind.FARE, 3_500), **lie)]  # type: ignore[arg-type]
    (result,) = desk.send().results
    assert (result["result"], result["reason"]) == ("quarantined", reason.value)
    assert in_books(scene, card) == 50_000


def test_law_02_evidence_made_for_another_terminal_is_not_taken(scene: Scene) -> None:
    card = scene.card(loaded=50_000)
    honest, thief = scene.desk(1001), scene.desk(1002)
    thief.add(honest.tap(card, TapKind.FARE, 3_500))
    assert thief.send().results[0]["reason"] == Reason.EVIDENCE_MISMATCH
    assert honest.send().results[0]["result"] == "posted"


def test_law_03_the_same_bytes_get_the_same_answer_and_move_no_money_even_after_a_restart(
    tmp_path: Path,
) -> None:
    folder = Folder(tmp_path / "city")
    first = open_scene(folder, fresh=True)
    with first.city:
        desk = first.desk()
        desk.tap(first.card(loaded=50_000), TapKind.FARE, 3_500)
        body = desk.body()
        answers = [first.city.intake.receive(body) for _ in range(3)]
        head, rows = first.city.ledger.head(), len(first.city.ledger.rows())
    again = open_scene(folder, fresh=False)
    with again.city:
        answers.append(again.city.intake.receive(body))
        assert (again.city.ledger.head(), len(again.city.ledger.rows())) == (head, rows)
    assert len({answer.receipt for answer in answers}) == 1
    assert all(answer.results == answers[0].results for answer in answers)


def test_law_03_the_same_numbers_with_other_bytes_are_a_conflict_that_is_kept(scene: Scene) -> None:
    card, desk = scene.card(loaded=50_000), scene.desk()
    desk.tap(card, TapKind.FARE, 3_500)
    scene.city.intake.receive(desk.body())
    desk.records[0] = replace(desk.records[0], context=Context("2"))
    other = desk.body()
    with pytest.raises(BatchConflict):
        scene.city.intake.receive(other)
    with scene.city.ledger.database.transaction() as connection:
        assert [row.body for row in quarantine.read_refused(connection)] == [other]


def test_law_03_a_cloned_cards_transaction_is_a_conflict_and_shown(scene: Scene) -> None:
    card = scene.card(loaded=50_000)
    clone = replace(card, chip=card.chip.clone())
    one, two = scene.desk(1001), scene.desk(1002)
    one.tap(card, TapKind.FARE, 3_500)
    two.tap(clone, TapKind.FARE, 3_500)
    assert one.send().results[0]["result"] == "posted"
    assert two.send().results[0]["reason"] == Reason.CONFLICT
    assert ExceptionKind.CLONE_OR_REPLAY in {row.kind for row in exceptions(scene)}
    assert in_books(scene, card) == 46_500


def test_a_record_sent_again_in_a_later_batch_is_a_duplicate(scene: Scene) -> None:
    card, desk = scene.card(loaded=50_000), scene.desk()
    record = desk.tap(card, TapKind.FARE, 3_500)
    desk.send()
    other = scene.desk(1001)
    other.sequence, other.first, other.previous = desk.sequence, desk.first, desk.previous
    other.add(replace(record, sequence=desk.sequence))
    assert other.send().results[0]["reason"] == Reason.EVIDENCE_MISMATCH  # the chip signed the first number
    assert in_books(scene, card) == 46_500


def test_law_05_an_offline_debit_is_posted_below_zero_and_raises_an_exception(scene: Scene) -> None:
    card, kiosk, bus = scene.card(), scene.desk(3999, TerminalRole.KIOSK, 701), scene.desk()
    kiosk.tap(card, TapKind.LOAD, 50_000)
    bus.tap(card, TapKind.FARE, 3_500)
    assert bus.send().results[0]["result"] == "posted"
    assert in_books(scene, card) == -3_500
    assert [row.kind for row in exceptions(scene)] == [ExceptionKind.NEGATIVE_SHADOW]
    kiosk.send()
    assert in_books(scene, card) == card.chip_balance == 46_500


def test_law_06_one_bad_record_is_kept_byte_for_byte_among_good_ones(scene: Scene) -> None:
    card, desk = scene.card(loaded=50_000), scene.desk()
    raws = [encode_record(desk.tap(card, TapKind.FARE, 3_500)), b"\xffgarbage"]
    desk.sequence += 1
    raws.append(encode_record(desk.tap(card, TapKind.FARE, 3_500)))
    results = scene.city.intake.receive(desk.body(raws)).results
    assert [result["result"] for result in results] == ["posted", "quarantined", "posted"]
    (kept,) = quarantine_of(scene)
    assert (kept.reason, kept.raw, kept.sequence) == (Reason.MALFORMED, b"\xffgarbage", 2)


def test_law_06_a_merchant_that_loads_a_card_is_kept_not_posted(scene: Scene) -> None:
    card, till = scene.card(loaded=50_000), scene.desk(2001, TerminalRole.MERCHANT, MERCHANT)
    till.tap(card, TapKind.LOAD, 3_500)
    assert till.send().results[0]["reason"] == Reason.ROLE_FORBIDDEN
    assert in_books(scene, card) == 50_000


def test_law_09_a_late_tap_belongs_to_its_service_day_and_settles_in_the_open_window(scene: Scene) -> None:
    card, desk = scene.card(loaded=50_000), scene.desk()
    desk.tap(card, TapKind.FARE, 3_500)
    window = scene.city.ledger.close_window(day_of(DAY))
    before = len(scene.city.ledger.rows(day_of(DAY)))
    desk.send()
    late = scene.city.ledger.rows()[-1]
    assert (late["service_day"], late["business_date"]) == (day_of(DAY), day_of(DAY) + 1)
    assert len(scene.city.ledger.rows(day_of(DAY))) == before
    assert scene.city.ledger.close_window(day_of(DAY)) == window


def test_law_10_an_oversized_batch_is_refused_before_it_is_read(scene: Scene) -> None:
    with pytest.raises(BatchTooLarge, match="in parts"):
        scene.city.intake.receive(bytes(BATCH_BYTES_MAX + 1))


def test_a_gap_in_a_terminals_numbers_is_refused_and_names_the_expected_one(scene: Scene) -> None:
    desk = scene.desk()
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    desk.first = desk.sequence = 5
    with pytest.raises(BatchOutOfOrder, match="sequence 1, not 5"):
        scene.city.intake.receive(desk.body())


def test_a_batch_that_is_not_chained_to_the_one_before_is_refused(scene: Scene) -> None:
    desk = scene.desk()
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    desk.previous = bytes([1]) * 32
    with pytest.raises(BatchOutOfOrder, match="not chained"):
        scene.city.intake.receive(desk.body())


def test_another_terminals_signature_is_refused_and_the_bytes_are_kept(scene: Scene) -> None:
    desk, other = scene.desk(1001), scene.desk(1002)
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    desk.identity = other.identity
    body = desk.body()
    with pytest.raises(SignatureRefused):
        scene.city.intake.receive(body)
    with scene.city.ledger.database.transaction() as connection:
        assert [row.body for row in quarantine.read_refused(connection)] == [body]


def test_a_revoked_terminals_batch_is_refused_and_kept(scene: Scene) -> None:
    desk = scene.desk()
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    scene.city.registry.revoke(desk.number, scene.clock.now())
    with pytest.raises(TerminalUnknown, match="revoked"):
        scene.city.intake.receive(desk.body())


def test_an_expired_certificate_posts_nothing(scene: Scene) -> None:
    desk = scene.desk()
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    scene.clock.move_to(moment(datetime(2027, 6, 1)))  # noqa: DTZ001  the city's wall clock
    with pytest.raises(TerminalUnknown, match="out of date"):
        scene.city.intake.receive(desk.body())


@pytest.mark.parametrize("committed", [True, False])
def test_an_unconfirmed_tap_waits_until_the_card_itself_tells(scene: Scene, *, committed: bool) -> None:
    card, bus, other = scene.card(loaded=50_000), scene.desk(1001), scene.desk(1002)
    bus.tap(card, TapKind.FARE, 3_500, confirmed=False, commits=committed)
    assert bus.send().results[0]["reason"] == Reason.UNCONFIRMED
    assert in_books(scene, card) == 50_000
    other.tap(card, TapKind.FARE, 3_500)
    other.send()
    assert in_books(scene, card) == card.chip_balance == (43_000 if committed else 46_500)
    assert quarantine_of(scene)[0].resolution == ("witnessed" if committed else "voided")
    kind = ExceptionKind.INTENT_SETTLED if committed else ExceptionKind.INTENT_VOIDED
    assert kind in {row.kind for row in exceptions(scene)}


def test_an_open_intent_survives_a_restart(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "city")
    first = open_scene(folder, fresh=True)
    with first.city:
        card, bus = first.card(loaded=50_000), first.desk(1001)
        bus.tap(card, TapKind.FARE, 3_500, confirmed=False)
        bus.send()
    again = open_scene(folder, fresh=False)
    with again.city:
        again.serial = 50
        other = again.desk(1002)
        other.tap(card, TapKind.FARE, 3_500)
        other.send()
        assert in_books(again, card) == card.chip_balance == 43_000


def test_a_witness_alone_settles_an_intent(scene: Scene) -> None:
    from card import purse as flows  # noqa: PLC0415

    card, bus, other = scene.card(loaded=50_000), scene.desk(1001), scene.desk(1002)
    bus.tap(card, TapKind.FARE, 3_500, confirmed=False)
    bus.send()
    seen = flows.seen_now(card.chip)
    other.add(
        TapRecord(
            1, RecordStatus.WITNESS, None, card.chip.uid, seen.tmc, seen.tmv, b"", Rupiah(0), scene.clock.now(),
            seen.tmc, seen.tmv, Context(),
        )
    )  # fmt: skip
    assert other.send().results[0]["result"] == "posted"
    assert in_books(scene, card) == 46_500


@pytest.mark.parametrize("committed", [True, False])
def test_an_unconfirmed_tap_that_comes_in_after_the_cards_next_tap_is_settled_at_once(
    scene: Scene, *, committed: bool
) -> None:
    card, offline, online = scene.card(loaded=50_000), scene.desk(1001), scene.desk(1002)
    offline.tap(card, TapKind.FARE, 3_500, confirmed=False, commits=committed)
    online.tap(card, TapKind.FARE, 3_500)
    online.send()
    offline.send()
    assert in_books(scene, card) == card.chip_balance == (43_000 if committed else 46_500)
    assert quarantine_of(scene)[0].resolution == ("witnessed" if committed else "voided")


def test_an_intent_and_the_cards_next_tap_in_one_batch_settle_each_other(scene: Scene) -> None:
    card, bus = scene.card(loaded=50_000), scene.desk(1001)
    bus.tap(card, TapKind.FARE, 3_500, confirmed=False)
    bus.tap(card, TapKind.FARE, 3_500)
    bus.send()
    assert in_books(scene, card) == card.chip_balance == 43_000
    assert quarantine_of(scene)[0].resolution == "witnessed"


def test_what_a_terminal_merely_says_that_it_saw_undoes_no_payment(scene: Scene) -> None:
    card, bus, liar = scene.card(loaded=50_000), scene.desk(1001), scene.desk(1002)
    intent = bus.tap(card, TapKind.FARE, 3_500, confirmed=False)
    bus.send()
    said = TapRecord(
        1, RecordStatus.WITNESS, None, card.chip.uid, intent.tmc, b"madeitup", b"", Rupiah(0), scene.clock.now(),
        intent.tmc, b"madeitup", Context(),
    )  # fmt: skip
    liar.add(said)
    liar.send()
    assert quarantine_of(scene)[0].resolution == ""
    scene.desk(1003).tap(card, TapKind.FARE, 3_500)
    honest = scene.desk(1004)
    honest.tap(card, TapKind.FARE, 3_500)
    honest.send()
    assert quarantine_of(scene)[0].resolution == ""  # the tap in between is not uploaded yet


def test_an_open_intent_of_a_revoked_terminal_holds_nobody_up(scene: Scene) -> None:
    card, lost, other = scene.card(loaded=50_000), scene.desk(1001), scene.desk(1002)
    lost.tap(card, TapKind.FARE, 3_500, confirmed=False)
    lost.send()
    scene.city.registry.revoke(lost.number, scene.clock.now())
    other.tap(card, TapKind.FARE, 3_500)
    assert other.send().results[0]["result"] == "posted"
    assert in_books(scene, card) == 43_000


def test_law_10_garbage_cannot_fill_the_disk(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from ledger.errors import BatchMalformed  # noqa: PLC0415

    monkeypatch.setattr(quarantine, "REFUSED_MAX", 3)
    for number in range(6):
        with pytest.raises(BatchMalformed):
            scene.city.intake.receive(b"garbage %d" % number)
    with scene.city.ledger.database.transaction() as connection:
        assert len(quarantine.read_refused(connection)) == 3
