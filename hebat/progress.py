"""Progress of anything that lasts: a bar for people, nothing for machines."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from rich.console import Console


class Progress(Protocol):
    """Told of steps as they go."""

    def step(self, name: str, total: int) -> AbstractContextManager[Callable[[float], None]]:
        """A step of so many parts; call what it gives with how many are done."""


class Quiet:
    """Says nothing."""

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[float], None]]:  # noqa: ARG002  nothing is shown
        """A step that nobody sees."""
        yield lambda done: None  # noqa: ARG005  likewise


class Shown:
    """A bar a step on a terminal; one line a step where the output is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[float], None]]:
        """A bar that fills."""
        columns = (
            TextColumn("{task.description:<62}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn(),
        )  # fmt: skip
        with Bars(*columns, console=self._console) as bars:
            task = bars.add_task(name, total=total)
            yield lambda done: bars.update(task, completed=done)
            bars.update(task, completed=total)
