"""Found a city: a key ceremony in miniature, a terminal authority, an empty ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hebat.migrations.upgrade import stamp
from hebat.schema import TABLES
from keys import ceremony
from keys.bundle import LABEL as BUNDLE_LABEL
from keys.ceremony import CeremonyRecord, Component
from keys.filevault import FileVault, write_atomically
from keys.identity import TerminalAuthority
from keys.vault import Role
from ledger.cardholder.sealing import make_keys
from ledger.intake.receipt import LABEL as LEDGER_LABEL
from ledger.store import Database
from ledger.vaults.memory import VaultMemory
from settlement.rulebook.book import Rulebook
from settlement.rulebook.parties import enter, participants_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hebat.folder import Folder
    from keys.clock import Clock
    from keys.vault import CityVault
    from settlement.rulebook.parties import Entry

AUTHORITY_LABEL: Final = "terminal-authority"
SIGNING_LABELS: Final = (LEDGER_LABEL, AUTHORITY_LABEL, BUNDLE_LABEL)
"""The city's signing keys, which each vault makes for itself."""
KEY_VERSION: Final = 1
_CUSTODIANS: Final = ("custodian A", "custodian B", "custodian C")
_WITNESSES: Final = ("witness 1", "witness 2")


def found(folder: Folder, clock: Clock, configuration: str) -> list[CeremonyRecord]:
    """Make a vault in a file, authority and ledger in a new folder; the ceremony's records.

    Raises InputRefused where the folder holds a city already.
    """
    folder.make()
    return found_over(
        folder, FileVault.create(folder.vault, folder.passphrase(new=True)), clock, configuration
    )


def found_over(
    folder: Folder, vault: CityVault, clock: Clock, configuration: str, parties: Sequence[Entry] = ()
) -> list[CeremonyRecord]:
    """Make authority and ledger over a vault, and the keys that it lacks; the records of what was drawn here.

    `parties` are those of a city whose configuration is its own. Raises ParticipantInvalid before anything is made.
    """
    if parties:
        participants_of(parties)
    folder.configuration.write_text(configuration, encoding="utf-8")
    held = {one.label for one in vault.contents()}
    for label in SIGNING_LABELS:
        if label not in held:
            vault.generate_signing_key(label)
    make_keys(vault)
    records = [_hold(vault, role, clock) for role in Role if not vault.versions(role)]
    if (
        records or not folder.ceremony_record.exists()
    ):  # a founding that goes on keeps what the first half wrote
        write_atomically(folder.ceremony_record, ceremony.signed(records, vault, AUTHORITY_LABEL))
    authority = TerminalAuthority(vault, AUTHORITY_LABEL, clock)
    write_atomically(folder.root_certificate, authority.root_certificate())
    database = Database(folder.database_url)
    database.create(*TABLES)
    stamp(folder.database_url)
    VaultMemory(database).note(vault)
    if parties:
        enter(
            Rulebook(database), parties, author="founding", approver="", reason="founded with", at=clock.now()
        )
    database.close()
    return records


def _hold(vault: CityVault, role: Role, clock: Clock) -> CeremonyRecord:
    components = [Component.drawn(custodian) for custodian in _CUSTODIANS]
    return ceremony.hold(vault, role, KEY_VERSION, components, witnesses=_WITNESSES, at=clock.now())
