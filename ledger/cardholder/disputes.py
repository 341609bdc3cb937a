"""Problems with taps: reported by a holder with the tap attached, followed by a number that nobody can guess, answered by staff before a deadline.

Staff ask `Reports.all`, `words` and `answer` (`hebat card reports` and `answer`); the reference that they use is no secret and opens nothing for anybody else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from keys.clock import Day, day_of, local
from ledger.cardholder import records
from ledger.cardholder.records import DisputeRow
from ledger.cardholder.unit import noted
from ledger.chart import PARTITIONS, Partition
from ledger.errors import DisputeRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import Clock, UnixMs
    from ledger.book import Ledger
    from ledger.cardholder.sealing import Sealing
    from ledger.intake.cards.issued import Card
    from ledger.store import Connection, Database

OPEN_MAX: Final = 5
"""Open disputes of one card."""
WORDS_CHARS_MAX: Final = 500
ANSWER_CHARS_MAX: Final = 1000
SECRET_BYTES: Final = 11
NUMBER_CHARS: Final = 20
REFERENCE_CHARS: Final = 12
OPEN: Final = "open"
CONTEXT: Final = "dispute"
"""What sealed words are, for the seal."""
_REFERENCE: Final = re.compile(f"[0-9a-f]{{{REFERENCE_CHARS}}}")


class Reason(StrEnum):
    """What is wrong, as the holder sees it."""

    AMOUNT = "amount"
    TWICE = "twice"
    NOT_ME = "not-me"
    NO_SERVICE = "no-service"
    OTHER = "other"


class Outcome(StrEnum):
    """How a dispute ended."""

    UPHELD = "upheld"
    REFUSED = "refused"


class Promise(Protocol):
    """Until when the city answers."""

    def due(self, day: Day) -> Day:
        """The last day for an answer to what is reported on a day."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute as staff and its holder see it; state is "open", or its outcome. Times 0 where there is none."""

    reference: str
    uid: int
    tmc: int
    reason: Reason
    opened_at: UnixMs
    due: Day
    state: str
    answer: str
    answered_by: str
    answered_at: UnixMs

    @classmethod
    def of(cls, row: DisputeRow) -> Dispute:
        """From its row."""
        return cls(
            _reference(row.digest), row.uid, row.tmc, Reason(row.reason), row.opened_at, row.due, row.state, row.answer,
            row.answered_by, row.answered_at,
        )  # fmt: skip


class Reports:
    """What staff do with disputes, in the server's process or beside it."""

    def __init__(self, database: Database, sealing: Sealing, clock: Clock) -> None:
        self._database = database
        self._sealing = sealing
        self._clock = clock

    def all(self, *, only_open: bool = False) -> list[Dispute]:
        """Every dispute, the one that is due first before others: the staff's worklist."""
        with self._database.transaction() as connection:
            return [Dispute.of(row) for row in records.all_disputes(connection, OPEN if only_open else "")]

    def words(self, reference: str) -> str:
        """What the holder wrote; raises DisputeRefused for an unknown reference."""
        row = self._row(reference)
        return self._sealing.open(CONTEXT, row.uid, row.words).decode()

    def answer(self, reference: str, outcome: Outcome, text: str, who: str) -> Dispute:
        """Answer a dispute, once; the holder reads it by the number. Raises DisputeRefused."""
        if not 1 <= len(text.strip()) <= ANSWER_CHARS_MAX:
            raise DisputeRefused(f"answer in 1 to {ANSWER_CHARS_MAX} characters: the holder reads it")
        row, now = self._row(reference), self._clock.now()

        def answered(connection: Connection) -> None:
            if not records.answer(connection, row, outcome.value, text.strip(), who, now):
                raise DisputeRefused(f"dispute {reference} was answered already: nothing was changed")

        self._written(answered)
        return Dispute.of(self._row(reference))

    def _written(self, work: Callable[[Connection], None]) -> None:
        """Beside a server: in a transaction of its own."""
        with self._database.writing() as connection:
            work(connection)

    def _row(self, reference: str) -> DisputeRow:
        with self._database.transaction() as connection:
            found = records.disputes_under(connection, reference) if _REFERENCE.fullmatch(reference) else []
        if not found:
            raise DisputeRefused(f"no dispute has the reference {reference[:20]!r}: look at the list")
        return found[0]


