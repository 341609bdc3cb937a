"""A vault in one encrypted file, whole: what `keys.filekeys` uses, carried to other vaults and to terminals under keys that both sides hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import keywrap

from keys import handout, tr31
from keys.errors import KeyBlockError, KeyMisused
from keys.filekeys import FileKeys
from keys.inventory import check_made_here, check_size
from keys.sealedfile import COST, write_atomically
from keys.softkey import check_value
from keys.vault import HANDED_OUT, KeyName, Purpose, Role

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from keys.vault import KeyInfo

__all__ = ["COST", "FileVault", "check_value", "write_atomically"]


class FileVault(FileKeys):
    """A vault in a file; make one with `create`, open one with `open`."""

    def subset(
        self, path: Path, passphrase: str, roles: Iterable[Role], cost: int = COST, name: str | None = None
    ) -> FileVault:
        """A terminal's vault: the masters in use of its roles, no signing key; bound to `name`.

        Raises KeyMisused for the Transaction MAC key, which exists in the ledger's vault alone (law 11).
        """
        wanted = list(roles)
        if Role.TRANSACTION_MAC in wanted:
            raise KeyMisused("the Transaction MAC key stays in the ledger's vault: no terminal may hold it")
        chosen = [KeyName(role.value, version) for role in wanted for version in self.versions(role)]
        for role in wanted:
            self._inventory.current(role)
        vault = FileVault.create(path, passphrase, cost, name)
        with vault._changing():  # noqa: SLF001  its own class
            for one in chosen:
                vault._inventory.held[one] = self._inventory.held[one]  # noqa: SLF001  likewise
                vault._values[one] = self._values[one]  # noqa: SLF001  likewise
        return vault

    def handed_out(self, roles: Iterable[Role], to: bytes, context: bytes) -> bytes:
        """The masters in use of some roles, sealed to a device's X25519 key (raw, 32 bytes); see `keys.handout`.

        Raises KeyMissing, KeyBlockError, KeyMisused for a role that no terminal holds.
        """
        wanted = list(roles)
        self.refresh()
        if not set(wanted) <= set(HANDED_OUT):
            raise KeyMisused("a master that is no terminal's stays in the city's vault: ask for other roles")
        for role in wanted:
            self._inventory.current(role)
        names = [KeyName(role.value, version) for role in wanted for version in self.versions(role)]
        return handout.seal([handout.Handed(name, self._values[name]) for name in names], to, context)

    def take_handout(self, sealed: bytes, drawn: X25519PrivateKey, context: bytes) -> handout.Taken:
        """Take what `handed_out` sealed to this device: newer versions come, those that the city uses no more are retired here.

        Raises KeyBlockError where it is for somebody else, KeyMisused where a version is here with another value.
        """
        handed = handout.unseal(sealed, drawn, context)
        names, roles = {one.name for one in handed}, {Role(one.name.label) for one in handed}
        came = [one for one in handed if self._new_here(one)]
        held = {KeyName(role.value, version) for role in roles for version in self.versions(role)}
        if came or held - names:
            with self._changing():
                for name, value in came:
                    self._inventory.add(name, Purpose.CARD, check_value(value))
                    self._values[name] = value
                for label, version in held - names:
                    self._inventory.retire(Role(label), version)
        told = {KeyName(one.label, one.version): one for one in self.contents()}
        return handout.Taken([told[one.name] for one in came], [told[name] for name in sorted(held - names)])

    def _new_here(self, one: handout.Handed) -> bool:
        check_size(Purpose.CARD, one.value)
        held = self._values.get(one.name)
        if held is not None and held != one.value:
            raise KeyMisused(
                f"{one.name.label} version {one.name.version} is here with another value: this is another city's terminal"
            )
        return held is None

    def _travelling(self, name: KeyName) -> bytes:
        purpose = self._inventory.info(name).purpose
        if purpose in {Purpose.SIGN, Purpose.TRANSPORT}:
            raise KeyMisused(f"{name.label} is a {purpose} key: it leaves its vault under no other key")
        return self._value(name, purpose)

    def wrap(self, name: KeyName, under: KeyName) -> bytes:
        """A key wrapped under a transport key (AES key wrap, RFC 3394); raises KeyMissing, KeyMisused."""
        return keywrap.aes_key_wrap(self._value(under, Purpose.TRANSPORT), self._travelling(name))

    def unwrap(self, name: KeyName, purpose: Purpose, wrapped: bytes, under: KeyName) -> KeyInfo:
        """Take a wrapped key in; raises KeyMissing, KeyMisused, KeyBlockError."""
        check_made_here(purpose)
        try:
            value = keywrap.aes_key_unwrap(self._value(under, Purpose.TRANSPORT), wrapped)
        except (keywrap.InvalidUnwrap, ValueError):
            raise KeyBlockError(
                f"the wrapped key does not open under {under.label} version {under.version}: it was changed, or wrapped for another vault"
            ) from None
        return self.add_key(name, purpose, value)

    def export_block(self, name: KeyName, under: KeyName) -> str:
        """A master key as an X9.143 key block, version D, under a transport key; raises KeyMissing, KeyMisused."""
        self._inventory.usable(name, Purpose.CARD)
        return tr31.wrap(self._value(under, Purpose.TRANSPORT), name, self._travelling(name))

    def import_block(self, block: str, under: KeyName, only: Collection[str] | None = None) -> KeyInfo:
        """Take in a master key from an X9.143 key block, one of `only` these labels; raises KeyMissing, KeyMisused, KeyBlockError."""
        name, value = tr31.unwrap(self._value(under, Purpose.TRANSPORT), block)
        if only is not None and name.label not in only:
            raise KeyMisused(
                f"{name.label} comes into a token wrapped, not as an X9.143 block: ask its sender for --wrapped"
            )
        return self.add_key(name, Purpose.CARD, value)
