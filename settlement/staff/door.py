"""The door: signing in step by step, sessions, and the log. It writes down who came, and who did not get in.

What a step found out beforehand, such as whether a password fits, is worth something only while the session that took it, or the account, is
still as it was: each step looks again in the transaction that it writes in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from settlement.errors import SignInRefused, StaffRefused
from settlement.staff import codes, passwords, sessions, store
from settlement.staff.lockout import Subject
from settlement.staff.log import Said
from settlement.staff.sessions import Session, Stage
from settlement.staff.tries import OVER, Tries

if TYPE_CHECKING:
    from ledger.store import Connection
    from settlement.staff.store import Person


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is shown once to who enrols an authenticator: the address in the QR, and the secret to type."""

    address: str = field(repr=False)
    secret: str = field(repr=False)


class StaffDoor(Tries):
    """Who gets in, step by step, to one city's console."""

    def sign_in(self, name: str, password: str, address: str) -> str:
        """The token of a session at its first step; raises SignInRefused, which tells nobody why."""
        typed = name.strip().casefold()[:40]
        self._not_locked(typed, address)
        with self._database.transaction() as connection:
            person = store.person_of(connection, typed)
        known = person if person and not person.disabled_at else None
        right = passwords.fits(known.password if known else "", password)
        hashed = passwords.renewed(known.password, password) if known and right else ""

        def look(connection: Connection) -> str | None:
            return self._begun(connection, known, password, hashed, address) if known and right else None

        return self._tried(typed, address, "password", look)

    def _begun(
        self, connection: Connection, known: Person, password: str, hashed: str, address: str
    ) -> str | None:
        """The first session's token; None where the password was another's or taken away since it was looked at."""
        person = store.person_of(connection, known.name)
        if person is None or person.disabled_at:
            return None
        same = person.password == known.password
        # It fits where another sign-in renewed the digest meanwhile.
        if not same and not passwords.fits(person.password, password):
            return None
        stage = Stage.CHANGE if person.must_change else Stage.CODE if person.enrolled else Stage.ENROL
        if same and hashed != known.password:
            store.change_person(connection, known.name, password=hashed)
        store.append(connection, self._clock.now(), Said(known.name, address, "password accepted"))
        return sessions.begin(connection, known.name, stage, self._clock.now())

    def second_factor(self, session: Session, code: str, address: str) -> str:
        """The token of a session that is in; raises SignInRefused for a code that is wrong, used, or tried too often."""
        return self._tried(
            session.name, address, "code", lambda one: self._proved(one, session, code, address, "")
        )

    def _proved(
        self, connection: Connection, session: Session, code: str, address: str, anew: str
    ) -> str | None:
        self._still(connection, session)
        how = self._proof(connection, session, code)
        return self._come_in(connection, session, address, how + anew) if how else None

    def _proof(self, connection: Connection, session: Session, code: str) -> str:
        """How a code proves who it is, taken out of use with it; "" where it does not."""
        current = store.person_of(connection, session.name)
        if current is None or not current.enrolled:  # reset while the code was typed
            return ""
        secret, is_today = self._seal.read(session.name, current.authenticator)
        step = codes.step_of(secret, code, self._clock.now(), current.last_step)
        if step is not None:
            store.change_person(connection, session.name, last_step=step)
        elif not store.use_recovery_code(connection, session.name, codes.recovery_digest(session.name, code)):
            return ""
        if not is_today:
            store.change_person(connection, session.name, authenticator=self._seal.seal(session.name, secret))
        return "recovery code" if step is None else "code"

    def change_password(self, session: Session, old: str, new: str, address: str) -> str:
        """Another password for who is at the console, and the token of the next step.

        Raises SignInRefused where the old one is wrong, PasswordWeak where the new one is.
        """
        self._not_locked(session.name, address)
        right = passwords.fits(session.person.password, old)
        if right and old == new:
            raise StaffRefused("the new password is the old one: take another")
        hashed = passwords.digest(passwords.checked(session.name, new)) if right else ""

        def look(connection: Connection) -> str | None:
            return self._changed(connection, session, hashed, address) if right else None

        return self._tried(session.name, address, "password", look)

    def _changed(self, connection: Connection, session: Session, hashed: str, address: str) -> str:
        self._still(connection, session)
        store.change_person(connection, session.name, password=hashed, must_change=0)
        stage = session.stage
        if stage is Stage.CHANGE:
            stage = Stage.CODE if session.person.enrolled else Stage.ENROL
        return self._begun_alone(connection, session, stage, Said(session.name, address, "password changed"))

    def enrolment(self, session: Session) -> Enrolment:
        """The authenticator that is being enrolled; the same until it is."""
        if session.stage is not Stage.ENROL:
            raise SignInRefused("an authenticator is enrolled already: the administrator can reset it")
        with self._alone() as connection:
            secret = self._enrolling(connection, session)
        return Enrolment(codes.address_of(secret, session.name), secret)

    def _enrolling(self, connection: Connection, session: Session) -> str:
        """The secret that is being enrolled, drawn where there is none; raises SignInRefused where the session is over."""
        person = store.person_of(connection, session.name)
        if person is None or person.enrolled:  # in another session, perhaps
            raise SignInRefused("an authenticator is enrolled already: the administrator can reset it")
        self._still(connection, session)
        if person.authenticator:
            return self._seal.opened(session.name, person.authenticator)
        secret = codes.new_secret()
        store.change_person(connection, session.name, authenticator=self._seal.seal(session.name, secret))
        return secret

    def enrol(self, session: Session, code: str, address: str) -> tuple[str, tuple[str, ...]]:
        """Enrol: the first code proves the authenticator. The session's token, and recovery codes to be kept on paper.

        All other sessions of this person end: none of them is shown the authenticator any more. Raises SignInRefused for a wrong code.
        """
        if session.stage is not Stage.ENROL:
            raise SignInRefused(OVER)
        fresh = codes.new_recovery_codes()

        def look(connection: Connection) -> str | None:
            secret = self._enrolling(connection, session)
            step = codes.step_of(secret, code, self._clock.now(), 0)
            if step is None:
                return None
            store.change_person(connection, session.name, enrolled=1, last_step=step)
            digests = [codes.recovery_digest(session.name, one) for one in fresh]
            store.replace_recovery_codes(connection, session.name, digests)
            store.end_sessions_of(connection, session.name)
            return self._come_in(connection, session, address, "authenticator enrolled")

        return self._tried(session.name, address, "first code", look), fresh

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

    def is_fresh(self, session: Session) -> bool:
        """True while accounts may be changed from this session: its sign-in is young (ASVS V7.5.1)."""
        return session.is_fresh(self._clock.now())

    def again(self, session: Session, password: str, code: str, address: str) -> str:
        """Sign in anew without leaving: the token of a fresh session; raises SignInRefused where password or code is wrong."""
        self._not_locked(session.name, address)
        right = passwords.fits(session.person.password, password)

        def look(connection: Connection) -> str | None:
            return self._proved(connection, session, code, address, ", anew") if right else None

        return self._tried(session.name, address, "password or code, anew", look)

    def sign_out(self, session: Session, address: str) -> None:
        """End a session."""
        with self._alone() as connection:
            store.end_session(connection, session.digest)
            store.append(connection, self._clock.now(), Said(session.name, address, "signed out"))

    def _begun_alone(self, connection: Connection, session: Session, stage: Stage, said: Said) -> str:
        """The token of what is now the only session of this person (ASVS V7.4.3)."""
        store.end_sessions_of(connection, session.name)
        store.append(connection, self._clock.now(), said)
        return sessions.begin(connection, session.name, stage, self._clock.now())

    def _come_in(self, connection: Connection, session: Session, address: str, how: str) -> str:
        store.forget_failures(connection, Subject.ACCOUNT, session.name)
        store.append(connection, self._clock.now(), Said(session.name, address, "signed in", detail=how))
        return sessions.begin(connection, session.name, Stage.IN, self._clock.now(), session.digest)
