"""The staff's office: everybody's accounts, which an administrator makes, resets and disables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs
from settlement.errors import StaffRefused
from settlement.staff import codes, passwords, store
from settlement.staff.door import Enrolment
from settlement.staff.lockout import Subject
from settlement.staff.log import Said
from settlement.staff.own import OwnAccount
from settlement.staff.roles import Roles, written
from settlement.staff.store import Person

if TYPE_CHECKING:
    from ledger.store import Connection

STAFF_MAX: Final = 1000
NEVER: Final = UnixMs(0)
PROOF_LEAST: Final = 10
PROOF_MOST: Final = 200
"""Characters of what is written about how somebody proved who they are."""
_NAME: Final = re.compile(r"[a-z][a-z0-9.-]{1,38}[a-z0-9]\Z")


class StaffOffice(OwnAccount):
    """The accounts and sessions of one city's staff."""

    def people(self) -> list[Person]:
        """Everybody, disabled ones too."""
        with self._database.transaction() as connection:
            return store.people(connection)

    def add(self, name: str, roles: Roles, password: str, by: Said) -> None:
        """Take somebody in, who must change the password and enrol an authenticator at the first sign-in.

        Raises StaffRefused for a name that is taken or none, PasswordWeak.
        """
        if not _NAME.match(name) or name == "night":  # the night's own name, where no person acts
            raise StaffRefused(f"{name!r} is no name for an account: 3 to 40 of a-z, 0-9, . and -")
        hashed = passwords.digest(passwords.checked(name, password))
        with self._alone() as connection:
            everybody = store.people(connection)
            if name in {person.name for person in everybody}:
                raise StaffRefused(f"there is an account {name} already: take another name")
            if len(everybody) >= STAFF_MAX:
                raise StaffRefused(f"there are {STAFF_MAX} accounts, as many as may be")
            at = self._clock.now()
            person = Person(name, written(roles), hashed, 1, b"", 0, 0, at, NEVER)
            store.insert_person(connection, person)
            self._note(connection, by, "account added", name, written(roles))

    def add_enrolled(
        self, name: str, roles: Roles, password: str, by: Said
    ) -> tuple[Enrolment, tuple[str, ...]]:
        """Take somebody in who is enrolled already, for a demo: the authenticator, and recovery codes.

        Raises what `add` raises.
        """
        self.add(name, roles, password, by)
        secret, fresh = codes.new_secret(), codes.new_recovery_codes()
        with self._alone() as connection:
            sealed = self._seal.seal(name, secret)
            store.change_person(connection, name, authenticator=sealed, enrolled=1, must_change=0)
            store.replace_recovery_codes(
                connection, name, [codes.recovery_digest(name, one) for one in fresh]
            )
            self._note(connection, by, "authenticator enrolled", name, "")
        return Enrolment(codes.address_of(secret, name), secret), fresh

    def reset(self, name: str, password: str, proof: str, by: Said) -> None:
        """A new first password; authenticator, recovery codes and sessions are gone.

        `proof` says how the person proved who they are, and stands in the log. Raises StaffRefused, PasswordWeak.
        """
        proven = _proof(proof)
        if by.who == name:
            raise StaffRefused(
                "nobody proves to themselves who they are: another administrator resets this account, or the shell does"
            )
        hashed = passwords.digest(passwords.checked(name, password))
        self._change(
            name, by, "account reset", proven,
            password=hashed, must_change=1, authenticator=b"", enrolled=0, last_step=0, disabled_at=NEVER,
        )  # fmt: skip

    def disable(self, name: str, by: Said) -> None:
        """Somebody gets in no more, from now on; raises StaffRefused."""
        self._change(name, by, "account disabled", disabled_at=self._clock.now())

    def change_roles(self, name: str, roles: Roles, by: Said) -> None:
        """Other roles; who is signed in signs in again. Raises StaffRefused."""
        self._change(name, by, "roles changed", roles=written(roles))

    def _change(self, name: str, by: Said, action: str, detail: str = "", **values: object) -> None:
        with self._alone() as connection:
            if store.person_of(connection, name) is None:
                raise StaffRefused(f"there is no account {name}: `hebat staff list` shows them")
            store.change_person(connection, name, **values)
            store.end_sessions_of(connection, name)
            if "authenticator" in values:
                store.replace_recovery_codes(connection, name, ())
                store.forget_failures(connection, Subject.ACCOUNT, name)
            self._note(connection, by, action, name, detail or str(values.get("roles", "")))

    def _note(self, connection: Connection, by: Said, action: str, subject: str, detail: str) -> None:
        store.append(connection, self._clock.now(), Said(by.who, by.address, action, subject, detail))


def _proof(said: str) -> str:
    """How somebody proved who they are, in a line; raises StaffRefused."""
    told = " ".join(said.split())
    if not (PROOF_LEAST <= len(told) <= PROOF_MOST and told.isprintable()):
        raise StaffRefused(
            f"say how they proved who they are, in {PROOF_LEAST} to {PROOF_MOST} letters: what was shown, who knows them; as when they were taken in"
        )
    return told
