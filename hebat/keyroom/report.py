"""How many cards still need which version of each master: what says when a version may be retired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from keys.vault import Purpose, Role
from ledger.intake.key_versions import versions_report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hebat.folder import Folder
    from keys.vault import KeyInfo
    from ledger.intake.cards.issued import Card

FOR_LIFE: Final = (Role.TRANSACTION_MAC,)
"""Keys that a card keeps as it was made."""


class Row(NamedTuple):
    """One version of one master: how many cards have keys of it, and how it stands in the vault."""

    role: Role
    version: int
    cards: int
    state: str


def cards_of(folder: Folder) -> list[Card]:
    """All cards that the ledger knows; none where there is no ledger yet."""
    if not folder.holds_ledger():
        return []
    from ledger.intake.registry import Registry  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from ledger.store import Database  # noqa: PLC0415  as above

    database = Database(folder.database_url)
    try:
        return Registry(database, folder.root_certificate.read_bytes()).cards()
    finally:
        database.close()


def locked_out(folder: Folder, role: Role, version: int) -> int:
    """How many cards could not be used any more, or only in part, without a version."""
    return versions_report(cards_of(folder))[role].get(version, 0)


def report(cards: Iterable[Card], contents: Iterable[KeyInfo]) -> list[Row]:
    """Every version that the vault holds or a card has, by role and version."""
    needed = versions_report(cards)
    counts = {(role, version): count for role in needed for version, count in needed[role].items()}
    states = {
        (one.role, one.version): "retired" if one.retired else "in use"
        for one in contents
        if one.role is not None and one.purpose is Purpose.CARD
    }
    wanted = sorted({*counts, *states}, key=lambda pair: (pair[0].key_no, pair[1]))
    return [Row(*pair, counts.get(pair, 0), states.get(pair, "not in this vault")) for pair in wanted]
