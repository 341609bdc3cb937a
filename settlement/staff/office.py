"""The staff's office: signing in step by step, and the accounts. Every door logs who came, and who did not get in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs
from settlement.errors import SignInRefused, StaffRefused
from settlement.staff import codes, passwords, sessions, store
from settlement.staff.lockout import Subject
from settlement.staff.log import Said, verified
from settlement.staff.roles import Roles, written
from settlement.staff.sessions import Session, Stage
from settlement.staff.store import Person

if TYPE_CHECKING:
    from keys.clock import Clock
    from ledger.store import Connection, Database
    from settlement.staff.seal import Seal

STAFF_MAX: Final = 1000
NEVER: Final = UnixMs(0)
_NAME: Final = re.compile(r"[a-z][a-z0-9.-]{1,38}[a-z0-9]\Z")
_WRONG: Final = "that is not right, or there were too many tries: wait a moment and try again"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is shown once to who enrols an authenticator: the address in the QR, and the secret to type."""

    address: str = field(repr=False)
    secret: str = field(repr=False)


class StaffOffice:
    """The accounts and sessions of one city's staff."""

    def __init__(self, database: Database, seal: Seal, clock: Clock) -> None:
        self._database = database
        self._seal = seal
        self._clock = clock

    # The log

    def log(self, said: Said) -> None:
        """Write an entry of its own."""
        with self._database.writing() as connection:
            store.append(connection, self._clock.now(), said)

    def verify_log(self) -> tuple[int, bytes]:
        """How many entries the log has, and its head; raises StaffLogBroken."""
        with self._database.transaction() as connection:
            return verified(store.entries(connection))

    # Signing in

    def sign_in(self, name: str, password: str, address: str) -> str:
        """The token of a session at its first step; raises SignInRefused, which tells nobody why."""
        typed = name.strip().casefold()[:40]
        self._not_locked(typed, address)
        with self._database.transaction() as connection:
            person = store.person_of(connection, typed)
        known = person if person and not person.disabled_at else None
        if not passwords.fits(known.password if known else "", password) or known is None:
            raise self._failed(typed, address, "password")
        stage = Stage.CHANGE if known.must_change else Stage.CODE if known.enrolled else Stage.ENROL
        with self._database.writing() as connection:
            store.append(connection, self._clock.now(), Said(typed, address, "password accepted"))
            return sessions.begin(connection, typed, stage, self._clock.now())

    def second_factor(self, session: Session, code: str, address: str) -> str:
        """The token of a session that is in; raises SignInRefused for a code that is wrong, used, or tried too often."""
        self._not_locked(session.name, address)
        with self._database.writing() as connection:
            how = self._proof(connection, session, code)
            if how:
                return self._come_in(connection, session, address, how)
        raise self._failed(session.name, address, "code")

    def _proof(self, connection: Connection, session: Session, code: str) -> str:
        """How a code proves who it is, taken out of use with it; "" where it does not."""
        secret = self._seal.opened(session.name, session.person.authenticator)
        current = store.person_of(connection, session.name)
        step = codes.step_of(secret, code, self._clock.now(), current.last_step if current else 0)
        if step is not None:
            store.change_person(connection, session.name, last_step=step)
            return "code"
        digest = codes.recovery_digest(session.name, code)
        return "recovery code" if store.use_recovery_code(connection, session.name, digest) else ""

    def change_password(self, session: Session, old: str, new: str, address: str) -> str:
        """Another password for who is at the console, and the token of the next step.

        Raises SignInRefused where the old one is wrong, PasswordWeak where the new one is.
        """
        self._not_locked(session.name, address)
        if not passwords.fits(session.person.password, old):
            raise self._failed(session.name, address, "password")
        if old == new:
            raise StaffRefused("the new password is the old one: take another")
        hashed = passwords.digest(passwords.checked(session.name, new))
        with self._database.writing() as connection:
            at = self._clock.now()
            store.change_person(connection, session.name, password=hashed, must_change=0)
            store.end_sessions_of(connection, session.name)
            store.append(connection, at, Said(session.name, address, "password changed"))
            stage = session.stage
            if stage is Stage.CHANGE:
                stage = Stage.CODE if session.person.enrolled else Stage.ENROL
            return sessions.begin(connection, session.name, stage, at, session.digest)

    def enrolment(self, session: Session) -> Enrolment:
        """The authenticator that is being enrolled; the same until it is."""
        if session.stage is not Stage.ENROL:
            raise SignInRefused("an authenticator is enrolled already: the administrator can reset it")
        sealed = session.person.authenticator
        if sealed:
            secret = self._seal.opened(session.name, sealed)
        else:
            secret = codes.new_secret()
            with self._database.writing() as connection:
                store.change_person(
                    connection, session.name, authenticator=self._seal.seal(session.name, secret)
                )
        return Enrolment(codes.address_of(secret, session.name), secret)

    def enrol(self, session: Session, code: str, address: str) -> tuple[str, tuple[str, ...]]:
        """Enrol: the first code proves the authenticator. The session's token, and recovery codes to be kept on paper.

        Raises SignInRefused for a wrong code.
        """
        self._not_locked(session.name, address)
        secret = self.enrolment(session).secret
        step = codes.step_of(secret, code, self._clock.now(), 0)
        if step is None:
            raise self._failed(session.name, address, "first code")
        fresh = codes.new_recovery_codes()
        with self._database.writing() as connection:
            store.change_person(connection, session.name, enrolled=1, last_step=step)
            digests = [codes.recovery_digest(session.name, one) for one in fresh]
            store.replace_recovery_codes(connection, session.name, digests)
            return self._come_in(connection, session, address, "authenticator enrolled"), fresh

    def session(self, token: str) -> Session | None:
        """Whose token it is; None where nobody's (any more)."""
        at = self._clock.now()
        with self._database.transaction() as connection:
            found = sessions.look_up(connection, token, at)
        if found is None:
            return None
        session, due = found
        if due:
            with self._database.writing() as connection:
                store.see_session(connection, session.digest, at)
        return session

    def sign_out(self, session: Session, address: str) -> None:
        """End a session."""
        with self._database.writing() as connection:
            store.end_session(connection, session.digest)
            store.append(connection, self._clock.now(), Said(session.name, address, "signed out"))

    def _come_in(self, connection: Connection, session: Session, address: str, how: str) -> str:
        store.forget_failures(connection, Subject.ACCOUNT, session.name)
        store.append(connection, self._clock.now(), Said(session.name, address, "signed in", detail=how))
        return sessions.begin(connection, session.name, Stage.IN, self._clock.now(), session.digest)

    def _not_locked(self, name: str, address: str) -> None:
        with self._database.transaction() as connection:
            until = max(
                store.tries_of(connection, Subject.ACCOUNT, name)[1],
                store.tries_of(connection, Subject.ADDRESS, address)[1],
            )
        if until > self._clock.now():
            self.log(Said(name, address, "sign-in refused", detail="locked"))
            raise SignInRefused(_WRONG)

    def _failed(self, name: str, address: str, what: str) -> SignInRefused:
        with self._database.writing() as connection:
            at = self._clock.now()
            store.count_failure(connection, Subject.ACCOUNT, name, at)
            store.count_failure(connection, Subject.ADDRESS, address, at)
            store.append(connection, at, Said(name, address, "sign-in refused", detail=what))
        return SignInRefused(_WRONG)

    # Accounts

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
        with self._database.writing() as connection:
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
        with self._database.writing() as connection:
            sealed = self._seal.seal(name, secret)
            store.change_person(connection, name, authenticator=sealed, enrolled=1, must_change=0)
            store.replace_recovery_codes(
                connection, name, [codes.recovery_digest(name, one) for one in fresh]
            )
            self._note(connection, by, "authenticator enrolled", name, "")
        return Enrolment(codes.address_of(secret, name), secret), fresh

    def reset(self, name: str, password: str, by: Said) -> None:
        """A new first password; authenticator, recovery codes and sessions are gone. Raises StaffRefused, PasswordWeak."""
        hashed = passwords.digest(passwords.checked(name, password))
        self._change(
            name, by, "account reset",
            password=hashed, must_change=1, authenticator=b"", enrolled=0, last_step=0, disabled_at=NEVER,
        )  # fmt: skip

    def disable(self, name: str, by: Said) -> None:
        """Somebody gets in no more, from now on; raises StaffRefused."""
        self._change(name, by, "account disabled", disabled_at=self._clock.now())

    def change_roles(self, name: str, roles: Roles, by: Said) -> None:
        """Other roles; who is signed in signs in again. Raises StaffRefused."""
        self._change(name, by, "roles changed", roles=written(roles))

    def _change(self, name: str, by: Said, action: str, **values: object) -> None:
        with self._database.writing() as connection:
            if store.person_of(connection, name) is None:
                raise StaffRefused(f"there is no account {name}: `hebat staff list` shows them")
            store.change_person(connection, name, **values)
            store.end_sessions_of(connection, name)
            if "authenticator" in values:
                store.replace_recovery_codes(connection, name, ())
                store.forget_failures(connection, Subject.ACCOUNT, name)
            self._note(connection, by, action, name, str(values.get("roles", "")))

    def _note(self, connection: Connection, by: Said, action: str, subject: str, detail: str) -> None:
        store.append(connection, self._clock.now(), Said(by.who, by.address, action, subject, detail))
