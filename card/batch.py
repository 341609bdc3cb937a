"""Records of taps in batches, as a terminal sends them and the ledger reads them: deterministic CBOR (RFC 8949 section 4.2).

A batch is an array [version, terminal, first sequence, digest of the previous batch, sent at, records]; the record at place i has the sequence
first + i. A record that does not decode is kept as it is, so that one bad record never fails a batch (law 6).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import cbor2

from card.errors import BatchInvalid
from card.evidence import TMI_BYTES_MAX
from card.layout import TapKind
from card.tmac import TMC_MAX, TMV_BYTES
from keys import cbor
from keys.clock import UnixMs
from keys.errors import CborMalformed
from keys.money import Rupiah

VERSION: Final = 1
CONTENT_TYPE: Final = "application/ksh-batch+cbor"
LOAD_CONTENT_TYPE: Final = "application/ksh-load+cbor"
REFUND_CONTENT_TYPE: Final = "application/ksh-refund+cbor"
ORDERED_CONTENT_TYPE: Final = "application/ksh-ordered-load+cbor"
LOCK_CONTENT_TYPE: Final = "application/ksh-lock+cbor"
WAITING_CONTENT_TYPE: Final = "application/ksh-waiting+cbor"
STEP_CONTENT_TYPE: Final = "application/ksh-load-step+cbor"
SHIFT_CONTENT_TYPE: Final = "application/ksh-shift+cbor"
RECORDS_MAX: Final = 1000
BATCH_BYTES_MAX: Final = 1 << 20
TEXT_CHARS_MAX: Final = 64
RULES_MAX: Final = 16
TERMINAL_MAX: Final = (1 << 31) - 1
SEQUENCE_MAX: Final = 0xFFFF_FFFF
RELAYED_FROM: Final = 1 << 31
"""From here on a terminal's numbers are those of loads and of what else the ledger does to a card through it, whose records the ledger writes in its name: this plus the request's number."""
FIRST_DIGEST: Final = bytes(32)
AMOUNT_MAX: Final = 20_000_000
_UID_BYTES: Final = 7
TIME_MAX: Final = 1 << 47
_RECORD_FIELDS: Final = 12
_BATCH_FIELDS: Final = 6


class RecordStatus(IntEnum):
    """How much a terminal knows of a transaction."""

    CONFIRMED = 1
    UNCONFIRMED = 2
    WITNESS = 3


@dataclass(frozen=True, slots=True)
class Context:
    """Where and under which rules a tap happened; the terminal's word, empty where it has none."""

    route: str = ""
    stop: str = ""
    vehicle: str = ""
    tariff: str = ""
    rules: tuple[str, ...] = ()
    authorisation: int = 0


@dataclass(frozen=True, slots=True)
class TapRecord:
    """One card transaction, or what a terminal saw of one.

    `amount` is the claim in rupiah, negative where the card paid; `tmv` is b"" where unconfirmed; `tmi` is b"" and `kind` None for a witness;
    `seen_tmc` and `seen_tmv` are what the TMAC file held when the card came.
    """

    sequence: int
    status: RecordStatus
    kind: TapKind | None
    uid: bytes
    tmc: int
    tmv: bytes
    tmi: bytes
    amount: Rupiah
    occurred_at: UnixMs
    seen_tmc: int
    seen_tmv: bytes
    context: Context


