"""What commands print on: a console that has a width also where there is none, and tables of figures under a title."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table

WIDTH: Final = 118
"""Characters of a line into a pipe, which has no width of its own."""


def console(*, machine: bool = False) -> Console:
    """Where a command prints for people; on standard error where standard output is for a machine."""
    made = Console(stderr=machine, highlight=False)
    if not made.is_terminal:
        made.width = WIDTH
    return made


def titled(title: str, *columns: str, words: int = 1, gap: int = 2) -> Table:
    """A table under a title: its first `words` columns hold words, the others figures; `gap` is the room between columns."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, gap, 0, 0),
    )
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < words else "right", overflow="fold")
    return table
