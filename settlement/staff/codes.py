"""One-time codes (TOTP, RFC 6238: SHA-1, six digits, 30 seconds) and recovery codes.

A code counts once: the step that it belongs to is remembered, and no step up to it is taken again (RFC 6238 section 5.2). A clock may be one
step off either way.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import re
import secrets
from typing import TYPE_CHECKING, Final

import pyotp
import qrcode
from qrcode.image.svg import SvgPathImage

if TYPE_CHECKING:
    from keys.clock import UnixMs

STEP_MS: Final = 30_000
DRIFT_STEPS: Final = 1
RECOVERY_CODES: Final = 10
RECOVERY_COST: Final = 1 << 12
"""scrypt's N for codes that are drawn, of 50 bits: 4 MiB a guess."""
_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_ISSUER: Final = "Kartu Semarang Hebat"
_DIGITS: Final = re.compile(r"[0-9]{6}\Z")


def new_secret() -> str:
    """A secret for an authenticator, Base32 (160 bits)."""
    return pyotp.random_base32()


def step_of(secret: str, code: str, at: UnixMs, last: int) -> int | None:
    """The step that a code belongs to, if it is one that was not used; None for a wrong one."""
    typed = code.replace(" ", "")
    if not _DIGITS.match(typed):
        return None
    now, totp = at // STEP_MS, pyotp.TOTP(secret)
    found = None
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):  # all are compared, whichever fits
        if hmac.compare_digest(totp.generate_otp(step), typed) and step > last:
            found = step
    return found


def address_of(secret: str, name: str) -> str:
    """The address that an authenticator reads from a QR (Key URI Format)."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=_ISSUER)


def picture_of(address: str) -> str:
    """The QR of an address: an SVG element without script or style, to stand in a page."""
    code = qrcode.QRCode(border=2, image_factory=SvgPathImage)
    code.add_data(address)
    drawn = io.BytesIO()
    code.make_image().save(drawn)
    return drawn.getvalue().decode().partition("?>")[2].strip()


def new_recovery_codes() -> tuple[str, ...]:
    """Codes for who lost the authenticator: each for one use, 50 bits, in two groups."""
    drawn = ("".join(secrets.choice(_ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES))
    return tuple(f"{code[:5]}-{code[5:]}" for code in drawn)


def recovery_digest(name: str, code: str) -> bytes:
    """What is stored of a recovery code; how it is grouped or typed does not matter."""
    plain = re.sub(r"[^A-Z0-9]", "", code.upper())
    return hashlib.scrypt(plain.encode(), salt=name.encode(), n=RECOVERY_COST, r=8, p=1, dklen=32)
