"""Keyset cursors: where a page ended, as text that a client gives back unread.

A page goes on behind the last row's key, so that rows written in between neither repeat nor skip any. The cursor names its list
and filters too: one of another list is refused, and not taken for a place in this one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, Final

from ledger.errors import CursorRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

CURSOR_CHARS_MAX: Final = 400
PAGE_MAX: Final = 500
PAGE: Final = 100
_LIST_CHARS: Final = 8
_INTEGER_MAX: Final = (1 << 63) - 1


def written(of: str, key: Sequence[int | str]) -> str:
    """The cursor behind a row of a list; `of` says list and filters, `key` is the row's."""
    body = json.dumps([_name(of), *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def read(of: str, cursor: str, kinds: Sequence[type[int | str]]) -> tuple[int | str, ...] | None:
    """The key that a cursor of this list holds; None for "", the beginning. Raises CursorRefused."""
    if not cursor:
        return None
    try:
        body = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _refused() from None
    if not isinstance(body, list) or len(body) != len(kinds) + 1 or body[0] != _name(of):
        raise _refused()
    key = tuple(body[1:])
    if any(type(part) is not kind for part, kind in zip(key, kinds, strict=True)):
        raise _refused()
    if not all(_is_plain(part) for part in key):
        raise _refused()
    return key


def _is_plain(part: int | str) -> bool:
    """Whether any database can be asked for it: words of ours are printable ASCII, and PostgreSQL has no zero byte in a text."""
    if isinstance(part, str):
        return part.isascii() and part.isprintable()
    return abs(part) <= _INTEGER_MAX


def _name(of: str) -> str:
    return hashlib.sha256(of.encode()).hexdigest()[:_LIST_CHARS]


def _refused() -> CursorRefused:
    return CursorRefused("this cursor is not of this list with these filters: begin without one")
