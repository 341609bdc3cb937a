"""The outbox: numbers, batches and states over restarts, without a card and without a ledger."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from card.batch import FIRST_DIGEST, Context, RecordStatus, TapRecord, decode_record, digest
from card.layout import TapKind
from keys.clock import UnixMs
from keys.money import Rupiah
from terminals.errors import OutboxBusy, OutboxError, OutboxFull
from terminals.outbox import Outbox
from terminals.outbox_file import RecordState
from tests.terminals.depot import START

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from terminals.batches import PendingBatch

UID = bytes([4, 0, 0, 0, 0, 0, 1])
TMV = bytes(range(8))


def record(sequence: int, uid: bytes = UID, at: UnixMs = START) -> TapRecord:
    return TapRecord(
        sequence, RecordStatus.UNCONFIRMED, TapKind.SALE, uid, sequence, b"", bytes(16), Rupiah(-3_500), at,
        sequence - 1, TMV, Context(rules=("sale",), authorisation=7),
    )  # fmt: skip


class Ashore:
    """Forms batches that tests can read: what went in, and how often one was formed."""

    def __init__(self) -> None:
        self.formed = 0
        self.previous: list[bytes] = []
        self.records: list[TapRecord] = []

    def form(self, first: int, previous: bytes, records: list[bytes]) -> bytes:
        self.formed += 1
        self.previous.append(previous)
        self.records = [decode_record(raw, first + place) for place, raw in enumerate(records)]
        return b"%d:%d:" % (self.formed, first) + b"".join(records)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def ashore() -> Ashore:
    return Ashore()


@contextmanager
def opened(path: Path) -> Iterator[Outbox]:
    outbox = Outbox(path)
    try:
        yield outbox
    finally:
        outbox.close()


def formed(outbox: Outbox, ashore: Ashore) -> PendingBatch:
    batch = outbox.batch(ashore.form)
    assert batch is not None
    return batch


steps = st.lists(st.sampled_from(["ready", "intent", "void", "send", "settle", "reopen"]), max_size=20)


@given(steps)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_over_any_life_numbers_have_no_gap_come_once_and_go_up_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("life") / "outbox.db"
    ashore, saved, up = Ashore(), 0, 0
    outbox = Outbox(path)
    for step in [*steps, "void", "settle", "settle"]:
        if step in {"ready", "intent"}:
            assert outbox.next_sequence == saved + 1
            saved += 1
            outbox.save(record(saved), RecordState(step))
        elif step == "void":
            while (pending := outbox.open_intent(UID)) is not None:
                outbox.void(pending, 0, b"")
        elif step == "reopen":
            outbox.close()
            outbox = Outbox(path)
        elif (batch := outbox.batch(ashore.form)) is not None:
            assert batch.first == up + 1
            if step == "settle":
                outbox.settle(batch)
                up = batch.last
        assert outbox.waiting == saved - up
    assert (up, outbox.next_sequence) == (saved, saved + 1)
    outbox.close()


def test_a_formed_batch_stays_byte_for_byte_until_it_is_settled_also_after_a_restart(
    path: Path, ashore: Ashore
) -> None:
    with opened(path) as outbox:
        outbox.save(record(1), RecordState.READY)
        sent = formed(outbox, ashore)
        outbox.save(record(2), RecordState.READY)
    with opened(path) as outbox:
        assert formed(outbox, ashore) == sent
        assert ashore.formed == 1
        outbox.settle(sent)
        assert outbox.waiting == 1
        after = formed(outbox, ashore)
    assert (after.first, after.last) == (2, 2)
    assert ashore.previous == [FIRST_DIGEST, digest(sent.body)]


def test_numbers_go_on_after_everything_was_settled_and_the_terminal_restarted(
    path: Path, ashore: Ashore
) -> None:
    with opened(path) as outbox:
        outbox.save(record(1), RecordState.READY)
        outbox.settle(formed(outbox, ashore))
        assert outbox.next_request() == 1
    with opened(path) as outbox:
        assert (outbox.waiting, outbox.next_sequence, outbox.next_request()) == (0, 2, 2)


def test_an_open_intent_ends_a_batch_and_nothing_behind_it_overtakes(path: Path, ashore: Ashore) -> None:
    with opened(path) as outbox:
        outbox.save(record(1), RecordState.READY)
        outbox.save(record(2, bytes(7)), RecordState.INTENT)
        outbox.save(record(3), RecordState.READY)
        first = formed(outbox, ashore)
        assert (first.first, first.last) == (1, 1)
        outbox.settle(first)
        assert outbox.batch(ashore.form) is None
        outbox.release(record(2, bytes(7)))
        assert (formed(outbox, ashore).first, ashore.records[-1].sequence) == (2, 3)


def test_confirmed_goes_up_with_the_chips_signature(path: Path, ashore: Ashore) -> None:
    with opened(path) as outbox:
        outbox.save(record(1), RecordState.INTENT)
        outbox.confirm(record(1), TMV)
        formed(outbox, ashore)
    (up,) = ashore.records
    assert (up.status, up.tmv, up.amount) == (RecordStatus.CONFIRMED, TMV, -3_500)


def test_voided_goes_up_as_a_witness_that_claims_no_money_and_keeps_its_authorisation(
    path: Path, ashore: Ashore
) -> None:
    with opened(path) as outbox:
        outbox.save(record(1), RecordState.INTENT)
        outbox.void(record(1), 4, TMV)
        formed(outbox, ashore)
    (up,) = ashore.records
    assert (up.status, up.kind, up.amount, up.tmi) == (RecordStatus.WITNESS, None, 0, b"")
    assert (up.seen_tmc, up.seen_tmv, up.context.authorisation) == (4, TMV, 7)


def test_released_goes_up_as_it_was_and_a_later_word_changes_nothing(path: Path, ashore: Ashore) -> None:
    with opened(path) as outbox:
        outbox.save(record(1), RecordState.INTENT)
        outbox.release(record(1))
        outbox.confirm(record(1), TMV)
        assert outbox.open_intent(UID) is None
        formed(outbox, ashore)
    assert ashore.records == [record(1)]


def test_only_intents_from_before_the_moment_are_released(path: Path) -> None:
    other = bytes(7)
    with opened(path) as outbox:
        outbox.save(record(1, at=START), RecordState.INTENT)
        outbox.save(record(2, other, UnixMs(START + 1)), RecordState.INTENT)
        assert outbox.release_before(UnixMs(START + 1)) == 1
        assert (outbox.open_intent(UID), outbox.open_intent(other)) == (
            None,
            record(2, other, UnixMs(START + 1)),
        )


def test_an_intent_survives_a_restart(path: Path) -> None:
    with opened(path) as outbox:
        outbox.save(record(1), RecordState.INTENT)
    with opened(path) as outbox:
        assert outbox.open_intent(UID) == record(1)
        assert outbox.open_intent(bytes(7)) is None


def test_a_batch_that_cannot_be_signed_is_not_half_formed(path: Path, ashore: Ashore) -> None:
    def broken(_first: int, _previous: bytes, _records: list[bytes]) -> bytes:
        raise RuntimeError("the key is gone")

    with opened(path) as outbox:
        outbox.save(record(1), RecordState.READY)
        with pytest.raises(RuntimeError):
            outbox.batch(broken)
        assert formed(outbox, ashore).last == 1


def test_an_outbox_gives_its_file_back(path: Path) -> None:
    with opened(path), pytest.raises(OutboxBusy):
        Outbox(path)
    with opened(path) as again:
        assert again.waiting == 0


def test_a_refused_file_stays_free_for_whoever_repairs_it(path: Path) -> None:
    path.write_bytes(b"somebody's letters " * 100)
    for _ in range(2):
        with pytest.raises(OutboxError, match="no outbox") as refused:
            Outbox(path)
        assert not isinstance(refused.value, OutboxBusy)


def test_a_folder_in_the_files_place_is_no_outbox(path: Path) -> None:
    path.mkdir()
    with pytest.raises(OutboxError, match="no outbox"):
        Outbox(path)
    path.rmdir()
    with opened(path) as outbox:
        assert outbox.waiting == 0


def test_each_batch_names_the_one_before_it_also_the_third_and_after_a_restart(
    path: Path, ashore: Ashore
) -> None:
    bodies = []
    for number in range(1, 5):
        with opened(path) as outbox:
            outbox.save(record(number), RecordState.READY)
            batch = formed(outbox, ashore)
            outbox.settle(batch)
            bodies.append(batch.body)
    assert ashore.previous == [FIRST_DIGEST, *map(digest, bodies[:-1])]


def test_what_a_card_turned_out_not_to_pay_is_owed_no_more(path: Path) -> None:
    with opened(path) as outbox:
        outbox.save(record(1), RecordState.INTENT)
        outbox.save(record(2), RecordState.READY)
        assert outbox.standing(START).owed == 7_000
        pending = outbox.open_intent(UID)
        assert pending is not None
        outbox.void(pending, 0, b"")
        assert outbox.standing(START).owed == 3_500
    with opened(path) as outbox:
        assert outbox.standing(START).owed == 3_500


def test_the_last_record_that_fits_is_taken_and_the_next_is_not(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminals.outbox.RECORDS_MAX", 3)
    with opened(path) as outbox:
        for number in range(1, 4):
            outbox.save(record(number), RecordState.READY)
        with pytest.raises(OutboxFull):
            outbox.save(record(4), RecordState.READY)
        assert (outbox.waiting, outbox.next_sequence) == (3, 4)


def test_a_commit_of_the_outbox_waits_for_the_disk(path: Path) -> None:
    with opened(path) as outbox:
        full = 2  # sqlite.org/pragma.html#pragma_synchronous
        assert outbox._db.execute("PRAGMA synchronous").fetchone() == (full,)
        assert outbox._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
