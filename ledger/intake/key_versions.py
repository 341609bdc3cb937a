"""Which version of each master a card's keys come from, and how many cards stand on a version. Pure.

A card has keys in three places: its application, the chip itself, and the application for phones where it has one. All are changed behind a load
(docs/decisions/0016-rolling-keys.md); the Transaction MAC key alone stays as the card was made.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from keys.vault import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keys.vault import Vault
    from ledger.intake.cards.issued import Card

ACCESS: Final = (Role.MASTER, Role.READ, Role.DEBIT, Role.LOAD, Role.META_READ, Role.FILE_READ)
"""Keys 0 to 5 of the city's application."""
PHONE: Final = (Role.MASTER, Role.META_READ, Role.FILE_READ)
"""Keys of the application for phones."""
PLACES: Final[tuple[Role, ...]] = (*ACCESS, Role.PICC, *PHONE)
"""What each byte of a card's versions stands for; a card without an application for phones has the first seven."""


def newest(vault: Vault, *, phone: bool) -> bytes:
    """The versions that a card is made with now; raises KeyMissing."""
    places = PLACES if phone else PLACES[: -len(PHONE)]
    return bytes(vault.current(role) for role in places)


def used_by(card: Card) -> set[tuple[Role, int]]:
    """Every version that some key of a card has, or may have where a change of its keys was broken off."""
    versions = card.versions or bytes((card.key_version,)) * len(PLACES)
    found = set(zip(PLACES, versions, strict=False)) | set(zip(PLACES, card.coming, strict=False))
    return found | {(Role.TRANSACTION_MAC, card.key_version)}


def versions_report(cards: Iterable[Card]) -> dict[Role, dict[int, int]]:
    """By role and version, how many cards need that version; a card that needs two of a role is counted under both."""
    counts = Counter(pair for card in cards for pair in used_by(card))
    report: dict[Role, dict[int, int]] = {role: {} for role in Role}
    for (role, version), count in sorted(counts.items()):
        report[role][version] = count
    return report
