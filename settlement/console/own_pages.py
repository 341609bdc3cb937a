"""One's own account at the console: signing in anew, where one is signed in, another authenticator."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from settlement.console.calls import Answer, Door, Page, to
from settlement.console.door import INSIDE
from settlement.console.gate import ANEW
from settlement.errors import SignInRefused
from settlement.staff.codes import picture_of

if TYPE_CHECKING:
    from settlement.console.calls import Ask
    from settlement.console.drawing import Drawing
    from settlement.staff.door import Enrolment
    from settlement.staff.office import StaffOffice
    from settlement.staff.sessions import Session

ACCOUNT: Final = "/staff/account"
AUTHENTICATOR: Final = f"{ACCOUNT}/authenticator"
_BACK: Final = re.compile(r"/(staff|console)(/[a-z]+){1,2}\Z")
"""Pages of this console alone: nobody is led elsewhere by a link."""


class OwnPages:
    """The pages under /staff/account."""

    def __init__(self, office: StaffOffice, drawing: Drawing) -> None:
        self._office = office
        self._drawing = drawing

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", ANEW, Door.SIGNED_IN, self.show_anew),
            Page("POST", ANEW, Door.SIGNED_IN, self.anew),
            Page("GET", ACCOUNT, Door.SIGNED_IN, self.account),
            Page("POST", f"{ACCOUNT}/sessions", Door.SIGNED_IN, self.end_sessions, fresh=ACCOUNT),
            Page("GET", AUTHENTICATOR, Door.SIGNED_IN, self.show_authenticator, fresh=AUTHENTICATOR),
            Page("POST", AUTHENTICATOR, Door.SIGNED_IN, self.authenticator, fresh=AUTHENTICATOR),
        )

    def show_anew(self, ask: Ask, session: Session | None, wrong: str = "") -> Answer:
        """Password and code once more; nothing was changed yet."""
        asked = ask.said("back") or ask.asked("back")
        status = HTTPStatus.UNAUTHORIZED if wrong else HTTPStatus.OK
        return self._drawing.page("anew.html", ask, session, status, wrong=wrong, back=_back(asked))

    def anew(self, ask: Ask, session: Session | None) -> Answer:
        """A fresh session, and on to where somebody wanted to go."""
        assert session is not None  # noqa: S101  the gate lets nobody else in
        try:
            token = self._office.again(session, ask.said("password"), ask.said("code"), ask.address)
        except SignInRefused as refused:
            return self.show_anew(ask, session, str(refused))
        return to(_back(ask.said("back")), session=token)

    def account(self, ask: Ask, session: Session | None) -> Answer:
        """Name, roles, and where one is signed in."""
        assert session is not None  # noqa: S101  as above
        rows = self._office.own_sessions(session)
        return self._drawing.page("account.html", ask, session, rows=rows, mine=session.digest)

    def end_sessions(self, ask: Ask, session: Session | None) -> Answer:
        """End those that were chosen."""
        assert session is not None  # noqa: S101  as above
        chosen = frozenset(bytes.fromhex(one) for one in ask.chosen("session") if _is_digest(one))
        self._office.end_own_sessions(session, chosen, ask.address)
        return to(ACCOUNT)

    def show_authenticator(self, ask: Ask, session: Session | None) -> Answer:
        """The QR of another authenticator; the old one holds until the new one is proved."""
        assert session is not None  # noqa: S101  as above
        return self._shown(ask, session, *self._office.new_authenticator(session))

    def authenticator(self, ask: Ask, session: Session | None) -> Answer:
        """Its first code; the new recovery codes are shown here and nowhere else."""
        assert session is not None  # noqa: S101  as above
        sealed = ask.said("sealed")
        try:
            token, recovery = self._office.replace_authenticator(
                session, sealed, ask.said("code"), ask.address
            )
        except SignInRefused as refused:
            return self._shown(ask, session, *self._office.same_authenticator(session, sealed), str(refused))
        return Answer(self._drawing.page("recovery.html", ask, None, codes=recovery).body, session=token)

    def _shown(self, ask: Ask, session: Session, new: Enrolment, sealed: str, wrong: str = "") -> Answer:
        status = HTTPStatus.UNAUTHORIZED if wrong else HTTPStatus.OK
        return self._drawing.page(
            "authenticator.html", ask, session, status,
            wrong=wrong, picture=picture_of(new.address), secret=new.secret, sealed=sealed,
        )  # fmt: skip


def _back(asked: str) -> str:
    return asked if _BACK.match(asked) else INSIDE


def _is_digest(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None
