"""Take a card out of use, and put it back: what the chip itself refuses from then on.

Two things change under the master key. The identity's last valid day lies in the past, which a validator says in plain words. And no terminal's key may
add to the log any more, without which no terminal of ours finishes a transaction: so fares, purchases and loads are all refused, by the chip.
Balance and log can still be read, so that a counter can see what is owed to the holder.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from card import client, files, management
from card.apdu import Status
from card.channel import CommMode
from card.commands import Rights
from card.errors import CardForeign, StatusError
from card.layout import AID, VALID_DAYS, File, Identity
from hebat.cards.reading import LOCKED_UNTIL
from keys.clock import Day, SystemClock, day_of, local
from keys.vault import Role

if TYPE_CHECKING:
    from card.commands import FileSettings
    from card.transport import Transport
    from keys.clock import Clock
    from keys.vault import Vault

_READERS: Final = tuple(role.key_no for role in (Role.DEBIT, Role.LOAD))
LOCKED_LOG: Final = replace(
    files.LOG,
    rights=(
        Rights(read=Role.READ.key_no, change=Role.MASTER.key_no),
        *(Rights(read=key_no) for key_no in _READERS),
    ),
)
"""The log of a locked card: read as ever, written by nobody."""


def lock(card: Transport, vault: Vault) -> Identity:
    """Lock a card of the city; again is harmless. The identity as it is now.

    Raises CardForeign, CardLost (run it again with the card), StatusError.
    """
    return _changed(card, vault, LOCKED_UNTIL, LOCKED_LOG)


def unlock(card: Transport, vault: Vault, clock: Clock | None = None) -> Identity:
    """Put a card back into use for as long as a new one; errors as `lock`."""
    today = day_of(local((clock or SystemClock()).now()).date())
    return _changed(card, vault, Day(today + VALID_DAYS), files.LOG)


def _changed(card: Transport, vault: Vault, valid_until: Day, log: FileSettings) -> Identity:
    session = as_master(card, vault)
    identity = replace(Identity.decode(session.read(File.IDENTITY, CommMode.MAC)), valid_until=valid_until)
    session.write(File.IDENTITY, identity.encode(), CommMode.MAC)
    management.change_file_settings(session, File.LOG, log)
    return identity


def as_master(card: Transport, vault: Vault) -> client.Session:
    """A session under the application's master key; raises CardForeign where that is not this city's."""
    for version in vault.versions(Role.MASTER):
        client.select(card, AID)
        try:
            return client.authenticate(
                card, Role.MASTER.key_no, vault.card_key(Role.MASTER, version, card.uid)
            )
        except StatusError as error:
            if error.status != Status.AUTHENTICATION_ERROR:
                raise
    raise CardForeign("the card does not know this city's master key: not one of ours")
