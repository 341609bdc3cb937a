"""The log's page for auditors, and the accounts' page for administrators."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from settlement.console.acting import said
from settlement.console.calls import Page, to
from settlement.console.pages import Pages
from settlement.staff import store
from settlement.staff.roles import Right, read_roles

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.staff.sessions import Session

LOG: Final = "/console/log"
ACCOUNTS: Final = "/console/accounts"
ROWS: Final = 100
FIRST_PASSWORD_BYTES: Final = 12
_DIGITS_MAX: Final = 15


class OfficePages(Pages):
    """Who did what, and who may."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", LOG, Right.AUDIT, self.log),
            Page("GET", ACCOUNTS, Right.ACCOUNTS, self.accounts, fresh=ACCOUNTS),
            Page("POST", ACCOUNTS, Right.ACCOUNTS, self.add, fresh=ACCOUNTS),
            Page("POST", f"{ACCOUNTS}/{{name}}/disable", Right.ACCOUNTS, self.disable, fresh=ACCOUNTS),
            Page("POST", f"{ACCOUNTS}/{{name}}/reset", Right.ACCOUNTS, self.reset, fresh=ACCOUNTS),
            Page("POST", f"{ACCOUNTS}/{{name}}/roles", Right.ACCOUNTS, self.roles, fresh=ACCOUNTS),
        )

    def log(self, ask: Ask, session: Session | None) -> Answer:
        """The newest entries; the chain is recomputed only where that is asked for."""
        before, who, action = ask.asked("before"), ask.asked("who")[:60], ask.asked("action")[:40]
        number = int(before) if before.isascii() and before.isdigit() and len(before) <= _DIGITS_MAX else 0
        with self._desk.database.transaction() as connection:
            rows = store.log_page(connection, number, who, action, ROWS + 1)
        checked = self._desk.office.verify_log() if ask.asked("verify") else None
        return self._drawing.page(
            "log.html", ask, session, rows=rows[:ROWS], more=rows[ROWS - 1].number if len(rows) > ROWS else 0,
            who=who, action=action, checked=checked,
        )  # fmt: skip

    def accounts(self, ask: Ask, session: Session | None, told: tuple[str, str] | None = None) -> Answer:
        """Everybody; `told` is an account and its first password, shown this once."""
        return self._drawing.page(
            "accounts.html", ask, session, people=self._desk.office.people(), told=told, root=ACCOUNTS
        )

    def add(self, ask: Ask, session: Session | None) -> Answer:
        """Take somebody in, with a first password that is drawn here."""
        assert session is not None  # noqa: S101  the gate lets nobody else in
        name, password = ask.said("name").strip(), secrets.token_urlsafe(FIRST_PASSWORD_BYTES)
        self._desk.office.add(name, read_roles(ask.said("roles")), password, said(session, ask, "", ""))
        return self.accounts(ask, session, (name, password))

    def reset(self, ask: Ask, session: Session | None) -> Answer:
        """A new first password; the authenticator is gone. How the person proved who they are is written down."""
        assert session is not None  # noqa: S101  as above
        name, password = ask.part("name"), secrets.token_urlsafe(FIRST_PASSWORD_BYTES)
        self._desk.office.reset(name, password, ask.said("proof"), said(session, ask, "", ""))
        return self.accounts(ask, session, (name, password))

    def disable(self, ask: Ask, session: Session | None) -> Answer:
        """Let somebody in no more."""
        assert session is not None  # noqa: S101  as above
        self._desk.office.disable(ask.part("name"), said(session, ask, "", ""))
        return to(ACCOUNTS)

    def roles(self, ask: Ask, session: Session | None) -> Answer:
        """Other roles for somebody."""
        assert session is not None  # noqa: S101  as above
        self._desk.office.change_roles(
            ask.part("name"), read_roles(ask.said("roles")), said(session, ask, "", "")
        )
        return to(ACCOUNTS)
