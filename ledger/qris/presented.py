"""The payload that a payer presents (EMVCo QRCPS Consumer-Presented 1.1): BER-TLV in base64, read by the merchant's till.

85  format "CPV01"
61  application: 4F identifier, 50 label, 5A PAN, 5F20 name, 5F2D languages, 5F50 issuer's address, 9F25 last four digits,
    63 transparent template with 9F74, the issuer's own data (QRIS: a token for this one payment)
62  data common to all applications
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Self

from ledger.errors import QrReason, QrRefused
from ledger.qris import ber
from ledger.qris.ber import BerObject

FORMAT: Final = 0x85
VERSION: Final = b"CPV01"
APPLICATION: Final = 0x61
TRANSPARENT: Final = 0x63
QRIS_AID: Final = bytes.fromhex("A0000006022020")
CHARACTERS_MAX: Final = 512
_AID, _LABEL, _PAN, _NAME, _LANGUAGES, _ISSUER, _LAST4, _TOKEN = (
    0x4F,
    0x50,
    0x5A,
    0x5F20,
    0x5F2D,
    0x5F50,
    0x9F25,
    0x9F74,
)
_AID_BYTES: Final = range(5, 17)
_PAN_DIGITS: Final = range(8, 20)


@dataclass(frozen=True, slots=True)
class Application:
    """An application template: its objects in order, and what the known ones say ("" and b"" where they are missing)."""

    objects: tuple[BerObject, ...]

    def value(self, tag: int) -> bytes:
        """A value of the template or of its transparent template, b"" where there is none."""
        inner = next((one.value for one in self.objects if one.tag == TRANSPARENT), b"")
        found = (one.value for one in (*self.objects, *ber.parse(inner, "63.")) if one.tag == tag)
        return next(found, b"")

    @property
    def aid(self) -> bytes:
        """Application identifier (4F)."""
        return self.value(_AID)

    @property
    def pan(self) -> str:
        """Account number (5A): digits, packed two a byte, filled up with F."""
        return self.value(_PAN).hex().rstrip("f")

    @property
    def name(self) -> str:
        """Payer's name (5F20)."""
        return self.value(_NAME).decode("utf-8", "replace")

    @property
    def token(self) -> bytes:
        """The issuer's own data (9F74)."""
        return self.value(_TOKEN)


@dataclass(frozen=True, slots=True)
class Presented:
    """A consumer-presented payload: objects in order, known or not, given back byte for byte."""

    objects: tuple[BerObject, ...]

    @classmethod
    def read(cls, text: str) -> Self:
        """From what a till's camera saw.

        Raises QrRefused: TOO_LONG, NOT_TEXT for what is no base64, LENGTH_*, FORMAT_UNKNOWN, ACCOUNT_MISSING, FIELD_INVALID.
        """
        if len(text) > CHARACTERS_MAX:
            raise QrRefused(
                QrReason.TOO_LONG, f"{len(text)} characters: a payload has at most {CHARACTERS_MAX}"
            )
        objects = ber.parse(_decoded(text))
        if not objects or objects[0] != (FORMAT, VERSION):
            raise QrRefused(QrReason.FORMAT_UNKNOWN, "it does not begin with CPV01: another kind of QR", "85")
        payload = cls(objects)
        if not payload.applications:
            raise QrRefused(QrReason.ACCOUNT_MISSING, "it holds no application (61) to pay with", "61")
        for application in payload.applications:
            _check(application)
        return payload

    def text(self) -> str:
        """The payload as text: the very bytes that were read."""
        return base64.b64encode(ber.encode(self.objects)).decode()

    @property
    def applications(self) -> tuple[Application, ...]:
        """Ways to pay, the payer's first choice first."""
        return tuple(
            Application(ber.parse(one.value, "61.")) for one in self.objects if one.tag == APPLICATION
        )


def present(pan: str, name: str, token: bytes, issuer_url: str = "") -> Presented:
    """The payload of a QRIS payer. `token`: ASCII letters and digits that the issuer knows for one payment.

    Raises QrRefused where a value has no place in it.
    """
    padded = pan + "f" * (len(pan) % 2)
    fields = {
        _AID: QRIS_AID,
        _LABEL: b"QRISCPM",
        _PAN: bytes.fromhex(padded) if _is_pan(pan) else b"",
        _NAME: name.encode(),
        _LANGUAGES: b"iden",
        _ISSUER: issuer_url.encode(),
        _LAST4: bytes.fromhex(pan[-4:]) if _is_pan(pan) else b"",
        TRANSPARENT: ber.encode([BerObject(_TOKEN, token)]),
    }
    inside = [BerObject(tag, value) for tag, value in fields.items() if value]
    text = Presented((BerObject(FORMAT, VERSION), BerObject(APPLICATION, ber.encode(inside)))).text()
    return Presented.read(text)


def _is_pan(pan: str) -> bool:
    return pan.isascii() and pan.isdigit() and len(pan) in _PAN_DIGITS


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise QrRefused(QrReason.NOT_TEXT, "it is no base64: cut off, or another kind of QR") from None
    if base64.b64encode(data).decode() != text:  # bits that no byte has: two texts must not be one payload
        raise QrRefused(QrReason.NOT_TEXT, "its last characters hold bits that no byte has")
    return data


def _check(application: Application) -> None:
    tags = [one.tag for one in application.objects]
    if len(set(tags)) < len(tags):
        raise QrRefused(QrReason.TAG_REPEATED, "an application has a tag twice", "61")
    if len(application.aid) not in _AID_BYTES:
        raise QrRefused(QrReason.FIELD_INVALID, "an application's identifier (4F) has 5 to 16 bytes", "4F")
    if application.aid == QRIS_AID and not _is_pan(application.pan):
        raise QrRefused(
            QrReason.FIELD_INVALID, "a QRIS application has an account number (5A) of 8 to 19 digits", "5A"
        )
