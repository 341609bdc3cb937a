"""Make a card of the city from a chip as delivered: application, files, keys. All genuine commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card import client, files
from card.commands import CREATE, application_payload
from card.ev2 import CommMode
from card.layout import AID, File
from keys.softkey import FACTORY_KEY
from keys.vault import Role

if TYPE_CHECKING:
    from card.layout import Identity
    from card.transport import Transport
    from keys.vault import CardKey, Vault

PICC_LEVEL = bytes(3)


def personalise(transport: Transport, vault: Vault, identity: Identity) -> None:
    """Personalise a chip whose keys are the factory's zeros; the purse starts empty.

    Raises StatusError (DUPLICATE_ERROR where the card has the application already), CardLost, KeyMissing.
    """
    client.select(transport, PICC_LEVEL)
    picc = client.authenticate(transport, 0, FACTORY_KEY)
    picc.create_application(application_payload(AID, files.KEYS))
    picc.change_own_key(0, _key(vault, Role.PICC, transport.uid))
    client.select(transport, AID)
    session = client.authenticate(transport, Role.MASTER.key_no, FACTORY_KEY)
    for number, settings in files.settings(identity.purse_limit).items():
        session.create_file(CREATE[settings.kind], number, settings)
    session.write(File.IDENTITY, identity.encode(), CommMode.MAC)
    tmac_key = _key(vault, Role.TRANSACTION_MAC, transport.uid)
    session.create_tmac_file(File.TMAC, files.TMAC, tmac_key)
    for role in files.KEY_ROLES:
        session.change_key(role.key_no, _key(vault, role, transport.uid), FACTORY_KEY)
    session.change_own_key(Role.MASTER.key_no, _key(vault, Role.MASTER, transport.uid))


def _key(vault: Vault, role: Role, uid: bytes) -> CardKey:
    return vault.card_key(role, vault.current(role), uid)
