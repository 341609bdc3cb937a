"""What stands on a card: the code, the number with its check digit, and the key by which receipts are checked; as SVG for a card printer, as PDF in sheets.

A card is ID-1 (ISO/IEC 7810): 85.60 by 53.98 mm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fpdf import FPDF

from hebat.cards.naming import grouped
from hebat.cards.printing.codes import QUIET, SIDE_MM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hebat.cards.printing.codes import Code

WIDTH_MM: Final = 85.6
HEIGHT_MM: Final = 53.98
MARGIN_MM: Final = 5.0
COLUMNS, ROWS = 2, 5
_NAME: Final = "Kartu Semarang Hebat"
_PAGE_LEFT: Final = 16.0
_PAGE_TOP: Final = 12.0
_DPI: Final = 0.352_778
"""Millimetres of a typographic point."""


def texts(number: int, fingerprint: str) -> tuple[tuple[str, float, float, float], ...]:
    """Lines of text: what, from the left, the base line from above (mm), and size (points)."""
    low = HEIGHT_MM - MARGIN_MM
    return (
        (_NAME, MARGIN_MM, 9.5, 11.0),
        (grouped(number), MARGIN_MM, low - 5.0, 13.0),
        (f"check digit {number % 10}", MARGIN_MM, low - 1.2, 6.0),
        (f"key {fingerprint}", MARGIN_MM + 22.0, low - 1.2, 6.0),
    )


def place(code: Code) -> tuple[float, float]:
    """Where the code's first square is: at the right, in the middle, its quiet zone within the card."""
    quiet = QUIET * code.square_mm
    return WIDTH_MM - SIDE_MM - max(MARGIN_MM, quiet), (HEIGHT_MM - SIDE_MM) / 2 - 4.0


def svg(number: int, code: Code, fingerprint: str) -> str:
    """One card, in millimetres."""
    left, top = place(code)
    square, quiet = code.square_mm, QUIET * code.square_mm
    path = "".join(f"M{x} {y}h{length}v1h-{length}z" for x, y, length in code.runs)
    said = "".join(
        f'<text x="{x:g}" y="{y:g}" font-size="{size * _DPI:.3f}">{text}</text>'
        for text, x, y, size in texts(number, fingerprint)
    )
    white = SIDE_MM + 2 * quiet
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM}mm" height="{HEIGHT_MM}mm" viewBox="0 0 {WIDTH_MM} {HEIGHT_MM}">'
        f'<g font-family="Helvetica, Arial, sans-serif">{said}</g>'
        f'<rect x="{left - quiet:.4f}" y="{top - quiet:.4f}" width="{white:.4f}" height="{white:.4f}" fill="#fff"/>'
        f'<g transform="translate({left:.4f} {top:.4f}) scale({square:.6f})"><path d="{path}" shape-rendering="crispEdges"/></g></svg>\n'
    )


def pdf(cards: Sequence[tuple[int, Code]], fingerprint: str, title: str) -> bytes:
    """Cards on A4 sheets, ten each, with cutting marks."""
    made = FPDF(unit="mm", format="A4")
    made.set_title(title)
    made.set_auto_page_break(auto=False)
    for at, (number, code) in enumerate(cards):
        if at % (COLUMNS * ROWS) == 0:
            made.add_page()
        row, column = divmod(at % (COLUMNS * ROWS), COLUMNS)
        _draw(
            made,
            _PAGE_LEFT + column * (WIDTH_MM + 4),
            _PAGE_TOP + row * (HEIGHT_MM + 0.5),
            number,
            code,
            fingerprint,
        )
    return bytes(made.output())


def _draw(made: FPDF, x: float, y: float, number: int, code: Code, fingerprint: str) -> None:
    made.set_draw_color(200)
    made.set_line_width(0.1)
    made.rect(x, y, WIDTH_MM, HEIGHT_MM)
    for text, left, base, size in texts(number, fingerprint):
        made.set_font("Helvetica", size=size)
        made.text(x + left, y + base, text)
    made.set_fill_color(0)
    left, top = place(code)
    square = code.square_mm
    for run in code.runs:
        made.rect(x + left + run.x * square, y + top + run.y * square, run.length * square, square, style="F")
