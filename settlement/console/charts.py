"""Charts drawn on the server as SVG: titled and described for who listens, coloured by the style sheet, exact because integers place every bar.

A chart never stands alone: its page has the table of the same figures beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WIDE: Final = 1080
"""A chart over the whole page."""
HALF: Final = 500
"""One of two beside each other."""
HEIGHT: Final = 240
LEFT: Final = 64
RIGHT: Final = 8
TOP: Final = 16
BOTTOM: Final = 28
STEPS: Final = (1, 2, 5)
LINES_MAX: Final = 5
LABELS_MAX: Final = 26
NARROW: Final = 14


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: what it is, and how high."""

    label: str
    value: int


def step_of(most: int) -> int:
    """The distance of the axis' lines: 1, 2 or 5 times a power of ten, so that at most five reach `most`."""
    power = 1
    while True:
        for one in STEPS:
            if one * power * LINES_MAX >= most:
                return one * power
        power *= 10


def bars(
    name: str,
    title: str,
    told: str,
    values: Sequence[Bar],
    shown: Callable[[int, int], str],
    tone: str = "b1",
    width: int = HALF,
) -> Markup:
    """A column chart; `name` makes its ids unique on a page, `told` says in a sentence what is to be seen.

    `shown` words a value beside another, whose unit it takes: the axis' step, so that all labels of an axis have one unit.
    Negative values hang below the axis.
    """
    axis = _axis_of(values)
    lines = [
        _line(axis.y(one), shown(one, axis.step), width)
        for one in range(axis.bottom, axis.top + 1, axis.step)
    ]
    drawn = [
        part for number in range(len(values)) for part in _column(values, number, axis, shown, tone, width)
    ]
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-labelledby="{n}-title {n}-desc">'
        '<title id="{n}-title">{title}</title><desc id="{n}-desc">{told}</desc>{parts}</svg>'
    ).format(
        w=width, h=HEIGHT, n=escape(name), title=title, told=told, parts=Markup("").join([*lines, *drawn])
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    """The upright axis: from `bottom` to `top` in steps, all whole."""

    bottom: int
    top: int
    step: int

    def y(self, value: int) -> int:
        """Where a value stands on the picture."""
        return TOP + (self.top - value) * (HEIGHT - TOP - BOTTOM) // (self.top - self.bottom)


def _axis_of(values: Sequence[Bar]) -> _Axis:
    high, low = max([0, *(one.value for one in values)]), min([0, *(one.value for one in values)])
    step = step_of(max(high - low, 1))
    return _Axis(low // step * step, -(-high // step) * step or (0 if low else step), step)


def _column(
    values: Sequence[Bar], number: int, axis: _Axis, shown: Callable[[int, int], str], tone: str, width: int
) -> list[Markup]:
    """The bar of a value, and its label where there is room for one."""
    one, room = values[number], width - LEFT - RIGHT
    x0, x1 = (LEFT + place * room // len(values) for place in (number, number + 1))
    gap = (x1 - x0) // 5
    upper, lower = sorted((axis.y(one.value), axis.y(0)))
    bar = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}: {}</title></rect>').format(
        tone, x0 + gap, upper, max(x1 - x0 - 2 * gap, 1), lower - upper, one.label, shown(one.value, 1)
    )
    if number % (-(-len(values) // LABELS_MAX)):
        return [bar]
    label = Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>')
    return [bar, label.format((x0 + x1) // 2, HEIGHT - 9, one.label[:NARROW])]


def _line(y: int, label: str, width: int) -> Markup:
    return Markup(
        '<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"></line><text x="{}" y="{}" text-anchor="end">{}</text>'
    ).format(LEFT, width - RIGHT, y, y, LEFT - 6, y + 4, label)
