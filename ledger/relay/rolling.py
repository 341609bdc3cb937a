"""Behind a load that is done, the card's application keys become those of the vault's newest versions (docs/decisions/0016-rolling-keys.md).

Whatever goes wrong here costs nobody anything: the load is posted, and the next one goes on where the card is then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from card import rolling
from card.errors import CardError
from keys.errors import VaultError
from ledger.intake.key_versions import ACCESS, PLACES

if TYPE_CHECKING:
    from card.relay import Script
    from keys.vault import Role, Vault
    from ledger.intake.registry import Card, Registry

_log = structlog.get_logger("ledger.relay")


def held(card: Card) -> bytes:
    """The versions that are known of a card's keys, by place."""
    return card.versions or bytes((card.key_version,)) * len(PLACES)


def is_due(card: Card, vault: Vault) -> bool:
    """True where a key of the card's application is older than the vault's newest, or an earlier change did not come to its end."""
    try:
        pairs = zip(ACCESS, held(card), strict=False)
        return bool(card.coming) or any(_older(vault, role, version) for role, version in pairs)
    except VaultError:
        return False


def _older(vault: Vault, role: Role, version: int) -> bool:
    """A key that no vault can use any more cannot be changed either."""
    return version < vault.current(role) and version in vault.versions(role)


def brought_on(registry: Registry, vault: Vault, uid: bytes) -> Script[None]:
    """Give a card the newest keys; what it may come to is kept before, and what it proved afterwards. Raises nothing for card or vault."""
    card = registry.card(int.from_bytes(uid, "big"))
    if card is None or not is_due(card, vault):
        return
    known, wanted = held(card), bytes(vault.current(role) for role in ACCESS)
    try:
        far = yield from rolling.opened(vault, uid)
        registry.rolled(card, known, wanted)
        proved = yield from rolling.changed(far, vault, wanted)
    except (CardError, VaultError) as fault:
        _log.warning("card keys not changed to the end", card=card.card_number, why=str(fault))
        return
    registry.rolled(card, proved + known[len(proved) :])
    _log.info("card keys changed", card=card.card_number)
