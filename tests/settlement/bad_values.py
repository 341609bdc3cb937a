"""What a field of SNAP's tables may not be: the values that the tests of bad input put in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from settlement.snap.fields import Field, Form

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
AMOUNTS: Final = (
    {"value": "1", "currency": "IDR"}, {"value": "9" * 14 + ".00", "currency": "IDR"}, {"value": "1.00", "currency": "USD"}, {"value": 1, "currency": "IDR"},
)  # fmt: skip
HALVES: Final = ({"currency": "IDR"}, {"value": "1.00"}, {"value": "", "currency": "IDR"}, {"value": "1.00", "currency": None})  # fmt: skip
"""Amounts of which a part is missing."""


def missing(field: Field) -> list[object]:
    """A mandatory field that is not there (None), or empty; amounts of which a half is missing, whatever the field."""
    found: list[object] = [None, ""] if field.mandatory else []
    if field.form is Form.LIST and field.mandatory:
        found.append([])
    return found + (list(HALVES) if field.form is Form.AMOUNT else [])


def malformed(field: Field) -> list[object]:
    """Of another form, or longer than it may be."""
    found: list[object] = [7, True, 1.5]
    match field.form:
        case Form.AMOUNT:
            return [*found, [], "10000.00", *AMOUNTS]
        case Form.OBJECT:
            return [*found, [], "object", [{}]]
        case Form.LIST:
            return [*found, {"a": 1}, "list", [7], ["x"], [[]], [None]]
    found += [[], {"a": 1}, "1" * (field.characters + 1), "line\nbreak"]
    if field.form is Form.DIGITS:
        found += ["1a", "-1", "1.0", "\u0661"]
    if field.form is Form.MOMENT:
        found += ["2026-11-18", "2026-13-18T12:00:00+07:00", "2026-11-18T12:00:00"]
    return found


def each(fields: tuple[Field, ...], above: Path = ()) -> Iterator[tuple[Path, Field]]:
    """Every field of a table with the way to it, those within objects and lists (their first one) too."""
    for field in fields:
        path = (*above, field.name)
        yield path, field
        yield from each(field.parts, (*path, 0) if field.form is Form.LIST else path)


def put(body: dict[str, Any], path: Path, value: object) -> None:
    """Put something in a field's place; None takes the field away."""
    *way, last = path
    at: Any = body
    for step in way:
        at = at[step]
    if value is None:
        at.pop(last, None)
    else:
        at[last] = value
