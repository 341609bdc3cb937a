"""A vault in one encrypted file (`keys.sealedfile`): keys are in this process's memory while it is open, and nowhere else in the clear.

Every change reads the file again under its lock, so that two writers lose nothing of each other's. It is prepared beside the file, told to the
witness, and put in place: a crash in between is finished by whoever opens the vault next.
"""

from __future__ import annotations

import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keys import handout, tr31
from keys.cmac import aes_cmac
from keys.diversify import card_input, diversify_aes128
from keys.errors import KeyBlockError, KeyMisused, VaultLocked, VaultRolledBack
from keys.inventory import Inventory, Listed, check_made_here, check_size
from keys.sealedfile import COST, SealedFile, write_atomically
from keys.softkey import SoftKey, check_value, random_key
from keys.vault import HANDED_OUT, KeyName, Purpose, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from keys.vault import KeyInfo, Witness

__all__ = ["COST", "FileVault", "check_value", "write_atomically"]

_KIND: Final = "ksh-vault-2"
_CARD_KEYS_MAX: Final = 1_024
"""Diversified keys kept ready; past that the cache starts afresh."""
_SIGNER_VERSION: Final = 0


class FileVault(Listed):
    """A vault in a file; make one with `create`, open one with `open`."""

    def __init__(self, file: SealedFile, content: dict[str, Any], witness: Witness | None = None) -> None:
        """Raises VaultLocked where the content is not that of a vault."""
        self._file = file
        self._witness = witness
        self._take(content)

    def __repr__(self) -> str:
        return f"<FileVault {self._file.path.name}>"

    def __reduce__(self) -> NoReturn:
        raise KeyMisused("a vault is not pickled: its keys would leave it; open it where it is needed")

    def _take(self, content: dict[str, Any]) -> None:
        try:
            inventory = Inventory.from_plain(content["inventory"])
            # Values first: other threads may look meanwhile, and what an inventory names must be there.
            self._values: dict[KeyName, bytes] = {
                KeyName(label, version): value for label, version, value in content["values"]
            }
            self._inventory = inventory
        except (LookupError, TypeError, ValueError):
            raise VaultLocked(f"{self._file.path.name} holds no vault: restore it from its backup") from None
        self._ready: dict[tuple[Role, int, bytes], SoftKey] = {}
        self._signers: dict[str, Ed25519PrivateKey] = {}

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: str,
        cost: int = COST,
        name: str | None = None,
        witness: Witness | None = None,
    ) -> Self:
        """A new, empty vault, bound to `name` (the file's name without it); raises VaultError where a file is there already."""
        file = SealedFile.create(path, _KIND, passphrase, cost, name or path.name)
        inventory = Inventory(file.name)
        inventory.advance()
        content = {"inventory": inventory.as_plain(), "values": []}
        file.write(content)
        return cls(file, content, witness)

    @classmethod
    def open(
        cls, path: Path, passphrase: str, name: str | None = None, witness: Witness | None = None
    ) -> Self:
        """Open a vault; with a witness, its newest state or none.

        Raises VaultLocked for a wrong passphrase or a file that is not what was written, VaultSwapped where it is not that of `name`,
        VaultRolledBack for an older copy than the witness knows.
        """
        known = witness.known() if witness else {}
        file = SealedFile.open(path, _KIND, passphrase, name)
        vault = cls(file, file.read(), witness)
        record = known.get(vault.name)
        if record is not None and record.generation > vault.generation:
            with (
                file.locked()
            ):  # another process may be between telling the witness and putting the file in place
                vault._take(vault._settled())
        vault._agree(record)
        return vault

    @classmethod
    def restored(
        cls, path: Path, passphrase: str, cost: int, content: dict[str, Any], before: Callable[[Self], None]
    ) -> Self:
        """A vault of a backup's content, in a new file; `before` is told of it before it holds, and may raise.

        Raises VaultError where a file is there, VaultLocked for a content that is none.
        """
        try:
            name = content["inventory"]["name"]
        except (LookupError, TypeError):
            raise VaultLocked("the backup holds no vault: take another one") from None
        file = SealedFile.create(path, _KIND, passphrase, cost, name)
        vault = cls(file, content)
        before(vault)
        file.write(content)
        return vault

    def content(self) -> dict[str, Any]:
        """Everything, secrets too: for a backup, which must seal it (`keys.backup`), and for nothing else."""
        values = [[*name, value] for name, value in self._values.items()]
        return {"inventory": self._inventory.as_plain(), "values": values}

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The newest state under the file's lock; written as the next generation where the block raises nothing."""
        with self._file.locked():
            content = self._settled()
            mine = self._inventory.history
            self._take(content)
            if mine != self._inventory.history[: len(mine)]:
                raise VaultRolledBack(
                    f"{self._file.path.name} was replaced while it was open: stop, and compare it with its record"
                )
            try:
                yield
                self._inventory.advance()
                self._file.prepare(self.content())
                if self._witness is not None:
                    self._witness.note(self)
                self._file.put()
            except BaseException:
                self._take(content)
                raise

    def _settled(self) -> dict[str, Any]:
        """The content that holds: where a crash came after the witness was told of a change, the change comes to its end here."""
        known = self._recorded()
        content: dict[str, Any] = self._file.read()
        if known is None or len(content["inventory"]["history"]) >= known.generation:
            return content
        coming: dict[str, Any] | None = self._file.prepared()
        if coming is None or Inventory.from_plain(coming["inventory"]).record() != known:
            return content
        self._file.put()
        return coming

    def add_key(self, name: KeyName, purpose: Purpose, value: bytes) -> KeyInfo:
        """Take in an AES key of 16, 24 or 32 bytes (a master has 16); raises KeyMisused."""
        check_size(purpose, value)
        with self._changing():
            info = self._inventory.add(name, purpose, check_value(value))
            self._values[name] = value
        return info

    def add_master(self, role: Role, version: int, value: bytes) -> None:
        """Take in a master key of 16 bytes, as a ceremony made it; raises KeyMisused where that version exists."""
        self.add_key(KeyName(role.value, version), Purpose.CARD, value)

    def generate_key(self, name: KeyName, purpose: Purpose) -> KeyInfo:
        """Make a random AES-128 key inside the vault; raises KeyMisused where that version exists."""
        check_made_here(purpose)
        return self.add_key(name, purpose, random_key())

    def generate_signing_key(self, label: str) -> None:
        """Make an Ed25519 key that never leaves this vault; raises KeyMisused where the label is taken."""
        key = Ed25519PrivateKey.generate()
        name = KeyName(label, _SIGNER_VERSION)
        with self._changing():
            self._inventory.add(name, Purpose.SIGN, key.public_key().public_bytes_raw()[:5])
            self._values[name] = key.private_bytes_raw()

    def retire(self, role: Role, version: int) -> None:
        """Take a version out of use for good; raises KeyMissing, KeyMisused where no other version is in use."""
        with self._changing():
            self._inventory.retire(role, version)

    def close(self) -> None:
        """Use it no more: what was derived is forgotten here."""
        self._ready.clear()
        self._signers.clear()

    def subset(
        self, path: Path, passphrase: str, roles: Iterable[Role], cost: int = COST, name: str | None = None
    ) -> FileVault:
        """A terminal's vault: the masters in use of its roles, no signing key; bound to `name`.

        Raises KeyMisused for the Transaction MAC key, which exists in the ledger's vault alone (DESIGN law 11).
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

    def refresh(self) -> None:
        """Take in what another process has changed since; a file that has left this history is left alone, and found out at the next change."""
        content = self._file.read()
        history = content["inventory"]["history"]
        mine = self._inventory.history
        if len(history) > len(mine) and history[: len(mine)] == mine:
            self._take(content)

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

    def _value(self, name: KeyName, purpose: Purpose) -> bytes:
        self._inventory.usable(name, purpose)
        return self._values[name]

    def card_key(self, role: Role, version: int, uid: bytes) -> SoftKey:
        """The diversified key of one card; raises KeyMissing, KeyRetired."""
        return self.derived(role, version, card_input(uid, role.key_no, version))

    def derived(self, role: Role, version: int, m: bytes) -> SoftKey:
        """The key that AN10922 derives from a master and an input of 1 to 31 bytes; raises KeyMissing, KeyRetired, KeysError."""
        ready = self._ready.get((role, version, m))
        if ready is None:
            master = self._value(KeyName(role.value, version), Purpose.CARD)
            ready = SoftKey(diversify_aes128(master, m), version)
            if len(self._ready) >= _CARD_KEYS_MAX:
                self._ready.clear()
            self._ready[role, version, m] = ready
        return ready

    def cmac(self, name: KeyName, message: bytes) -> bytes:
        """AES-CMAC under a MAC key, 16 bytes; raises KeyMissing, KeyMisused."""
        return aes_cmac(self._value(name, Purpose.MAC), message)

    def encrypt(self, name: KeyName, data: bytes, iv: bytes) -> bytes:
        """AES-CBC under a cipher key, whole blocks, unpadded; raises KeyMissing, KeyMisused."""
        return SoftKey(self._value(name, Purpose.CIPHER), name.version).encrypt(data, iv)

    def decrypt(self, name: KeyName, data: bytes, iv: bytes) -> bytes:
        """AES-CBC under a cipher key, whole blocks, unpadded; raises KeyMissing, KeyMisused."""
        return SoftKey(self._value(name, Purpose.CIPHER), name.version).decrypt(data, iv)

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

    def _signer(self, label: str) -> Ed25519PrivateKey:
        if label not in self._signers:
            value = self._value(KeyName(label, _SIGNER_VERSION), Purpose.SIGN)
            self._signers[label] = Ed25519PrivateKey.from_private_bytes(value)
        return self._signers[label]

    def sign(self, label: str, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes; raises KeyMissing."""
        return self._signer(label).sign(message)

    def public_key(self, label: str) -> bytes:
        """The raw 32 bytes of an Ed25519 public key; raises KeyMissing."""
        return self._signer(label).public_key().public_bytes_raw()

    def issue_certificate(self, label: str, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign a certificate; raises KeyMissing."""
        return builder.sign(self._signer(label), None)

    def shows_in(self, data: bytes) -> bool:
        """True where a secret of this vault stands in some bytes, raw, in hexadecimal or in base64: what leak checks ask."""
        lowered = data.lower()
        return any(
            value in data or value.hex().encode() in lowered or base64.b64encode(value).rstrip(b"=") in data
            for value in self._values.values()
        )
