"""Records and batches: what is encoded is read back, what is malformed is named, one bad record fails no batch."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.batch import (
    FIRST_DIGEST,
    RECORDS_MAX,
    Context,
    MalformedRecord,
    RecordStatus,
    TapRecord,
    decode_batch,
    decode_record,
    encode_batch,
    encode_record,
)
from card.errors import BatchInvalid
from card.layout import TapKind
from keys.clock import UnixMs
from keys.money import Rupiah

texts = st.text(max_size=20)
contexts = st.builds(
    Context, texts, texts, texts, texts, st.lists(texts, max_size=4).map(tuple), st.integers(0, 1 << 40)
)
confirmed = st.builds(
    TapRecord, st.integers(1, 1 << 31), st.just(RecordStatus.CONFIRMED), st.sampled_from(TapKind),
    st.binary(min_size=7, max_size=7), st.integers(1, 1 << 31), st.binary(min_size=8, max_size=8), st.binary(max_size=300),
    st.integers(-20_000_000, 20_000_000).map(Rupiah), st.integers(0, 1 << 42).map(UnixMs), st.integers(0, 1 << 31),
    st.binary(max_size=8), contexts,
)  # fmt: skip


@given(confirmed)
def test_a_record_is_read_back_as_it_was(record: TapRecord) -> None:
    assert decode_record(encode_record(record), record.sequence) == record


@given(confirmed, st.integers(0, 11))
def test_a_record_with_a_field_of_another_type_is_malformed_and_nothing_worse(
    record: TapRecord, field: int
) -> None:
    fields = cbor2.loads(encode_record(record))
    fields[field] = {"odd": True}
    with pytest.raises(BatchInvalid):
        decode_record(cbor2.dumps(fields, canonical=True), record.sequence)


def record(sequence: int) -> TapRecord:
    return TapRecord(
        sequence,
        RecordStatus.CONFIRMED,
        TapKind.SALE,
        bytes(7),
        1,
        bytes(8),
        bytes(16),
        Rupiah(-1),
        UnixMs(0),
        0,
        b"",
        Context(),
    )


def test_one_bad_record_is_kept_among_good_ones() -> None:
    raws = [encode_record(record(5)), b"garbage", encode_record(record(7))]
    batch = decode_batch(encode_batch(1, 5, FIRST_DIGEST, UnixMs(0), raws))
    assert [type(one) for one in batch.records] == [TapRecord, MalformedRecord, TapRecord]
    bad = batch.records[1]
    assert isinstance(bad, MalformedRecord)
    assert (bad.sequence, bad.raw) == (6, b"garbage")
    assert batch.last_sequence == 7


def test_a_record_at_another_place_than_its_number_is_malformed() -> None:
    batch = decode_batch(encode_batch(1, 5, FIRST_DIGEST, UnixMs(0), [encode_record(record(6))]))
    assert isinstance(batch.records[0], MalformedRecord)


def test_law_10_a_batch_has_a_thousand_records_and_not_one_more() -> None:
    raws = [encode_record(record(1 + at)) for at in range(RECORDS_MAX + 1)]
    assert len(decode_batch(encode_batch(1, 1, FIRST_DIGEST, UnixMs(0), raws[:-1])).records) == RECORDS_MAX
    with pytest.raises(BatchInvalid, match="1 to 1000"):
        decode_batch(encode_batch(1, 1, FIRST_DIGEST, UnixMs(0), raws))


@given(st.binary(max_size=200))
def test_garbage_is_no_batch_and_crashes_nothing(data: bytes) -> None:
    with pytest.raises(BatchInvalid):
        decode_batch(data)


@pytest.mark.parametrize("place", range(5))
def test_each_field_of_a_batch_is_checked(place: int) -> None:
    fields = cbor2.loads(encode_batch(1, 1, FIRST_DIGEST, UnixMs(0), [encode_record(record(1))]))
    fields[place] = "odd"
    with pytest.raises(BatchInvalid):
        decode_batch(cbor2.dumps(fields, canonical=True))


@pytest.mark.parametrize("place", range(6))
def test_a_stray_break_of_cbor_is_no_field(place: int) -> None:
    values: list[object] = [1, 1001, 1, bytes(32), 1, []]
    fields = [cbor2.dumps(value) for value in values]
    fields[place] = b"\xff"  # decodes within an array of fixed length, and encodes as nothing
    with pytest.raises(BatchInvalid):
        decode_batch(b"\x86" + b"".join(fields))


def test_a_record_with_a_stray_break_fails_no_batch() -> None:
    payload = encode_batch(1001, 1, FIRST_DIGEST, UnixMs(1), [b"\x8c" + 12 * b"\xff"])
    (record,) = decode_batch(payload).records
    assert isinstance(record, MalformedRecord)
