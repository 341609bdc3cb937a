"""The three ways in: the printed token, the fresh code of a terminal's screen, the address of a card that was held to a phone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

from card import ndef
from card.errors import TapRefused
from keys.clock import UnixMs
from ledger.cardholder import store
from ledger.cardholder.unit import noted
from ledger.intake.registry import new_token, token_digest

if TYPE_CHECKING:
    from keys.clock import Clock
    from keys.vault import Vault
    from ledger.book import Ledger
    from ledger.intake.cards.issued import Card
    from ledger.intake.registry import Registry
    from ledger.store import Connection, Database

ADDRESS_CHARS_MAX: Final = 400


class ScreenCodes(Protocol):
    """Reads what a terminal signed: the composition root knows how."""

    def read(self, code: str, now: UnixMs) -> tuple[int, UnixMs] | None:
        """The card's UID and when the code ends; None where it is not a terminal's, or over."""


class Tokens:
    """Printed tokens: the one that a card was issued with, and those that were printed later. Any can be revoked."""

    def __init__(self, ledger: Ledger, registry: Registry, clock: Clock) -> None:
        self._ledger = ledger
        self._registry = registry
        self._clock = clock

    def card(self, token: str) -> Card | None:
        """The card of a token; None for one that is unknown or revoked. A token is looked up by its digest: nothing is learned from how long it takes."""
        digest = token_digest(token)
        with self._ledger.database.transaction() as connection:
            row = store.token_of(connection, digest)
        issued = self._registry.card_of_token(token)
        if row is None:
            return issued
        return None if row.revoked_at else self._registry.card(row.uid)

    def renew(self, card: Card) -> str:
        """A new token for a card; all before it are revoked. Durable when this returns."""
        token, now = new_token(), self._clock.now()

        def work(connection: Connection) -> None:
            store.revoke_tokens(connection, card, now)
            store.add_token(connection, store.TokenRow(token_digest(token), card.uid, now, UnixMs(0)))

        noted(self._ledger, work)
        return token


def know_token(database: Database, token: str, uid: int, at: UnixMs) -> None:
    """Note a new card's token where a server that runs looks it up; it opens nothing until the card itself is known. Durable when this returns."""
    with database.writing() as connection:
        store.add_token(connection, store.TokenRow(token_digest(token), uid, at, UnixMs(0)))


class PhoneTaps:
    """Addresses that EV3 cards give phones (NXP AN12196): each of a card's counters opens its page once, and only upwards."""

    def __init__(self, ledger: Ledger, registry: Registry, vault: Vault, clock: Clock) -> None:
        self._ledger = ledger
        self._registry = registry
        self._vault = vault
        self._clock = clock

    def card(self, address: str) -> Card:
        """The card whose tap this is; raises TapRefused for one that proves nothing, is of no card of ours, or was used before."""
        if len(address) > ADDRESS_CHARS_MAX:
            raise TapRefused("the address is too long: tap the card again")
        tap = ndef.proved(ndef.parse_address(address), self._vault)
        card = self._registry.card(int.from_bytes(tap.uid, "big"))
        if card is None:
            raise TapRefused("the card is none of this ledger's")
        now = self._clock.now()
        fresh = noted(
            self._ledger,
            lambda connection: store.raise_counter(connection, card.partition, card.uid, tap.counter, now),
        )
        if not fresh:
            raise TapRefused("this tap was used before: tap the card again")
        return card


class Screens:
    """Codes that terminals show after a tap: each opens its card's page once, within two minutes."""

    def __init__(self, ledger: Ledger, registry: Registry, codes: ScreenCodes, clock: Clock) -> None:
        self._ledger = ledger
        self._registry = registry
        self._codes = codes
        self._clock = clock

    def card(self, code: str) -> Card:
        """The card of a code; raises TapRefused for one that no terminal signed, is over, or was used before."""
        now = self._clock.now()
        read = self._codes.read(code, now)
        card = None if read is None else self._registry.card(read[0])
        if read is None or card is None:
            raise TapRefused("the code is over, or not a terminal's: tap the card again")
        digest, ends = hashlib.sha256(code.encode()).digest(), read[1]
        if not noted(self._ledger, lambda connection: store.use_code(connection, digest, ends, now)):
            raise TapRefused("this code was used before: tap the card again")
        return card
