"""Going on after a commit that failed, apart from threads and databases: what its senders hear, and who is let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ledger.abreast import UnderWay
from ledger.backlog import Backlog
from ledger.broken import Behind, Faults
from ledger.engine import Engine
from ledger.errors import (
    DatabaseAway,
    DiskFailed,
    LeaseLost,
    LedgerStopped,
    NotWritten,
    OutcomeUnknown,
    StorageError,
    UnitFailed,
)
from ledger.group import Group, Waiting
from ledger.mending import Mending
from ledger.opening import Start
from ledger.recovery import Found, Recovery, State
from ledger.standing import Standing
from ledger.windows import CUT_OFF, Windows
from tests.ledger.units import Plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ledger.broken import Broken


def state() -> State:
    return State(Engine(), Windows([], CUT_OFF), None, Start(None, 0, ()))


class Told(Recovery):
    """Finds what it is told to, one thing a look: what became of groups, or a database that is still away."""

    def __init__(self, *finds: Found | StorageError) -> None:
        self._told = list(finds)

    def look(self, broken: Sequence[Broken], away: Callable[[StorageError], None]) -> Found:
        while isinstance(found := self._told.pop(0), StorageError):
            away(found)
        assert broken
        return found


class Scene:
    """A writer without its threads."""

    def __init__(self, *finds: Found | StorageError) -> None:
        self.standing, self.backlog, self.faults = Standing(state()), Backlog(), Faults()
        self.under_way = UnderWay(alone=True)
        self.mending = Mending(Told(*finds), self.standing, self.backlog, self.under_way, self.faults)


@pytest.fixture
def make() -> Iterator[Callable[..., Scene]]:
    scenes: list[Scene] = []

    def made(*finds: Found | StorageError) -> Scene:
        scenes.append(Scene(*finds))
        return scenes[-1]

    yield made
    for scene in scenes:
        scene.under_way.close()


def group_of(*documents: bytes, sent: bool = False) -> Group:
    taken = [Waiting(Plain(document=document)) for document in documents]
    return Group(taken=taken, answers=[b"done " + document for document in documents], sent=sent)


def heard(group: Group) -> list[Any]:
    return [type(waiting.answer.exception(0)) for waiting in group.taken]


def test_nothing_goes_on_behind_a_broken_group_until_it_is_known_what_became_of_it(
    make: Callable[..., Scene],
) -> None:
    scene = make(Found(None, state()))
    scene.mending.check()
    scene.mending.note(group_of(b"a"), StorageError("cut off"))
    assert not scene.backlog.collect()  # the preparing thread was called
    with pytest.raises(Behind):
        scene.mending.check()
    scene.mending.mend()
    scene.mending.check()
    assert not scene.mending.is_due


def test_a_group_that_was_written_after_all_is_shown_and_keeps_its_answers(
    make: Callable[..., Scene],
) -> None:
    group = group_of(b"a", b"b", sent=True)
    scene = make(Found(group, None))
    scene.mending.note(group, StorageError("cut off"))
    assert not scene.mending.mend()
    assert group.durable
    assert [waiting.answer.result(0) for waiting in group.taken] == [b"done a", b"done b"]


def test_what_was_not_written_may_be_sent_again_and_the_journals_own_state_is_taken(
    make: Callable[..., Scene],
) -> None:
    journals, group, behind = state(), group_of(b"a", b"b"), group_of(b"c")
    scene = make(Found(None, journals))
    forgotten: list[Engine] = []
    scene.standing.undone.append(lambda: forgotten.append(scene.standing.engine))
    scene.mending.note(group, StorageError("full"))
    scene.mending.note(behind, Behind())
    assert not scene.mending.mend()
    assert heard(group) + heard(behind) == [NotWritten] * 3
    assert str(group.taken[0].answer.exception(0)).startswith("a commit failed (full)")
    assert forgotten == [journals.engine]


def test_a_fault_of_one_unit_alone_is_told_and_remembered(make: Callable[..., Scene]) -> None:
    group = group_of(b"a")
    scene = make(Found(None, state()))
    scene.mending.note(group, KeyError("a fault"))
    assert not scene.mending.mend()
    assert heard(group) == [UnitFailed]
    with pytest.raises(UnitFailed):
        scene.faults.check(Plain(document=b"a"))
    scene.faults.check(Plain(document=b"b"))


def test_a_fault_among_several_units_has_each_of_them_tried_alone(make: Callable[..., Scene]) -> None:
    group = group_of(b"a", b"b")
    scene = make(Found(None, state()))
    scene.mending.note(group, KeyError("a fault"))
    assert scene.mending.mend()
    assert heard(group) == [NotWritten, NotWritten]


@pytest.mark.parametrize(
    "error", [LeaseLost("another server"), DiskFailed("sync"), MemoryError(), SystemExit()]
)
def test_what_no_waiting_mends_stops_the_writer_or_is_found_out_to_be_a_fault(
    make: Callable[..., Scene], error: BaseException
) -> None:
    group = group_of(b"a")
    scene = make(Found(None, state()))
    scene.mending.note(group, error)
    scene.mending.mend()
    is_fault = isinstance(error, MemoryError)
    assert scene.backlog.is_stopped is not is_fault
    assert isinstance(group.taken[0].answer.exception(0), UnitFailed if is_fault else LedgerStopped)
    if not is_fault:
        assert scene.backlog.refusing is not None
        assert scene.backlog.refusing.__cause__ is error
        assert isinstance(scene.backlog.refusing, LeaseLost) is isinstance(error, LeaseLost)


def test_what_cannot_be_found_out_stops_the_writer(make: Callable[..., Scene]) -> None:
    group = group_of(b"a")
    scene = make(Found(None, state()))

    def forget() -> None:
        raise KeyError("a fault")

    scene.standing.undone.append(forget)
    scene.mending.note(group, StorageError("cut off"))
    scene.mending.mend()
    assert heard(group) == [LedgerStopped]
    assert scene.backlog.is_stopped


def test_nobody_is_kept_waiting_for_a_database_that_stays_away(
    make: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.mending.ANSWER_SECONDS_MAX", -1)
    sent, prepared = group_of(b"a", sent=True), group_of(b"b")
    scene = make(StorageError("away"), StorageError("away still"), Found(None, state()))
    waiting = scene.backlog.put(Plain(document=b"c"))
    told: list[DatabaseAway | None] = []
    scene.standing.undone.append(lambda: told.append(scene.backlog.away))
    scene.mending.note(sent, StorageError("cut off"))
    scene.mending.note(prepared, Behind())
    scene.mending.mend()
    assert heard(sent) + heard(prepared) == [OutcomeUnknown, NotWritten]
    assert isinstance(waiting.exception(0), DatabaseAway)
    assert isinstance(told[0], DatabaseAway)
    scene.backlog.put(Plain())  # once it is back, so are its users


def test_who_is_told_while_the_database_goes_away_again_is_told_once_more(
    make: Callable[..., Scene],
) -> None:
    """What units remember is read from the database: it may be away by then."""
    looks: list[int] = []

    def forget() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise StorageError("away again")

    group = group_of(b"a")
    scene = make(Found(None, state()), Found(None, state()))
    scene.standing.undone.append(forget)
    scene.mending.note(group, StorageError("cut off"))
    scene.mending.mend()
    assert (len(looks), heard(group), scene.backlog.is_stopped) == (2, [NotWritten], False)


def test_a_ledger_that_is_being_closed_does_not_wait_for_its_database(make: Callable[..., Scene]) -> None:
    group = group_of(b"a")
    scene = make(StorageError("away"))
    scene.backlog.close()
    scene.mending.note(group, StorageError("cut off"))
    scene.mending.mend()
    assert heard(group) == [LedgerStopped]
