"""Who is known: cards by UID, terminals by number. In memory for the hot path, in the database for good."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keys.errors import IdentityError
from keys.identity import read_certificate
from ledger.chart import partition_of
from ledger.errors import TerminalUnknown
from ledger.intake import store
from ledger.relay import store as relay_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import UnixMs
    from keys.identity import TerminalCertificate
    from ledger.chart import Partition
    from ledger.store import Database

TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class Card:
    """A card as issued; `uid` as an integer, most significant byte first.

    `key_version` is that of its Transaction MAC key, for life; `access_version` that of its other keys since they were last changed (0: as
    issued), see `ledger.relay.rolling`.
    """

    uid: int
    card_number: int
    registered: bool
    key_version: int
    token_digest: bytes
    access_version: int = 0

    @property
    def partition(self) -> Partition:
        """The partition of its account and its taps."""
        return partition_of(self.card_number // 10)


def new_token() -> str:
    """A random address part of a card's balance page; never its UID or number."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_digest(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


class Registry:
    """Cards and terminals of this ledger."""

    def __init__(self, database: Database, root: bytes) -> None:
        self._database = database
        self._root = root
        with database.transaction() as connection:
            self._cards = {card.uid: card for card in store.read_cards(connection)}
            self._terminals = dict(store.read_terminals(connection))
        self._by_token = {card.token_digest: card for card in self._cards.values()}
        self._certificates: dict[bytes, TerminalCertificate] = {}

    def add_cards(self, cards: Sequence[Card]) -> None:
        """Take issued cards in; durable when this returns."""
        with self._database.transaction() as connection:
            store.insert_cards(connection, cards)
        self._cards.update((card.uid, card) for card in cards)
        self._by_token.update((card.token_digest, card) for card in cards)

    def rolled(self, card: Card, version: int) -> None:
        """A card's application keys are of this version now; durable when this returns."""
        changed = replace(card, access_version=version)
        with self._database.transaction() as connection:
            relay_store.set_access_version(connection, card.partition, card.uid, version)
        self._cards[card.uid] = self._by_token[card.token_digest] = changed

    def add_terminal(self, certificate: TerminalCertificate) -> None:
        """Take an enrolled terminal in; a renewed certificate replaces the old one."""
        with self._database.transaction() as connection:
            store.upsert_terminal(connection, certificate.terminal, certificate.pem)
        self._terminals[certificate.terminal] = (certificate.pem, 0)

    def revoke(self, terminal: int, at: UnixMs) -> None:
        """From now on this terminal's batches are refused, and kept."""
        pem, _ = self._terminals.get(terminal, (b"", 0))
        if not pem:
            raise TerminalUnknown(f"terminal {terminal} is not enrolled here")
        with self._database.transaction() as connection:
            store.revoke_terminal(connection, terminal, at)
        self._terminals[terminal] = (pem, at)

    def card(self, uid: int) -> Card | None:
        """A card by UID."""
        return self._cards.get(uid)

    def card_of_token(self, token: str) -> Card | None:
        """A card by the token of its balance page."""
        return self._by_token.get(token_digest(token))

    def cards(self) -> list[Card]:
        """All cards."""
        return list(self._cards.values())

    def terminal(self, number: int, at: UnixMs) -> TerminalCertificate:
        """A terminal's certificate, valid at a moment; raises TerminalUnknown."""
        pem, revoked_at = self._terminals.get(number, (b"", 0))
        if not pem:
            raise TerminalUnknown(f"terminal {number} is not enrolled here: enrol it first")
        if revoked_at:
            raise TerminalUnknown(f"terminal {number} was revoked: its batches are kept, not posted")
        try:
            return self._certificate(pem, at)
        except IdentityError as error:
            raise TerminalUnknown(f"terminal {number}: {error}") from None

    def enrolled(self, number: int) -> TerminalCertificate:
        """A terminal's certificate whatever became of it since: what it sent in its time still has to be settled."""
        pem, _ = self._terminals.get(number, (b"", 0))
        if not pem:
            raise TerminalUnknown(f"terminal {number} is not enrolled here")
        return self._certificates.get(pem) or read_certificate(pem, self._root, _within(pem))

    def _certificate(self, pem: bytes, at: UnixMs) -> TerminalCertificate:
        known = self._certificates.get(pem)
        if known is None or not known.not_before <= at < known.not_after:
            known = self._certificates[pem] = read_certificate(pem, self._root, at)
        return known

    def owners(self) -> dict[int, TerminalCertificate]:
        """All terminals ever enrolled, whatever their dates, for audits."""
        return {number: self.enrolled(number) for number in self._terminals}


def _within(pem: bytes) -> UnixMs:
    from cryptography import x509  # noqa: PLC0415  only audits of long-ended certificates come here

    from keys.clock import UnixMs  # noqa: PLC0415

    return UnixMs(int(x509.load_pem_x509_certificate(pem).not_valid_before_utc.timestamp() * 1000))
