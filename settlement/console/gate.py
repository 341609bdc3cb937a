"""The one gate before every page: who asks, whether the form is theirs, whether they may. No page is reached beside it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog

from ledger.errors import LedgerError, StorageError
from settlement.console.calls import FORM_BYTES_MAX, Door, Page, to
from settlement.errors import FileUnsafe, SettlementError
from settlement.staff.log import Said
from settlement.staff.sessions import Stage, form_fits

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.console.drawing import Drawing
    from settlement.console.scanning import Scanner
    from settlement.staff.office import StaffOffice
    from settlement.staff.sessions import Session

SIGN_IN = "/staff/sign-in"
ANEW = "/staff/anew"
"""Where password and code are asked for again, before accounts are changed."""
STEPS = {Stage.CODE: "/staff/code", Stage.CHANGE: "/staff/password", Stage.ENROL: "/staff/authenticator"}
"""Where each step of signing in goes on."""
_log = structlog.get_logger("settlement.console")


class Gate:
    """Lets calls through to their pages."""

    def __init__(self, office: StaffOffice, drawing: Drawing, scanner: Scanner | None) -> None:
        self._office = office
        self._drawing = drawing
        self._scanner = scanner

    def bytes_max(self, page: Page, token: str) -> int:
        """How large a form may be that is read for a caller: files only for whom the page is; nobody else has them kept in memory."""
        if page.bytes_max <= FORM_BYTES_MAX:
            return page.bytes_max
        session = self._office.session(token) if token else None
        is_theirs = session is not None and (isinstance(page.needs, Door) or session.may(page.needs))
        return page.bytes_max if is_theirs else FORM_BYTES_MAX

    def answer(self, page: Page, ask: Ask) -> Answer:
        """The answer of a page, or why there is none."""
        session = self._office.session(ask.token) if ask.token else None
        if ask.method != "GET" and not self._is_own(ask, session):
            return self._refused(
                ask, session, "This form is not from here, or it is too old: load the page again."
            )
        if page.fresh and self._is_stale(session):
            return to(f"{ANEW}?back={page.fresh}")
        if page.needs is Door.ANYBODY or (session is not None and page.needs is Door.COMING):
            return self._answered(page, ask, session)
        if session is None or session.stage is not Stage.IN:
            return to(STEPS[session.stage] if session else SIGN_IN)
        if isinstance(page.needs, Door) or session.may(page.needs):
            return self._answered(page, ask, session)
        return self._refused(
            ask, session, f"Your roles ({', '.join(sorted(session.roles))}) do not open this."
        )

    def _is_stale(self, session: Session | None) -> bool:
        return session is not None and session.stage is Stage.IN and not self._office.is_fresh(session)

    @staticmethod
    def _is_own(ask: Ask, session: Session | None) -> bool:
        """A form that this site made for this very session (or, before there is one, this visitor)."""
        return ask.origin_fits and form_fits(ask.token if session else ask.visitor, ask.said("form_token"))

    def _refused(self, ask: Ask, session: Session | None, text: str) -> Answer:
        if session is not None:  # a stranger could fill the log
            self._office.log(Said(session.name, ask.address, "refused", f"{ask.method} {ask.path}", text))
        else:
            _log.warning("refused", method=ask.method, address=ask.address)
        return self._drawing.message(ask, session, "Not allowed", text, HTTPStatus.FORBIDDEN)

    def _look_at_files(self, ask: Ask, session: Session | None) -> None:
        """No page has a file that was not looked at; what was found in one is in the staff's log."""
        if self._scanner is None:
            return
        for file in ask.uploads:
            try:
                self._scanner.look(file)
            except FileUnsafe as error:
                if session is not None:
                    said = f"{file.name[:80]}: {error}"
                    self._office.log(Said(session.name, ask.address, "file refused", ask.path, said))
                raise

    def _answered(self, page: Page, ask: Ask, session: Session | None) -> Answer:
        try:
            self._look_at_files(ask, session)
            return page.handler(ask, session)
        except StorageError as error:
            _log.exception("a page failed", route=page.path)
            return self._drawing.message(ask, session, "Not now", str(error), HTTPStatus.SERVICE_UNAVAILABLE)
        except (SettlementError, LedgerError) as error:
            return self._drawing.message(
                ask, session, "That did not work", str(error), HTTPStatus.UNPROCESSABLE_ENTITY
            )
