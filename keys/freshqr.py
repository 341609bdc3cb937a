"""A fresh balance in a QR code: what a terminal saw on a card a moment ago, signed by it, good for two minutes and for one look.

Fixed bytes, big-endian: form 1, terminal 4, card number 7, balance 4 (whole rupiah), the card's transaction counter 4, seconds since 1970 4, nonce 8; behind them
the terminal's Ed25519 signature (RFC 8032) over a label and these bytes. Written in base 32 (RFC 4648 section 6) without padding, for an address in capitals
takes QR's alphanumeric mode (ISO/IEC 18004 section 7.4.4), a quarter smaller than any other text. No UID: that stays between card, terminal and ledger.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from keys.clock import UnixMs
from keys.errors import FreshQrExpired, FreshQrUnreadable, SignatureWrong
from keys.money import Rupiah

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD_SECONDS: Final = 120
"""How long after the tap it is worth anything."""
AHEAD_SECONDS_MAX: Final = 30
"""How far a terminal's clock may run before the ledger's."""
NONCE_BYTES: Final = 8
TEXT_CHARS: Final = 154
_FORM: Final = 1
_LABEL: Final = b"KSH fresh QR\x00"
"""No envelope's signature starts so (`keys.envelope`): one identity signs both, and neither passes for the other."""
_BODY: Final = struct.Struct(">B I 7s I I I 8s")
_SIGNATURE_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class FreshQr:
    """What a terminal says of a card at a moment; nothing is proven before `verify`.

    `counter` is the card's transaction counter at that moment: later counters mean a later balance. `nonce` is what whoever shows it
    once remembers, together with `terminal`, until `good_until`.
    """

    terminal: int
    card_number: int
    balance: Rupiah
    counter: int
    seconds: int
    nonce: bytes
    signature: bytes = b""

    @classmethod
    def made(
        cls,
        sign: Callable[[bytes], bytes],
        terminal: int,
        card_number: int,
        balance: Rupiah,
        counter: int,
        at: UnixMs,
    ) -> Self:
        """Signed by a terminal's identity (`sign` gives the Ed25519 signature of a message), with a nonce of its own."""
        plain = cls(terminal, card_number, balance, counter, at // 1000, secrets.token_bytes(NONCE_BYTES))
        return cls(*plain._fields(), sign(_LABEL + plain._body()))

    @classmethod
    def read(cls, text: str) -> Self:
        """From the text in an address; raises FreshQrUnreadable for anything that `text` would not have written."""
        try:
            data = base64.b32decode(text + "=" * (-len(text) % 8))
        except (binascii.Error, ValueError):
            raise _unreadable() from None
        if len(data) != _BODY.size + _SIGNATURE_BYTES:
            raise _unreadable()
        form, terminal, number, balance, counter, seconds, nonce = _BODY.unpack_from(data)
        found = cls(
            terminal, int.from_bytes(number), Rupiah(balance), counter, seconds, nonce, data[_BODY.size :]
        )
        if form != _FORM or found.text() != text:
            raise _unreadable()
        return found

    def text(self) -> str:
        """What stands in the address: 154 capitals and digits."""
        return base64.b32encode(self._body() + self.signature).decode().rstrip("=")

    @property
    def good_until(self) -> UnixMs:
        """From when on it is worth nothing."""
        return UnixMs(1000 * (self.seconds + GOOD_SECONDS))

    def verify(self, public_key: bytes, now: UnixMs) -> None:
        """Nothing where the terminal of this key (raw Ed25519, 32 bytes) signed it within two minutes.

        Raises SignatureWrong, FreshQrExpired. That it is shown once, and that the terminal is not revoked, is the caller's to see to.
        """
        try:
            key = Ed25519PublicKey.from_public_bytes(public_key)
            key.verify(self.signature, _LABEL + self._body())
        except (InvalidSignature, ValueError):
            raise SignatureWrong(f"the signature is not terminal {self.terminal}'s") from None
        if now >= self.good_until:
            raise FreshQrExpired("this balance is older than two minutes: hold the card to a terminal again")
        if 1000 * (self.seconds - AHEAD_SECONDS_MAX) > now:
            raise FreshQrExpired(
                "this balance is from the future: the terminal's clock is wrong; tell its operator"
            )

    def _fields(self) -> tuple[int, int, Rupiah, int, int, bytes]:
        return self.terminal, self.card_number, self.balance, self.counter, self.seconds, self.nonce

    def _body(self) -> bytes:
        terminal, number, balance, counter, seconds, nonce = self._fields()
        return _BODY.pack(_FORM, terminal, number.to_bytes(7), balance, counter, seconds, nonce)


def _unreadable() -> FreshQrUnreadable:
    return FreshQrUnreadable("this is no balance that a terminal showed: scan its code again")
