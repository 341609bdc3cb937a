"""The door: signing in step by step, and signing out."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from settlement.console.calls import Answer, Door, Page, to
from settlement.console.gate import SIGN_IN, STEPS
from settlement.errors import PasswordWeak, SignInRefused, StaffRefused
from settlement.staff.codes import picture_of
from settlement.staff.sessions import Stage, new_token

if TYPE_CHECKING:
    from settlement.console.calls import Ask
    from settlement.console.drawing import Drawing
    from settlement.staff.office import StaffOffice
    from settlement.staff.sessions import Session

INSIDE = "/console"
PASSWORD = "/staff/password"  # noqa: S105  an address
_TOO_MANY = HTTPStatus.UNAUTHORIZED


class DoorPages:
    """The pages under /staff."""

    def __init__(self, office: StaffOffice, drawing: Drawing) -> None:
        self._office = office
        self._drawing = drawing

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", SIGN_IN, Door.ANYBODY, self.show_sign_in),
            Page("POST", SIGN_IN, Door.ANYBODY, self.sign_in),
            Page("GET", "/staff/code", Door.COMING, self.show_code),
            Page("POST", "/staff/code", Door.COMING, self.code),
            Page("GET", PASSWORD, Door.COMING, self.show_password, fresh=PASSWORD),
            Page("POST", PASSWORD, Door.COMING, self.password, fresh=PASSWORD),
            Page("GET", "/staff/authenticator", Door.COMING, self.show_authenticator),
            Page("POST", "/staff/authenticator", Door.COMING, self.authenticator),
            Page("POST", "/staff/sign-out", Door.COMING, self.sign_out),
        )

    def show_sign_in(self, ask: Ask, session: Session | None, wrong: str = "") -> Answer:
        """Name and password; a visitor without a cookie gets one, for the form's token."""
        if session is not None and not wrong:
            return to(INSIDE if session.stage is Stage.IN else STEPS[session.stage])
        visitor = ask.visitor or new_token()
        drawn = self._drawing.page(
            "sign_in.html", replace(ask, visitor=visitor, token=""), None, _TOO_MANY if wrong else HTTPStatus.OK,
            wrong=wrong,
        )  # fmt: skip
        return replace(drawn, visitor=visitor if visitor != ask.visitor else None)

    def sign_in(self, ask: Ask, _session: Session | None) -> Answer:
        """The first step."""
        try:
            token = self._office.sign_in(ask.said("name"), ask.said("password"), ask.address)
        except SignInRefused as refused:
            return self.show_sign_in(ask, None, str(refused))
        return to("/staff/code", session=token)

    def show_code(self, ask: Ask, session: Session | None, wrong: str = "") -> Answer:
        """The one-time code."""
        return self._step(Stage.CODE, "code.html", ask, session, wrong=wrong)

    def code(self, ask: Ask, session: Session | None) -> Answer:
        """The second step."""
        if session is None or session.stage is not Stage.CODE:
            return self.show_code(ask, session)
        try:
            return to(INSIDE, session=self._office.second_factor(session, ask.said("code"), ask.address))
        except SignInRefused as refused:
            return self.show_code(ask, session, str(refused))

    def show_password(self, ask: Ask, session: Session | None, wrong: str = "") -> Answer:
        """A new password: at the first sign-in, or whenever somebody likes."""
        stage = Stage.IN if session is not None and session.stage is Stage.IN else Stage.CHANGE
        return self._step(stage, "password.html", ask, session, wrong=wrong, first=stage is Stage.CHANGE)

    def password(self, ask: Ask, session: Session | None) -> Answer:
        """Change it; the next step is the authenticator, or back to work."""
        if session is None or session.stage not in {Stage.CHANGE, Stage.IN}:
            return self.show_password(ask, session)
        if ask.said("new") != ask.said("again"):
            return self.show_password(ask, session, "the two new passwords differ: type the same one twice")
        try:
            token = self._office.change_password(session, ask.said("old"), ask.said("new"), ask.address)
        except (SignInRefused, PasswordWeak, StaffRefused) as refused:
            return self.show_password(ask, session, str(refused))
        return to(INSIDE if session.stage is Stage.IN else "/staff/authenticator", session=token)

    def show_authenticator(self, ask: Ask, session: Session | None, wrong: str = "") -> Answer:
        """The QR of a new authenticator."""
        if session is None or session.stage is not Stage.ENROL:
            return self._step(Stage.ENROL, "authenticator.html", ask, session)
        new = self._office.enrolment(session)
        return self._step(
            Stage.ENROL, "authenticator.html", ask, session,
            wrong=wrong, picture=picture_of(new.address), secret=new.secret, sealed="",
        )  # fmt: skip

    def authenticator(self, ask: Ask, session: Session | None) -> Answer:
        """Its first code; the recovery codes are shown here and nowhere else."""
        if session is None or session.stage is not Stage.ENROL:
            return self.show_authenticator(ask, session)
        try:
            token, recovery = self._office.enrol(session, ask.said("code"), ask.address)
        except SignInRefused as refused:
            return self.show_authenticator(ask, session, str(refused))
        drawn = self._drawing.page("recovery.html", ask, None, codes=recovery)
        return Answer(drawn.body, session=token)

    def sign_out(self, ask: Ask, session: Session | None) -> Answer:
        """End the session; its cookie goes."""
        if session is not None:
            self._office.sign_out(session, ask.address)
        return replace(
            to(SIGN_IN, session=""), headers={"Location": SIGN_IN, "Clear-Site-Data": '"cache", "storage"'}
        )

    def _step(self, stage: Stage, template: str, ask: Ask, session: Session | None, **told: object) -> Answer:
        """A step's page, or the way to the step where somebody is."""
        if session is None:
            return to(SIGN_IN)
        if session.stage is not stage:
            return to(INSIDE if session.stage is Stage.IN else STEPS[session.stage])
        status = _TOO_MANY if told.get("wrong") else HTTPStatus.OK
        return self._drawing.page(template, ask, session, status, **told)
