"""Where a card comes from: the readers of this machine, asked for only when a command needs them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from shutil import get_terminal_size
from textwrap import fill
from typing import TYPE_CHECKING, Protocol, Self

import typer

from hebat.errors import InputRefused

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from card.transport import Transport


class Presence(Protocol):
    """A reader, and the answer to reset of the card in it (None: no card)."""

    @property
    def reader(self) -> str:
        """The reader's name."""

    @property
    def atr(self) -> bytes | None:
        """The card's answer to reset."""

    @property
    def there(self) -> bool:
        """False where the reader itself went."""


class ReaderCard(Protocol):
    """A card in a reader: a Transport that is given back at the end."""

    @property
    def reader(self) -> str:
        """The reader's name."""

    @property
    def uid(self) -> bytes:
        """As anticollision gave it."""

    def transmit(self, apdu: bytes) -> bytes:
        """Send a command, get the answer."""

    def __enter__(self) -> Self:
        """The card itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the reader back."""


class Readers(Protocol):
    """The readers of a machine; `card.pcsc` is one, a test brings its own."""

    def reader_names(self) -> list[str]:
        """All readers, in the system's order."""

    def watch(self, stop: threading.Event) -> Iterator[Presence]:
        """Every reader as it is now, then every change, until `stop` is set."""

    def wait_for_card(
        self,
        reader: str | None = None,
        timeout_s: float | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> ReaderCard:
        """The card in a reader, or the next one that comes."""


def readers() -> Readers:
    """This machine's readers."""
    from card import pcsc  # noqa: PLC0415  PC/SC loads only where a reader is asked for

    return pcsc


@dataclass(frozen=True, slots=True)
class Hand:
    """How somebody holds a card to a reader: which reader, how long to wait, and whether what is said is shown."""

    reader: str | None = None
    timeout: float = 30
    trace: bool = False
    secrets: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A card in a field: what to speak to, and the name of the reader."""

    transport: Transport
    reader: str


@contextmanager
def in_field(hand: Hand, invitation: str = "Hold a card to the reader.") -> Iterator[Held]:
    """The card in the reader; says `invitation` on standard error where there is none yet.

    Raises InputRefused, ReaderServiceDown, ReaderMissing, ReaderBusy, CardAbsent, CardLost.
    """
    source = readers()
    name = None if hand.reader is None else _named(source, hand.reader)

    def ask() -> None:
        typer.echo(f"{invitation} (Ctrl-C gives up)", err=True)

    with source.wait_for_card(name, hand.timeout, ask) as card:
        yield Held(_traced(card, secrets=hand.secrets) if hand.trace else card, card.reader)


def _named(source: Readers, part: str) -> str:
    """The first reader whose name contains `part`, in any case."""
    names = source.reader_names()
    for name in names:
        if part.lower() in name.lower():
            return name
    there = ", ".join(names) or "none is connected"
    raise InputRefused(f"no reader has {part!r} in its name: {there}")


def _traced(card: Transport, *, secrets: bool) -> Transport:
    from card import trace  # noqa: PLC0415  only where a trace was asked for

    return trace.Recorder(
        card, lambda exchange: typer.echo(_laid_out(trace.render(exchange, show_secrets=secrets)), err=True)
    )


def _laid_out(line: str) -> str:
    """One line for a file; on a terminal the answer stands below its command, and what is long is folded with an indent."""
    if not sys.stderr.isatty():
        return line
    sent, arrow, answered = line.partition(" <- ")
    width = get_terminal_size().columns
    halves = (sent, f"   <- {answered}" if arrow else "")
    return "\n".join(fill(half, width, subsequent_indent="      ") for half in halves if half)
