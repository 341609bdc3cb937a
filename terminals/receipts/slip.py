"""A receipt: what it says, as text, as bytes of an ESC/POS printer, and as a QR picture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import qrcode
from escpos.printer import Dummy
from qrcode.image.svg import SvgPathImage

from keys.clock import local
from terminals.screen.words import words

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from keys.money import Rupiah

WIDTH: Final = 32
"""Characters of a line on 58 mm paper, font A."""


@dataclass(frozen=True, slots=True)
class Slip:
    """A finished sale or fare: rupiah; `sequence` is the terminal's record, by which the back office finds it. No card number."""

    title: str
    word: str
    amount: Rupiah
    balance: Rupiah
    at: UnixMs
    terminal: int
    sequence: int

    @property
    def reference(self) -> str:
        """What names this transaction, and no card: terminal and record."""
        return f"KSH-{self.terminal}-{self.sequence}"

    def lines(self, language: str) -> list[str]:
        """The receipt's lines in a language, each within the paper's width."""
        said = words(language)
        pairs = (
            (said[self.word], _rupiah(self.amount)),
            (said["balance-left"], _rupiah(self.balance)),
            (f"{local(self.at):%d.%m.%Y %H:%M}", self.reference),
        )
        return [self.title[:WIDTH].center(WIDTH).rstrip(), *(_apart(*pair) for pair in pairs)]


def _rupiah(amount: Rupiah) -> str:
    return f"Rp{amount:,}".replace(",", ".")


def _apart(left: str, right: str) -> str:
    room = WIDTH - len(right) - 1
    return f"{left[:room]:<{room}} {right}"


def escpos(slip: Slip, language: str) -> bytes:
    """The receipt for an ESC/POS printer (Epson's commands), with its reference as a QR code, and a cut."""
    printer = Dummy()
    printer.set(align="left")
    for line in slip.lines(language):
        printer.textln(line)
    printer.qr(slip.reference, size=6)
    printer.cut()
    done: bytes = printer.output
    return done


def picture(slip: Slip) -> bytes:
    """The reference as a QR code (SVG), for a customer's phone."""
    out = io.BytesIO()
    qrcode.make(slip.reference, image_factory=SvgPathImage, border=4).save(out)
    return out.getvalue()
