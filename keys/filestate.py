"""A file vault as it is opened, changed and followed: a sealed file (`keys.sealedfile`) of an inventory and its values.

Every change reads the file again under its lock, so that two writers lose nothing of each other's. It is prepared beside the file, told to the
witness, and put in place: a crash in between is finished by whoever opens the vault next.

What another process changes is seen here at the next use of a key: a server that runs for months takes a rolled key without a restart, and gives a retired one up.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from keys.errors import KeyMisused, VaultError, VaultLocked, VaultRolledBack
from keys.inventory import Inventory
from keys.listed import Listed
from keys.sealedfile import COST, SealedFile
from keys.vault import KeyName, Purpose, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from keys.softkey import SoftKey
    from keys.vault import Witness

_KIND: Final = "ksh-vault-2"


class FileState(Listed):
    """A vault in a file; make one with `create`, open one with `open`."""

    def __init__(self, file: SealedFile, content: dict[str, Any], witness: Witness | None = None) -> None:
        """Raises VaultLocked where the content is not that of a vault."""
        self._file = file
        self._seen: tuple[int, int] | None = (
            None  # the first use looks again: the file may have changed since it was read
        )
        self._turn = threading.Lock()
        self._witness = witness
        self._take(content)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._file.path.name}>"

    def __reduce__(self) -> NoReturn:
        raise KeyMisused("a vault is not pickled: its keys would leave it; open it where it is needed")

    def _take(self, content: dict[str, Any]) -> None:
        try:
            inventory = Inventory.from_plain(content["inventory"])
            # Values first: other threads may look meanwhile, and what an inventory names must be there.
            self._values: dict[KeyName, bytes] = {
                KeyName(label, version): _octets(value) for label, version, value in content["values"]
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
        with self._turn, self._file.locked():
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

    def refresh(self) -> None:
        """Take in what another process has changed since; a file that has left this history is left alone, and found out at the next change.

        Raises VaultError where the file does not open.
        """
        if not self._turn.acquire(blocking=False):
            return  # a change in another thread of this process: it takes in what there is
        try:
            self._seen = self._file.stamp()
            content = self._file.read()
            history, mine = content["inventory"]["history"], self._inventory.history
            if len(history) > len(mine) and history[: len(mine)] == mine:
                self._take(content)
        finally:
            self._turn.release()

    def _follow(self) -> None:
        """Look at the file where it is another one than the last time; what cannot be read leaves this vault as it is."""
        if self._file.stamp() != self._seen:
            with suppress(VaultError):
                self.refresh()

    def close(self) -> None:
        """Use it no more: what was derived is forgotten here."""
        self._ready.clear()
        self._signers.clear()

    def _value(self, name: KeyName, purpose: Purpose) -> bytes:
        self._usable(name, purpose)
        return self._values[name]


def _octets(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError
    return value
