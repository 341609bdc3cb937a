"""Who is signed in while the pages are asked: people of each role at the bank, and a cardholder; each with cookies and the tokens of their forms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypedDict

import httpx2

from settlement.staff import passwords
from settlement.staff.roles import read_roles
from tests.cardholder.town import PIN
from tests.settlement.at_desk import BY, CHEAP, PASSWORD

if TYPE_CHECKING:
    from hebat.issuing import Issued
    from tests.cardholder.town import Town

ROLES: Final = ("maker,checker", "auditor", "administrator", "maker")
"""The last one's session is the one that may end."""
_TOKENS: Final = (
    re.compile(r"name=\"(form_token)\" value=\"([0-9a-f]+)\""),
    re.compile(r"name=\"(key)\" value=\"([0-9a-f]+)\""),
)


class SignedIn(TypedDict):
    """A browser's cookies, and the tokens that its forms carry."""

    cookie: str
    form: dict[str, str]


class Browser:
    """Keeps cookies, those for TLS alone too: it speaks to a server on this machine."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http
        self.cookies: dict[str, str] = {}
        self.form: dict[str, str] = {}

    def ask(self, method: str, path: str, **form: str) -> httpx2.Response:
        """Ask for a page, or send a form with the token of the page before."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        answer = self._http.request(
            method, path, headers=headers, data={**self.form, **form} if method == "POST" else None
        )
        for kept in answer.headers.get_list("set-cookie"):
            name, _, value = kept.split(";")[0].partition("=")
            self.cookies[name] = value
        for token in _TOKENS:
            self.form.update(token.findall(answer.text)[:1])
        return answer


def signed_in(here: Town, card: Issued) -> list[SignedIn]:
    """Somebody of each role, each holding the same card's page open too."""
    return [_one(here, card, f"person-{place}", roles) for place, roles in enumerate(ROLES)]


def _one(here: Town, card: Issued, name: str, roles: str) -> SignedIn:
    with httpx2.Client(base_url=here.server.address, timeout=60) as http:
        return _entered(Browser(http), here, card, name, roles)


def _entered(browser: Browser, here: Town, card: Issued, name: str, roles: str) -> SignedIn:
    codes = _enrolled(here, name, roles)
    browser.ask("GET", "/staff/sign-in")
    browser.ask("POST", "/staff/sign-in", name=name, password=PASSWORD)
    browser.ask("GET", "/staff/code")
    entered = browser.ask("POST", "/staff/code", code=codes[0])
    assert entered.headers["location"] == "/console", entered.text
    for path in ("/console", "/night", "/staff", "/staff/password"):
        browser.ask("GET", path)
    browser.ask("POST", f"/c/{card.token}", pin=PIN)
    browser.ask("GET", "/card/block")
    return SignedIn(
        cookie="; ".join(f"{key}={value}" for key, value in browser.cookies.items()), form=dict(browser.form)
    )


def _enrolled(here: Town, name: str, roles: str) -> tuple[str, ...]:
    real, passwords.HASHER = passwords.HASHER, CHEAP
    try:
        _, codes = here.city.staff_desk.office.add_enrolled(name, read_roles(roles), PASSWORD, BY)
    finally:
        passwords.HASHER = real
    return codes
