"""PINs on sheets of their own: a slip a card to be folded and sealed, in a PDF that only its passphrase opens (AES-256)."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Final

from fpdf import FPDF
from fpdf.enums import EncryptionMethod

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS: Final = 4
_SLIP_MM: Final = 70.0
_LEFT: Final = 20.0
_PASSPHRASE_BYTES: Final = 15
_SAID: Final = (
    ("PIN kartu Anda. Simpan, jangan tulis di kartu.", 9.0),
    ("Your card's PIN. Keep it; do not write it on the card.", 8.0),
)


def new_passphrase() -> str:
    """120 random bits as people type them: 24 letters and digits in groups of four."""
    text = base64.b32encode(secrets.token_bytes(_PASSPHRASE_BYTES)).decode()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def pdf(pins: Sequence[tuple[int, str]], passphrase: str, title: str) -> bytes:
    """Slips for cards (number, PIN), sealed under a passphrase; a slip shows the last four digits of its card's number and no more."""
    made = FPDF(unit="mm", format="A4")
    made.set_encryption(
        owner_password=passphrase, user_password=passphrase, encryption_method=EncryptionMethod.AES_256
    )
    made.set_title(title)
    made.set_auto_page_break(auto=False)
    for at, (number, pin) in enumerate(pins):
        if at % ROWS == 0:
            made.add_page()
        _draw(made, 10 + at % ROWS * _SLIP_MM, number, pin)
    return bytes(made.output())


def _draw(made: FPDF, y: float, number: int, pin: str) -> None:
    made.set_draw_color(150)
    made.rect(_LEFT - 6, y, 180, _SLIP_MM - 4)
    made.set_dash_pattern(dash=2, gap=2)
    made.line(_LEFT - 6, y + 33, _LEFT + 174, y + 33)  # fold here
    made.set_dash_pattern()
    made.set_font("Helvetica", size=10)
    made.text(_LEFT, y + 10, f"Kartu Semarang Hebat   ****{number % 10_000:04}")
    for place, (text, size) in enumerate(_SAID):
        made.set_font("Helvetica", size=size)
        made.text(_LEFT, y + 42 + 5 * place, text)
    made.set_font("Courier", style="B", size=22)
    made.text(_LEFT, y + 60, " ".join(pin))
