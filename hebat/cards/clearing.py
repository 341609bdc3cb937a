"""Take back a chip whose making was broken off, so that it can be made again: its application goes, its key is the factory's again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card import client, management, ndef
from card.errors import CardForeign, StatusError
from card.layout import AID
from card.personalise import PICC_LEVEL
from hebat.cards.locking import as_master
from hebat.cards.recognising import Kind
from keys.softkey import FACTORY_KEY
from keys.vault import Role

if TYPE_CHECKING:
    from card.transport import Transport
    from keys.vault import CardKey, Vault


def is_whole(card: Transport, vault: Vault) -> bool:
    """True where the master key, which is changed last, is this city's: the making came to its end."""
    try:
        as_master(card, vault)
    except CardForeign:
        return False
    return True


def cleared(card: Transport, vault: Vault, kind: Kind) -> bool:
    """Make a chip blank as delivered, where it obeys this city's key or nobody's yet; False where it obeys somebody else.

    Only for a chip that the ledger does not know. Raises CardLost; again is harmless.
    """
    if _session(card, FACTORY_KEY) is not None:
        if kind is Kind.CITY:
            return False  # complete, and not ours, whatever its chip's own key is
        return _without_application(card, FACTORY_KEY, kind)
    for version in vault.versions(Role.PICC):
        key = vault.card_key(Role.PICC, version, card.uid)
        if _session(card, key) is not None:
            return _without_application(card, key, kind)
    return kind is Kind.BLANK  # a chip as delivered may have a key of the older kind


def _without_application(card: Transport, key: CardKey, kind: Kind) -> bool:
    picc = client.authenticate(card, 0, key)
    if kind is not Kind.BLANK:
        # The city's own application goes last: torn here, the chip is still known for a city card that is not finished.
        for aid in (ndef.AID, AID):
            if aid in management.application_ids(picc):
                management.delete_application(picc, aid)
    if key is not FACTORY_KEY:
        management.change_own_key(picc, management.PICC_KEY_NO, FACTORY_KEY)
    return True


def _session(card: Transport, key: CardKey) -> client.Session | None:
    """A session at the chip's own level; None where it has another key."""
    client.select(card, PICC_LEVEL)
    try:
        return client.authenticate(card, 0, key)
    except StatusError:
        return None
