"""What the tests of the `hebat card` commands share: readers of this process, cards of all kinds, and how a command is judged."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import pytest

from card.apdu import Ins
from card.errors import CardAbsent, ReaderServiceDown
from card.layout import AID, NEVER, Concession, File, Identity, card_number
from card.virtual import VirtualCard
from hebat.configurations import configuration_of
from hebat.folder import Folder
from hebat.wiring import City
from keys.clock import SystemClock
from keys.filevault import FileVault
from terminals.fares import Place

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from card.transport import Transport
    from hebat.cards.field import ReaderCard

READER, SECOND = "Desk reader 00", "Shelf reader 01"
ATR = bytes.fromhex("3b8180018080")
UID = bytes.fromhex("04112233445566")
PLACE = Place("1", "Simpang Lima", 1, 7, 1001)
OK = b"\x90\x00"


class Scripted:
    """A card that knows only what is written here: the beginning of a command, and its answer; keeps what it was sent."""

    def __init__(self, uid: bytes, answers: dict[bytes, bytes]) -> None:
        self.uid = uid
        self.sent: list[bytes] = []
        self._answers = answers

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        return next(
            (answer for start, answer in self._answers.items() if apdu.startswith(start)), b"\x6a\x82"
        )


def selected(name: bytes, answer: bytes = b"") -> dict[bytes, bytes]:
    return {bytes((0x00, 0xA4, 0x04, 0x00, len(name))) + name: answer + OK}


def version(product: int, generation: int) -> dict[bytes, bytes]:
    """GetVersion of a chip; it answers everything else with an error of its own."""
    frames = bytes((4, product, 1, generation, 0, 0x18, 5)) * 2 + UID + bytes(7)
    return {bytes((0x90, Ins.GET_VERSION)): frames + b"\x91\x00", b"\x90": b"\x91\x1c"}


@dataclass
class OnReader:
    """A card that lies in a reader while somebody speaks to it."""

    card: Transport
    reader: str

    @property
    def uid(self) -> bytes:
        return self.card.uid

    def transmit(self, apdu: bytes) -> bytes:
        return self.card.transmit(apdu)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        leave = getattr(self.card, "leave_field", None)
        if leave is not None:
            leave()


@dataclass(frozen=True)
class Seen:
    """A reader at a moment."""

    reader: str
    atr: bytes | None
    there: bool = True


@dataclass
class Desk:
    """Readers of this process; `cards` are held to the first one, one a wait, the last one again and again; None is nobody."""

    cards: list[Transport | None] = field(default_factory=list)
    names: list[str] = field(default_factory=lambda: [READER, SECOND])
    asked_for: list[str | None] = field(default_factory=list)
    down: bool = False

    def reader_names(self) -> list[str]:
        if self.down:
            raise ReaderServiceDown("no PC/SC service answers: start it")
        return self.names

    def watch(self, stop: threading.Event) -> Iterator[Seen]:
        for name in self.names:
            yield Seen(name, ATR if self.cards and name == READER else None)
        yield Seen(SECOND, None, there=False)

    def wait_for_card(
        self,
        reader: str | None = None,
        timeout_s: float | None = None,
        on_wait: Callable[[], object] | None = None,
    ) -> ReaderCard:
        self.asked_for.append(reader)
        card = self.cards.pop(0) if len(self.cards) > 1 else next(iter(self.cards), None)
        if card is None:
            assert on_wait is not None
            on_wait()
            raise CardAbsent("no card came in time")
        return OnReader(card, reader or READER)


@dataclass
class Ran:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def opened(folder: Path) -> City:
    return City(Folder(folder), configuration_of(Folder(folder)), SystemClock())


def vault_of(folder: Path) -> FileVault:
    return FileVault.open(Folder(folder).vault, Folder(folder).passphrase())


def identity(serial: int = 7) -> Identity:
    return Identity(card_number(9, serial), 9, 1, False, Concession.GENERAL, NEVER, NEVER)


def value_of(chip: VirtualCard) -> int:
    return chip.applications[AID].files[File.PURSE].value


def one_sentence(ran: Ran, code: int = 2) -> str:
    """The error of a command: one line, its code, no traceback."""
    assert ran.code == code, ran
    lines = [line for line in ran.err.splitlines() if line.startswith("hebat: ")]
    assert len(lines) == 1, ran.err
    assert "Traceback" not in ran.err
    return lines[0]


@contextmanager
def counted() -> Iterator[list[bytes]]:
    """What virtual cards are sent meanwhile."""
    sent: list[bytes] = []
    plain = VirtualCard.transmit

    def transmit(self: VirtualCard, apdu: bytes) -> bytes:
        sent.append(apdu)
        return plain(self, apdu)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VirtualCard, "transmit", transmit)
        yield sent
