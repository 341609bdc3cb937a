"""Readers that fail while they are watched: told as gone, and watched again; whoever serves them lives on."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from card.errors import ReaderError, ReaderServiceDown
from card.readers import Presence, Seen, Slot, State
from card.watching import changes

if TYPE_CHECKING:
    from collections.abc import Iterator

CARD = Slot("reader", State.PRESENT, b"\x3b")


class Field:
    """A reader with a card; the look of a number fails."""

    def __init__(self, error: ReaderError, at: int) -> None:
        self.error, self.at, self.looks = error, at, 0

    def readers(self) -> list[str]:
        return [CARD.reader]

    def slots(self, known: dict[str, int], timeout_s: float) -> list[Slot]:
        self.looks += 1
        if self.looks == self.at:
            raise self.error
        return [CARD]


@pytest.mark.parametrize("error", [ReaderError("the reader failed"), ReaderServiceDown("nobody answers")])
@pytest.mark.parametrize("at", [1, 2])
def test_a_reader_that_fails_once_is_gone_and_comes_again(error: ReaderError, at: int) -> None:
    field, stop = Field(error, at), threading.Event()

    @contextmanager
    def connect() -> Iterator[Field]:
        yield field

    seen = []
    for change in changes(connect, Seen(), stop, 0.0):
        seen.append(change)
        if field.looks > at:
            stop.set()
    came = Presence(CARD.reader, CARD.atr)
    assert seen == ([came] if at == 1 else [came, Presence(CARD.reader, None, there=False), came])
