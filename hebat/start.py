"""Where the `hebat` command begins: loading it takes a second, in which a Ctrl-C is one too."""

from __future__ import annotations

import sys
from typing import Final

STOPPED: Final = 130
"""What a command ends with that was stopped at the keyboard: 128 and SIGINT's number, as shells have it."""


def main() -> None:
    """Load the command and run it; one that is stopped says so in a line."""
    try:
        from hebat.cli import main as run  # noqa: PLC0415  the second that this module is about

        run()
    except KeyboardInterrupt:
        sys.stderr.write("hebat: stopped\n")
        sys.exit(STOPPED)
    except SystemExit as end:
        if end.code == STOPPED:  # Typer says nothing of its own to it
            sys.stderr.write("hebat: stopped\n")
        raise
