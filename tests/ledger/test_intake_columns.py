"""Records read by columns are what the decoders of `card` say, for good, bent, cut and shuffled bytes."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card import evidence
from card.batch import Context, RecordStatus, TapRecord, decode_record, encode_record
from card.errors import CardError
from card.layout import Journey, JourneyState, TapKind
from hebat.load.riders import riders
from keys.clock import UnixMs
from keys.filevault import FileVault
from keys.kernels import stamp_of
from keys.money import Rupiah
from keys.vault import Role
from ledger.intake.columnar import cbor, compiled, reading
from ledger.intake.columnar import fields as f

if TYPE_CHECKING:
    import numpy.typing as npt

    from card.evidence import CardTransaction

    Integers = npt.NDArray[np.int64]

EXAMPLES = 2_000 if os.environ.get("HEBAT_LONG") else 150
AT = UnixMs(1_795_000_000_000)
PLACES = [Context("1", "Simpang Lima", "H 1234 AB", "2026-1", ("concession:pupil", "transfer")), Context()]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """One record of every layout, all with sequence 7."""
    vault = FileVault.create(tmp_path_factory.mktemp("keys") / "vault", "x", 16)
    vault.add_master(Role.TRANSACTION_MAC, 1, bytes(range(16)))
    (holder,) = riders(vault, 1)
    holder.journey = Journey(
        JourneyState.INSIDE, AT // 1000, 3, 1, AT // 1000 - 60, Rupiah(3_500), last_terminal=1001
    )
    return [
        encode_record(holder.tap(kind, amount, AT, 1001, 7, context, moved_on=moved_on))
        for kind, amount in [
            (TapKind.FARE, 3_500),
            (TapKind.SALE, 25_000),
            (TapKind.LOAD, 50_000),
            (TapKind.TAP_IN, 0),
        ]
        for context in PLACES
        for moved_on in (False, True)
    ]


def by_columns(raws: list[bytes], first: int) -> tuple[Integers, bytes]:
    data = b"".join(raws)
    ends = np.cumsum([len(raw) for raw in raws], dtype=np.int64)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
    return reading.read(np.frombuffer(data, np.uint8), starts, ends, first)[0], data


def one_by_one(raw: bytes, sequence: int) -> tuple[TapRecord, CardTransaction] | None:
    try:
        record = decode_record(raw, sequence)
        return record, evidence.parse(record.tmi)
    except CardError:
        return None


def expect_the_same(raw: bytes, columns: Integers, data: bytes, row: int, sequence: int) -> None:
    """Where the columns say that a record is plain, the decoders take it, with the same values."""
    column = columns[:, row]
    if not column[f.PLAIN]:
        return
    found = one_by_one(raw, sequence)
    assert found is not None
    record, signed = found
    assert record.status is RecordStatus.CONFIRMED
    cut = {name: data[column[start] : column[end]] for name, start, end in (
        ("tmi", f.TMI_AT, f.TMI_END), ("seen", f.SEEN_AT, f.SEEN_END), ("route", f.ROUTE_AT, f.ROUTE_END),
        ("stop", f.STOP_AT, f.STOP_END), ("fare", f.FARE_AT, f.FARE_END),
    )}  # fmt: skip
    place = record.context
    assert cut == {
        "tmi": record.tmi, "seen": record.seen_tmv, "route": place.route.encode(), "stop": place.stop.encode(),
        "fare": cbor2.dumps(place.tariff) + cbor2.dumps(list(place.rules)),
    }  # fmt: skip
    assert data[column[f.TMV_AT] : column[f.TMV_AT] + 8] == record.tmv
    assert data[column[f.IDENTITY_AT] : column[f.IDENTITY_AT] + 32] == signed.identity.encode()
    told = [f.KIND, f.UID, f.TMC, f.AMOUNT, f.OCCURRED_AT, f.SEEN_TMC, f.AUTHORISATION]
    assert column[told].tolist() == [
        record.kind, int.from_bytes(record.uid, "big"), record.tmc, record.amount, record.occurred_at, record.seen_tmc,
        place.authorisation,
    ]  # fmt: skip
    proven = [
        f.CARD_NUMBER,
        f.CONCESSION,
        f.MOVED,
        f.SIGNED_KIND,
        f.PAID,
        f.BALANCE_AFTER,
        f.SIGNED_AT,
        f.TERMINAL,
        f.SEQUENCE,
        f.ROUTE,
    ]
    log = signed.record
    assert column[proven].tolist() == [
        signed.identity.card_number, signed.identity.concession, signed.amount, log.kind, log.amount, log.balance_after,
        log.at, log.terminal, log.sequence, log.reference >> 32,
    ]  # fmt: skip


def test_every_layout_that_terminals_leave_is_plain(good: list[bytes]) -> None:
    for raw in good:
        columns, data = by_columns([raw], 7)
        assert columns[f.PLAIN, 0]
        expect_the_same(raw, columns, data, 0, 7)


def test_no_flipped_bit_of_a_record_is_read_otherwise_than_by_the_decoders(good: list[bytes]) -> None:
    for raw in good[2:4]:
        bent = [
            raw[:at] + bytes((raw[at] ^ 1 << bit,)) + raw[at + 1 :]
            for at in range(len(raw))
            for bit in range(8)
        ]
        for one in bent:
            columns, data = by_columns([one], 7)
            expect_the_same(one, columns, data, 0, 7)


def test_no_cut_or_lengthened_record_is_plain(good: list[bytes]) -> None:
    for raw in good:
        for other in [*(raw[:length] for length in range(len(raw))), raw + b"\x00"]:
            assert not by_columns([other], 7)[0][f.PLAIN, 0]


@st.composite
def bent(draw: st.DrawFn, raw: bytes) -> bytes:
    """A record after a few changes: bytes overwritten, blocks of its input swapped, dropped or doubled."""
    work = bytearray(raw)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(work) - 1))
        change = draw(st.sampled_from(["byte", "swap", "drop", "double"]))
        if change == "byte":
            work[at] = draw(st.integers(0, 255))
        elif change == "swap":
            other = draw(st.integers(0, max(len(work) - 16, 0)))
            work[at : at + 16], work[other : other + 16] = work[other : other + 16], work[at : at + 16]
        elif change == "drop" and len(work) > 32:
            del work[at : at + 16]
        else:
            work[at:at] = work[at : at + 16]
    return bytes(work)


@st.composite
def rewritten(draw: st.DrawFn, raw: bytes) -> bytes:
    """A record with some fields of other values, encoded anew: what a terminal that lies, or a newer one, would send."""
    fields = cbor2.loads(raw)
    numbers = st.sampled_from(
        [
            -1,
            0,
            1,
            2,
            3,
            7,
            23,
            24,
            255,
            256,
            65_535,
            65_536,
            2**32 - 1,
            2**32,
            2**47,
            2**47 + 1,
            2**63,
            2**64,
        ]
    )
    texts = st.text(max_size=66) | st.text("ab", min_size=23, max_size=66)
    values = numbers | texts | st.binary(max_size=9) | st.booleans() | st.none() | st.floats()
    for _ in range(draw(st.integers(1, 3))):
        target = draw(st.sampled_from([fields, fields[10], fields[10][4]]))
        if not target:
            target.append(draw(values))
        else:
            target[draw(st.integers(0, len(target) - 1))] = draw(values)
        if not isinstance(fields[10], list) or len(fields[10]) != 6 or not isinstance(fields[10][4], list):
            break
    return cbor2.dumps(fields, canonical=draw(st.booleans()))


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_bent_records_among_good_ones_are_read_as_the_decoders_read_them(
    good: list[bytes], data: st.DataObject
) -> None:
    raws = []
    for _ in range(data.draw(st.integers(1, 4))):
        raw = data.draw(st.sampled_from(good))
        raws.append(data.draw(st.just(raw) | bent(raw) | rewritten(raw)))
    first = data.draw(st.integers(5, 8))
    columns, joined = by_columns(raws, first)
    for row, raw in enumerate(raws):
        expect_the_same(raw, columns, joined, row, first + row)


@settings(max_examples=EXAMPLES, deadline=None)
@given(garbage=st.lists(st.binary(max_size=400), min_size=1, max_size=4))
def test_garbage_is_never_plain(garbage: list[bytes]) -> None:
    assert not by_columns(garbage, 1)[0][f.PLAIN].any()


def test_compiled_code_is_made_anew_when_any_file_changes_that_went_into_it() -> None:
    folder = Path(compiled.__file__).parent
    kernels = [path for path in folder.glob("*.py") if "\n@compiled\n" in path.read_text()]
    assert len(kernels) >= 4
    for path in kernels:
        body = ast.parse(path.read_text()).body
        for node in (one for one in body if isinstance(one, ast.ImportFrom) and one.module):
            assert node.module is not None
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            files = [f"{name.replace('.', '/')}.py" for name in names]
            ours = [name for name in files if (folder.parents[2] / name).exists()]
            assert set(ours) <= set(compiled.SOURCES), path.name
    head: Any = cbor.head
    assert head._cache._cache_file._source_stamp == stamp_of(
        folder.parents[2] / name for name in compiled.SOURCES
    )
