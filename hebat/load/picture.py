"""Latency histograms as one SVG, a row a step: how many batches were answered how soon after they fell due, over a logarithm of time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hebat.load.driving import Step

WIDTH: Final = 1000
LEFT: Final = 250
RIGHT: Final = 20
ROW: Final = 64
TOP: Final = 64
BOTTOM: Final = 56
LEAST_S: Final = 0.001
MOST_S: Final = 100.0
COLUMNS: Final = 120
TICKS: Final = (
    (0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (10.0, "10 s"), (100.0, "100 s"),
)  # fmt: skip
TONES: Final = {"borne": "#1f7a4d", "not borne": "#b3261e", "beyond": "#b3261e", "after": "#1f5fa8"}
_STYLE: Final = Markup(
    "text{font:13px system-ui,sans-serif;fill:#222}.what{font-weight:600}.small{font-size:11px;fill:#555}"
    "line{stroke:#ddd}.base{stroke:#888}.mark{stroke:#222;stroke-dasharray:3 3}"
)


def x_of(seconds: float) -> float:
    """Where a latency stands."""
    share = math.log(min(max(seconds, LEAST_S), MOST_S) / LEAST_S) / math.log(MOST_S / LEAST_S)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def picture(steps: Sequence[tuple[str, Step]], title: str) -> Markup:
    """One row for each step with what it is: borne, not borne, beyond, after."""
    height = TOP + ROW * len(steps) + BOTTOM
    parts = [_axis(height), *(_row(number, what, step) for number, (what, step) in enumerate(steps))]
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" role="img" aria-labelledby="title desc">'
        '<title id="title">{title}</title><desc id="desc">{told}</desc><style>{style}</style>'
        '<rect width="{w}" height="{h}" fill="#fff"/><text class="what" x="16" y="28">{title}</text>{parts}</svg>'
    ).format(w=WIDTH, h=height, title=title, told=_told(steps), style=_STYLE, parts=Markup("").join(parts))


def _told(steps: Sequence[tuple[str, Step]]) -> str:
    """The picture for who does not see it."""
    return "; ".join(
        f"{step.rate:.0f} batches a second, {what}: half within {_time(step.latency.percentile(50))}, 99 of 100 within "
        f"{_time(step.latency.percentile(99))}, sent away {step.shed} times"
        for what, step in steps
    )


def _axis(height: int) -> Markup:
    parts = [
        Markup(
            '<line x1="{x:.0f}" x2="{x:.0f}" y1="{y1}" y2="{y2}"/><text class="small" x="{x:.0f}" y="{y3}" text-anchor="{at}">{name}</text>'
        ).format(
            x=x_of(at), y1=TOP - 12, y2=height - BOTTOM, y3=height - BOTTOM + 16, name=name,
            at="end" if at == MOST_S else "middle",
        )
        for at, name in TICKS
    ]  # fmt: skip
    told = Markup(
        '<text class="small" x="{}" y="{}">from when a batch fell due to when it was answered; the broken line: 99 of 100</text>'
    )
    return Markup("").join([*parts, told.format(LEFT, height - 12)])


def _row(number: int, what: str, step: Step) -> Markup:
    base, high = TOP + ROW * (number + 1) - 6, ROW - 16
    columns = [0] * COLUMNS
    for ends, count in step.latency.buckets():
        columns[min(COLUMNS - 1, int((x_of(ends) - LEFT) / (WIDTH - LEFT - RIGHT) * COLUMNS))] += count
    most, wide = max([1, *columns]), (WIDTH - LEFT - RIGHT) / COLUMNS
    bars = [
        Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"/>').format(
            LEFT + column * wide, base - high * count / most, wide - 0.6, high * count / most, TONES[what]
        )
        for column, count in enumerate(columns)
        if count
    ]
    mark = x_of(step.latency.percentile(99))
    return Markup(
        '<g><text class="what" x="16" y="{y1}">{rate:.0f} a second</text><text class="small" x="16" y="{y2}">{what}{shed}</text>{bars}'
        '<line class="mark" x1="{mark:.1f}" x2="{mark:.1f}" y1="{top}" y2="{base}"/><line class="base" x1="{left}" x2="{right}" y1="{base}" y2="{base}"/></g>'
    ).format(
        y1=base - 22, y2=base - 6, rate=step.rate, what=what, bars=Markup("").join(bars), mark=mark, top=base - high, base=base,
        shed=f", {step.shed:,} times sent away" if step.shed else "", left=LEFT, right=WIDTH - RIGHT,
    )  # fmt: skip


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
