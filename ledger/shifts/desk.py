"""Tell a terminal what the books have of its own records: signed questions in, sums out (nothing is changed)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from card.batch import RELAYED_FROM, SEQUENCE_MAX, SHIFT_CONTENT_TYPE, TapRecord, decode_batch
from card.layout import TapKind
from keys import cbor, envelope
from keys.errors import CborMalformed, EnvelopeError, SignatureWrong
from ledger.errors import BatchMalformed, SignatureRefused
from ledger.intake.named import terminal_of
from ledger.intake.reasons import Outcome, Resolution
from ledger.shifts import store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.clock import Clock
    from ledger.intake.registry import Registry
    from ledger.store import Connection, Database

QUESTION_BYTES_MAX: Final = 1024
RECORDS_MAX: Final = 100_000
FRESH_MS: Final = 10 * 60_000
"""How far a question's time may lie from the ledger's own: an old one, overheard, is not answered again."""
_FIELDS: Final = (3, 5)
"""Without requests of refunds, and with them."""


Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Figures:
    """Records `first` to `last` of a terminal: count and sum (whole rupiah that cards paid) by kind, and how many are not posted, or not here."""

    lines: dict[str, tuple[int, int]]
    kept: int
    missing: int

    def as_json(self) -> dict[str, Any]:
        """What travels."""
        lines = [{"kind": kind, "count": n, "amount": sum_} for kind, (n, sum_) in sorted(self.lines.items())]
        return {"lines": lines, "kept": self.kept, "missing": self.missing}


class ShiftDesk:
    """Answers terminals that cash up."""

    def __init__(self, database: Database, registry: Registry, clock: Clock) -> None:
        self._database = database
        self._registry = registry
        self._clock = clock

    def figures(self, body: bytes) -> Figures:
        """The answer to a signed question [first, last, asked at], with [first request, last request] of its refunds behind.

        Raises BatchMalformed, SignatureRefused, TerminalUnknown.
        """
        terminal, own, relayed = self._asked(body)
        with self._database.transaction() as connection:
            found = figures(connection, terminal, *own)
            given = figures(connection, terminal, *(RELAYED_FROM + one for one in relayed))
        # A refund that the ledger refused left no record: nothing is missing of those.
        return Figures(found.lines | given.lines, found.kept + given.kept, found.missing)

    def _asked(self, body: bytes) -> tuple[int, Span, Span]:
        try:
            message = envelope.parse(body[:QUESTION_BYTES_MAX])
        except EnvelopeError as error:
            raise BatchMalformed(f"{error}: send a signed question") from None
        if message.content_type != SHIFT_CONTENT_TYPE:
            raise BatchMalformed(
                f"the envelope holds {message.content_type[:60]!r}, not {SHIFT_CONTENT_TYPE}"
            )
        now = self._clock.now()
        certificate = self._registry.terminal(terminal_of(message), now)
        try:
            own, asked_at, relayed = _fields(message.verify(certificate.public_key))
        except SignatureWrong:
            raise SignatureRefused(f"the signature is not terminal {certificate.terminal}'s") from None
        if abs(asked_at - now) > FRESH_MS:
            raise BatchMalformed("the question is of another time: set the terminal's clock, and ask again")
        return certificate.terminal, own, relayed


def _fields(payload: bytes) -> tuple[Span, int, Span]:
    try:
        fields: Any = cbor.decoded(payload)
    except CborMalformed:
        raise BatchMalformed("the question is no CBOR") from None
    if (
        not isinstance(fields, list)
        or len(fields) not in _FIELDS
        or not all(type(one) is int for one in fields)
    ):
        raise BatchMalformed("a question is an array of first, last and the time, and of a till's refunds")
    first, last, asked_at, *rest = fields
    spans: list[Span] = [(first, last), (rest[0], rest[1]) if rest else (1, 0)]
    for start, end in spans:
        if not (
            1 <= start <= SEQUENCE_MAX and start - 1 <= end <= SEQUENCE_MAX and end - start < RECORDS_MAX
        ):
            raise BatchMalformed(f"a shift has at most {RECORDS_MAX} records, in order")
    return spans[0], asked_at, spans[1]


def figures(connection: Connection, terminal: int, first: int, last: int) -> Figures:
    """What the books have of a terminal's records, from the batches as they were signed and what became of each record."""
    settled = store.resolutions(connection, terminal, first, last)
    lines, kept, seen = dict[str, tuple[int, int]](), 0, 0
    for record, outcome in _records(connection, terminal, first, last):
        seen += 1
        posted = outcome != Outcome.QUARANTINED or settled.get(record.sequence) == Resolution.WITNESSED
        voided = settled.get(record.sequence) == Resolution.VOIDED
        if not posted:
            kept += not voided
        elif isinstance(record, TapRecord) and record.kind is not None and record.kind is not TapKind.LOCK:
            kind = record.kind.name.lower()
            count, amount = lines.get(kind, (0, 0))
            lines[kind] = (count + 1, amount - record.amount)
    return Figures(lines, kept, last - first + 1 - seen)


def _records(connection: Connection, terminal: int, first: int, last: int) -> Iterator[tuple[Any, str]]:
    for body, results in store.batches(connection, terminal, first, last):
        records = decode_batch(envelope.parse(body).payload).records
        for record, result in zip(records, results, strict=True):
            if first <= record.sequence <= last:
                yield record, str(result["result"])
