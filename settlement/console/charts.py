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
    high = max([0, *(one.value for one in values)])
    low = min([0, *(one.value for one in values)])
    step = step_of(max(high - low, 1))
    top, bottom = -(-high // step) * step or (0 if low else step), low // step * step
    plot_height, plot_width = HEIGHT - TOP - BOTTOM, width - LEFT - RIGHT

    def y(value: int) -> int:
        return TOP + (top - value) * plot_height // (top - bottom)

    parts = [_axis(y(value), shown(value, step), width) for value in range(bottom, top + 1, step)]
    every = -(-len(values) // LABELS_MAX) or 1
    for number, one in enumerate(values):
        x0 = LEFT + number * plot_width // len(values)
        x1 = LEFT + (number + 1) * plot_width // len(values)
        gap = (x1 - x0) // 5
        upper, lower = sorted((y(one.value), y(0)))
        parts.append(
            Markup(
                '<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}: {}</title></rect>'
            ).format(
                tone,
                x0 + gap,
                upper,
                max(x1 - x0 - 2 * gap, 1),
                lower - upper,
                one.label,
                shown(one.value, 1),
            )
        )
        if number % every == 0:
            parts.append(
                Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
                    (x0 + x1) // 2, HEIGHT - 9, one.label[:NARROW]
                )
            )
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-labelledby="{n}-title {n}-desc">'
        '<title id="{n}-title">{title}</title><desc id="{n}-desc">{told}</desc>{parts}</svg>'
    ).format(w=width, h=HEIGHT, n=escape(name), title=title, told=told, parts=Markup("").join(parts))


def _axis(y: int, label: str, width: int) -> Markup:
    return Markup(
        '<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"></line><text x="{}" y="{}" text-anchor="end">{}</text>'
    ).format(LEFT, width - RIGHT, y, y, LEFT - 6, y + 4, label)
