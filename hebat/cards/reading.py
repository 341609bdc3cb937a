"""What is on a card of the city: identity, purse, journey and log, with the city's keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from card import inspecting, purse
from card.errors import CardForeign
from hebat.cards.recognising import Kind, Recognised, recognise
from hebat.vaults import city_vault
from keys.clock import Day, day_of, local
from keys.vault import Role

if TYPE_CHECKING:
    from card.layout import Identity, Journey, LogRecord
    from card.transport import Transport
    from hebat.folder import Folder
    from keys.clock import UnixMs
    from keys.money import Rupiah
    from keys.vault import CityVault, Vault

LOCKED_UNTIL = Day(0)
"""The last valid day of a locked card: a day before there was any card."""


@dataclass(frozen=True, slots=True)
class CityCard:
    """A card of the city, read; records newest first."""

    uid: bytes
    identity: Identity
    journey: Journey
    balance: Rupiah
    transactions: int
    records: tuple[LogRecord, ...]

    @property
    def locked(self) -> bool:
        """True where the card was locked at a counter."""
        return self.identity.valid_until == LOCKED_UNTIL

    def expired(self, at: UnixMs) -> bool:
        """True where the card is past its date."""
        return self.identity.valid_until < day_of(local(at).date())


@dataclass(frozen=True, slots=True)
class Looked:
    """What a card is; `city` where it is one of this city's and the city's vault is at hand."""

    recognised: Recognised
    city: CityCard | None = None
    foreign: bool = False

    @property
    def sentence(self) -> str:
        """What the card is, in one sentence for a person."""
        if self.foreign:
            return "A Kartu Semarang Hebat that does not know this city's keys: another city's, or not made to the end."
        if self.city is None:
            return self.recognised.sentence
        return (
            "A card of this city, locked: no terminal takes it."
            if self.city.locked
            else "A card of this city."
        )


def vault_of(folder: Folder) -> CityVault:
    """The city's vault; raises InputRefused where the folder holds no city, VaultRolledBack, VaultError."""
    return city_vault(folder)


def read_city_card(card: Transport, vault: Vault) -> CityCard:
    """Read everything that a terminal may read.

    Raises CardForeign, CardLost, EvidenceError, SessionBroken, StatusError.
    """
    open_ = purse.open_card(card, vault, Role.DEBIT)
    records = inspecting.last_records(card, vault, Role.DEBIT)
    return CityCard(card.uid, open_.identity, open_.journey, open_.balance, open_.seen.tmc, tuple(records))


def look(card: Transport, vault: Vault | None) -> Looked:
    """What a card is, and what is on it where that can be read.

    Raises CardLost, EvidenceError (a layout that this software does not know), SessionBroken.
    """
    recognised = recognise(card)
    if recognised.kind is not Kind.CITY or vault is None:
        return Looked(recognised)
    try:
        return Looked(recognised, read_city_card(card, vault))
    except CardForeign:
        return Looked(recognised, foreign=True)


def require_city_card(card: Transport, vault: Vault) -> CityCard:
    """A card of this city, read; raises CardForeign with what it is instead."""
    found = look(card, vault)
    if found.city is None:
        raise CardForeign(f"not a card of this city: {_lowered(found.sentence)}")
    return found.city


def _lowered(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].removesuffix(".")
