"""A QR code as a path of an SVG, for a page that may load nothing: squares by rows, joined where they touch (ISO/IEC 18004). Pure."""

from __future__ import annotations

from itertools import groupby
from typing import Final

import qrcode

QUIET: Final = 4
"""Light squares around it (ISO/IEC 18004 section 5.3.8)."""


def drawn(address: str) -> tuple[int, str]:
    """Squares a side, quiet zone and all, and the path of its dark ones."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=QUIET)
    code.add_data(address)
    code.make(fit=True)
    rows = code.get_matrix()
    return len(rows), "".join(_row(y, row) for y, row in enumerate(rows))


def _row(y: int, row: list[bool]) -> str:
    runs, x = [], 0
    for dark, squares in groupby(row):
        length = len(list(squares))
        if dark:
            runs.append(f"M{x} {y}h{length}v1h-{length}z")
        x += length
    return "".join(runs)
