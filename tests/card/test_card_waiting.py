"""Waiting for a card and watching readers, apart from PC/SC: readers that say what they are told to, and a clock of their own."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from card.errors import CardAbsent, ReaderBusy, ReaderMissing, ReaderServiceDown
from card.readers import Presence, Seen, Slot, State
from card.waiting import BUSY_S, POLL_S, Wait
from card.watching import changes

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

GATE, DESK = "Gate", "Desk"
EMPTY, THERE, TAKEN = 0, int(State.PRESENT), int(State.PRESENT | State.EXCLUSIVE)


class Field:
    """Readers whose states are told look by look; the last stay. Looking takes the time that was allowed for it."""

    def __init__(self, *looks: dict[str, int]) -> None:
        self.looks, self.now = list(looks), 0.0
        self.asked: list[tuple[dict[str, int], float]] = []

    def readers(self) -> list[str]:
        return list(self.looks[0])

    def slots(self, known: dict[str, int], timeout_s: float) -> list[Slot]:
        self.asked.append((known, timeout_s))
        self.now += timeout_s
        states = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return [Slot(name, state, b"atr") for name, state in states.items() if name in known]


def waited(
    field: Field,
    opened: Callable[[Slot], str | None] = lambda slot: slot.reader,
    *,
    reader: str | None = None,
    timeout_s: float | None = None,
    on_wait: Callable[[], object] | None = None,
) -> str:
    return Wait(field, opened, reader, timeout_s, on_wait, ticks=lambda: field.now).card()


def test_the_card_that_is_there_is_opened_at_once_and_nobody_is_told_to_wait() -> None:
    told: list[int] = []
    field = Field({GATE: EMPTY, DESK: THERE})
    assert waited(field, on_wait=lambda: told.append(1)) == DESK
    assert (field.now, told) == (0, [])


def test_who_waits_is_told_so_once_however_long_it_takes() -> None:
    told: list[float] = []
    field = Field({GATE: EMPTY}, {GATE: EMPTY}, {GATE: EMPTY}, {GATE: THERE})
    assert waited(field, on_wait=lambda: told.append(field.now)) == GATE
    assert told == [0]
    assert [timeout for _, timeout in field.asked] == [0, POLL_S, POLL_S, POLL_S]


def test_each_look_compares_with_the_one_before_it() -> None:
    field = Field({GATE: EMPTY}, {GATE: 1 << 16}, {GATE: THERE})
    waited(field)
    assert [known for known, _ in field.asked] == [{GATE: State.UNAWARE}, {GATE: EMPTY}, {GATE: 1 << 16}]


def test_of_a_named_reader_no_other_is_asked_and_one_that_is_not_there_is_named() -> None:
    field = Field({GATE: THERE, DESK: EMPTY}, {GATE: THERE, DESK: THERE})
    assert waited(field, reader=DESK) == DESK
    assert all(set(known) == {DESK} for known, _ in field.asked)
    with pytest.raises(ReaderMissing, match="'Ticket office'"):
        waited(field, reader="Ticket office")


def test_a_card_that_does_not_open_is_tried_again_soon() -> None:
    """It was pulled, or another program was quicker: not every change of those is told of."""
    tries: list[str] = []

    def opened(slot: Slot) -> str | None:
        tries.append(slot.reader)
        return slot.reader if len(tries) == 3 else None

    field = Field({GATE: THERE})
    assert waited(field, opened) == GATE
    assert field.now < POLL_S


@pytest.mark.parametrize(("timeout_s", "after"), [(None, BUSY_S), (10.0, BUSY_S), (0.5, 0.5)])
def test_cards_that_another_program_keeps_are_an_error_in_time(timeout_s: float | None, after: float) -> None:
    field = Field({GATE: TAKEN, DESK: TAKEN})
    with pytest.raises(ReaderBusy, match="another program has Gate, Desk"):
        waited(field, timeout_s=timeout_s)
    assert after <= field.now < after + 0.1


def test_a_card_that_another_program_gives_back_is_opened() -> None:
    assert waited(Field(*[{GATE: TAKEN}] * 30, {GATE: THERE})) == GATE


def test_a_reader_that_is_free_ends_the_time_in_which_all_were_busy() -> None:
    busy = [{GATE: TAKEN}] * 30  # 1.5 s of them
    field = Field(*busy, {GATE: EMPTY}, *busy, {GATE: THERE})
    assert waited(field) == GATE


@pytest.mark.parametrize("timeout_s", [0.0, 0.3])
def test_no_card_in_time_is_said(timeout_s: float) -> None:
    field = Field({GATE: EMPTY})
    with pytest.raises(CardAbsent, match=f"within {timeout_s:g} s"):
        waited(field, timeout_s=timeout_s)
    assert all(timeout <= timeout_s for _, timeout in field.asked)


class Service:
    """Connections to a readers' service, one after the other: each a field, or none where the service is down; then stop."""

    def __init__(self, *connections: Field | None) -> None:
        self._connections = list(connections)
        self.stop = threading.Event()

    def connect(self) -> AbstractContextManager[Dying]:
        field = self._connections.pop(0)
        if not self._connections:
            self.stop.set()
        if field is None:
            raise ReaderServiceDown("down")
        return nullcontext(Dying(field))


class Dying:
    """A field whose service dies after its last look."""

    def __init__(self, field: Field) -> None:
        self._field = field

    def readers(self) -> list[str]:
        if len(self._field.looks) == 1:
            raise ReaderServiceDown("died")
        return self._field.readers()

    def slots(self, known: dict[str, int], timeout_s: float) -> list[Slot]:
        return self._field.slots(known, timeout_s)


def test_readers_go_with_their_service_and_come_again_with_the_next() -> None:
    first = Field({GATE: THERE}, {GATE: THERE}, {GATE: 1 << 16}, {})
    second = Field({GATE: 1 << 16, DESK: EMPTY}, {})
    service = Service(first, None, second, None)
    assert list(changes(service.connect, Seen(), service.stop, 0)) == [
        Presence(GATE, b"atr"),
        Presence(GATE, None),
        Presence(GATE, None, there=False),
        Presence(GATE, None),
        Presence(DESK, None),
        Presence(GATE, None, there=False),
        Presence(DESK, None, there=False),
    ]
