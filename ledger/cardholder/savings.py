"""The Saving pocket as the cardholder's pages know it: what is shown, what may be asked. The composition root hands in who does it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from keys.clock import UnixMs
    from keys.money import Sen
    from ledger.intake.cards.issued import Card


class Consent(StrEnum):
    """What a holder lets us do with an account; each is asked for apart."""

    BALANCE = "balance"
    TOP_UP = "top-up"
    SWEEP = "sweep"


class LinkState(StrEnum):
    """What a link is: asked for, in force, refused by the bank, ended here and not yet at the bank, ended."""

    ASKED = "asked"
    ACTIVE = "active"
    REFUSED = "refused"
    REVOKING = "revoking"
    REVOKED = "revoked"


class Progress(StrEnum):
    """How far an order is, as a holder is told: nobody knows yet, done, or the money stayed where it was."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Mirror:
    """What the bank said last: the balance in sen, when, and in answer to what ("inquiry" or "statement")."""

    balance: Sen
    at: UnixMs
    source: str


@dataclass(frozen=True, slots=True)
class Order:
    """Money between an account and the wallet: sen, positive into the wallet."""

    reference: str
    bank: str
    amount: Sen
    progress: Progress
    at: UnixMs


@dataclass(frozen=True, slots=True)
class Saving:
    """A linked account as it is shown. `since` is what our orders moved after the bank was last asked: the account grows by it."""

    ordinal: int
    bank: str
    digits: str
    state: LinkState
    consents: tuple[Consent, ...]
    consented_at: UnixMs
    revoked_at: UnixMs
    mirror: Mirror | None
    since: Sen

    def may(self, consent: Consent) -> bool:
        """True where the link is in force and the holder agreed to that."""
        return self.state is LinkState.ACTIVE and consent in self.consents


class Savings(Protocol):
    """Who does it. What changes anything raises SavingRefused, and has moved nothing then."""

    def banks(self) -> Sequence[tuple[str, str]]:
        """Banks that accounts can be linked at: name, and how people call it."""

    def of(self, card: Card) -> Sequence[Saving]:
        """A card's links, newest first."""

    def orders(self, card: Card) -> Sequence[Order]:
        """A card's orders, newest first."""

    def numbers(self, card: Card) -> Sequence[tuple[str, str]]:
        """The card's virtual accounts: how people call the bank, and the number."""

    def link(self, card: Card, bank: str, code: str, consents: Collection[Consent]) -> None:
        """Link the account whose holder got this code from the bank."""

    def revoke(self, card: Card, ordinal: int) -> None:
        """End a consent: from here on nothing is asked or taken by it."""

    def look(self, card: Card, ordinal: int) -> None:
        """Ask the bank what the account holds."""

    def move(self, card: Card, ordinal: int, amount: Sen, key: str) -> Order:
        """Sen from the account into the wallet, or back (negative). The same key again gives the same order."""

    def number(self, card: Card, bank: str) -> str:
        """A virtual account for the card; the one that there is."""
