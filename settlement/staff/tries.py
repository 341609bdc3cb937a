"""What every step at the door stands on: a transaction that is alone, tries that are counted as they are looked at, and the log."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from ledger.cardholder.tries import network_of
from settlement.errors import SignInRefused
from settlement.staff import store
from settlement.staff.lockout import Subject
from settlement.staff.log import Said, verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keys.clock import Clock, UnixMs
    from ledger.store import Connection, Database
    from settlement.staff.seal import Seal
    from settlement.staff.sessions import Session

OVER: Final = "this session has ended: sign in again"
_WRONG: Final = "that is not right, or there were too many tries: wait a moment and try again"
Found = TypeVar("Found")


class Tries:
    """Looks at proofs of who somebody is, one at a time."""

    def __init__(self, database: Database, seal: Seal, clock: Clock) -> None:
        self._database = database
        self._seal = seal
        self._clock = clock

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A writing transaction beside which nobody changes accounts, sessions or tries: what it reads holds until it ends."""
        with self._database.writing() as connection:
            store.be_alone(connection)
            yield connection

    def log(self, said: Said) -> None:
        """Write an entry of its own."""
        with self._alone() as connection:
            store.append(connection, self._clock.now(), said)

    def verify_log(self) -> tuple[int, bytes]:
        """How many entries the log has, and its head; raises StaffLogBroken."""
        with self._database.transaction() as connection:
            return verified(store.entries(connection))

    @staticmethod
    def _still(connection: Connection, session: Session) -> None:
        """Raise SignInRefused where a session was ended since its call came in: by a reset, at another desk, by a step that was taken."""
        if store.session_of(connection, session.digest) is None:
            raise SignInRefused(OVER)

    def _until(self, connection: Connection, name: str, address: str) -> UnixMs:
        account = store.tries_of(connection, Subject.ACCOUNT, name)
        network = store.tries_of(connection, Subject.ADDRESS, network_of(address))
        return max(account[1], network[1])

    def _not_locked(self, name: str, address: str) -> None:
        """Before something is looked at that takes time; raises SignInRefused."""
        with self._database.transaction() as connection:
            until = self._until(connection, name, address)
        if until > self._clock.now():
            self.log(Said(name, address, "sign-in refused", detail="locked"))
            raise SignInRefused(_WRONG)

    def _tried(self, name: str, address: str, what: str, look: Callable[[Connection], Found | None]) -> Found:
        """What a look at somebody's proof gives; raises SignInRefused where it gives None, or there were too many tries.

        Looked at and counted in one transaction, alone: many tries at the same time come no cheaper than one after another.
        """
        with self._alone() as connection:
            at = self._clock.now()
            locked = self._until(connection, name, address) > at
            found = None if locked else look(connection)
            if found is not None:
                return found
            if not locked:
                store.count_failure(connection, Subject.ACCOUNT, name, at)
                store.count_failure(connection, Subject.ADDRESS, network_of(address), at)
            store.append(
                connection, at, Said(name, address, "sign-in refused", detail="locked" if locked else what)
            )
        raise SignInRefused(_WRONG)
