"""A card's PIN: made with the card, hashed with Argon2id, tried a few times only. Hashing has a thread of its own, away from writer and event loop.

Parameters: RFC 9106 section 4 second choice scaled to this use; 19 MiB and two passes as OWASP's password storage sheet has it. A try is counted, durably,
before it is looked at: tries at the same time do not come cheaper. A hash of another cost, as an older release made it, is renewed by the next right PIN.
"""

from __future__ import annotations

import base64
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import ARGON2_VERSION

from ledger.cardholder import store
from ledger.cardholder.unit import noted
from ledger.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import Clock, UnixMs
    from ledger.book import Ledger
    from ledger.cardholder.sealing import Sealing
    from ledger.cardholder.store import PinRow
    from ledger.intake.cards.issued import Card
    from ledger.store import Connection

PIN_DIGITS: Final = 6
FREE_TRIES: Final = 5
"""Wrong PINs in a row before a card's PIN rests."""
TRIES_MAX: Final = 20
"""Wrong PINs in a row after which only a counter helps, with a new PIN: one chance in fifty thousand."""
REST_MS: Final = 15 * 60_000
REST_MS_MAX: Final = 24 * 3_600_000
FOR_GOOD: Final = 1 << 62
NOBODY: Final = 0
"""The UID of no card: stands for all that have no PIN."""
WAITING_MAX: Final = 64
"""PINs that may wait for the hashing thread."""
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class Tried(Enum):
    """How a try ended."""

    RIGHT = auto()
    WRONG = auto()
    RESTS = auto()
    """Too many wrong ones: not looked at."""


@dataclass(frozen=True, slots=True)
class Try:
    """A try's end; `wait_ms` for one that was not looked at (`FOR_GOOD`: a counter helps)."""

    tried: Tried
    wait_ms: int = 0

    @property
    def is_for_good(self) -> bool:
        """True where waiting does not help."""
        return self.wait_ms > REST_MS_MAX


def new_pin() -> str:
    """Six random digits."""
    return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"


def rest_after(failures: int) -> int:
    """How long a PIN rests after so many wrong ones in a row, in milliseconds."""
    if failures >= TRIES_MAX:
        return FOR_GOOD
    over = failures - FREE_TRIES
    return 0 if over < 0 else min(REST_MS << over, REST_MS_MAX)


def _hash_of_nothing() -> str:
    """A hash in the form of RFC 9106's reference that was drawn, not computed: trying a PIN against it takes as long as any, and none is right."""
    salt, tag = (
        base64.b64encode(secrets.token_bytes(length)).rstrip(b"=").decode()
        for length in (_HASHER.salt_len, _HASHER.hash_len)
    )
    cost = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${tag}"


class Pins:
    """Sets and tries PINs. Closing it ends its thread."""

    def __init__(self, ledger: Ledger, sealing: Sealing, clock: Clock) -> None:
        self._ledger = ledger
        self._sealing = sealing
        self._clock = clock
        self._hashing = ThreadPoolExecutor(1, "pin-hashing")
        self._room = threading.BoundedSemaphore(WAITING_MAX)
        self._nobody = _hash_of_nothing()

    def close(self) -> None:
        """Look at no more PINs."""
        self._hashing.shutdown(cancel_futures=True)

    def set(self, card: Card, pin: str) -> None:
        """Give a card this PIN, and all its tries back; durable when this returns."""
        hashed = _HASHER.hash(self._sealing.keyed_pin(card.uid, pin))
        row = store.PinRow(card.partition, card.uid, hashed, self._clock.now(), 0, 0)
        noted(self._ledger, lambda connection: store.put_pin(connection, row))

    def has(self, card: Card) -> bool:
        """True where the card has a PIN."""
        with self._ledger.database.transaction() as connection:
            return store.pin_of(connection, card.partition, card.uid) is not None

    def attempt(self, card: Card | None, pin: str) -> Try:
        """Try a PIN. One for no card, or for a card without a PIN, takes as long and is wrong. Raises Overloaded."""
        if not self._room.acquire(blocking=False):
            raise Overloaded("many PINs are being looked at: come back in a second")
        try:
            return self._attempt(card, pin)
        finally:
            self._room.release()

    def _attempt(self, card: Card | None, pin: str) -> Try:
        partition, uid = (0, 0) if card is None else (card.partition, card.uid)
        now = self._clock.now()
        row = noted(self._ledger, self._counted(partition, uid, now))
        if row.locked_until > now:
            return Try(Tried.RESTS, min(row.locked_until - now, FOR_GOOD >> 1))
        keyed = self._sealing.keyed_pin(uid, pin)
        right = self._hashing.submit(_is_right, row.hash, keyed).result()
        if not right or not row.uid:
            return Try(Tried.WRONG)
        hashed = self._hashing.submit(_renewed, row.hash, keyed).result()
        noted(self._ledger, lambda connection: store.clear_failures(connection, row, hashed))
        return Try(Tried.RIGHT)

    def _counted(self, partition: int, uid: int, now: UnixMs) -> Callable[[Connection], PinRow]:
        """Count a try beforehand, where the PIN does not rest; the row as it was before.

        A try for nobody is counted too, in nobody's row: it reads and writes what any other does, and takes as long.
        """

        def work(connection: Connection) -> PinRow:
            row = store.pin_of(connection, partition, uid) or store.pin_of(connection, 0, NOBODY)
            if row is None:
                row = store.PinRow(0, NOBODY, self._nobody, now, 0, 0)
                store.put_pin(connection, row)
            if row.locked_until <= now:
                failures = row.failures + 1
                rest = rest_after(failures) if row.uid else 0
                until = 0 if not rest else FOR_GOOD if rest == FOR_GOOD else now + rest
                store.count_failure(connection, row.partition, row.uid, failures, until)
            return row

        return work


def _renewed(hashed: str, pin: bytes) -> str:
    """The hash to keep of a PIN that was right: another one where the cost of today is another than the kept one's."""
    return _HASHER.hash(pin) if _HASHER.check_needs_rehash(hashed) else hashed


def _is_right(hashed: str, pin: bytes) -> bool:
    try:
        return _HASHER.verify(hashed, pin)
    except (Argon2Error, InvalidHashError):
        return False
