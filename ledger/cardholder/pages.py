"""Renders the cardholder's pages: templates, words, and the headers that every one of them has."""

from __future__ import annotations

from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from ledger.cardholder.words import LANGUAGES, words

if TYPE_CHECKING:
    from collections.abc import Mapping

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_SCRIPTED: Final = f"{_POLICY}; script-src 'self'; connect-src 'self'"
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Vary": "Cookie, Accept-Language",
}
"""What goes with every answer about a card: kept by nobody, found by nobody, told to nobody."""
STATIC: Final = {"card.css": "text/css", "verify.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""The files of the page, and their types."""


def policy(*, scripted: bool = False) -> dict[str, str]:
    """The content security policy of a page; only a receipt has a script, which asks this server for its proof."""
    return {"Content-Security-Policy": _SCRIPTED if scripted else _POLICY}


class Templates:
    """The pages' templates, compiled once."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("ledger", "cardholder/templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._environment.globals["languages"] = LANGUAGES

    def html(self, name: str, language: str, **told: Any) -> bytes:
        """A page in a language."""
        known = words(language)
        page = self._environment.get_template(name)
        return page.render(w=known, t=known.t, n=known.n, link=partial(link, language), **told).encode()


def link(language: str, path: str) -> str:
    """An address of ours that remembers the language."""
    return f"{path}?l={language}"


def static(name: str) -> bytes | None:
    """A file of the page; None where there is none of that name."""
    return files("ledger").joinpath(f"cardholder/static/{name}").read_bytes() if name in STATIC else None
