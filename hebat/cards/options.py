"""Options that the card commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hebat.cards.field import Hand

ReaderOption = Annotated[
    str | None, typer.Option("--reader", help="The reader whose name contains this; any reader without it.")
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0, max=86_400, help="How many seconds to wait for a card.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
DataOption = Annotated[Path, typer.Option("--data", help="The city's data folder.")]
PerhapsDataOption = Annotated[
    Path | None,
    typer.Option("--data", help="The city's data folder; without it, only what anybody may read."),
]
TraceOption = Annotated[
    bool,
    typer.Option(
        "--trace", help="Show what goes to the card and back, on standard error; secrets are hidden."
    ),
]
SecretsOption = Annotated[
    bool,
    typer.Option(
        "--show-secrets", help="As --trace, with the secrets: for a test card, never for a real one."
    ),
]
TIMEOUT = 30.0


def hand(reader: str | None, timeout: float, trace: bool, secrets: bool) -> Hand:
    """The shared options as one."""
    return Hand(reader, timeout, trace or secrets, secrets)