class Disputes(Reports):
    """The book of disputes, as holders and staff use it."""

    def __init__(self, ledger: Ledger, sealing: Sealing, promise: Promise, clock: Clock) -> None:
        super().__init__(ledger.database, sealing, clock)
        self._ledger = ledger
        self._promise = promise

    def _written(self, work: Callable[[Connection], None]) -> None:
        """By the ledger's writer, which may log what is written (`over`)."""
        noted(self._ledger, work)

    def over(self, ledger: Ledger) -> Disputes:
        """The same book over another ledger, such as one that logs what is written."""
        return Disputes(ledger, self._sealing, self._promise, self._clock)

    def open(self, card: Card, tmc: int, reason: Reason, words: str) -> str:
        """Report a problem with a tap; the number to follow it by, which is told this once.

        Raises DisputeRefused where the tap has an open one, the card has too many, or the words are too long.
        """
        if len(words) > WORDS_CHARS_MAX:
            raise DisputeRefused(f"say it in {WORDS_CHARS_MAX} characters at most")
        number, now = _new_number(card.partition), self._clock.now()
        due = self._promise.due(day_of(local(now).date()))
        row = DisputeRow(
            card.partition, _digest(number), card.uid, tmc, reason.value,
            self._sealing.seal(CONTEXT, card.uid, words.strip().encode()), now, due, OPEN,
        )  # fmt: skip
        noted(self._ledger, lambda connection: _opened(connection, row))
        return spoken(number)

    def follow(self, number: str) -> Dispute | None:
        """The dispute of a number, however it is grouped; None for a number that none has."""
        plain = number.replace("-", "").replace(" ", "").upper()
        partition = _partition(plain)
        if partition is None:
            return None
        with self._database.transaction() as connection:
            row = records.dispute_at(connection, partition, _digest(plain))
        return None if row is None else Dispute.of(row)

    def of(self, card: Card) -> list[Dispute]:
        """A card's disputes, newest first."""
        with self._database.transaction() as connection:
            return [Dispute.of(row) for row in records.disputes_of(connection, card.partition, card.uid)]


def _opened(connection: Connection, row: DisputeRow) -> None:
    before = [one for one in records.disputes_of(connection, row.partition, row.uid) if one.state == OPEN]
    if any(one.tmc == row.tmc for one in before):
        raise DisputeRefused("this tap was reported already: its answer comes by the number you have")
    if len(before) >= OPEN_MAX:
        raise DisputeRefused(f"{OPEN_MAX} reports of this card wait for their answers: come to a counter")
    records.add_dispute(connection, row)


def spoken(number: str) -> str:
    """A number in groups of four, as people read it out."""
    return "-".join(number[at : at + 4] for at in range(0, len(number), 4))


def _new_number(partition: Partition) -> str:
    """The partition and 88 random bits, base32 (RFC 4648): no digit looks like a letter in it."""
    return base64.b32encode(bytes((partition,)) + secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")


def _partition(number: str) -> int | None:
    if len(number) != NUMBER_CHARS or not number.isascii():
        return None
    try:
        data = base64.b32decode(number + "=" * (-len(number) % 8))
    except (ValueError, binascii.Error):
        return None
    return data[0] if data[0] < PARTITIONS else None


def _digest(number: str) -> bytes:
    return hashlib.sha256(number.encode()).digest()


def _reference(digest: bytes) -> str:
    return digest.hex()[:REFERENCE_CHARS]
