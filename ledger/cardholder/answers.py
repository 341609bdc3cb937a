"""What a page is asked and what it answers, apart from any web framework."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ledger.cardholder.pages import HEADERS, link, policy
from ledger.http.attached import attachment

if TYPE_CHECKING:
    from collections.abc import Mapping

HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its language, the address that it came from, the view's value, a form's fields, the query as it stood.

    `is_own` is False where the browser says that a page of somebody else sent it.
    """

    language: str
    address: str
    value: str = field(default="", repr=False)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: str = field(default="", repr=False)
    is_own: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with all of its headers."""

    body: bytes = b""
    status: int = 200
    media_type: str = HTML
    more: Mapping[str, str] = field(default_factory=dict)
    scripted: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every page, this one's policy, and its own."""
        return {**HEADERS, **policy(scripted=self.scripted), **self.more}


def elsewhere(asked: Asked, path: str, more: Mapping[str, str] | None = None) -> Answer:
    """Go on at another address of ours, by GET; never one that the request named."""
    return Answer(b"", 303, more={"Location": link(asked.language, path), **(more or {})})


def saved(body: bytes, media_type: str, name: str) -> Answer:
    """A file to keep."""
    return Answer(body, media_type=media_type, more=attachment(name))
