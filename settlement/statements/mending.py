"""Mends a bank's MT940 line by line, as its dialect allows, and says what it mended. The count of lines stays the file's own."""

from __future__ import annotations

import calendar
import re
from io import BytesIO
from typing import TYPE_CHECKING, Final

from settlement.errors import StatementRefused
from settlement.statements.dialects import Mend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.statements.dialects import Dialect
    from settlement.statements.model import Remarks

LINE_BYTES_MAX: Final = 20_000
_TABS: Final = str.maketrans("\t", " ")
_CONTROLS: Final = {code: None for code in range(32) if code not in {9, 10}}
_TRAILER: Final = re.compile(r"-[A-Z0-9]{1,8}")
_BROKEN_61: Final = re.compile(r":61:\d{6}(\d{4})?R?[CD][A-Z]?")
_BALANCE: Final = re.compile(r"(:6[0245][FM]?:[CD]\d{6}[A-Z]{3})(\d{1,12})")
_AMOUNT_61: Final = re.compile(r"(:61:\d{6}(?:\d{4})?R?[CD][A-Z]?)(\d{1,12})(?=[A-Z])")
_TAG: Final = re.compile(r":(\d{2}[A-Z]?):")
_FIELDS: Final = frozenset(
    {"20", "21", "25", "28", "28C", "60F", "60M", "61", "62F", "62M", "64", "65", "86"}
)
_DATED: Final = re.compile(r":(?:61:|6[0245][FM]?:[CD])(\d{2})(\d{2})(\d{2})")

Numbered = tuple[int, str]


def mended(content: bytes, dialect: Dialect, remarks: Remarks) -> Iterator[Numbered]:
    """The lines of a file by number, mended; raises StatementRefused for bytes that are no text."""
    lines = _decoded(content, dialect, remarks)
    if Mend.HEADER in dialect.mends:
        lines = _without_header(lines, remarks)
    if Mend.WRAPPED in dialect.mends:
        lines = _joined(lines, remarks)
    return _each(lines, dialect, remarks)


def _decoded(content: bytes, dialect: Dialect, remarks: Remarks) -> Iterator[Numbered]:
    for number, raw in enumerate(BytesIO(content), start=1):
        if len(raw) > LINE_BYTES_MAX:
            raise StatementRefused(f"a line of over {LINE_BYTES_MAX} bytes", number)
        line = raw.rstrip(b"\n").removesuffix(b"\r")
        try:
            yield number, line.decode("utf-8")
        except UnicodeDecodeError:
            if Mend.CHARSET not in dialect.mends:
                raise StatementRefused("a byte that is no utf-8 text", number) from None
            remarks.add(number, Mend.CHARSET)
            yield number, line.decode("cp1252", "replace")


def _without_header(lines: Iterator[Numbered], remarks: Remarks) -> Iterator[Numbered]:
    started = False
    for number, line in lines:
        if not started and not line.startswith((":20:", "{")) and line.strip("\x01 \t") and _is_own(line):
            remarks.add(number, Mend.HEADER)
            continue
        started = started or line.startswith((":20:", "{"))
        yield number, line


def _is_own(line: str) -> bool:
    """Whether a line before field 20 is the bank's: no field of a statement, so that an excerpt is not mistaken for one."""
    return not re.match(r":(?!940:)\d{2}[A-Z]?:", line)


def _joined(lines: Iterator[Numbered], remarks: Remarks) -> Iterator[Numbered]:
    """A field 61 that breaks off before its amount, and a colon that stands alone, joined with the next line."""
    for number, line in lines:
        whole = line
        while _BROKEN_61.fullmatch(whole) or whole == ":":
            following = next(lines, None)
            if following is None:
                break
            remarks.add(number, Mend.WRAPPED)
            whole += following[1]
        yield number, whole


def _each(lines: Iterator[Numbered], dialect: Dialect, remarks: Remarks) -> Iterator[Numbered]:
    steps = [step for mend, step in _STEPS.items() if mend in dialect.mends]
    for number, line in lines:
        changed = line
        for mend, step in steps:
            before = changed
            changed = step(before)
            if changed != before:
                remarks.add(number, mend)
        yield number, changed


def _whole_amount(line: str) -> str:
    return _AMOUNT_61.sub(
        r"\1\2,", _BALANCE.sub(r"\1\2,", line) if _BALANCE.fullmatch(line.rstrip()) else line
    )


def _old_28(line: str) -> str:
    return ":28C:" + line[4:] if line.startswith(":28:") else line


def _no_field(line: str) -> str:
    found = _TAG.match(line)
    return line if found is None or found[1] in _FIELDS else f" {line}"


def _month_end(line: str) -> str:
    found = _DATED.match(line)
    if found is None:
        return line
    year, month, day = (int(part) for part in found.groups())
    if not 1 <= month <= 12 or day > 31:  # noqa: PLR2004  no date at all: the standard's rules refuse it
        return line
    last = calendar.monthrange(2000 + year, month)[1]
    return line if day <= last else f"{line[: found.start(3)]}{last:02d}{line[found.end(3) :]}"


_STEPS: Final = {
    mend: (mend, step)
    for mend, step in (
        (Mend.CONTROL, lambda line: line.translate(_CONTROLS)),
        (Mend.TABS, lambda line: line.translate(_TABS)),
        (Mend.TRAILER, lambda line: "-" if _TRAILER.fullmatch(line.rstrip()) else line),
        (Mend.FIELD_28, _old_28),
        (Mend.NO_FIELD, _no_field),
        (Mend.NO_COMMA, _whole_amount),
        (Mend.MONTH_END, _month_end),
    )
}
