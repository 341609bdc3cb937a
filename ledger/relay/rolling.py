"""Behind a load that is done, the card's keys become those of the vault's newest versions (docs/decisions/0016-rolling-keys.md).

Level by level: the city's application, the chip itself, the application for phones. Whatever goes wrong here costs nobody anything: the load is posted, and the
next one goes on where the card is then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from card import rolling
from card.errors import CardError
from keys.errors import VaultError
from ledger.intake.key_versions import ACCESS, PHONE, PLACES, newest

if TYPE_CHECKING:
    from card.far import Script
    from card.rolling import Level
    from keys.vault import Role, Vault
    from ledger.intake.cards.issued import Card
    from ledger.intake.registry import Registry

LEVELS: Final = (
    (rolling.APPLICATION, slice(0, len(ACCESS))),
    (rolling.CHIP, slice(len(ACCESS), len(PLACES) - len(PHONE))),
    (rolling.PHONE, slice(len(PLACES) - len(PHONE), len(PLACES))),
)
"""What is rolled, in this order, and where its versions stand among a card's."""
_log = structlog.get_logger("ledger.relay")


def held(card: Card) -> bytes:
    """The versions that are known of a card's keys, by place."""
    return card.versions or bytes((card.key_version,)) * len(PLACES[: -len(PHONE)])


def due(card: Card, vault: Vault) -> list[tuple[Level, slice]]:
    """The levels where a key is older than the vault's newest, or where an earlier change did not come to its end."""
    known = held(card)
    return [
        (level, places)
        for level, places in LEVELS
        if _is_due(card, vault, known[places], places) and known[places]
    ]


def _is_due(card: Card, vault: Vault, known: bytes, places: slice) -> bool:
    coming = card.coming[places]
    if coming and coming != known:
        return True
    try:
        pairs = zip(PLACES[places], known, strict=False)
        return any(_older(vault, role, version) for role, version in pairs)
    except VaultError:
        return False


def _older(vault: Vault, role: Role, version: int) -> bool:
    """A key that no vault can use any more cannot be changed either."""
    return version < vault.current(role) and version in vault.versions(role)


def brought_on(registry: Registry, vault: Vault, uid: bytes) -> Script[None]:
    """Give a card the newest keys; what it may come to is kept before, and what it proved afterwards. Raises nothing for card or vault."""
    card = registry.card(int.from_bytes(uid, "big"))
    levels = [] if card is None else due(card, vault)
    if card is None or not levels:
        return
    known, begun = held(card), False
    try:
        wanted = newest(vault, phone=len(known) > len(PLACES) - len(PHONE))
        for level, places in levels:
            far = yield from rolling.opened(vault, uid, level)
            if not begun:
                registry.rolled(card, known, wanted)
                begun = True
            proved = yield from rolling.changed(far, vault, wanted[places])
            known = known[: places.start] + proved + known[places.stop :]
            registry.rolled(card, known, wanted)
    except (CardError, VaultError) as fault:
        _log.warning("card keys not changed to the end", card=card.card_number, why=str(fault))
        return
    registry.rolled(card, known)
    _log.info("card keys changed", card=card.card_number)
