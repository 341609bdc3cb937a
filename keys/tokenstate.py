"""A token's vault as it is opened, changed and closed: its inventory is a data object, a new one for each state (OASIS PKCS #11 v2.40).

What another process changes is seen here within a second, once the witness knows of it. The state to come is written beside the one that holds, told to the witness, and the older one goes last: a crash leaves at least one, and the newest counts.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

import cbor2
from pkcs11 import Attribute, ObjectClass

from keys.errors import KeyMisused, TokenError, VaultRolledBack, VaultSwapped
from keys.inventory import Inventory
from keys.listed import Listed
from keys.pkcs11token import STATE, asking, label_of, newest, open_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.vault import KeyName, Purpose, Witness

FOLLOW_SECONDS: Final = 1.0
"""How often a token is asked whether another process has changed it: each look takes its turn from those who use keys."""


class TokenState(Listed):
    """A vault in a token; make one with `create`, open one with `open`, and `close` it. A context manager."""

    def __init__(self, session: Any, inventory: Inventory, witness: Witness | None = None) -> None:
        self._session = session
        self._open = True
        self._inventory = inventory
        self._witness = witness
        self._objects: dict[KeyName, Any] = {}
        self._look_at = 0.0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._inventory.name}>"

    def __reduce__(self) -> NoReturn:
        raise KeyMisused("a vault is not pickled; open it where it is needed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def create(
        cls, module: str, token: str, pin: str, name: str | None = None, witness: Witness | None = None
    ) -> Self:
        """A new vault in an initialised token, bound to `name` (the token's label without it); raises TokenError where one is there already."""
        session = open_session(module, token, pin)
        with asking("make a vault"):
            if list(session.get_objects({Attribute.LABEL: STATE})):
                session.close()
                raise TokenError(f"token {token} holds a vault already: open it, or initialise another token")
            vault = cls(session, Inventory(name or token), witness)
            vault._store(())
        return vault

    @classmethod
    def open(
        cls, module: str, token: str, pin: str, name: str | None = None, witness: Witness | None = None
    ) -> Self:
        """Open a token's vault; with a witness, its newest state or none.

        Raises VaultLocked for a wrong PIN, VaultSwapped where it is not that of `name`, VaultRolledBack where the witness knows a newer
        state, TokenError where there is no such module, token or vault.
        """
        known = witness.known() if witness else {}
        session = open_session(module, token, pin)
        try:
            with asking("show its vault"):
                vault = cls(session, newest(session, token)[0], witness)
            _need_named(vault, name, token)
            vault._agree(known.get(vault.name))
        except BaseException:
            session.close()
            raise
        return vault

    def close(self) -> None:
        """End the session; the token forgets what was derived in it. A second call does nothing."""
        if self._open:
            self._open = False
            with asking("end its session"):
                self._session.close()

    def _store(self, older: tuple[Any, ...]) -> None:
        """Write the inventory as the next generation, tell the witness, and let the older ones go."""
        self._inventory.advance()
        template = {
            Attribute.CLASS: ObjectClass.DATA,
            Attribute.TOKEN: True,
            Attribute.PRIVATE: True,
            Attribute.LABEL: STATE,
            Attribute.VALUE: cbor2.dumps(self._inventory.as_plain()),
        }
        coming = self._session.create_object(template)
        if self._witness is not None:
            self._tell(coming)
        for one in older:
            one.destroy()

    def _tell(self, coming: Any) -> None:
        """A witness that refuses a state has the token forget it; what else it raises leaves open whether it knows."""
        assert self._witness is not None  # noqa: S101  asked before
        try:
            self._witness.note(self)
        except VaultRolledBack:
            coming.destroy()
            raise

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The newest state; stored as the next generation where the block raises nothing."""
        with asking("change its keys"):
            self._inventory, states = newest(self._session, self._inventory.name)
            self._sweep()
            try:
                yield
                self._store(states)
            except BaseException:
                self._inventory = newest(self._session, self._inventory.name)[0]
                raise

    def _follow(self) -> None:
        """Take in what another process has changed, where it goes on from here and the witness knows of it; a token that says no is left alone."""
        now = time.monotonic()
        if not self._open or now < self._look_at:
            return
        self._look_at = now + FOLLOW_SECONDS
        with suppress(TokenError), asking("show its vault"):
            coming, mine = newest(self._session, self._inventory.name)[0], self._inventory.history
            if coming.generation > len(mine) and coming.history[: len(mine)] == mine and self._holds(coming):
                self._inventory = coming

    def _holds(self, coming: Inventory) -> bool:
        """False for a state that whoever makes it may still take back."""
        known = self._recorded()
        return self._witness is None or (known is not None and known.generation >= coming.generation)

    def _sweep(self) -> None:
        """Destroy keys that a crash left half-born: they can still be wrapped, and nobody noted them."""
        half_born = {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.TOKEN: True,
            Attribute.EXTRACTABLE: True,
        }
        for one in list(self._session.get_objects(half_born)):
            one.destroy()

    def _make_room(self, name: KeyName, purpose: Purpose) -> None:
        """Raises KeyMisused where the key exists; destroys what a crash left of one that was never noted."""
        self._inventory.check_free(name, purpose)
        self._objects.pop(name, None)
        for left_behind in list(self._session.get_objects({Attribute.LABEL: label_of(name)})):
            left_behind.destroy()

    def _object(self, name: KeyName, kind: ObjectClass = ObjectClass.SECRET_KEY) -> Any:
        found = self._objects.get(name)
        if not self._open:
            raise TokenError(f"the vault of {self.name} is closed: open it again")
        if found is None:
            found = self._session.get_key(object_class=kind, label=label_of(name))
            self._objects[name] = found
        return found


def _need_named(vault: TokenState, name: str | None, token: str) -> None:
    if name is not None and vault.name != name:
        raise VaultSwapped(f"token {token} belongs to {vault.name}, not to {name}: the tokens were swapped")
