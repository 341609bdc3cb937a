"""One's own account: where one is signed in, and another authenticator. Changes want a sign-in that is young."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from settlement.errors import SignInRefused, StaffKeyWrong
from settlement.staff import codes, sessions, store
from settlement.staff.door import Enrolment, StaffDoor
from settlement.staff.log import Said
from settlement.staff.sessions import Stage

if TYPE_CHECKING:
    from ledger.store import Connection
    from settlement.staff.sessions import Session
    from settlement.staff.store import SessionRow

_STALE: Final = "sign in anew first: this changes how you get in"
_NEW: Final = "{} anew"
"""Whose a secret is that is not enrolled yet: no stored one opens under that name."""


class OwnAccount(StaffDoor):
    """What somebody at the console may do to their own account."""

    def own_sessions(self, session: Session) -> list[SessionRow]:
        """Where this person is signed in, this session among them; the newest use first."""
        with self._database.transaction() as connection:
            return sessions.alive(store.sessions_of(connection, session.name), self._clock.now())

    def end_own_sessions(self, session: Session, digests: frozenset[bytes], address: str) -> int:
        """End some of one's own sessions, never this one, nor anybody else's; how many. Raises SignInRefused where the sign-in is old."""
        self._want_fresh(session)
        with self._alone() as connection:
            self._still(connection, session)
            mine = {row.digest for row in store.sessions_of(connection, session.name)} - {session.digest}
            for digest in mine & digests:
                store.end_session(connection, digest)
            ended = len(mine & digests)
            if ended:
                said = Said(session.name, address, "sessions ended", session.name, str(ended))
                store.append(connection, self._clock.now(), said)
        return ended

    def new_authenticator(self, session: Session) -> tuple[Enrolment, str]:
        """Another authenticator, and its secret sealed for the form that proves it: until then, the old one holds.

        Raises SignInRefused where the sign-in is old.
        """
        self._want_fresh(session)
        return self._shown(session, codes.new_secret())

    def same_authenticator(self, session: Session, sealed: str) -> tuple[Enrolment, str]:
        """The one of a form, to be shown again after a wrong code; raises SignInRefused for a form that this person was not given."""
        self._want_fresh(session)
        return self._shown(session, self._opened(session, sealed))

    def replace_authenticator(
        self, session: Session, sealed: str, code: str, address: str
    ) -> tuple[str, tuple[str, ...]]:
        """The new one takes the old one's place, its first code proves it: the session's token, and new recovery codes.

        All other sessions of this person end (ASVS V7.4.3). Raises SignInRefused for a wrong code, an old sign-in, or another's form.
        """
        self._want_fresh(session)
        secret, fresh = self._opened(session, sealed), codes.new_recovery_codes()

        def look(connection: Connection) -> str | None:
            self._still(connection, session)
            step = codes.step_of(secret, code, self._clock.now(), 0)
            if step is None:
                return None
            held = self._seal.seal(session.name, secret)
            store.change_person(connection, session.name, authenticator=held, last_step=step)
            digests = [codes.recovery_digest(session.name, one) for one in fresh]
            store.replace_recovery_codes(connection, session.name, digests)
            said = Said(session.name, address, "authenticator replaced")
            return self._begun_alone(connection, session, Stage.IN, said)

        return self._tried(session.name, address, "first code", look), fresh

    def _want_fresh(self, session: Session) -> None:
        if session.stage is not Stage.IN or not self.is_fresh(session):
            raise SignInRefused(_STALE)

    def _shown(self, session: Session, secret: str) -> tuple[Enrolment, str]:
        sealed = self._seal.seal(_NEW.format(session.name), secret).hex()
        return Enrolment(codes.address_of(secret, session.name), secret), sealed

    def _opened(self, session: Session, sealed: str) -> str:
        try:
            return self._seal.opened(_NEW.format(session.name), bytes.fromhex(sealed))
        except (ValueError, StaffKeyWrong):
            raise SignInRefused("that form is not yours, or it is too old: open the page again") from None