@dataclass(frozen=True, slots=True)
class MalformedRecord:
    """A record that is none: its bytes as they came, and why."""

    sequence: int
    raw: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class BatchFrame:
    """A batch whose records nobody has read yet: their bytes as they came."""

    terminal: int
    first_sequence: int
    previous_digest: bytes
    sent_at: UnixMs
    raws: tuple[bytes, ...]

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record."""
        return self.first_sequence + len(self.raws) - 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one terminal in order, chained to the batch before."""

    terminal: int
    first_sequence: int
    previous_digest: bytes
    sent_at: UnixMs
    records: tuple[TapRecord | MalformedRecord, ...]

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record."""
        return self.first_sequence + len(self.records) - 1


def digest(body: bytes) -> bytes:
    """The digest that chains batches: SHA-256 over the signed bytes."""
    return hashlib.sha256(body).digest()


def encode_record(record: TapRecord) -> bytes:
    """One record as CBOR; its sequence follows from its place."""
    context = record.context
    place = [
        context.route,
        context.stop,
        context.vehicle,
        context.tariff,
        list(context.rules),
        context.authorisation,
    ]
    kind = 0 if record.kind is None else int(record.kind)
    fields = [
        int(record.status), kind, record.uid, record.tmc, record.tmv, record.tmi, record.amount, record.occurred_at,
        record.seen_tmc, record.seen_tmv, place, record.sequence,
    ]  # fmt: skip
    return cbor2.dumps(fields, canonical=True)


def encode_batch(
    terminal: int, first_sequence: int, previous_digest: bytes, sent_at: UnixMs, records: list[bytes]
) -> bytes:
    """A batch of encoded records as CBOR."""
    return cbor2.dumps([VERSION, terminal, first_sequence, previous_digest, sent_at, records], canonical=True)


def decode_frame(payload: bytes) -> BatchFrame:
    """A batch from CBOR, its records unread; raises BatchInvalid, naming the field, where it is none."""
    fields = _fields(payload, _BATCH_FIELDS, "batch")
    version, terminal, first, previous, sent_at, records = fields
    if version != VERSION:
        raise BatchInvalid(f"batch version {version!r:.40} is unknown here: update one of the two sides")
    _integer(terminal, 1, TERMINAL_MAX, "terminal")
    _integer(first, 1, SEQUENCE_MAX, "first sequence")
    _integer(sent_at, 0, TIME_MAX, "sent at")
    _octets(previous, len(FIRST_DIGEST), len(FIRST_DIGEST), "previous digest")
    if not isinstance(records, list) or not 1 <= len(records) <= RECORDS_MAX:
        raise BatchInvalid(f"a batch has 1 to {RECORDS_MAX} records")
    if set(map(type, records)) != {bytes}:
        records = [raw if isinstance(raw, bytes) else cbor2.dumps(raw) for raw in records]
    return BatchFrame(terminal, first, previous, UnixMs(sent_at), tuple(records))


def decode_batch(payload: bytes) -> Batch:
    """A batch from CBOR with its records; raises BatchInvalid, naming the field, where it is none."""
    frame = decode_frame(payload)
    taken = tuple(
        record_or_malformed(raw, frame.first_sequence + place) for place, raw in enumerate(frame.raws)
    )
    return Batch(frame.terminal, frame.first_sequence, frame.previous_digest, frame.sent_at, taken)


def record_or_malformed(raw: bytes, sequence: int) -> TapRecord | MalformedRecord:
    """One record from CBOR, or what cannot be read as one, with the reason."""
    try:
        return decode_record(raw, sequence)
    except BatchInvalid as error:
        return MalformedRecord(sequence, raw, str(error))


def decode_record(raw: bytes, sequence: int) -> TapRecord:
    """One record from CBOR; raises BatchInvalid, naming the field, where it is none."""
    status, kind, uid, tmc, tmv, tmi, amount, at, seen_tmc, seen_tmv, place, numbered = _fields(
        raw, _RECORD_FIELDS, "record"
    )
    if numbered != sequence:
        raise BatchInvalid(f"sequence: record {numbered!r:.40} stands at place {sequence}")
    _integer(status, min(RecordStatus), max(RecordStatus), "status")
    _integer(kind, 0, max(TapKind), "kind")
    if (kind == 0) != (status == RecordStatus.WITNESS):
        raise BatchInvalid(f"status {status} and kind {kind} are no pair that this ledger knows")
    _octets(uid, _UID_BYTES, _UID_BYTES, "uid")
    _integer(tmc, 0 if status == RecordStatus.WITNESS else 1, TMC_MAX, "tmc")
    _octets(tmv, *_tmv_sizes(status), "tmv")
    _octets(tmi, 0, 0 if status == RecordStatus.WITNESS else TMI_BYTES_MAX, "tmi")
    _integer(amount, -AMOUNT_MAX, AMOUNT_MAX, "amount")
    _integer(at, 0, TIME_MAX, "occurred at")
    _integer(seen_tmc, 0, TMC_MAX, "seen tmc")
    _octets(seen_tmv, 0, TMV_BYTES, "seen tmv")
    return TapRecord(
        sequence, RecordStatus(status), TapKind(kind) if kind else None, uid, tmc, tmv, tmi, Rupiah(amount),
        UnixMs(at), seen_tmc, seen_tmv, _context(place),
    )  # fmt: skip


def _tmv_sizes(status: int) -> tuple[int, int]:
    if status == RecordStatus.CONFIRMED:
        return TMV_BYTES, TMV_BYTES
    return (0, 0) if status == RecordStatus.UNCONFIRMED else (0, TMV_BYTES)


def _context(place: object) -> Context:
    if not isinstance(place, list) or len(place) != 6:  # noqa: PLR2004  the six fields of Context
        raise BatchInvalid("context: six fields are expected")
    route, stop, vehicle, tariff, rules, authorisation = place
    if not isinstance(rules, list) or len(rules) > RULES_MAX:
        raise BatchInvalid(f"rules: a list of at most {RULES_MAX} is expected")
    for text in (route, stop, vehicle, tariff, *rules):
        if not isinstance(text, str) or len(text) > TEXT_CHARS_MAX:
            raise BatchInvalid(f"context: texts of at most {TEXT_CHARS_MAX} characters are expected")
    _integer(authorisation, 0, (1 << 62), "authorisation")
    return Context(route, stop, vehicle, tariff, tuple(rules), authorisation)


def _fields(data: bytes, count: int, what: str) -> list[Any]:
    try:
        value = cbor.decoded(data)
    except CborMalformed as error:
        raise BatchInvalid(f"the {what} cannot be read: {error}") from None
    if not isinstance(value, list) or len(value) != count:
        raise BatchInvalid(f"the {what} is no array of {count} fields")
    if not cbor.is_deterministic(value, data):
        raise BatchInvalid(f"the {what} is not in deterministic encoding")
    return value


def _integer(value: object, low: int, high: int, field: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BatchInvalid(f"{field}: an integer from {low} to {high} is expected")


def _octets(value: object, low: int, high: int, field: str) -> None:
    if not isinstance(value, bytes) or not low <= len(value) <= high:
        raise BatchInvalid(f"{field}: {low} to {high} bytes are expected")
