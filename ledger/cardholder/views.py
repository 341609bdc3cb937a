"""A view: for ten minutes one browser may see one card. Kept in the browser alone, in a sealed cookie (docs/decisions, "The balance page").

The cookie is strictly necessary, holds no name and no number that anybody else knows, is HttpOnly and SameSite=Lax, and ends with the browser or the view.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from card.ev2 import same
from keys.clock import UnixMs

if TYPE_CHECKING:
    from keys.clock import Clock

VIEW_MS: Final = 10 * 60_000
VALUE_CHARS_MAX: Final = 80
_LAYOUT: Final = struct.Struct(">BQQ")
_MAC_BYTES: Final = 16


class Door(IntEnum):
    """How a view was opened."""

    PIN = 1
    SCREEN = 2
    PHONE = 3


class View(NamedTuple):
    """Which card may be seen, until when, and by which way in."""

    uid: int
    until: UnixMs
    door: Door

    @property
    def may_act(self) -> bool:
        """True where the holder gave the PIN: a card that was found, or lent for a moment, can be looked at, not blocked or registered."""
        return self.door is Door.PIN


class Views:
    """Makes and reads views; they end with this process, whose key nobody else has."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def made(self, uid: int, door: Door) -> str:
        """A new view's value."""
        body = _LAYOUT.pack(door, uid, self._clock.now() + VIEW_MS)
        return base64.urlsafe_b64encode(body + self._mac(body)).decode().rstrip("=")

    def read(self, value: str) -> View | None:
        """The view of a value; None where it is none of ours, or over."""
        if not 0 < len(value) <= VALUE_CHARS_MAX:
            return None
        try:
            data = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except (ValueError, binascii.Error):
            return None
        body, mac = data[: _LAYOUT.size], data[_LAYOUT.size :]
        if len(body) != _LAYOUT.size or not same(mac, self._mac(body)):
            return None
        door, uid, until = _LAYOUT.unpack(body)
        return View(uid, UnixMs(until), Door(door)) if self._clock.now() < until else None

    def form_key(self, value: str) -> str:
        """What a page's forms carry besides the cookie: a page of somebody else cannot know it."""
        return hmac.new(self._key, b"form" + value.encode(), hashlib.sha256).hexdigest()[:32]

    def is_form_key(self, value: str, key: str) -> bool:
        """True where a form carries the key of its view."""
        return bool(value) and same(key.encode(), self.form_key(value).encode())

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._key, b"view" + body, hashlib.sha256).digest()[:_MAC_BYTES]
