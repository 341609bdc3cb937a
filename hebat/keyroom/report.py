"""How many cards still need which version of each master: what says when a version may be retired."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from keys.vault import Purpose, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hebat.folder import Folder
    from keys.vault import KeyInfo
    from ledger.intake.registry import Card

FOR_LIFE: Final = (Role.TRANSACTION_MAC, Role.PICC)
"""Keys that a card keeps as it was made."""


class Row(NamedTuple):
    """One version of one master: how many cards have keys of it, and how it stands in the vault."""

    role: Role
    version: int
    cards: int
    state: str


def cards_of(folder: Folder) -> list[Card]:
    """All cards that the ledger knows; none where there is no ledger yet."""
    if not folder.ledger.exists():
        return []
    from ledger.intake.registry import Registry  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from ledger.store import Database  # noqa: PLC0415  as above

    database = Database(folder.database_url)
    try:
        return Registry(database, folder.root_certificate.read_bytes()).cards()
    finally:
        database.close()


def used_by(card: Card) -> set[tuple[Role, int]]:
    """The versions that a card's keys come from."""
    changed = card.access_version or card.key_version
    return {(role, card.key_version if role in FOR_LIFE else changed) for role in Role}


def report(cards: Iterable[Card], contents: Iterable[KeyInfo]) -> list[Row]:
    """Every version that the vault holds or a card has, by role and version."""
    counts = Counter(pair for card in cards for pair in used_by(card))
    states = {
        (one.role, one.version): "retired" if one.retired else "in use"
        for one in contents
        if one.role is not None and one.purpose is Purpose.CARD
    }
    wanted = sorted({*counts, *states}, key=lambda pair: (pair[0].key_no, pair[1]))
    return [Row(*pair, counts[pair], states.get(pair, "not in this vault")) for pair in wanted]
