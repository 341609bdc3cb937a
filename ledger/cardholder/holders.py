"""Who holds a card, where they said so: consent, purposes, export, erasure (Indonesia's Law 27/2022 on personal data, articles 7, 8, 9, 13, 16, 20 and 21).

Personal data lies in a table of its own, sealed with keys of the vault. The books know cards, never people: erasing a person changes no entry.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from card.layout import VALID_DAYS
from keys.clock import Day, UnixMs, service_day
from ledger.cardholder import records
from ledger.cardholder.records import HolderRow
from ledger.chart import purse
from ledger.errors import HolderRefused
from ledger.intake.limits import limits_of
from ledger.rules import change

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ledger.book import Ledger
    from ledger.cardholder.sealing import Sealing
    from ledger.intake.cards.issued import Card
    from ledger.intake.registry import Registry
    from ledger.transaction import PostedRows, Transaction
    from ledger.transfer import Transfer

NAME_CHARS_MAX: Final = 80
RETENTION_DAYS: Final = 365
"""How long after a card's validity its holder is remembered: what the page promises."""
_DAY_MS: Final = 86_400_000
CONTEXT: Final = "holder"
"""What a sealed person is, for the seal."""
_NIK: Final = re.compile(
    r"[1-9][0-9]{5}(0[1-9]|[12][0-9]|3[01]|4[1-9]|[56][0-9]|7[01])(0[1-9]|1[0-2])[0-9]{6}\Z"
)
"""A population number: place (6), birthday (day plus 40 for women), month, year, running number."""
_PHONE: Final = re.compile(r"(\+62|0)8[0-9]{7,11}\Z")


class Purpose(StrEnum):
    """What the data may be used for; the first is what registering is, the other is asked for apart and can be left out."""

    REGISTRATION = "registration"
    CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class Person:
    """Who holds a card."""

    name: str = field(repr=False)
    nik: str = field(repr=False)
    phone: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a holder: nothing but the dates once it was erased."""

    person: Person | None
    purposes: tuple[Purpose, ...]
    consented_at: UnixMs
    erased_at: UnixMs


def _last_day(told: Day | None, registered_at: UnixMs) -> Day:
    """A card's last day; of one that never told it, the last that a card can have which was there when it was registered."""
    return Day(service_day(registered_at) + VALID_DAYS) if told is None else told


def person(name: str, nik: str, phone: str) -> Person:
    """A person as typed in; raises HolderRefused, naming the field."""
    plain = " ".join(name.split())
    if not (3 <= len(plain) <= NAME_CHARS_MAX and plain.isprintable()):  # noqa: PLR2004  nobody has a shorter one on a card
        raise HolderRefused("a name has 3 to 80 characters", "name")
    digits, called = re.sub(r"[\s.-]", "", nik), re.sub(r"[\s()-]", "", phone)
    if not _NIK.match(digits):
        raise HolderRefused("a population number (NIK) has 16 digits, with the date of birth in it", "nik")
    if called and not _PHONE.match(called):
        raise HolderRefused("a mobile number begins with 08 or +628", "phone")
    return Person(plain, digits, called)


class Holders:
    """Registers holders, shows them what is kept, and forgets them."""

    def __init__(self, ledger: Ledger, registry: Registry, sealing: Sealing) -> None:
        self._ledger = ledger
        self._registry = registry
        self._sealing = sealing

    def register(self, card: Card, who: Person, purposes: Collection[Purpose]) -> None:
        """Note who holds a card, and raise its limits in the books; durable when this returns.

        Raises HolderRefused where they did not agree to the purpose that registering is.
        """
        if Purpose.REGISTRATION not in purposes:
            raise HolderRefused(
                "without your agreement nothing is kept, and the card stays as it is", "consent"
            )
        if Purpose.CONTACT not in purposes:
            who = replace(who, phone="")
        sealed = self._sealing.seal(CONTEXT, card.uid, json.dumps(asdict(who)).encode())
        self._write(card, sealed, " ".join(sorted(purposes)), registered=True)

    def erase(self, card: Card) -> None:
        """Forget who holds a card; it is unregistered again, with the limits of such a card. Entries of the books stay as they are."""
        self._write(card, b"", "", registered=False)

    def erase_expired(self, now: UnixMs, validity: Callable[[Card], Day | None]) -> int:
        """Forget everybody whose card's validity ended a year ago, as the page promises; how many. `validity` is a card's last day, where it is known.

        A card that was never tapped has told nobody its last day. It was made before its holder registered it, so that its longest validity counts from then.
        """
        ended = Day(service_day(now) - RETENTION_DAYS)
        with self._ledger.database.transaction() as connection:
            old = records.holders_since(connection, UnixMs(now - RETENTION_DAYS * _DAY_MS))
        known = [(card, at) for uid, at in old if (card := self._registry.card(uid)) is not None]
        expired = [card for card, at in known if _last_day(validity(card), at) < ended]
        for card in expired:
            self.erase(card)
        return len(expired)

    def kept(self, card: Card) -> Kept | None:
        """What is kept; None where nothing ever was."""
        with self._ledger.database.transaction() as connection:
            row = records.holder_of(connection, card.partition, card.uid)
        if row is None:
            return None
        told = json.loads(self._sealing.open(CONTEXT, card.uid, row.sealed)) if row.sealed else None
        purposes = tuple(Purpose(one) for one in row.purposes.split())
        return Kept(Person(**told) if told else None, purposes, row.consented_at, row.erased_at)

    def _write(self, card: Card, sealed: bytes, purposes: str, *, registered: bool) -> None:
        changed = replace(card, registered=registered)
        self._ledger.writer.submit(Register(changed, sealed, purposes)).result()
        self._registry.changed(changed)


@dataclass(slots=True)
class Register:
    """Implements `ledger.writer.Unit`: personal data, the card's standing, and the rules of its purse, all or none."""

    card: Card
    sealed: bytes = field(repr=False)
    purposes: str
    document: bytes = b""

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The purse's new limits, as a row of the journal; its flags stay."""
        connection, now = tx.connection, tx.received_at
        before = records.holder_of(connection, self.card.partition, self.card.uid)
        since = now if self.sealed else before.consented_at if before is not None else UnixMs(0)
        row = HolderRow(
            self.card.partition,
            self.card.uid,
            self.sealed,
            self.purposes,
            since,
            UnixMs(0) if self.sealed else now,
        )
        records.put_holder(connection, row)
        records.set_registered(connection, self.card, registered=self.card.registered)
        account = purse(self.card.card_number)
        known = tx.rules(account)
        wanted = limits_of(self.card, 0, known.flags)
        return [] if wanted == known else [change(account, wanted, now)]

    def settle(self, _posted: PostedRows, _tx: Transaction) -> Any:
        """Nothing more."""
        return None
