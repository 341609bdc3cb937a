"""The tree of the `hebat` command is made once a process: Typer makes it anew for each call, which is most of what many a command's test costs."""

from __future__ import annotations

from functools import cache

import typer.main
import typer.testing


def make_commands_once() -> None:
    """From here on a Typer application's commands are made when it is first called, and kept: no call changes them."""
    made = cache(typer.main.get_command)
    typer.main.get_command = made
    setattr(typer.testing, "_get_command", made)  # noqa: B010  the runner has taken a reference of its own
