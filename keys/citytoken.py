"""A city's vault in a token, with what terminals hold in a file beside it.

Terminals hold copies of two masters (`keys.vault.HANDED_OUT`), and nothing leaves a token. So these two are made in a file vault beside it, and carried into the
token wrapped under a key that both hold. The file opens with a MAC that the token alone can make. All other masters are in the token only.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Final

from keys.cmac import BLOCK
from keys.errors import KeyMisused
from keys.filevault import COST, FileVault
from keys.hsmvault import HsmVault
from keys.vault import HANDED_OUT, KeyName, Purpose, Role

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from keys.vault import KeyInfo

SEAL: Final = KeyName("handout-seal", 1)
"""The MAC key whose MAC is the file's passphrase."""
BRIDGE: Final = KeyName("handout-bridge", 1)
"""The transport key between the file and its token."""
_PASSPHRASE_OF: Final = b"KSH hand-out vault"
_HANDED_OUT: Final = frozenset(role.value for role in HANDED_OUT)


class CityToken(HsmVault):
    """A token's vault that `attach` gave its hand-out file."""

    _handout: FileVault | None = None

    def attach(self, path: Path) -> None:
        """Open the hand-out file, or make it where the token has none yet; what a crash left in one of the two alone goes into the other.

        Raises VaultError, VaultSwapped where the file is another token's, VaultRolledBack.
        """
        if all((one.label, one.version) != SEAL for one in self.contents()):
            self.generate_key(SEAL, Purpose.MAC)
        passphrase = base64.urlsafe_b64encode(self.cmac(SEAL, _PASSPHRASE_OF)).decode()
        name = f"hand-out of {self.name}"
        if path.exists():
            self._handout = FileVault.open(path, passphrase, name, self._witness)
        else:
            self._handout = FileVault.create(path, passphrase, COST, name, self._witness)
        self._bridge(self._handout)
        for role in HANDED_OUT:
            self._even_out(self._handout, role)

    def _bridge(self, handout: FileVault) -> None:
        """Both hold the bridge; a file that lost its token's, or has none, is given a fresh one only while both are empty of it."""
        here, there = (
            any((one.label, one.version) == BRIDGE for one in v.contents()) for v in (self, handout)
        )
        if here and not there:
            raise KeyMisused(f"{handout.name} is not the hand-out file of this token: put the right one back")
        if not here and there:
            raise KeyMisused(f"{handout.name} is another token's: move it away, and hand keys out anew")
        if not here:
            value = secrets.token_bytes(BLOCK)
            handout.add_key(BRIDGE, Purpose.TRANSPORT, value)
            super().add_key(BRIDGE, Purpose.TRANSPORT, value)

    def _even_out(self, handout: FileVault, role: Role) -> None:
        states = {one.version: one.retired for one in self.contents() if one.role is role}
        for one in [held for held in handout.contents() if held.role is role]:
            if one.version not in states:
                self._carried(handout, KeyName(role.value, one.version))
            elif states[one.version] and not one.retired:
                handout.retire(role, one.version)

    def _file(self) -> FileVault:
        if self._handout is None:
            raise KeyMisused(
                f"the token {self.name} has no hand-out file beside it: terminals get keys from its city only"
            )
        return self._handout

    def _carried(self, handout: FileVault, name: KeyName) -> KeyInfo:
        return super().unwrap(name, Purpose.CARD, handout.wrap(name, BRIDGE), BRIDGE)

    def _mirrored(self, name: KeyName) -> FileVault | None:
        return self._handout if name.label in _HANDED_OUT else None

    def add_key(self, name: KeyName, purpose: Purpose, value: bytes) -> KeyInfo:
        """As a token's; a master that terminals hold goes into both, and a transport key too, so that such masters can come in wrapped."""
        handout = self._handout if purpose is Purpose.TRANSPORT else self._mirrored(name)
        if handout is not None:
            self._inventory.check_free(name, purpose)
            handout.add_key(name, purpose, value)
        return super().add_key(name, purpose, value)

    def generate_key(self, name: KeyName, purpose: Purpose) -> KeyInfo:
        """As a token's; a master that terminals hold is made in the file, and carried into the token."""
        handout = self._mirrored(name)
        if handout is None:
            return super().generate_key(name, purpose)
        self._inventory.check_free(name, purpose)
        handout.generate_key(name, purpose)
        return self._carried(handout, name)

    def unwrap(self, name: KeyName, purpose: Purpose, wrapped: bytes, under: KeyName) -> KeyInfo:
        """As a token's; a master that terminals hold goes into both."""
        handout = self._mirrored(name)
        if handout is None:
            return super().unwrap(name, purpose, wrapped, under)
        self._inventory.check_free(name, purpose)
        handout.unwrap(name, purpose, wrapped, under)
        return self._carried(handout, name)

    def retire(self, role: Role, version: int) -> None:
        """As a token's, and in the file."""
        super().retire(role, version)
        handout = self._mirrored(KeyName(role.value, version))
        if handout is not None:
            handout.retire(role, version)

    def subset(
        self, path: Path, passphrase: str, roles: Iterable[Role], cost: int = COST, name: str | None = None
    ) -> FileVault:
        """A terminal's vault: the masters in use of its roles. Raises KeyMisused for roles that no terminal holds."""
        wanted = list(roles)
        if not set(wanted) <= set(HANDED_OUT):
            raise KeyMisused("a master that is no terminal's stays in its token: ask for other roles")
        return self._file().subset(path, passphrase, wanted, cost, name)

    def handed_out(self, roles: Iterable[Role], to: bytes, context: bytes) -> bytes:
        """The masters in use of some roles, sealed to a device's X25519 key; raises KeyMissing, KeyMisused, KeyBlockError."""
        return self._file().handed_out(roles, to, context)

    def export_block(self, name: KeyName, under: KeyName) -> str:
        """An X9.143 block of a master that terminals hold; raises KeyMisused for others, whose block no token makes."""
        if name.label not in _HANDED_OUT:
            raise KeyMisused(
                f"{name.label} lies in a token, which makes no X9.143 block: export it with --wrapped, or enter its components over there"
            )
        return self._file().export_block(name, under)

    def import_block(self, block: str, under: KeyName) -> KeyInfo:
        """Take an X9.143 block of a master that terminals hold in; raises KeyMisused for others, whose value would pass through this process."""
        told = self._file().import_block(block, under, only=_HANDED_OUT)
        return self._carried(self._file(), KeyName(told.label, told.version))

    def shows_in(self, data: bytes) -> bool:
        """True where a secret of the hand-out file stands in some bytes; those of the token nobody can know."""
        return self._file().shows_in(data)

    def close(self) -> None:
        """End the session."""
        self._handout = None
        super().close()
