"""Matched + in breaks + in suspense is the statements' movement, whatever people do between runs; and suspense in the books agrees.

Few walks in the default suite; many with HEBAT_LONG=1.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hebat.demo.statements import Movement
from hebat.schema import TABLES
from keys.money import Sen
from ledger.chart import Code, Partition, account_id
from settlement.breaks.filters import Filters
from settlement.breaks.proposals.kept import ProposalState
from settlement.errors import BreakRefused, MatchRefused
from tests.empty import new_ledger
from tests.settlement.town import BNI, open_stage
from tests.settlement.worked import Worked

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.participants import Participants

LONG = bool(os.environ.get("HEBAT_LONG"))
PICK = st.integers(0, 30)


def movements(worked: Worked, picks: list[int]) -> list[Movement]:
    """What a bank may make of some items: right, less a fee, wrong, sent back, for nobody, without a reference."""
    items = worked.items(BNI)
    made = []
    for number, pick in enumerate(picks):
        one = items[pick % len(items)]
        own = f"P{len(worked.lines())}-{number}"
        made.append(
            [
                Movement(one.amount, one.reference, one.name, own),
                Movement(Sen(one.amount - 2_500_00), one.reference, one.name, own),
                Movement(Sen(one.amount - 77), one.reference, one.name, own),
                Movement(Sen(-one.amount), one.reference, "RETUR", own),
                Movement(Sen(1_000 + pick), "", "SETORAN", own),
                Movement(one.amount, "", "TRF BLU TRNS", own),
            ][pick % 6]
        )
    return made


class Walk:
    """Acts on one ledger, each with what it picks."""

    def __init__(self, worked: Worked) -> None:
        self.worked = worked
        self._statements = 0
        self._balance = 0

    def statement(self, pick: int) -> None:
        told = movements(self.worked, [pick, pick * 7 + 1, pick * 3 + 2])
        self.worked.take(told, BNI, self._balance, self._statements)
        self._statements += 1
        self._balance += sum(one.amount for one in told)

    def run(self, _pick: int) -> None:
        self.worked.run()

    def undo(self, pick: int) -> None:
        if found := self.worked.matching.matches():
            with suppress(MatchRefused):  # an entry explains its difference
                self.worked.matching.undo(found[pick % len(found)].number, "maker", "walk")

    def pair(self, pick: int) -> None:
        lines = [one.line for one in self.worked.open() if one.line.sha256]
        items = [one.reference for one in self.worked.open() if one.reference]
        if lines and items:
            chosen = [items[pick % len(items)]], [lines[pick % len(lines)]]
            self.worked.matching.pair(*chosen, "colleague", "walk")

    def suggestion(self, pick: int) -> None:
        for one in self.worked.matching.suggestions()[:1]:
            if pick % 2:
                self.worked.matching.reject(one.number, "maker", "walk")
            else:
                with suppress(MatchRefused):  # matched by hand since
                    self.worked.matching.accept(one.number, "maker")

    def write_off(self, pick: int) -> None:
        if found := self.worked.open():
            with suppress(BreakRefused):  # nothing to post, or a proposal waits
                made = self.worked.breaks.propose_write_off(
                    found[pick % len(found)].break_id, "maker", "walk"
                )
                self.worked.breaks.approve(made.number, "checker")

    def reversal(self, pick: int) -> None:
        if done := self.worked.breaks.proposals(ProposalState.APPROVED):
            with suppress(BreakRefused):  # taken back already
                made = self.worked.breaks.propose_reversal(done[pick % len(done)].number, "maker", "walk")
                self.worked.breaks.approve(made.number, "checker")


ACTS: Final[tuple[Callable[[Walk, int], None], ...]] = (
    Walk.statement, Walk.statement, Walk.run, Walk.undo, Walk.pair, Walk.suggestion, Walk.write_off, Walk.write_off, Walk.reversal,
)  # fmt: skip


def check(worked: Worked) -> None:
    worked.sums()
    told = worked.breaks.suspense()
    for bank in worked.stage.participants.banks:
        account = account_id(Code.SUSPENSE, Partition(0), bank)
        assert worked.stage.ledger.balance(account).net(account) == told.get(bank, (0, 0))[1]
    assert worked.breaks.totals(Filters()).count == len(worked.open())


@settings(
    max_examples=60 if LONG else 3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=st.lists(st.tuples(st.sampled_from(ACTS), PICK), min_size=4, max_size=20 if LONG else 10))
@example(
    acts=[
        (Walk.statement, 28), (Walk.statement, 0), (Walk.undo, 17), (Walk.undo, 20), (Walk.statement, 14), (Walk.write_off, 15),
        (Walk.statement, 14), (Walk.reversal, 30), (Walk.pair, 11), (Walk.write_off, 0),
    ]
)  # fmt: skip
@example(  # written off after its stay in suspense was over: taking that back leads to no new stay
    acts=[
        (Walk.statement, 2), (Walk.undo, 30), (Walk.pair, 14), (Walk.statement, 23), (Walk.undo, 7), (Walk.write_off, 4),
        (Walk.reversal, 9),
    ]
)  # fmt: skip
def test_every_line_is_in_exactly_one_place_after_whatever_people_do(
    acts: list[tuple[Callable[[Walk, int], None], int]], city: Participants
) -> None:
    with TemporaryDirectory() as folder:
        database = new_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}", *TABLES)
        with open_stage(database, Path(folder) / "out", city) as stage:
            walk = Walk(Worked.on(stage))
            walk.statement(0)
            check(walk.worked)
            for act, pick in acts:
                act(walk, pick)
                check(walk.worked)
            walk.worked.run()
            check(walk.worked)
            assert stage.ledger.rebuild_check() > 0
