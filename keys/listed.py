"""The part of a vault that needs no secret, and is the same in a file and in a token: what it holds, and how far its history is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keys.inventory import Held, Inventory
    from keys.vault import KeyInfo, KeyName, Purpose, Role, VaultRecord, Witness


class Listed(ABC):
    """The part of a vault that needs no secret; both kinds of vault share it."""

    _inventory: Inventory
    _witness: Witness | None = None

    @abstractmethod
    def _follow(self) -> None:
        """Take in what another process has changed since; to be asked before what is held counts."""

    def _usable(self, name: KeyName, purpose: Purpose) -> Held:
        """What is held under a name now, for one purpose; raises KeyMissing, KeyRetired, KeyMisused."""
        self._follow()
        return self._inventory.usable(name, purpose)

    def _recorded(self) -> VaultRecord | None:
        """What the witness knows of this vault; to be asked before the vault is read: meanwhile another process may change both."""
        return self._witness.known().get(self._inventory.name) if self._witness else None

    def _agree(self, known: VaultRecord | None) -> None:
        """Raises VaultRolledBack where this vault is older than what is known; a newer state is noted before anybody uses it."""
        if known is not None:
            self.check_against(known)
        if self._witness is not None and known != self.record():
            self._witness.note(self)

    @property
    def name(self) -> str:
        """Whose vault this is."""
        return self._inventory.name

    @property
    def generation(self) -> int:
        """How often the vault has been changed."""
        return self._inventory.generation

    def record(self) -> VaultRecord:
        """The state now, to be kept outside the vault."""
        return self._inventory.record()

    def check_against(self, record: VaultRecord) -> None:
        """Raises VaultRolledBack where this vault is not the recorded one, or a later state of it; VaultSwapped for another name."""
        self._inventory.check_against(record)

    def current(self, role: Role) -> int:
        """The version for new cards; raises KeyMissing."""
        self._follow()
        return self._inventory.current(role)

    def versions(self, role: Role) -> list[int]:
        """All versions in use, newest first; empty where the role is not held."""
        self._follow()
        return self._inventory.versions(role)

    def next_version(self, label: str) -> int:
        """The version that a new key of this label takes."""
        return self._inventory.next_version(label)

    def contents(self) -> list[KeyInfo]:
        """What the vault holds, without saying secrets."""
        self._follow()
        return self._inventory.infos()
