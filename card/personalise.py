"""Make a card of the city from a chip as delivered: application, files, keys, and the address for phones. All genuine commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card import client, files, management, ndef, older
from card.applications import SETTLED, ApplicationSettings
from card.channel import CommMode
from card.ev1 import KeyType
from card.layout import AID, File
from card.ndef import EVERY_CARD
from keys.softkey import FACTORY_KEY
from keys.vault import Role

if TYPE_CHECKING:
    from card.client import Session
    from card.layout import Identity
    from card.transport import Transport
    from keys.vault import CardKey, Vault

PICC_LEVEL: Final = bytes(3)


def personalise(transport: Transport, vault: Vault, identity: Identity, address: str | None = None) -> None:
    """Personalise a chip as delivered; the purse starts empty. With an address (https), a phone can tap the card (EV3).

    Raises StatusError (DUPLICATE_ERROR where the card has the application already), CardLost, KeyMissing.
    """
    picc = open_delivered(transport)
    management.create_application(picc, ApplicationSettings(AID, files.KEYS))
    if address is not None:
        management.create_application(picc, ndef.APPLICATION)
    management.change_key_settings(picc, SETTLED)
    management.change_own_key(picc, management.PICC_KEY_NO, _key(vault, Role.PICC, transport.uid))
    # What tells a finished card from a torn one is the city's own application: it is filled last.
    if address is not None:
        _fill_ndef(transport, vault, address)
    _fill(transport, vault, identity)


def open_delivered(transport: Transport) -> Session:
    """A session at the PICC level under the key that chips are delivered with; a DES one becomes AES first."""
    client.select(transport, PICC_LEVEL)
    if management.key_settings(client.free(transport))[1] is not KeyType.AES:
        older.give_aes_key(older.authenticate_delivered(transport))
    return client.authenticate(transport, 0, FACTORY_KEY)


def _fill(transport: Transport, vault: Vault, identity: Identity) -> None:
    client.select(transport, AID)
    session = client.authenticate(transport, Role.MASTER.key_no, FACTORY_KEY)
    for number, settings in files.settings(identity.purse_limit).items():
        management.create_file(session, number, settings)
    session.write(File.IDENTITY, identity.encode(), CommMode.MAC)
    tmac_key = _key(vault, Role.TRANSACTION_MAC, transport.uid)
    management.create_tmac_file(session, File.TMAC, files.TMAC, tmac_key)
    for role in files.KEY_ROLES:
        management.change_key(session, role.key_no, _key(vault, role, transport.uid), FACTORY_KEY)
    management.change_own_key(session, Role.MASTER.key_no, _key(vault, Role.MASTER, transport.uid))


def _fill_ndef(transport: Transport, vault: Vault, address: str) -> None:
    message = ndef.message(address)
    client.select(transport, ndef.AID)
    session = client.authenticate(transport, Role.MASTER.key_no, FACTORY_KEY)
    management.create_file(session, ndef.CAPABILITIES_FILE, ndef.CAPABILITIES)
    session.write(ndef.CAPABILITIES_FILE, ndef.capabilities(), CommMode.PLAIN)
    management.change_key(session, ndef.META_KEY, _key(vault, Role.META_READ, transport.uid), FACTORY_KEY)
    management.change_key(session, ndef.FILE_KEY, _key(vault, Role.FILE_READ, transport.uid), FACTORY_KEY)
    management.create_file(session, ndef.MESSAGE_FILE, message.settings)
    session.write(ndef.MESSAGE_FILE, message.content, CommMode.PLAIN)
    management.change_own_key(session, Role.MASTER.key_no, _key(vault, Role.MASTER, transport.uid))


def made_with(transport: Transport) -> tuple[int, bytes]:
    """What a finished card says of its keys' versions: the Transaction MAC key's; then keys 0 to 5, the chip's, and those of a phone's application.

    Nobody proves them. Raises CardLost, SessionBroken, StatusError.
    """
    client.select(transport, AID)
    session = client.free(transport)
    versions = [management.key_version(session, number) for number in range(files.KEYS)]
    signing = management.tmac_key_version(session, File.TMAC)
    client.select(transport, PICC_LEVEL)
    versions.append(management.key_version(session, 0))
    if ndef.AID in management.application_ids(session):
        client.select(transport, ndef.AID)
        versions += [management.key_version(session, number) for number in (0, ndef.META_KEY, ndef.FILE_KEY)]
    return signing, bytes(versions)


def _key(vault: Vault, role: Role, uid: bytes) -> CardKey:
    return key_of(vault, role, vault.current(role), uid)


def key_of(vault: Vault, role: Role, version: int, uid: bytes) -> CardKey:
    """A card's key; the one that hides the UID from a phone cannot depend on the UID, or nobody could open it.

    Raises KeyMissing, KeyRetired.
    """
    return vault.card_key(role, version, EVERY_CARD if role is Role.META_READ else uid)
