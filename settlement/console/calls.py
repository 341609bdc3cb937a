"""A call to the console and the answer to it, without a web framework: what pages are written against."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ledger.http.attached import attachment
from settlement.staff.roles import Right

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from settlement.staff.sessions import Session

HTML: Final = "text/html; charset=utf-8"
FORM_BYTES_MAX: Final = 64 * 1024
POLICY: Final = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"  # fmt: skip
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Door(StrEnum):
    """Pages that ask for no right: for anybody, or for who is on the way in or in."""

    ANYBODY = "anybody"
    COMING = "coming"
    SIGNED_IN = "signed in"


Needs = Right | Door


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody asks for; texts are as they came, and checked by the page that uses them."""

    method: str
    path: str
    address: str
    parts: Mapping[str, str] = field(default_factory=dict)
    query: Sequence[tuple[str, str]] = ()
    form: Sequence[tuple[str, str]] = ()
    uploads: Sequence[Upload] = ()
    token: str = field(default="", repr=False)
    visitor: str = field(default="", repr=False)
    origin_fits: bool = True

    def part(self, name: str) -> str:
        """A part of the address."""
        return self.parts[name]

    def asked(self, name: str, default: str = "") -> str:
        """The first value of a name in the query."""
        return next((value for key, value in self.query if key == name), default)

    def said(self, name: str, default: str = "") -> str:
        """The first value of a name in the form."""
        return next((value for key, value in self.form if key == name), default)

    def chosen(self, name: str) -> list[str]:
        """All values of a name in the form."""
        return [value for key, value in self.form if key == name]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; `session` and `visitor` are cookies to set ("" takes the session's away)."""

    body: bytes = field(default=b"", repr=False)
    status: int = HTTPStatus.OK
    media_type: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    session: str | None = field(default=None, repr=False)
    visitor: str | None = field(default=None, repr=False)


def to(address: str, *, session: str | None = None) -> Answer:
    """Go on there (303: whatever was asked, the next is a GET)."""
    return Answer(status=HTTPStatus.SEE_OTHER, headers={"Location": address}, session=session)


def download(content: bytes, name: str, media_type: str = "application/octet-stream") -> Answer:
    """A file to keep, never to be shown in a browser's window."""
    return Answer(content, media_type=media_type, headers=attachment(name))


@dataclass(frozen=True, slots=True)
class Page:
    """An address of the console: what it needs, and who answers. `bytes_max` bounds its form.

    `fresh` is "" or, for what changes how people get in, the page to come back to after signing in anew.
    """

    method: str
    path: str
    needs: Needs
    handler: Callable[[Ask, Session | None], Answer]
    bytes_max: int = FORM_BYTES_MAX
    fresh: str = ""
