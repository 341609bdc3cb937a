"""Who is known: cards by UID, terminals by number.

Cards are in memory; one that another process made since is found in the database, once somebody asks for it. Terminals are in memory too, until some process changed one: a revocation holds from the next batch on, whoever wrote it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from keys.clock import local
from keys.errors import IdentityError
from keys.identity import read_certificate
from ledger.chart import partition_of
from ledger.enrolment import store as terminals
from ledger.errors import TerminalUnknown
from ledger.intake.cards import store
from ledger.intake.columnar.cards import CardColumns
from ledger.watch.changes import Changes, Remembered
from ledger.watch.store import TERMINALS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keys.clock import UnixMs
    from keys.identity import TerminalCertificate
    from ledger.enrolment.store import TerminalRow
    from ledger.intake.cards.issued import Card
    from ledger.store import Connection, Database

    Known = tuple[TerminalRow, list[TerminalCertificate]]

TOKEN_BYTES = 16


def new_token() -> str:
    """A random address part of a card's balance page; never its UID or number."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_digest(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()


class Registry:
    """Cards and terminals of this ledger."""

    def __init__(self, database: Database, root: bytes) -> None:
        self.database = database
        self._root = root
        with database.transaction() as connection:
            self._cards = {card.uid: card for card in store.read_cards(connection)}
        self._by_token = {card.token_digest: card for card in self._cards.values()}
        self._by_number = {card.card_number: card for card in self._cards.values()}
        self.columns = CardColumns(self._cards.values())
        self._certificates: dict[bytes, TerminalCertificate] = {}
        self._changes = Changes(database)
        self._terminals: Remembered[dict[int, Known]] = Remembered(TERMINALS, dict)

    def add_cards(self, cards: Sequence[Card]) -> None:
        """Take issued cards in; durable when this returns."""
        with self.database.transaction() as connection:
            store.insert_cards(connection, cards)
        self._take(cards)

    def catch_up(self) -> None:
        """Take in the cards that other processes made since; where there are none, none is read."""
        with self.database.transaction() as connection:
            if store.count_cards(connection) != len(self._cards):
                self._take([card for card in store.read_cards(connection) if card.uid not in self._cards])

    def _take(self, cards: Sequence[Card]) -> None:
        self.columns.add(cards)
        self._cards.update((card.uid, card) for card in cards)
        self._by_token.update((card.token_digest, card) for card in cards)
        self._by_number.update((card.card_number, card) for card in cards)

    def rolled(self, card: Card, versions: bytes, coming: bytes = b"") -> None:
        """A card's keys are of these versions now, or some of `coming`; durable when this returns."""
        changed = replace(card, versions=versions, coming=coming)
        with self.database.transaction() as connection:
            store.set_versions(connection, card.partition, card.uid, versions, coming)
        self._cards[card.uid] = self._by_token[card.token_digest] = self._by_number[card.card_number] = (
            changed
        )

    def changed(self, card: Card) -> None:
        """Take note of a card that was changed in the database."""
        self._cards[card.uid] = self._by_token[card.token_digest] = card

    def add_terminal(self, certificate: TerminalCertificate) -> None:
        """Take an enrolled terminal in; a renewed certificate comes beside the old one. Raises TerminalUnknown where it was revoked."""
        with self.database.writing() as connection:
            known = terminals.terminal_row(connection, certificate.terminal)
            if known is not None and known.revoked_at:
                raise TerminalUnknown(f"terminal {certificate.terminal} was revoked: take another number")
            terminals.add_certificate(connection, certificate.terminal, certificate.pem)

    def revoke(self, terminal: int, at: UnixMs) -> None:
        """From now on this terminal's batches are refused, and kept; raises TerminalUnknown."""
        revoke(self.database, terminal, at)

    def card(self, uid: int) -> Card | None:
        """A card by UID."""
        return self._cards.get(uid) or self._made_since(lambda connection: store.card_of(connection, uid))

    def card_of_token(self, token: str) -> Card | None:
        """A card by the token that it was issued with, where it was here when this process began (`ledger.cardholder.ways` knows the others)."""
        return self._by_token.get(token_digest(token))

    def card_numbered(self, number: int) -> Card | None:
        """A card by its number."""
        partition = partition_of(number // 10)
        return self._by_number.get(number) or self._made_since(
            lambda connection: store.card_numbered(connection, partition, number)
        )

    def _made_since(self, look: Callable[[Connection], Card | None]) -> Card | None:
        """A card that another process made since this one looked."""
        with self.database.transaction() as connection:
            found = look(connection)
        if found is not None:
            self._take([found])
        return found

    def cards(self) -> list[Card]:
        """All cards."""
        return list(self._cards.values())

    def terminal(self, number: int, at: UnixMs) -> TerminalCertificate:
        """A terminal's newest certificate, valid at a moment; raises TerminalUnknown."""
        newest = self.certificates(number)[0]
        if not newest.not_before <= at < newest.not_after:
            raise TerminalUnknown(
                f"terminal {number}: the certificate is out of date, or the clock is wrong: renew it"
            )
        return newest

    def certificates(self, number: int, counts: Mapping[str, int] | None = None) -> list[TerminalCertificate]:
        """A terminal's certificates, newest first, whatever their dates; raises TerminalUnknown, also for a revoked one.

        `counts` are those of `ledger.watch`, where the caller has just read them.
        """
        known = self._terminals.as_of(self._changes.counts() if counts is None else counts)
        found = known.get(number) or self._look_up(number)
        if found is None:
            raise TerminalUnknown(f"terminal {number} is not enrolled here: enrol it first")
        row, certificates = known[number] = found
        if row.revoked_at:
            since = local(row.revoked_at).strftime("%Y-%m-%d %H:%M")
            raise TerminalUnknown(
                f"terminal {number} was revoked on {since}: its batches are kept, not posted"
            )
        return certificates

    def _look_up(self, number: int) -> Known | None:
        with self.database.transaction() as connection:
            row = terminals.terminal_row(connection, number)
            pems = terminals.certificates_of(connection, number)
        return None if row is None else (row, [] if row.revoked_at else self._read(number, pems))

    def _read(self, number: int, pems: list[bytes]) -> list[TerminalCertificate]:
        try:
            return [self._certificate(pem) for pem in pems]
        except IdentityError as error:
            raise TerminalUnknown(f"terminal {number}: {error}") from None

    def enrolled(self, number: int, at: UnixMs | None = None) -> TerminalCertificate:
        """A terminal's certificate of a moment (or its newest), whatever became of it since: what it sent still has to be settled."""
        found = self.history(number)
        if not found:
            raise TerminalUnknown(f"terminal {number} is not enrolled here")
        return next(
            (one for one in found if at is not None and one.not_before <= at < one.not_after), found[0]
        )

    def history(self, number: int) -> list[TerminalCertificate]:
        """All certificates that a terminal ever had, newest first; none for an unknown one. For audits."""
        with self.database.transaction() as connection:
            pems = terminals.certificates_of(connection, number)
        return self._read(number, pems)

    def _certificate(self, pem: bytes) -> TerminalCertificate:
        known = self._certificates.get(pem)
        if known is None:
            known = self._certificates[pem] = read_certificate(pem, self._root)
        return known


def revoke(database: Database, terminal: int, at: UnixMs) -> None:
    """Put a terminal on the revocation list, while a server runs or not; raises TerminalUnknown."""
    with database.writing() as connection:
        known = terminals.terminal_row(connection, terminal)
        if known is None:
            raise TerminalUnknown(f"terminal {terminal} is not enrolled here")
        if not known.revoked_at:
            terminals.revoke_terminal(connection, terminal, at)
