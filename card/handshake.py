"""AuthenticateEV2: what a terminal answers to a card's challenge, and how it checks the card's proof. Pure but for its random number.

Source: NXP AN12343 tables 16 and 17.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from card import ev2
from card.errors import SessionBroken
from keys.cmac import BLOCK

if TYPE_CHECKING:
    from keys.vault import CardKey


class Handshake:
    """One authentication with a key; `first` is AuthenticateEV2First, whose proof carries the session's identifier."""

    def __init__(self, key: CardKey, *, first: bool = True) -> None:
        self._key = key
        self._first = first
        self._rnd_a = secrets.token_bytes(BLOCK)
        self._rnd_b = b""

    def answer(self, challenge: bytes) -> bytes:
        """What the card is told for its challenge (32 bytes); raises SessionBroken."""
        if len(challenge) != BLOCK:
            raise SessionBroken("the card's challenge has a wrong length; tap again")
        self._rnd_b = self._key.decrypt(challenge, ev2.ZERO_IV)
        return self._key.encrypt(self._rnd_a + ev2.rotated(self._rnd_b), ev2.ZERO_IV)

    def proven(self, proof: bytes) -> tuple[ev2.SessionKeys, bytes]:
        """Session keys and session identifier (b"" unless first), once the card has proved that it has the key.

        Raises SessionBroken where it has not.
        """
        if len(proof) != (2 * BLOCK if self._first else BLOCK):
            raise SessionBroken("the card's proof has a wrong length; tap again")
        plain = self._key.decrypt(proof, ev2.ZERO_IV)
        at = ev2.TI_BYTES if self._first else 0
        if not ev2.same(plain[at : at + BLOCK], ev2.rotated(self._rnd_a)):
            raise SessionBroken("the card does not know its own key: not a genuine card")
        return ev2.session_keys(self._key, self._rnd_a, self._rnd_b), plain[:at]
