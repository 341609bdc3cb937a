"""The door: signing in step by step, sessions, and the log. It writes down who came, and who did not get in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from settlement.errors import SignInRefused, StaffRefused
from settlement.staff import codes, passwords, sessions, store
from settlement.staff.lockout import Subject
from settlement.staff.log import Said, verified
from settlement.staff.sessions import Session, Stage

if TYPE_CHECKING:
    from keys.clock import Clock
    from ledger.store import Connection, Database
    from settlement.staff.seal import Seal

_WRONG: Final = "that is not right, or there were too many tries: wait a moment and try again"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is shown once to who enrols an authenticator: the address in the QR, and the secret to type."""

    address: str = field(repr=False)
    secret: str = field(repr=False)


class StaffDoor:
    """Who gets in, step by step, to one city's console."""

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
        hashed = passwords.renewed(known.password, password)
        with self._database.writing() as connection:
            if hashed != known.password:
                store.renew_password(connection, typed, known.password, hashed)
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
        if session.stage is not Stage.ENROL or session.person.enrolled:  # in another session, perhaps
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
            store.end_sessions_of(
                connection, session.name
            )  # whoever else knows the password is asked for a code now
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

    def is_fresh(self, session: Session) -> bool:
        """True while accounts may be changed from this session: its sign-in is young (ASVS V7.5.1)."""
        return session.is_fresh(self._clock.now())

    def again(self, session: Session, password: str, code: str, address: str) -> str:
        """Sign in anew without leaving: the token of a fresh session; raises SignInRefused where password or code is wrong."""
        self._not_locked(session.name, address)
        if passwords.fits(session.person.password, password):
            with self._database.writing() as connection:
                how = self._proof(connection, session, code)
                if how:
                    return self._come_in(connection, session, address, f"{how}, anew")
        raise self._failed(session.name, address, "password or code, anew")

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
